package bulletin_test

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/bulletin"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/mail"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

var noon = time.Date(2021, 10, 21, 12, 0, 0, 0, time.UTC)

// world has two services in three regions, one check each, over both families.
func world() incident.World {
	w := incident.World{
		Services: []incident.Service{{ID: "imap", Name: "IMAP"}, {ID: "webmail", Name: "Webmail"}},
		Checks: []incident.Check{
			{ID: "imaps", Service: "imap", Kind: checks.IMAP, Depth: status.Login, Every: 30 * time.Second},
			{ID: "web", Service: "webmail", Kind: checks.HTTPS, Depth: status.Contact, Every: 30 * time.Second},
		},
		Regions: []status.Region{{ID: "eu", Name: "Europe", Weight: 4}, {ID: "us", Name: "America", Weight: 2}, {ID: "oc", Name: "Oceania", Weight: 1}},
	}
	for _, c := range w.Checks {
		for _, r := range w.Regions {
			w.Series = append(w.Series, verdict.Series{Check: c.ID, Region: r.ID, Family: checks.IPv4})
		}
	}
	return w
}

// turn is a change of verdict so many seconds after noon.
type turn struct {
	at            int
	check, region string
	to            verdict.State
}

func policy(t *testing.T, mode bulletin.Mode, language string) bulletin.Policy {
	t.Helper()
	l, err := bulletin.BuiltIn(language)
	if err != nil {
		t.Fatal(err)
	}
	return bulletin.Policy{
		Page: "main", Services: []string{"imap", "webmail"}, Mode: mode, Within: 10 * time.Minute, Lexicon: l,
		Dwell: map[incident.Impact]time.Duration{incident.MinorImpact: 5 * time.Minute, incident.MajorImpact: 2 * time.Minute, incident.CriticalImpact: time.Minute},
	}
}

// play tells a book of changes and reviews its first incident every second until the given
// one; people do what they do at their seconds.
func play(t *testing.T, p bulletin.Policy, until int, turns []turn, people map[int]func(*incident.Edits, *bulletin.Bulletin)) bulletin.Bulletin {
	t.Helper()
	book := incident.New(world(), incident.Policy{})
	var b bulletin.Bulletin
	var edits incident.Edits
	var sparse bulletin.Bulletin // reviewed only when there may be something to say
	var due time.Time
	var before incident.Incident
	for s := range until + 1 {
		now := noon.Add(time.Duration(s) * time.Second)
		for _, x := range turns {
			if x.at != s {
				continue
			}
			c := verdict.Change{
				Series: verdict.Series{Check: x.check, Region: x.region, Family: checks.IPv4}, From: verdict.Up, To: x.to, At: now, Since: now.Add(-20 * time.Second),
				Counts: verdict.Counts{Down: 3}, Evidence: verdict.Evidence{Phase: checks.Connect, Class: checks.ConnectTimeout, Networks: []string{"192.0.2.0/24"}},
			}
			if x.to == verdict.Up {
				c.From, c.Counts, c.Evidence = verdict.Down, verdict.Counts{Up: 3}, verdict.Evidence{}
			}
			book.Observe(c)
		}
		book.Advance(now)
		if act := people[s]; act != nil {
			act(&edits, &b)
			sparse, due = b, now
		}
		incidents := book.Incidents()
		for _, i := range incidents[:min(1, len(incidents))] {
			subject := bulletin.Subject{World: world(), Whole: incident.Whole{Case: incident.Case{Incident: i, Edits: edits}}, Mail: func([]string, time.Time) mail.Sums {
				return mail.Sums{Sent: 40, Arrived: 40, Longest: 90 * time.Second}
			}}
			if !reflect.DeepEqual(before, i) || !due.IsZero() && !now.Before(due) {
				sparse, due, _ = p.Review(sparse, subject, now)
				before = i
			}
			next, _, changed := p.Review(b, subject, now)
			if !changed && !reflect.DeepEqual(next, b) {
				t.Fatalf("second %d: changed without saying so:\n%s", s, cmp.Diff(b, next))
			}
			if again, _, twice := p.Review(next, subject, now); changed && twice {
				t.Fatalf("second %d: looking twice changes it:\n%s", s, cmp.Diff(next, again))
			}
			b = next
		}
	}
	if diff := cmp.Diff(b, sparse); diff != "" {
		t.Fatalf("reviewed only when there may be something to say (-every second +then):\n%s", diff)
	}
	return b
}

