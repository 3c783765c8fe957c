package deploy

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	"varde/coordinator/server"
	"varde/deploy/fleettest"
	"varde/deploy/scenario"
	"varde/proto/wire"
)

// slots are those that each probe spoke for in the journal, in order.
func slots(f *fleettest.Fleet) map[string][]checks.Observation {
	out := map[string][]checks.Observation{}
	f.Journal(func(b wire.Batch) {
		for _, r := range b.Records {
			if o := r.Observation; r.IsObservation() && o.Trigger == checks.Scheduled {
				out[b.Probe] = append(out[b.Probe], o)
			}
		}
	})
	for _, all := range out {
		slices.SortFunc(all, func(a, b checks.Observation) int { return a.Scheduled.Compare(b.Scheduled) })
	}
	return out
}

// confirms makes a server fall silent to the run of a probe that comes an interval after
// its newest, and to nobody else, and returns how many looks followed.
func confirms(t *testing.T, f *fleettest.Fleet, every time.Duration) (n int) {
	t.Helper()
	_, at := awaitTurn(t, f)
	f.Wait(time.Until(at.Add(every - 10*time.Millisecond)))
	began := time.Now()
	f.Hit(scenario.Fault{Effect: scenario.GreetingStall})
	f.Wait(500 * time.Millisecond)
	f.Heal()
	f.Wait(6 * time.Second)
	for _, o := range looks(f, began) {
		if o.Trigger == checks.Confirm {
			n++
		}
	}
	return n
}

// TestWatch: an attack is announced. From the second on at which the watch begins, a
// service is asked three times as often, and more probes look after a failure; when it
// ends everything is as before. No run is lost, no verdict changes by it, and the
// slots add up: nothing is counted twice.
func TestWatch(t *testing.T) {
	const probes, every, closer = 7, 30 * time.Second, 10 * time.Second
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, oneRegion(probes, "https"))
		time.Sleep(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour)))
		f.Wait(5 * time.Minute)
		if n := confirms(t, f, every); n != 1+3 {
			t.Errorf("before the watch a failure is looked at again %d times, want 4", n)
		}
		f.Wait(2 * time.Minute)
		before := f.Verdicts()
		from := time.Now().Truncate(time.Second).Add(97 * time.Second)
		to := from.Add(15 * time.Minute)
		f.Announce(server.Window{Kind: server.Watch, Services: []string{"https"}, From: from, To: to})
		f.Announce(server.Window{Kind: server.Maintenance, Services: []string{"https"}, From: from, To: to})
		f.Wait(time.Until(from.Add(-time.Second)))
		planned := func() (revision uint64) {
			for _, p := range looks(f, time.Now().Add(-time.Minute)) {
				revision = max(revision, p.Plan)
			}
			return revision
		}
		old := planned()
		f.Wait(5 * time.Minute)
		if text, _ := f.Text("/"); strings.Count(text, "announced by a test") != 2 {
			t.Error("the overview does not show what is announced")
		}
		if n := confirms(t, f, closer); n != 1+5 {
			t.Errorf("in the watch a failure is looked at again %d times, want 6", n)
		}
		f.Wait(time.Until(to.Add(10 * time.Minute)))
		if got := planned(); got != old+2 {
			t.Errorf("the plan went from revision %d to %d, want two more: for the beginning and for the end", old, got)
		}
		f.Wait(time.Until(time.Now().Truncate(time.Hour).Add(time.Hour + 20*time.Minute)))
		after := f.Verdicts()
		if len(after) != 1 || after[0].State != "up" || !after[0].Since.Equal(before[0].Since) {
			t.Errorf("verdicts are %+v, before they were %+v", after, before)
		}
		end := time.Now().Truncate(time.Hour)
		begin := end.Add(-time.Hour)
		var told struct {
			Up      float64 `json:"up_s"`
			Down    float64 `json:"down_s"`
			Unknown float64 `json:"unknown_s"`
		}
		f.Get("/api/v1/availability?check=https&from="+begin.Format(time.RFC3339)+"&to="+end.Format(time.RFC3339), &told)
		spoken := checkSlots(t, slots(f), probes, begin, end, from, to)
		if known := time.Duration((told.Up + told.Down) * float64(time.Second)); (known - spoken).Abs() > probes*time.Second/10 {
			t.Errorf("history knows of %s, the slots are %s", known, spoken)
		}
		if sum := told.Up + told.Down + told.Unknown; sum < probes*3600-0.5 || sum > probes*3600+0.5 {
			t.Errorf("up, down and unknown are %.3f s, want %d", sum, probes*3600)
		}
		t.Logf("of %d s: up %.1f, down %.1f, unknown %.1f", probes*3600, told.Up, told.Down, told.Unknown)
	})
}

// checkSlots looks at what every probe ran on schedule, and returns how long they
// spoke for in [begin, end).
func checkSlots(t *testing.T, of map[string][]checks.Observation, probes int, begin, end, from, to time.Time) (spoken time.Duration) {
	t.Helper()
	const every, closer = 30 * time.Second, 10 * time.Second
	if len(of) != probes {
		t.Errorf("%d probes looked, want %d", len(of), probes)
	}
	for _, probe := range slices.Sorted(maps.Keys(of)) {
		all := of[probe]
		gap := time.Duration(0)
		var ended time.Time
		for i, o := range all {
			at := o.Scheduled
			if at.Before(begin) || !at.Before(end) {
				continue
			}
			// One that comes an instant after the change was planned before it.
			most := every * 3 / 2
			if at.After(from.Add(closer*3/2)) && at.Before(to) {
				most = closer * 3 / 2
			}
			if wait := at.Sub(all[i-1].Scheduled); wait > most || wait < closer/2 {
				t.Errorf("%s runs at %s, %s after the run before", probe, at.Format(time.StampMilli), wait)
			}
			if o.Every > 0 {
				if at.Before(ended) {
					t.Errorf("%s speaks at %s, and has spoken until %s", probe, at.Format(time.StampMilli), ended.Format(time.StampMilli))
				}
				if !ended.IsZero() {
					gap += at.Sub(ended)
				}
				ended = at.Add(o.Every)
			}
		}
		for _, o := range all {
			first, last := o.Scheduled, o.Scheduled.Add(o.Every)
			if first.Before(begin) {
				first = begin
			}
			if last.After(end) {
				last = end
			}
			spoken += max(0, last.Sub(first))
		}
		if gap > closer*3/2+every/2 {
			t.Errorf("%s does not speak for %s", probe, gap)
		}
		inside := func(o checks.Observation) bool { return o.Scheduled.Before(from) || !o.Scheduled.Before(to) }
		if n, want := len(slices.DeleteFunc(slices.Clone(all), inside)), int(to.Sub(from)/closer); n < want-1 || n > want+1 {
			t.Errorf("%s looks %d times in the watch, want %d", probe, n, want)
		}
	}
	return spoken
}
