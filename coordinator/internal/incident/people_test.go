package incident_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
)

func by(clock string) incident.Mark { return incident.Mark{At: at(clock), By: "kari", Text: "why"} }

// must is what was done without an error.
func must[T any](t *testing.T) func(T, error) T {
	return func(x T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
}

// What people do can be taken back, and leaves nothing but the log.
func TestTakeBack(t *testing.T) {
	do := must[incident.Edits](t)
	for _, tt := range []struct {
		deed incident.Deed
		do   func(incident.Edits) (incident.Edits, error)
	}{
		{incident.Noting, func(e incident.Edits) (incident.Edits, error) { return e.Note(by("10:00")) }},
		{incident.Rewording, func(e incident.Edits) (incident.Edits, error) { return e.Reword(by("10:00"), "Title", "Summary") }},
		{incident.Identifying, func(e incident.Edits) (incident.Edits, error) { return e.Identify(by("10:00")) }},
		{incident.Resolving, func(e incident.Edits) (incident.Edits, error) { return e.Resolve(by("10:00")) }},
		{incident.CallingFalse, func(e incident.Edits) (incident.Edits, error) { return e.MarkFalse(by("10:00")) }},
		{incident.Publishing, func(e incident.Edits) (incident.Edits, error) { return e.Publish(by("10:00"), true) }},
		{incident.Merging, func(e incident.Edits) (incident.Edits, error) {
			part := incident.Case{Incident: incident.Incident{ID: "a"}, Edits: e}
			return incident.Merge(by("10:00"), part, incident.Case{Incident: incident.Incident{ID: "b"}})
		}},
	} {
		if _, err := (incident.Edits{}).Unmark(by("10:00"), tt.deed); err == nil || !strings.Contains(err.Error(), "got no "+string(tt.deed)) {
			t.Errorf("%s: nothing is taken back: %v", tt.deed, err)
		}
		before := do(incident.Edits{}.Note(by("09:00")))
		done := do(tt.do(before))
		if gocmp.Equal(before, done, cmpopts.IgnoreFields(incident.Edits{}, "Log")) {
			t.Errorf("%s: nothing was done", tt.deed)
		}
		back := do(done.Unmark(by("11:00"), tt.deed))
		if diff := gocmp.Diff(before, back, cmpopts.IgnoreFields(incident.Edits{}, "Log"), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s taken back (-before +after)\n%s", tt.deed, diff)
		}
		if n := len(back.Log); n != 3 || back.Log[1].Did != tt.deed || back.Log[1].Back || !back.Log[2].Back || len(before.Log) != 1 {
			t.Errorf("%s: got the log %+v", tt.deed, back.Log)
		}
		data, err := json.Marshal(done)
		var read incident.Edits
		if err == nil {
			err = json.Unmarshal(data, &read)
		}
		if diff := gocmp.Diff(done, read); err != nil || diff != "" {
			t.Errorf("%s: %v, what is read is not what was written (-want +got)\n%s", tt.deed, err, diff)
		}
	}
}

func TestRefusedEdits(t *testing.T) {
	two := must[incident.Edits](t)(incident.Edits{}.Identify(by("10:00")))
	many := incident.Edits{Log: make([]incident.Act, 1000)}
	text := func(s string) incident.Mark { return incident.Mark{At: at("10:00"), By: "kari", Text: s} }
	for _, tt := range []struct {
		name string
		do   func() (incident.Edits, error)
		want string
	}{
		{"no time", func() (incident.Edits, error) { return two.Note(incident.Mark{By: "kari", Text: "x"}) }, "got no time, expected when it was done"},
		{"no name", func() (incident.Edits, error) { return two.Note(incident.Mark{At: at("10:00"), By: " ", Text: "x"}) }, "got no name, expected who did it"},
		{"no note", func() (incident.Edits, error) { return two.Note(text(" ")) }, "note: got no text, expected some words"},
		{"no reason", func() (incident.Edits, error) { return two.MarkFalse(text("")) }, "false alarm: got no text, expected some words"},
		{"no words", func() (incident.Edits, error) { return two.Reword(by("10:00"), "", "") }, "reword: got neither title nor summary, expected one of them"},
		{"long", func() (incident.Edits, error) { return two.Note(text(strings.Repeat("å", 5001))) }, "text: got 5001 characters, expected at most 5000"},
		{"long title", func() (incident.Edits, error) { return two.Reword(by("10:00"), strings.Repeat("å", 256), "") }, "title: got 256 characters, expected at most 255"},
		{"no text", func() (incident.Edits, error) { return two.Note(text("\xff")) }, "text: got bytes that are no UTF-8, expected text"},
		{"control", func() (incident.Edits, error) { return two.Reword(by("10:00"), "", "a\x1b[31m") }, `summary: got the control character "\x1b", expected text`},
		{"twice", func() (incident.Edits, error) { return two.Identify(by("11:00")) }, "identify: got one by kari of 21 Oct 2021, 10:00 UTC already, expected none; take that back first"},
		{"what", func() (incident.Edits, error) { return two.Unmark(by("11:00"), "split") }, `take back: got "split", expected note, reword, identify, resolve, false_alarm, merge or publish`},
		{"too much", func() (incident.Edits, error) { return many.Note(by("10:00")) }, "got 1001 acts, expected at most 1000"},
	} {
		if _, err := tt.do(); err == nil || err.Error() != tt.want {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
	a, b := incident.Case{Incident: incident.Incident{ID: "a"}}, incident.Case{Incident: incident.Incident{ID: "b"}}
	b.Edits = must[incident.Edits](t)(incident.Merge(by("10:00"), b, a))
	for _, tt := range []struct {
		part, into incident.Case
		want       string
	}{
		{a, a, "merge: got a twice, expected two incidents"},
		{a, b, "merge: got b, which is merged into a, expected one that stands"},
		{b, a, "merge: got one by kari of 21 Oct 2021, 10:00 UTC already, expected none; take that back first"},
	} {
		if _, err := incident.Merge(by("11:00"), tt.part, tt.into); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}

// What a person said stands over what the machine says, and the machine goes on.
func TestView(t *testing.T) {
	do := must[incident.Edits](t)
	b := told(turn("09:00", "post", "oceania", down), turn("09:00", "post", "oceania", down, over(v6)))
	view := func(e incident.Edits) incident.Shown {
		return incident.View(world(), incident.Case{Incident: only(t, b), Edits: e})
	}
	var none incident.Edits
	if s := view(none); s.Title != "Post cannot be reached from Oceania" || s.Stage != incident.Investigating || !s.Public || len(s.Lines) != 2 {
		t.Errorf("got %+v", s)
	}
	worded := do(do(none.Reword(by("09:05"), "Trouble with a cable", "")).Note(by("09:06")))
	b.Observe(turn("09:10", "post", "us-east", down))
	s := view(worded)
	if s.Title != "Trouble with a cable" || !strings.HasPrefix(s.Summary, "Post cannot be reached from Oceania and Eastern US since") || len(s.Regions) != 2 {
		t.Errorf("got %q, %q", s.Title, s.Summary)
	}
	if got := s.Lines[2]; got != (incident.Line{At: at("09:06"), By: "kari", Words: "why"}) || s.Lines[3].Kind != incident.Spread {
		t.Errorf("got the lines %+v", s.Lines)
	}
	identified := do(none.Identify(by("09:11")))
	if got := view(identified).Stage; got != incident.Identified {
		t.Errorf("got %s, want identified", got)
	}
	for _, e := range []incident.Edits{do(identified.Resolve(by("09:12"))), do(identified.MarkFalse(by("09:12")))} {
		if s := view(e); s.Stage != incident.Resolved || !s.Resolved.Equal(at("09:12")) || (s.FalseAlarm != nil) != (e.FalseAlarm != nil) {
			t.Errorf("got %s at %s", s.Stage, s.Resolved)
		}
	}
	if view(do(none.Publish(by("09:12"), false))).Public {
		t.Errorf("it is public, and a person said private")
	}
	for _, c := range []verdict.Change{turn("09:20", "post", "oceania", up), turn("09:20", "post", "oceania", up, over(v6)), turn("09:20", "post", "us-east", up)} {
		b.Observe(c)
	}
	if got := view(identified).Stage; got != incident.Monitoring {
		t.Errorf("got %s, want monitoring", got)
	}
	b.Advance(at("09:30"))
	if s := view(do(none.Resolve(by("10:00")))); !s.Resolved.Equal(at("09:23")) {
		t.Errorf("it was over before a person said so: got %s", s.Resolved)
	}
	if s := incident.View(world(), incident.Case{Incident: incident.Incident{Draft: true, Detected: at("09:00")}}); s.Public {
		t.Errorf("a draft is public")
	}
	if s := incident.View(world(), incident.Case{Incident: incident.Incident{}}); s.Public {
		t.Errorf("what was recorded afterwards is public")
	}
}

// Two that are merged are shown as one, and what is like either joins the one that
// stands.
func TestMerge(t *testing.T) {
	b := told(turn("09:00", "imap-login", "oceania", down), turn("09:01", "post", "oceania", down, on(there)))
	list := b.Incidents()
	imap, post := incident.Case{Incident: list[0]}, incident.Case{Incident: list[1]}
	post.Edits = must[incident.Edits](t)(incident.Merge(by("09:02"), post, imap))
	cases := func() []incident.Case {
		out := []incident.Case{}
		for _, i := range b.Incidents() {
			c := incident.Case{Incident: i}
			if i.ID == post.ID {
				c.Edits = post.Edits
			}
			out = append(out, c)
		}
		return out
	}
	b.Place(incident.PlacementOf(cases()))
	b.Observe(turn("09:05", "post", "us-east", down, on(there)))
	b.Observe(turn("09:10", "imap-login", "oceania", up))
	views := incident.Views(world(), cases())
	if len(views) != 1 || views[0].ID != imap.ID || !slices.Equal(views[0].Merged, []string{post.ID}) || len(views[0].Members) != 3 || len(views[0].Lines) != 4 {
		t.Fatalf("got %+v", views)
	}
	if i := b.Incidents()[0]; len(i.Members) != 2 || i.ID != imap.ID {
		t.Errorf("the new one is in another than that which stands: %+v", i)
	}
	b.Observe(turn("09:10", "post", "us-east", up))
	b.Advance(at("11:00")) // that which stands is closed for more than an hour, and its part is not
	if got := b.Incidents(); len(got) != 2 || incident.Views(world(), cases())[0].Stage != incident.Investigating {
		t.Errorf("got %+v, want both held", got)
	}
	b.Observe(turn("11:01", "imap-login", "oceania", down))
	if i := b.Incidents()[0]; i.Stage != incident.Investigating {
		t.Errorf("its own trouble does not join it: %+v", b.Incidents())
	}

	back := must[incident.Edits](t)(post.Edits.Unmark(by("11:02"), incident.Merging))
	post.Edits = back
	b.Place(incident.PlacementOf(cases()))
	if got := incident.Views(world(), cases()); len(got) != 2 || len(got[1].Members) != 1 {
		t.Errorf("got %+v, want two", got)
	}
	b.Observe(turn("12:00", "imap-login", "oceania", up))
	b.Advance(at("13:30"))
	if i := only(t, b); i.ID != post.ID {
		t.Errorf("got %s, want that which is under way alone", i.ID)
	}
}

// A part that was split off goes on by itself; merging it takes it back.
func TestSplit(t *testing.T) {
	b := told(
		turn("09:00", "imap-login", "oceania", down), turn("09:01", "imap-login", "us-east", down, since("09:00:40")),
		turn("09:10", "imap-login", "oceania", up),
	)
	whole := incident.Case{Incident: only(t, b), Edits: must[incident.Edits](t)(incident.Edits{}.Publish(by("09:02"), false))}
	rest, part, err := incident.Split(world(), by("09:11"), whole, series("imap-login", "us-east"))
	if err != nil {
		t.Fatal(err)
	}
	if rest.ID != whole.ID || rest.Stage != incident.Monitoring || part.Stage != incident.Investigating || part.SplitFrom != whole.ID || part.ID != part.Key.ID() || part.ID == rest.ID {
		t.Errorf("got %+v and %+v", rest, part)
	}
	wantTime(t, "start of the part", part.Started, "09:00:40")
	wantTime(t, "end of the rest", rest.Recovered, "09:10")
	wantKinds(t, part.Incident, incident.Spread, incident.Parted)
	if want := part.ID + " was split from it: IMAP (imap-login) in Eastern US over IPv4, by kari"; last(rest.Incident).Words != want {
		t.Errorf("got %q, want %q", last(rest.Incident).Words, want)
	}
	if *part.Edits.Public || len(rest.Edits.Log) != 2 || len(part.Edits.Log) != 1 || part.Impact != incident.MinorImpact {
		t.Errorf("got %+v and %+v, %s", rest.Edits, part.Edits, part.Impact)
	}
	b.Put(rest.Incident, part.Incident)
	b.Observe(turn("09:20", "imap-login", "us-east", up))
	b.Advance(at("09:30"))
	list := b.Incidents()
	wantTime(t, "the rest is closed", list[0].Resolved, "09:13")
	wantTime(t, "the part is closed", list[1].Resolved, "09:23")
	b.Observe(turn("09:31", "imap-login", "us-east", down))
	if list := b.Incidents(); list[1].Stage != incident.Investigating || list[0].Stage != incident.Resolved {
		t.Errorf("got %s and %s, want the part to open again", list[0].Stage, list[1].Stage)
	}

	for _, tt := range []struct {
		series []verdict.Series
		want   string
	}{
		{nil, "split: got 0 of 2 series, expected some and not all"},
		{[]verdict.Series{series("imap-login", "us-east"), series("imap-login", "oceania")}, "split: got 2 of 2 series, expected some and not all"},
		{[]verdict.Series{series("web", "us-east")}, "split: got web/us-east/ipv4, expected series of incident " + whole.ID},
	} {
		if _, _, err := incident.Split(world(), by("09:11"), whole, tt.series...); err == nil || err.Error() != tt.want {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
	// The series with which it began takes the key with it, and not the id.
	_, first, err := incident.Split(world(), by("09:11"), whole, series("imap-login", "oceania"))
	if err != nil || first.ID == whole.ID || first.Key.Nth != 1 {
		t.Errorf("got %s, %v, want another id than %s", first.ID, err, whole.ID)
	}
}

// What is ill after a person said that it is over, or was nothing, is another incident;
// what was ill before stays where it is.
func TestShut(t *testing.T) {
	do := must[incident.Edits](t)
	for _, e := range []incident.Edits{do(incident.Edits{}.Resolve(by("09:05"))), do(incident.Edits{}.MarkFalse(by("09:05")))} {
		b := told(turn("09:00", "imap-login", "oceania", down), turn("09:01", "imap-login", "us-east", down), turn("09:02", "imap-login", "oceania", up))
		first := only(t, b)
		b.Place(incident.PlacementOf([]incident.Case{{Incident: first, Edits: e}}))
		b.Observe(turn("09:06", "imap-login", "us-east", slow))
		if i := only(t, b); i.Members[1].State != slow {
			t.Errorf("got %+v, want it to stay", i.Members)
		}
		b.Observe(turn("09:07", "imap-login", "oceania", down))
		b.Observe(turn("09:08", "imap-login", "eu-north", down))
		list := b.Incidents()
		if len(list) != 2 || len(list[1].Members) != 2 || !list[0].Members[0].Gone {
			t.Fatalf("got %+v, want another with both", list)
		}
		b.Observe(turn("09:10", "imap-login", "us-east", up))
		b.Advance(at("09:20"))
		wantTime(t, "the first is closed", b.Incidents()[0].Resolved, "09:13")
	}
}

// Logins that are refused everywhere are a draft: for people, and not public.
func TestDraft(t *testing.T) {
	notice := []verdict.Notice{
		{Kind: verdict.Refused, Check: "imap-login", Since: at("09:00:20"), Reason: "the last login of each probe was refused, 9 in 3 regions"},
		{Kind: verdict.Stray, Check: "web", Region: "oceania", Probe: "syd-1"},
	}
	b := told()
	for _, clock := range []string{"09:01", "09:02", "09:03"} {
		b.Notice(at(clock), notice)
	}
	i := only(t, b)
	wantKinds(t, i, incident.Opened)
	wantTime(t, "started", i.Started, "09:00:20")
	wantTime(t, "detected", i.Detected, "09:01")
	if !i.Draft || i.Stage != incident.Investigating || i.Key.Group != incident.Login || i.ID != i.Key.ID() || !slices.Equal(i.Services(), []string{"imap"}) {
		t.Errorf("got %+v", i)
	}
	if got, want := incident.Summary(world(), i), "All logins of IMAP (imap-login) are refused from everywhere since 21 Oct 2021, 09:00 UTC; the password may be the reason."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := last(i).Words, "All logins of imap-login are refused from everywhere: the last login of each probe was refused, 9 in 3 regions"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if s := incident.View(world(), incident.Case{Incident: i}); s.Public || s.Title != "All logins of IMAP are refused" {
		t.Errorf("got %v, %q", s.Public, s.Title)
	}
	b.Observe(turn("09:04", "imap-login", "oceania", down, in("", "auth_timeout")))
	if n := len(b.Incidents()); n != 2 {
		t.Errorf("got %d incidents, want the draft to stand alone", n)
	}
	b.Observe(turn("09:04", "imap-login", "oceania", up))

	b.Notice(at("09:10"), nil)
	b.Notice(at("09:11"), notice)
	b.Notice(at("09:12"), nil)
	b.Notice(at("09:20"), notice[1:])
	b.Notice(at("09:30"), notice)
	b.Notice(at("09:40"), nil)
	b.Advance(at("10:00"))
	list := b.Incidents()
	i = list[slices.IndexFunc(list, func(i incident.Incident) bool { return i.Draft })]
	wantKinds(t, i, incident.Opened, incident.Recovery, incident.Relapsed, incident.Recovery, incident.Closed, incident.Reopened, incident.Recovery, incident.Closed)
	wantTime(t, "recovered", i.Recovered, "09:40")
	wantTime(t, "resolved", i.Resolved, "09:43")
	if got, want := incident.Summary(world(), i), "All logins of IMAP (imap-login) are refused from everywhere from 21 Oct 2021, 09:00 to 09:40 UTC; the password may be the reason."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	notice[0].Since = at("10:00:10")
	b.Notice(at("10:00:30"), notice)
	if n := len(b.Incidents()); n != 3 {
		t.Errorf("got %d incidents, want another draft", n)
	}
}

// A part of a part is one of the whole: the final record gives each what is its own.
func TestSplitTwice(t *testing.T) {
	changes := []verdict.Change{
		turn("09:00", "imap-login", "oceania", down), turn("09:01", "imap-login", "us-east", down), turn("09:02", "imap-login", "eu-north", down),
		turn("09:10", "imap-login", "oceania", up), turn("09:11", "imap-login", "us-east", up), turn("09:12", "imap-login", "eu-north", up),
	}
	rest, part, err := incident.Split(world(), by("09:20"), incident.Case{Incident: ever(changes...)[0]}, series("imap-login", "oceania"), series("imap-login", "us-east"))
	if err != nil {
		t.Fatal(err)
	}
	two, one, err := incident.Split(world(), by("09:21"), part, series("imap-login", "oceania"))
	if err != nil {
		t.Fatal(err)
	}
	if one.SplitFrom != rest.ID || one.ID == two.ID || one.ID == rest.ID || one.Key.Nth != 2 || one.Stage != incident.Resolved {
		t.Errorf("got %s of %s, %+v, %s", one.ID, one.SplitFrom, one.Key, one.Stage)
	}
	former := []incident.Incident{rest.Incident, two.Incident, one.Incident}
	for _, i := range incident.Reconcile(world(), former, derived(changes...), at("12:00")) {
		if len(i.Members) != 1 || last(i).Kind == incident.Corrected {
			t.Errorf("%s: got %d members, %q", i.ID, len(i.Members), last(i).Words)
		}
	}
}

// Of those that are merged the one with the least progress says how far all are.
func TestMergedStages(t *testing.T) {
	of := func(changes ...verdict.Change) incident.Case {
		b := told(changes...)
		b.Advance(at("09:13"))
		return incident.Case{Incident: only(t, b)}
	}
	ill := of(turn("09:00", "imap-login", "oceania", down))
	waiting := of(turn("08:59", "imap-login", "us-east", flaps), turn("09:12", "imap-login", "us-east", up))
	over := of(turn("09:02", "imap-login", "oceania", down), turn("09:09", "imap-login", "oceania", up))
	for _, tt := range []struct {
		name                         string
		cases                        []incident.Case
		stage                        incident.Stage
		started, recovered, resolved string
	}{
		{"one is ill", []incident.Case{over, ill}, incident.Investigating, "09:00", "", ""},
		{"one is not closed", []incident.Case{over, waiting}, incident.Monitoring, "08:59", "09:12", ""},
		{"both are closed", []incident.Case{over, over}, incident.Resolved, "09:02", "09:09", "09:12"},
		{"the part began before", []incident.Case{ill, waiting}, incident.Investigating, "08:59", "", ""},
	} {
		s := incident.View(world(), tt.cases[0], tt.cases[1:]...)
		if s.Stage != tt.stage || s.Intermittent != slices.ContainsFunc(tt.cases, func(c incident.Case) bool { return c.Intermittent }) {
			t.Errorf("%s: got %s, intermittent %v", tt.name, s.Stage, s.Intermittent)
		}
		wantTime(t, tt.name+": started", s.Started, tt.started)
		wantTime(t, tt.name+": detected", s.Detected, tt.started)
		wantTime(t, tt.name+": recovered", s.Recovered, tt.recovered)
		wantTime(t, tt.name+": resolved", s.Resolved, tt.resolved)
	}
	// A series that is in both is shown once: as it is now, and as it was when it was worst.
	s := incident.View(world(), over, of(turn("09:00", "imap-login", "oceania", slow), turn("09:12:30", "imap-login", "oceania", up)))
	if len(s.Members) != 1 || s.Members[0].Worst != down || !s.Members[0].Since.Equal(at("09:00")) || !s.Members[0].Until.Equal(at("09:12:30")) {
		t.Errorf("got %+v", s.Members)
	}
}