// told are the updates: the second at which each was said, its stage and its words.
func told(b bulletin.Bulletin) []string {
	var out []string
	for _, u := range b.Updates {
		out = append(out, fmt.Sprintf("%d %s: %s", int(u.At.Sub(noon).Seconds()), u.Stage, u.Text))
	}
	return out
}

func expect(t *testing.T, b bulletin.Bulletin, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, told(b)); diff != "" {
		t.Errorf("updates (-want +got):\n%s", diff)
	}
}

// TestOneRegion: told when it has lasted for the dwell time to the second, over at once when
// all is well, and resolved when that has lasted.
func TestOneRegion(t *testing.T) {
	b := play(t, policy(t, bulletin.Auto, "en"), 1500, []turn{{100, "imaps", "oc", verdict.Down}, {1000, "imaps", "oc", verdict.Up}}, nil)
	expect(t, b,
		"220 investigating: IMAP cannot be reached from Oceania since 21 October 2021, 12:01 UTC. What we see: connections time out (3 of 3 probes). Of 40 test mails sent since then none is lost, the longest delay is 90 s.",
		"1000 monitoring: All of it works again since 21 October 2021, 12:16 UTC. We watch whether it stays so.",
		"1180 resolved: It is over. IMAP could not be reached from Oceania from 21 October 2021, 12:01 UTC to 21 October 2021, 12:16 UTC, 15 min in all. Of 40 test mails sent since it began none is lost, the longest delay was 90 s.",
	)
	if b.Title != "IMAP cannot be reached from Oceania" || b.Impact != incident.MajorImpact || b.State() != bulletin.Public || b.Open() {
		t.Errorf("got %q, %s, %s, open %v", b.Title, b.Impact, b.State(), b.Open())
	}
	want := incident.Part{Service: "imap", Region: "oc", Status: status.Operational, State: verdict.Up}
	if !slices.Equal(b.Parts, []incident.Part{want}) || b.Updates[0].Parts[0].Status != status.Major || b.Updates[0].ID != b.Incident+"-1" {
		t.Errorf("got parts %+v, of the first update %+v", b.Parts, b.Updates[0])
	}
	if len(b.Log) != 3 || !strings.Contains(b.Log[0].Why, "its impact is major and it has lasted for 2 min") {
		t.Errorf("got the log %+v", b.Log)
	}
}

// TestShortTroubleIsNotTold: what is over within its dwell time is told to nobody.
func TestShortTroubleIsNotTold(t *testing.T) {
	expect(t, play(t, policy(t, bulletin.Auto, "en"), 600, []turn{{0, "imaps", "oc", verdict.Down}, {119, "imaps", "oc", verdict.Up}}, nil))
}

// TestSpreadAndShrink: it is graver at once, and lesser at most once a minute.
func TestSpreadAndShrink(t *testing.T) {
	b := play(t, policy(t, bulletin.Auto, "en"), 800, []turn{
		{0, "imaps", "oc", verdict.Down},
		{125, "imaps", "us", verdict.Down},
		{130, "imaps", "eu", verdict.Down},
		{240, "imaps", "us", verdict.Up},
		{250, "imaps", "eu", verdict.Slow},
		{400, "web", "oc", verdict.Down},
	}, nil)
	expect(t, b,
		"120 investigating: IMAP cannot be reached from Oceania since 21 October 2021, 11:59 UTC. What we see: connections time out (3 of 3 probes). Of 40 test mails sent since then none is lost, the longest delay is 90 s.",
		"130 investigating: It has spread. IMAP cannot be reached from every region, for 2 min now.",
		"240 investigating: It has become less. Still: IMAP cannot be reached from Europe and Oceania, for 4 min now.",
		"300 investigating: It has changed. IMAP cannot be reached from Oceania, for 5 min now. What we see: connections time out. Also affected: IMAP (Europe).",
		"400 investigating: It has spread. IMAP and Webmail cannot be reached from Oceania, for 7 min now. Also affected: IMAP (Europe).",
	)
}

