package incident_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
)

// ever are all incidents that a book held, as of 12:00.
func ever(changes ...verdict.Change) []incident.Incident {
	b := told(changes...)
	b.Advance(at("12:00"))
	return b.Touched()
}

func derived(changes ...verdict.Change) []incident.Incident {
	return incident.Derive(world(), incident.Policy{}, changes, at("12:00"))
}

func reconciled(t *testing.T, told, final []incident.Incident) []incident.Incident {
	t.Helper()
	before := make([]incident.Incident, len(told))
	for k := range told {
		before[k] = told[k].Clone()
	}
	out := incident.Reconcile(world(), told, final, at("12:15"))
	if diff := gocmp.Diff(before, told); diff != "" {
		t.Errorf("what was told was changed (-want +got)\n%s", diff)
	}
	return out
}

// outage is trouble of a series in two families.
func outage(check, region, from, to string) []verdict.Change {
	return []verdict.Change{turn(from, check, region, down), turn(to, check, region, up)}
}

func TestReconcile(t *testing.T) {
	imap := outage("imap-login", "oceania", "09:00", "09:10")
	for _, tt := range []struct {
		name        string
		told, final []verdict.Change
		// want says what each of the outcome is and when it was.
		want []string
	}{
		{"as it was told", imap, imap, []string{"told 09:00:00 to 09:10:00"}},
		{
			"a little later than it was", imap, outage("imap-login", "oceania", "09:00:01", "09:09:58"),
			[]string{"told 09:00:01 to 09:09:58"},
		},
		{
			"it began before", imap, outage("imap-login", "oceania", "08:50", "09:10"),
			[]string{"told 08:50:00 to 09:10:00; The final record: it began on 21 Oct 2021, 08:50 UTC, not on 21 Oct 2021, 09:00 UTC"},
		},
		{
			"it was over later, and elsewhere too", imap,
			append(outage("imap-login", "oceania", "09:00", "09:20"), turn("09:02", "imap-login", "us-east", down), turn("09:06", "imap-login", "us-east", up)),
			[]string{"told 09:00:00 to 09:20:00; The final record: it was over on 21 Oct 2021, 09:20 UTC, not on 21 Oct 2021, 09:10 UTC; also in trouble: IMAP (imap-login) in Eastern US over IPv4"},
		},
		{
			"another family", imap,
			[]verdict.Change{turn("09:00", "imap-login", "oceania", down, over(v6)), turn("09:10", "imap-login", "oceania", up, over(v6))},
			[]string{"told 09:00:00 to 09:10:00; The final record: also in trouble: IMAP (imap-login) in Oceania over IPv6; not in trouble: IMAP (imap-login) in Oceania over IPv4"},
		},
		{"nobody was told", nil, imap, []string{"recorded 09:00:00 to 09:10:00; Recorded afterwards: nobody was told of it in time"}},
		{
			"it was none", imap, nil,
			[]string{"told 09:00:00 to 09:10:00; The final record does not show it: what came in later says that it was none, or a part of another"},
		},
		{
			"other trouble", imap,
			[]verdict.Change{
				turn("09:00", "imap-login", "oceania", down, in(checks.Auth, checks.AuthTimeout)), turn("09:10", "imap-login", "oceania", up),
			},
			[]string{
				"recorded 09:00:00 to 09:10:00; Recorded afterwards: nobody was told of it in time",
				"told 09:00:00 to 09:10:00; The final record does not show it: what came in later says that it was none, or a part of another",
			},
		},
		{
			"at another time", imap, outage("imap-login", "oceania", "09:15:01", "09:20"),
			[]string{
				"told 09:00:00 to 09:10:00; The final record does not show it: what came in later says that it was none, or a part of another",
				"recorded 09:15:01 to 09:20:00; Recorded afterwards: nobody was told of it in time",
			},
		},
		{
			"one that was two", outage("imap-login", "oceania", "09:00", "10:10"),
			append(outage("imap-login", "oceania", "09:00", "09:10"), outage("imap-login", "us-east", "10:00", "10:10")...),
			[]string{"told 09:00:00 to 10:10:00; The final record: also in trouble: IMAP (imap-login) in Eastern US over IPv4"},
		},
		{
			"two that were one", append(outage("imap-login", "oceania", "09:00", "09:10"), outage("imap-login", "oceania", "10:00", "10:10")...),
			outage("imap-login", "oceania", "09:00", "10:10"),
			[]string{
				"told 09:00:00 to 10:10:00; The final record: it was over on 21 Oct 2021, 10:10 UTC, not on 21 Oct 2021, 09:10 UTC",
				"told 10:00:00 to 10:10:00; The final record does not show it: what came in later says that it was none, or a part of another",
			},
		},
		{
			"one that goes on", imap[:1], outage("imap-login", "oceania", "08:50", "09:10"),
			[]string{"told 08:50:00 to 00:00:00; The final record: it began on 21 Oct 2021, 08:50 UTC, not on 21 Oct 2021, 09:00 UTC"},
		},
		{"one that goes on and is not final yet", imap[:1], nil, []string{"told 09:00:00 to 00:00:00"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			former, final := ever(tt.told...), derived(tt.final...)
			out := reconciled(t, former, final)
			var got []string
			for _, i := range out {
				words := "told"
				if i.Detected.IsZero() {
					words = "recorded"
				} else if !slices.ContainsFunc(former, func(f incident.Incident) bool { return f.ID == i.ID && f.Detected.Equal(i.Detected) }) {
					t.Errorf("%s was not told", i.ID)
				}
				words += " " + i.Started.Format(time.TimeOnly) + " to " + i.Recovered.Format(time.TimeOnly)
				if l := last(i); l.Kind == incident.Corrected {
					words += "; " + l.Words
				}
				got = append(got, words)
			}
			if diff := gocmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if diff := gocmp.Diff(out, incident.Reconcile(world(), out, final, at("13:00"))); diff != "" {
				t.Errorf("twice (-once +twice)\n%s", diff)
			}
		})
	}
}

