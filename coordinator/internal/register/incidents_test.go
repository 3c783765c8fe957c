package register

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
)

func TestIncidentsFollowVerdicts(t *testing.T) {
	r := &record{}
	var published []string
	i := open(t, newMemory(), r, func(o *IncidentOptions) {
		o.Changed = func(list []incident.Whole) {
			for _, c := range list {
				published = append(published, fmt.Sprintf("%s %d", c.Stage, len(c.Members)))
			}
		}
	})
	r.tell(2, turn(series("imap", "oceania"), verdict.Up, verdict.Down, 1))
	step(t, i)
	r.tell(4, turn(series("imap", "eu-north"), verdict.Up, verdict.Down, 3))
	step(t, i)
	r.tell(10, turn(series("imap", "oceania"), verdict.Down, verdict.Up, 5), turn(series("imap", "eu-north"), verdict.Down, verdict.Up, 6))
	step(t, i)
	all := i.All()
	if len(all) != 1 {
		t.Fatalf("got %d incidents, want one", len(all))
	}
	c := all[0]
	if !c.Started.Equal(at(1).Add(-10*time.Second)) || !c.Detected.Equal(at(1)) || !c.Recovered.Equal(at(6)) || !c.Resolved.Equal(at(9)) || c.Stage != incident.Resolved {
		t.Errorf("got %+v", c.Incident)
	}
	if diff := cmp.Diff([]string{"investigating 1", "investigating 2", "resolved 2"}, published); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	if one, err := i.Case(c.ID); err != nil || one.ID != c.ID {
		t.Errorf("got %s, %v", one.ID, err)
	}
	if _, err := i.Case("nowhere"); !errors.Is(err, ErrNoIncident) {
		t.Errorf("got %v, want ErrNoIncident", err)
	}
}

// TestCrashAtAnyWrite breaks the store after every number of writes, and opens what is
// left again: in the end the incidents are those that would have been without it.
func TestCrashAtAnyWrite(t *testing.T) {
	want := func() []incident.Case {
		r := &record{}
		outage(r)
		i := open(t, newMemory(), r)
		step(t, i)
		return i.All()
	}()
	if len(want) != 1 || want[0].Stage != incident.Resolved {
		t.Fatalf("got %+v", want)
	}
	// one change is told at a time, so that there are many writes
	for broken := range 12 {
		m, r := newMemory(), &record{}
		m.puts = broken
		whole := &record{}
		outage(whole)
		i := open(t, m, r)
		failed := false
		for _, c := range whole.told {
			r.told, r.until = append(r.told, c), c.At
			if i.step(t.Context()) != nil {
				failed = true
				break
			}
		}
		if !failed {
			r.until = at(60)
			failed = i.step(t.Context()) != nil
		}
		m.puts = -1
		again := open(t, m, whole)
		step(t, again)
		if diff := cmp.Diff(want, again.All()); diff != "" {
			t.Errorf("after %d writes, failed %t (-want +got):\n%s", broken, failed, diff)
		}
	}
}