// TestComingAndGoing: a beacon that is lit and put out every minute is not read.
func TestComingAndGoing(t *testing.T) {
	var turns []turn
	for i := range 30 {
		turns = append(turns, turn{i * 120, "imaps", "oc", verdict.Down}, turn{i*120 + 60, "imaps", "oc", verdict.Up})
	}
	b := play(t, policy(t, bulletin.Auto, "en"), 2*3600, turns, nil)
	if n := len(b.Updates); n < 2 || n > 8 {
		t.Errorf("got %d updates in two hours, want a few:\n%s", n, strings.Join(told(b), "\n"))
	}
	if last := b.Updates[len(b.Updates)-1]; last.Stage != incident.Resolved {
		t.Errorf("got it %s in the end, want resolved", last.Stage)
	}
}

// TestRelapse: trouble that returns is told at once, in the same bulletin.
func TestRelapse(t *testing.T) {
	b := play(t, policy(t, bulletin.Auto, "en"), 900, []turn{
		{0, "imaps", "oc", verdict.Down}, {200, "imaps", "oc", verdict.Up}, {250, "imaps", "oc", verdict.Down},
	}, nil)
	var stages []incident.Stage
	for _, u := range b.Updates {
		stages = append(stages, u.Stage)
	}
	want := []incident.Stage{incident.Investigating, incident.Monitoring, incident.Investigating}
	if !slices.Equal(stages, want) {
		t.Errorf("got %v, want %v:\n%s", stages, want, strings.Join(told(b), "\n"))
	}
}

func by(second int, text string) incident.Mark {
	return incident.Mark{At: noon.Add(time.Duration(second) * time.Second), By: "Kari", Text: text}
}

func publish(second int, public bool) func(*incident.Edits, *bulletin.Bulletin) {
	return func(e *incident.Edits, _ *bulletin.Bulletin) { *e, _ = e.Publish(by(second, ""), public) }
}

// TestPeopleDecide: in each mode, what is told by itself, what a person publishes and what
// they keep.
func TestPeopleDecide(t *testing.T) {
	type acts = map[int]func(*incident.Edits, *bulletin.Bulletin)
	turns := []turn{{0, "imaps", "oc", verdict.Down}}
	for _, tt := range []struct {
		name  string
		mode  bulletin.Mode
		acts  acts
		first int
		state string
	}{
		{"by itself", bulletin.Auto, nil, 120, bulletin.Public},
		{"published before its time", bulletin.Auto, acts{10: publish(10, true)}, 10, bulletin.Public},
		{"kept", bulletin.Auto, acts{10: publish(10, false)}, -1, bulletin.Private},
		{"asked, nobody there", bulletin.Approve, nil, 720, bulletin.Public},
		{"asked, and agreed", bulletin.Approve, acts{150: publish(150, true)}, 150, bulletin.Public},
		{"asked, and refused", bulletin.Approve, acts{150: publish(150, false)}, -1, bulletin.Private},
		{"by hand, nobody there", bulletin.Manual, nil, -1, bulletin.Private},
		{"by hand", bulletin.Manual, acts{300: publish(300, true)}, 300, bulletin.Public},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := play(t, policy(t, tt.mode, "en"), 900, turns, tt.acts)
			first := -1
			if len(b.Updates) > 0 {
				first = int(b.Updates[0].At.Sub(noon).Seconds())
			}
			if first != tt.first || b.State() != tt.state {
				t.Errorf("got it told at %d and %s, want at %d and %s; log %+v", first, b.State(), tt.first, tt.state, b.Log)
			}
		})
	}
}

