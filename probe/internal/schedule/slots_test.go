package schedule

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// slots are those that the runs of one check spoke for, in order.
func (r *recorder) slots(check string) (out []Run) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, run := range r.runs {
		if run.Target.ID == check && run.Speaks > 0 {
			out = append(out, run)
		}
	}
	return out
}

// gaps are how long nobody spoke between the slots; the test fails where two overlap.
func gaps(t *testing.T, slots []Run) (all time.Duration) {
	t.Helper()
	for i := range len(slots) - 1 {
		end := slots[i].Scheduled.Add(slots[i].Speaks)
		if slots[i+1].Scheduled.Before(end) {
			t.Errorf("the slot from %s for %s overlaps that from %s", slots[i].Scheduled, slots[i].Speaks, slots[i+1].Scheduled)
		}
		if slots[i].Speaks > slots[i].Target.Every {
			t.Errorf("a run speaks for %s, longer than its interval of %s", slots[i].Speaks, slots[i].Target.Every)
		}
		all += slots[i+1].Scheduled.Sub(end)
	}
	return all
}

// TestSlotsAddUpAcrossChanges: an interval becomes shorter for a while at any moment
// of it. Nothing is counted twice, and what nobody speaks for is one short interval at
// most where it begins, and half a long one where it ends.
func TestSlotsAddUpAcrossChanges(t *testing.T) {
	const long, short = 30 * time.Second, 10 * time.Second
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		s := start(t, Options{Run: rec.run})
		every := map[string]time.Duration{}
		set := func(id string, d time.Duration) {
			every[id] = d
			var all []Entry
			for id, d := range every {
				all = append(all, entry4(id, d))
			}
			s.Set(all)
		}
		for i := range 30 {
			id := fmt.Sprintf("check-%d", i)
			set(id, long)
			time.Sleep(5*time.Minute + time.Duration(i)*time.Second)
			before := time.Now()
			set(id, short)
			time.Sleep(2*time.Minute + time.Duration(i%7)*time.Second)
			synctest.Wait()
			began := rec.times(t, id)
			first := slices.IndexFunc(began, func(at time.Time) bool { return !at.Before(before) })
			if wait := began[first].Sub(before); wait > short*3/2 {
				t.Errorf("%s: the first of the shorter intervals comes after %s", id, wait)
			}
			last := began[len(began)-1]
			set(id, long)
			time.Sleep(5 * time.Minute)
			synctest.Wait()
			if at := rec.times(t, id); at[len(began)].Sub(last) > short*3/2 {
				t.Errorf("%s: the run that was planned comes %s after the one before", id, at[len(began)].Sub(last))
			}
			if gap := gaps(t, rec.slots(id)); gap > short+short/2+long/2 {
				t.Errorf("%s: nobody speaks for %s", id, gap)
			}
			delete(every, id)
		}
	})
}

// TestSlotsDoNotOverlapWhereMembersChange: whoever moves to another phase speaks until
// its next run, and no longer.
func TestSlotsDoNotOverlapWhereMembersChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		members := &membership{names: []string{"a"}, since: time.Now()}
		var rec recorder
		s := start(t, Options{Run: rec.run, Members: members.list, Settled: members.settled})
		s.Set([]Entry{entry4("imap", 30*time.Second)})
		for _, names := range [][]string{{"a", "b"}, {"a", "b", "c"}, {"a", "c"}, {"a"}, {"a", "x", "y"}} {
			time.Sleep(3 * time.Minute)
			members.set(names...)
			s.MembersChanged()
		}
		time.Sleep(3 * time.Minute)
		synctest.Wait()
		slots := rec.slots("imap")
		if len(slots) != len(rec.times(t, "imap")) || len(slots) < 30 {
			t.Errorf("%d of %d runs speak", len(slots), len(rec.times(t, "imap")))
		}
		if gap := gaps(t, slots); gap > 5*15*time.Second {
			t.Errorf("nobody speaks for %s", gap)
		}
	})
}

// TestLongSlotsDoNotSilence: what an hourly run has said for the rest of its hour
// keeps nobody who looks more often from being counted, and a clock that was set back
// starts anew.
func TestLongSlotsDoNotSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var rec recorder
		s := start(t, Options{Run: rec.run})
		s.Set([]Entry{entry4("imap", time.Hour)})
		first := slot(time.Now(), time.Hour, Phase(entry4("imap", time.Hour), "a", nil))
		time.Sleep(time.Until(first) + time.Second)
		s.Set([]Entry{entry4("imap", time.Minute)})
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n := len(rec.slots("imap")); n < 10 {
			t.Errorf("%d runs speak within ten minutes, want all", n)
		}
		e := s.entries[key{"imap", entry4("imap", 0).Family}]
		s.mu.Lock()
		s.rewindLocked(time.Now().Add(-time.Hour))
		spoken := e.spoken
		s.mu.Unlock()
		if !spoken.IsZero() {
			t.Errorf("the clock was set back by an hour, and the entry has spoken until %s", spoken)
		}
	})
}