// TestCrashBetweenTwoIncidents: of two incidents that one step changes the second is
// not written; what the first knows is not taken twice.
func TestCrashBetweenTwoIncidents(t *testing.T) {
	tell := func(r *record) {
		r.tell(4,
			turn(series("imap", "oceania"), verdict.Up, verdict.Down, 1), turn(series("web", "oceania"), verdict.Up, verdict.Down, 1),
			turn(series("imap", "oceania"), verdict.Down, verdict.Up, 2), turn(series("web", "oceania"), verdict.Down, verdict.Up, 2),
			turn(series("imap", "oceania"), verdict.Up, verdict.Down, 3), turn(series("web", "oceania"), verdict.Up, verdict.Down, 3),
		)
	}
	r := &record{}
	tell(r)
	i := open(t, newMemory(), r)
	step(t, i)
	want := i.All()
	if len(want) != 2 || len(want[0].Steps) < 3 {
		t.Fatalf("got %d incidents", len(want))
	}
	m := newMemory()
	m.puts = 1
	if err := open(t, m, r).step(t.Context()); !errors.Is(err, errDisk) {
		t.Fatalf("got %v, want a full disk", err)
	}
	m.puts = -1
	again := open(t, m, r)
	step(t, again)
	if diff := cmp.Diff(want, again.All()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestErrorAtAnyWrite: whichever write of a step fails, whether it landed or not, the
// next steps make of it what would have been without, on disk too, and everybody hears
// of it.
func TestErrorAtAnyWrite(t *testing.T) {
	tell := func(r *record) {
		r.tell(4, turn(series("imap", "oceania"), verdict.Up, verdict.Down, 1), turn(series("web", "oceania"), verdict.Up, verdict.Down, 1),
			turn(series("imap", "africa"), verdict.Up, verdict.Down, 2))
	}
	later := turn(series("imap", "oceania"), verdict.Down, verdict.Up, 5)
	r := &record{}
	tell(r)
	whole := open(t, newMemory(), r)
	step(t, whole)
	r.tell(20, later)
	step(t, whole)
	want := whole.All()
	if len(want) < 2 {
		t.Fatalf("got %d incidents, expected two at least", len(want))
	}
	for _, deaf := range []bool{false, true} {
		for broken := range 4 {
			m, r, heard := newMemory(), &record{}, map[string]incident.Case{}
			m.puts, m.deaf = broken, deaf
			tell(r)
			i := open(t, m, r, func(o *IncidentOptions) {
				o.Changed = func(list []incident.Whole) {
					for _, c := range list {
						heard[c.ID] = c.Case
					}
				}
			})
			failed := i.step(t.Context())
			m.puts = -1
			for range 3 { // one may be needed to see what is on disk
				_ = i.step(t.Context())
			}
			r.tell(20, later)
			step(t, i)
			if diff := cmp.Diff(want, i.All()); diff != "" {
				t.Errorf("write %d, deaf %t, %v (-want +got):\n%s", broken, deaf, failed, diff)
			}
			for _, c := range want {
				if diff := cmp.Diff(c, heard[c.ID]); diff != "" {
					t.Errorf("write %d, deaf %t: of %s they heard (-want +got):\n%s", broken, deaf, c.ID, diff)
				}
			}
			if diff := cmp.Diff(want, open(t, m, r).All()); diff != "" {
				t.Errorf("write %d, deaf %t: on disk (-want +got):\n%s", broken, deaf, diff)
			}
		}
	}
}

// TestPersonTriesAgain: a note whose answer was lost is on disk, and does not keep
// people or the machine from writing more.
func TestPersonTriesAgain(t *testing.T) {
	m, r := newMemory(), &record{}
	outage(r)
	i := open(t, m, r)
	step(t, i)
	id := i.All()[0].ID
	note := func(words string) error {
		_, err := i.Do(t.Context(), id, incident.Order{Deed: incident.Noting, Mark: incident.Mark{At: at(61), By: "ola", Text: words}})
		return err
	}
	m.puts, m.deaf = 0, true
	if err := note("one"); !errors.Is(err, errAnswer) {
		t.Fatalf("got %v, expected %v", err, errAnswer)
	}
	m.puts = -1
	if err := note("two"); err != nil {
		t.Fatal(err)
	}
	c, err := i.Case(id)
	if err != nil || len(c.Edits.Notes) != 2 {
		t.Errorf("got the notes %+v, %v, expected both", c.Edits.Notes, err)
	}
}

// TestDamagedValue: what cannot be read is named, and nothing is left out in silence.
func TestDamagedValue(t *testing.T) {
	m := newMemory()
	m.values["incident.x"], m.at["incident.x"] = []byte("{"), 1
	_, err := OpenIncidents(t.Context(), IncidentOptions{Store: m, Verdicts: &record{}, World: world, Logger: open(t, newMemory(), &record{}).log})
	if err == nil || !strings.Contains(err.Error(), "incident.x") || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v", err)
	}
}

func TestFinalRecordCorrects(t *testing.T) {
	r := &record{}
	i := open(t, newMemory(), r)
	r.tell(60, turn(series("imap", "oceania"), verdict.Up, verdict.Down, 10), turn(series("imap", "oceania"), verdict.Down, verdict.Up, 20))
	step(t, i)
	told := i.All()[0]
	// Late data show that it began earlier, and that nobody was told of the webmail.
	earlier := turn(series("imap", "oceania"), verdict.Up, verdict.Down, 5)
	r.final = []verdict.Change{
		earlier, turn(series("imap", "oceania"), verdict.Down, verdict.Up, 19),
		turn(series("web", "eu-north"), verdict.Up, verdict.Down, 30), turn(series("web", "eu-north"), verdict.Down, verdict.Up, 35),
	}
	slices.SortFunc(r.final, func(a, b verdict.Change) int { return a.At.Compare(b.At) })
	r.finalUntil = at(60)
	i.Judged(ten)
	step(t, i)
	all := i.All()
	if len(all) != 2 {
		t.Fatalf("got %d incidents, want two", len(all))
	}
	if c := all[0]; c.ID != told.ID || !c.Started.Equal(earlier.Since) || !c.Recovered.Equal(at(19)) || !c.Detected.Equal(told.Detected) {
		t.Errorf("got %+v, want it corrected", c.Incident)
	}
	if c := all[1]; !c.Detected.IsZero() || c.Key.Service != "web" || incident.View(*world(), c).Public {
		t.Errorf("got %+v, want it recorded afterwards and private", c.Incident)
	}
	before, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	i.Judged(ten)
	step(t, i)
	if after, _ := json.Marshal(i.All()); string(after) != string(before) {
		t.Errorf("the same final record again changes\n%s\nto\n%s", before, after)
	}
}

// TestFinalRecordIsReadFromAQuietTime: an hour in the middle of an outage is judged
// again; what began before it is not lost.
func TestFinalRecordIsReadFromAQuietTime(t *testing.T) {
	r := &record{}
	i := open(t, newMemory(), r)
	down, up := turn(series("imap", "oceania"), verdict.Up, verdict.Down, 10), turn(series("imap", "oceania"), verdict.Down, verdict.Up, 600)
	r.tell(660, down, up)
	step(t, i)
	want := i.All()[0].Started
	r.final, r.finalUntil = []verdict.Change{down, up}, at(660)
	i.Judged(at(300))
	step(t, i)
	if all := i.All(); len(all) != 1 || !all[0].Started.Equal(want) || all[0].Unshown {
		t.Errorf("got %+v", all)
	}
}

func TestPeopleAndTheMachine(t *testing.T) {
	r, m := &record{}, newMemory()
	i := open(t, m, r)
	r.tell(2, turn(series("imap", "oceania"), verdict.Up, verdict.Down, 1))
	step(t, i)
	id := i.All()[0].ID
	by := incident.Mark{At: at(2), By: "kari", Text: "the upstream filters"}
	if _, err := i.Do(t.Context(), id, incident.Order{Mark: by, Deed: incident.Noting}); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Do(t.Context(), id, incident.Order{Mark: by, Deed: incident.Rewording, Title: "Attack", Summary: "We are being attacked."}); err != nil {
		t.Fatal(err)
	}
	r.tell(9, turn(series("imap", "oceania"), verdict.Down, verdict.Up, 5))
	step(t, i)
	for _, register := range []*Incidents{i, open(t, m, r)} {
		c, err := register.Case(id)
		if err != nil {
			t.Fatal(err)
		}
		if v := incident.View(*world(), c); v.Title != "Attack" || v.Summary != "We are being attacked." || v.Stage != incident.Resolved || len(c.Edits.Notes) != 1 {
			t.Errorf("got %+v", v)
		}
	}
	if _, err := i.Do(t.Context(), "nowhere", incident.Order{Mark: by, Deed: incident.Noting}); !errors.Is(err, ErrNoIncident) {
		t.Errorf("got %v, want ErrNoIncident", err)
	}
	m.puts = 0
	if _, err := i.Do(t.Context(), id, incident.Order{Mark: by, Deed: incident.Noting}); !errors.Is(err, errDisk) {
		t.Errorf("got %v, want a full disk", err)
	}
	if c, _ := i.Case(id); len(c.Edits.Notes) != 1 {
		t.Errorf("a note that is not on disk is shown: %+v", c.Edits.Notes)
	}
}

func TestMergeAndSplit(t *testing.T) {
	r, m := &record{}, newMemory()
	i := open(t, m, r)
	r.tell(4, turn(series("imap", "oceania"), verdict.Up, verdict.Down, 1), turn(series("imap", "eu-north"), verdict.Up, verdict.Down, 2), turn(series("web", "oceania"), verdict.Up, verdict.Down, 3))
	step(t, i)
	all := i.All()
	if len(all) != 2 {
		t.Fatalf("got %d incidents, want two", len(all))
	}
	by := incident.Mark{At: at(4), By: "kari"}
	if _, err := i.Do(t.Context(), all[1].ID, incident.Order{Mark: by, Deed: incident.Merging, Into: all[0].ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := i.Do(t.Context(), all[1].ID, incident.Order{Mark: by, Deed: incident.Merging, Into: "nowhere"}); err == nil {
		t.Error("merged with nothing")
	}
	part, err := i.Do(t.Context(), all[0].ID, incident.Order{Mark: by, Deed: incident.Splitting, Series: []verdict.Series{series("imap", "eu-north")}})
	if err != nil {
		t.Fatal(err)
	}
	// The book obeys: what is well again is so where people put it.
	r.tell(20, turn(series("imap", "eu-north"), verdict.Down, verdict.Up, 6))
	step(t, i)
	again := open(t, m, r)
	step(t, again)
	for _, register := range []*Incidents{i, again} {
		views := incident.Views(*world(), register.All())
		if len(views) != 2 {
			t.Fatalf("got %d incidents, want two", len(views))
		}
		for _, v := range views {
			want := incident.Investigating
			if v.ID == part.ID {
				want = incident.Resolved
			}
			if v.Stage != want {
				t.Errorf("%s: got %s, want %s", v.ID, v.Stage, want)
			}
		}
	}
	if got := i.Overlapping(at(0), at(5)); len(got) != 3 {
		t.Errorf("got %d cases, want all three: two overlap and one is merged", len(got))
	}
	if got := i.Overlapping(at(-60), at(0)); len(got) != 0 {
		t.Errorf("got %d cases of a time before", len(got))
	}
}

// TestPartsAreAnnouncedWithTheirWhole: whoever hears of an incident sees all of it,
// also when only a part of it changed.
func TestPartsAreAnnouncedWithTheirWhole(t *testing.T) {
	r := &record{}
	var heard []string
	i := open(t, newMemory(), r, func(o *IncidentOptions) {
		o.Changed = func(list []incident.Whole) {
			for _, x := range list {
				heard = append(heard, fmt.Sprintf("%s of %d parts, %d series", x.Together().Stage, len(x.Parts), len(x.Together().Members)))
			}
		}
	})
	r.tell(4, turn(series("imap", "oceania"), verdict.Up, verdict.Down, 1), turn(series("web", "oceania"), verdict.Up, verdict.Down, 2))
	step(t, i)
	all := i.All()
	if len(all) != 2 {
		t.Fatalf("got %d incidents, expected two", len(all))
	}
	by := incident.Mark{At: at(5), By: "kari"}
	if _, err := i.Do(t.Context(), all[1].ID, incident.Order{Mark: by, Deed: incident.Merging, Into: all[0].ID}); err != nil {
		t.Fatal(err)
	}
	r.tell(9, turn(series("web", "oceania"), verdict.Down, verdict.Up, 8))
	step(t, i)
	want := []string{"investigating of 0 parts, 1 series", "investigating of 0 parts, 1 series", "investigating of 1 parts, 2 series", "investigating of 1 parts, 2 series"}
	if diff := cmp.Diff(want, heard); diff != "" {
		t.Errorf("heard (-want +got):\n%s", diff)
	}
}

func TestOldIncidentsAreForgotten(t *testing.T) {
	r, m := &record{}, newMemory()
	i := open(t, m, r, func(o *IncidentOptions) { o.Keep = time.Hour })
	outage(r)
	step(t, i)
	if len(i.All()) != 1 {
		t.Fatal("it is forgotten at once")
	}
	r.tell(89)
	step(t, i)
	if len(i.All()) != 0 || m.values["incident."] != nil || len(m.values) != 1 {
		t.Errorf("got %d incidents and %d values, want none and the place", len(i.All()), len(m.values))
	}
}

// TestDraftOfRefusedLogins: what only people can tell is a draft, and nobody else sees
// it.
func TestDraftOfRefusedLogins(t *testing.T) {
	r := &record{notices: []verdict.Notice{{Kind: verdict.Refused, Check: "imap", Since: at(1)}}}
	i := open(t, newMemory(), r)
	r.tell(2)
	step(t, i)
	all := i.All()
	if len(all) != 1 || !all[0].Draft || incident.View(*world(), all[0]).Public {
		t.Fatalf("got %+v, want a draft", all)
	}
	r.notices = nil
	for _, minute := range []float64{30, 34} {
		r.tell(minute)
		step(t, i)
	}
	if c := i.All()[0]; c.Stage != incident.Resolved {
		t.Errorf("got %s, want it closed", c.Stage)
	}
}