// TestAskedInTime: what waits for a person is over before one came, and is dropped.
func TestAskedInTime(t *testing.T) {
	b := play(t, policy(t, bulletin.Approve, "en"), 900, []turn{{0, "imaps", "oc", verdict.Down}, {300, "imaps", "oc", verdict.Up}}, nil)
	if b.State() != bulletin.Private || len(b.Log) != 2 || b.Log[1].Why != "it was over before it was told" {
		t.Errorf("got it %s, log %+v", b.State(), b.Log)
	}
}

// TestPeopleWrite: what people write stays, and the machine leaves the words alone until it
// is given back; the parts are measured all the same.
func TestPeopleWrite(t *testing.T) {
	order := func(second int, o bulletin.Order) func(*incident.Edits, *bulletin.Bulletin) {
		return func(_ *incident.Edits, b *bulletin.Bulletin) {
			o.At, o.By = noon.Add(time.Duration(second)*time.Second), "Kari"
			next, err := b.Apply(o)
			if err != nil {
				t.Errorf("second %d: %v", second, err)
			}
			*b = next
		}
	}
	b := play(t, policy(t, bulletin.Auto, "en"), 2000, []turn{{0, "imaps", "oc", verdict.Down}, {400, "imaps", "us", verdict.Down}, {900, "imaps", "us", verdict.Up}, {900, "imaps", "oc", verdict.Up}},
		map[int]func(*incident.Edits, *bulletin.Bulletin){
			200: order(200, bulletin.Order{Deed: bulletin.Posting, Stage: incident.Identified, Mark: incident.Mark{Text: "Somebody floods us. We route around it."}}),
			300: func(_ *incident.Edits, b *bulletin.Bulletin) {
				order(300, bulletin.Order{Deed: bulletin.Rewriting, Update: b.Updates[0].ID, Mark: incident.Mark{Text: "IMAP is away in Oceania."}})(nil, b)
			},
			1300: order(1300, bulletin.Order{Deed: bulletin.Giving}),
		})
	expect(t, b,
		"120 investigating: IMAP is away in Oceania.",
		"200 identified: Somebody floods us. We route around it.",
		"1300 resolved: It is over. IMAP could not be reached from America and Oceania from 21 October 2021, 11:59 UTC to 21 October 2021, 12:15 UTC, 15 min in all. Of 40 test mails sent since it began none is lost, the longest delay was 90 s.",
	)
	if b.Updates[0].By != "Kari" || b.Updates[0].Edited.IsZero() || len(b.Parts) != 2 || b.Parts[0].State != verdict.Up {
		t.Errorf("got the first update %+v, parts %+v", b.Updates[0], b.Parts)
	}
	for _, o := range []bulletin.Order{
		{Deed: "sing"},
		{Deed: bulletin.Posting},
		{Deed: bulletin.Posting, Stage: "done", Mark: incident.Mark{Text: "x"}},
		{Deed: bulletin.Rewriting, Update: "x-1", Mark: incident.Mark{Text: "x"}},
		{Deed: bulletin.Giving},
		{Deed: bulletin.Posting, Mark: incident.Mark{Text: strings.Repeat("x", 1<<20)}},
		{Deed: bulletin.Posting, Mark: incident.Mark{Text: "evil \u202e live"}},
	} {
		o.At, o.By = noon, "Kari"
		if next, err := b.Apply(o); err == nil || len(next.Updates) != len(b.Updates) {
			t.Errorf("%+.60v: got no error, or it did something", o)
		}
	}
}

