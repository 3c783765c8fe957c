package replay

import (
	"bytes"
	"encoding/gob"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// Two policies stand side by side: the calmer one tells later, and of a short outage
// nothing at all.
func TestCompare(t *testing.T) {
	f := small()
	list := f.run(3*time.Hour, func(c, r, p int, at time.Time) checks.Class {
		if between(0, 0, 30*time.Minute, 32*time.Minute)(c, r, p, at) != "" {
			return checks.ConnectTimeout
		}
		return between(1, 1, time.Hour, 2*time.Hour)(c, r, p, at)
	})
	calmer := f.policy()
	for i := range calmer.Fleet.Checks {
		calmer.Fleet.Checks[i].Verdict = verdict.Parameters{Failures: 20, ShareBegins: 0.95}
	}
	out, read, err := Run(t.Context(), Options{Source: memory(list), Policies: []Policy{f.policy(), calmer}})
	if err != nil {
		t.Fatal(err)
	}
	c := Compare(out[0], out[1], [2]string{"a.yaml", "b.yaml"}, read)
	if c.Policy.Alarms != 2 || c.Against.Alarms != 1 || len(c.Policy.Missed) != 0 || !slices.Equal(c.Against.Missed, []string{out[0].Incidents[0].ID}) {
		t.Errorf("got %s", text(t, c))
	}
	if p, a := c.Policy.Delay, c.Against.Delay; *p.P50 > 60 || *p.P50 > *p.P95 || *p.P95 > *p.Max || *a.P50 < 120 {
		t.Errorf("got delays %s and %s", text(t, p), text(t, a))
	}
	var was, now float64
	for _, s := range c.States {
		was, now = was+s.Policy, now+s.Against
	}
	if down := c.States[verdict.Down]; math.Abs(was-now) > 0.001 || down.Policy < 2*3600 || down.Against >= down.Policy {
		t.Errorf("got %s, want the same time in all, and less of it down", text(t, c.States))
	}
	for _, n := range c.Availability {
		if *n.Policy != *n.Against {
			t.Errorf("got %+v, want what was measured whatever was told", n)
		}
	}
	var page bytes.Buffer
	if err := WriteComparison(&page, c, read, []status.Region{{ID: "region-0", Name: "Nowhere"}}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"a.yaml", "alarms ", "Not found with b.yaml\n  " + c.Against.Missed[0], "service-0, Nowhere"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("%q is not in\n%s", want, page.String())
		}
	}
}

func TestShare(t *testing.T) {
	var list []time.Duration
	if share(list, 1) != nil {
		t.Error("of nothing: got a number")
	}
	for i := range 20 {
		list = append(list, time.Duration(i+1)*time.Second)
	}
	for q, want := range map[float64]float64{0: 1, 0.5: 10, 0.95: 19, 1: 20} {
		if got := share(list, q); *got != want {
			t.Errorf("%g: got %g, want %g", q, *got, want)
		}
	}
}

// What is put aside comes back as it was, with everything that a judge looks at.
func TestAside(t *testing.T) {
	a := &aside{hours: make(map[int64]*pile), most: 3}
	o := small().run(time.Minute, between(0, -1, 0, time.Minute))
	want := make(map[int64]map[int][]item)
	for k := range o {
		r, _ := verdict.ResultOf(o[k])
		hour, course := int64(k%3), k%2
		i := item{r, o[k].Scheduled}
		if err := a.put(hour, late{course, i}); err != nil {
			t.Fatal(err)
		}
		if want[hour] == nil {
			want[hour] = make(map[int][]item)
		}
		want[hour][course] = append(want[hour][course], i)
	}
	if a.file == nil || a.held >= 3 {
		t.Errorf("%d are in memory, want fewer than 3 and a file", a.held)
	}
	if got := a.before(1); !slices.Equal(got, []int64{0, 1}) {
		t.Errorf("got the hours %v, want 0 and 1", got)
	}
	for hour, items := range want {
		got, err := a.take(hour)
		if err != nil {
			t.Fatal(err)
		}
		for _, list := range got { // those of the file come after those of memory
			slices.SortFunc(list, func(a, b item) int { return a.compare(&b) })
		}
		for _, list := range items {
			slices.SortFunc(list, func(a, b item) int { return a.compare(&b) })
		}
		if diff := cmp.Diff(items, got); diff != "" {
			t.Errorf("hour %d (-want +got)\n%s", hour, diff)
		}
	}
	if !a.empty() || a.close() != nil {
		t.Error("something is left")
	}
}

// A field that a result gains is kept as well.
func TestItemIsKeptWhole(t *testing.T) {
	at := noon.Add(time.Nanosecond)
	want := item{verdict.Result{
		Probe: "p", Epoch: "e", Seq: 1 << 60, Started: at, Ended: at.Add(1), Every: 1, Outcome: checks.Down, Elapsed: 2,
		Scheduled: true, Login: true, Class: "c", Phase: "f", Network: "n",
	}, at}
	var b bytes.Buffer
	var got item
	if err := gob.NewEncoder(&b).Encode(want); err != nil {
		t.Fatal(err)
	}
	if err := gob.NewDecoder(&b).Decode(&got); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
}
