package incident_test

import (
	"fmt"
	"runtime"
	"testing"

	"varde/coordinator/internal/incident"
)

// numbered is a case with an id, which is merged into another if into is not empty.
func numbered(id, into string) incident.Case {
	c := incident.Case{Incident: incident.Incident{ID: id, Started: at("09:00")}}
	if into != "" {
		c.Edits.MergedInto = &incident.Mark{At: at("10:00"), By: "kari", Text: into}
	}
	return c
}

func TestWholes(t *testing.T) {
	cases := []incident.Case{numbered("a", "c"), numbered("b", ""), numbered("c", ""), numbered("d", "a"), numbered("e", "gone")}
	got := ""
	for _, x := range incident.Wholes(cases) {
		got += x.ID + ":"
		for _, part := range x.Parts {
			got += part.ID
		}
		got += " "
	}
	if want := "b: c:ad e: "; got != want {
		t.Errorf("got %q, expected %q", got, want)
	}
	for id, want := range map[string]string{"a": "c", "b": "b", "d": "c", "e": "e", "x": ""} {
		if x, ok := incident.WholeOf(cases, id); x.ID != want || ok != (want != "") {
			t.Errorf("%s is in %q, %t, expected %q", id, x.ID, ok, want)
		}
	}
}

// TestViewsOfMany takes memory for each incident once: a year of attacks makes
// thousands, and every page of a coordinator asks for them.
func TestViewsOfMany(t *testing.T) {
	var cases []incident.Case
	for i := range 4000 {
		into := ""
		if i%2 == 1 {
			into = fmt.Sprint(i - 1)
		}
		cases = append(cases, numbered(fmt.Sprint(i), into))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	views := incident.Views(world(), cases)
	runtime.ReadMemStats(&after)
	if len(views) != 2000 || len(views[0].Merged) != 1 {
		t.Errorf("got %d views, expected 2000 with a part each", len(views))
	}
	if each := (after.TotalAlloc - before.TotalAlloc) / uint64(len(cases)); each > 32<<10 {
		t.Errorf("took %d bytes for each of %d, expected at most 32 kB", each, len(cases))
	}
}