// TestWithdrawn: a false alarm, and what a person takes back, is withdrawn where all see it.
func TestWithdrawn(t *testing.T) {
	for name, act := range map[string]func(*incident.Edits, *bulletin.Bulletin){
		"false alarm": func(e *incident.Edits, _ *bulletin.Bulletin) {
			*e, _ = e.MarkFalse(by(300, "A probe's own firewall."))
		},
		"taken back": publish(300, false),
	} {
		b := play(t, policy(t, bulletin.Auto, "en"), 600, []turn{{0, "imaps", "oc", verdict.Down}}, map[int]func(*incident.Edits, *bulletin.Bulletin){300: act})
		last := b.Updates[len(b.Updates)-1]
		if len(b.Updates) != 2 || last.Stage != incident.Resolved || b.Withdrawn == nil || b.Parts[0].Status != status.Operational || !strings.HasPrefix(last.Text, "This notice is withdrawn") {
			t.Errorf("%s: got %v", name, told(b))
		}
	}
}

// TestPageOfOneService: a page says nothing of other services, and is well when its own are.
func TestPageOfOneService(t *testing.T) {
	p := policy(t, bulletin.Auto, "en")
	p.Services = []string{"webmail"}
	turns := []turn{{0, "imaps", "oc", verdict.Down}, {10, "web", "oc", verdict.Down}, {400, "web", "oc", verdict.Up}}
	b := play(t, p, 1500, turns, nil)
	if text := strings.Join(told(b), "\n"); strings.Contains(text, "IMAP") || len(b.Updates) != 3 || b.Stage != incident.Resolved {
		t.Errorf("got\n%s", text)
	}
	p.Services = []string{"other"}
	expect(t, play(t, p, 300, turns, nil))
}

// TestLanguages: every language has every word, and says the same facts.
func TestLanguages(t *testing.T) {
	for _, language := range bulletin.Languages() {
		p := policy(t, bulletin.Auto, language)
		b := play(t, p, 1500, []turn{{100, "imaps", "oc", verdict.Down}, {100, "web", "oc", verdict.Down}, {1000, "imaps", "oc", verdict.Up}, {1000, "web", "oc", verdict.Up}}, nil)
		if p.Lexicon.Tag() != language || len(b.Updates) != 3 {
			t.Fatalf("%s: got %v", language, told(b))
		}
		for _, u := range b.Updates {
			if strings.Contains(u.Text, "  ") || strings.Contains(u.Text, "<no value>") || strings.Contains(u.Text, " .") {
				t.Errorf("%s: got %q", language, u.Text)
			}
		}
		for _, fact := range []string{"IMAP", "Webmail", "Oceania", "12:01 UTC", "40"} {
			if !strings.Contains(b.Updates[0].Text, fact) {
				t.Errorf("%s: %q does not say %s", language, b.Updates[0].Text, fact)
			}
		}
		t.Log(strings.Join(told(b), "\n"))
	}
}

// TestLexiconsThatAreWrong name the file and what is wrong.
func TestLexiconsThatAreWrong(t *testing.T) {
	for text, want := range map[string]string{
		"tag: fr\n": "months: got 0, expected 12",
		"tag: fr\nupdates:\n  opening: \"{{.Nothing}}\"\n": "can't evaluate field Nothing",
		"tag: fr\nupdates:\n  opening: \"{{\"\n":           "unclosed action",
		"tag: fr\nupdates:\n  openning: x\n":               `updates: got "openning"`,
		"tag: fr\ntrouble:\n  reech: {down: x}\n":          "trouble.reech",
		"tag: fr\nwords: 3\n":                              "words",
	} {
		_, err := bulletin.ParseLexicon("fr.yaml", []byte(text))
		if err == nil || !strings.Contains(err.Error(), "fr.yaml") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want the file and %q", text, err, want)
		}
	}
	if _, err := bulletin.BuiltIn("../en"); err == nil {
		t.Error("got a language of another folder")
	}
}