// What the final record does not show may be shown by a later one.
func TestShownAfterAll(t *testing.T) {
	imap := outage("imap-login", "oceania", "09:00", "09:10")
	out := reconciled(t, ever(imap...), nil)
	if !out[0].Unshown {
		t.Fatalf("got %+v", out[0])
	}
	out = reconciled(t, out, derived(imap...))
	if out[0].Unshown || last(out[0]).Words != "The final record: it does show it" {
		t.Errorf("got %v, %q", out[0].Unshown, last(out[0]).Words)
	}
}

// What a person split stays split, and drafts are nobody's business.
func TestReconcileLeavesPeopleAlone(t *testing.T) {
	both := []verdict.Change{
		turn("09:00", "imap-login", "oceania", down), turn("09:01", "imap-login", "us-east", down),
		turn("09:10", "imap-login", "oceania", up), turn("09:12", "imap-login", "us-east", up),
	}
	one := ever(both...)[0]
	rest, part, err := incident.Split(world(), by("11:00"), incident.Case{Incident: one}, series("imap-login", "oceania"))
	if err != nil {
		t.Fatal(err)
	}
	draft := incident.Incident{ID: "d", Key: one.Key, Draft: true, Started: at("09:00"), Stage: incident.Resolved}
	former := []incident.Incident{part.Incident, rest.Incident, draft}
	both[0].Since = at("08:30")
	both[3].At = at("09:14")
	out := reconciled(t, former, derived(both...))
	if len(out) != 3 {
		t.Fatalf("got %+v, want three", out)
	}
	for _, i := range out {
		want := map[string]string{part.ID: "08:30:00 oceania 09:10:00", rest.ID: "09:01:00 us-east 09:14:00", "d": "09:00:00  00:00:00"}[i.ID]
		if got := i.Started.Format(time.TimeOnly) + " " + strings.Join(i.Regions(), " ") + " " + i.Recovered.Format(time.TimeOnly); got != want {
			t.Errorf("%s: got %s, want %s", i.ID, got, want)
		}
	}
	if diff := gocmp.Diff(out, incident.Reconcile(world(), out, derived(both...), at("13:00"))); diff != "" {
		t.Errorf("twice (-once +twice)\n%s", diff)
	}
}

// What a series did at one instant is taken in the order in which it can have happened,
// whatever was known of it before.
func TestOneInstant(t *testing.T) {
	ill := turn("09:00", "imap-login", "oceania", down, since("08:59"))
	found := turn("09:00", "imap-login", "oceania", up)
	found.From = slow
	for _, before := range [][]verdict.Change{nil, {turn("08:00", "imap-login", "oceania", slow)}} {
		list := derived(append(before, ill, found)...)
		if i := list[len(list)-1]; i.Stage != incident.Investigating || i.Members[0].State != down {
			t.Errorf("got %s, %+v, want it down", i.Stage, i.Members)
		}
	}
}
