package agent

import (
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// TestReloadLosesNoRun: while plans come every few seconds, in which one check
// changes its interval and comes and goes, the others have one observation for
// each of their slots, at the phase that they had.
func TestReloadLosesNoRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, func(p *wire.Plan) {
			p.Checks[0].ID = "steady"
			for _, id := range []string{"calm", "fickle"} {
				c := p.Checks[0]
				c.ID = id
				p.Checks = append(p.Checks, c)
			}
		})
		a := s.run(t)
		time.Sleep(2 * time.Minute)
		all := s.plan.Checks
		intervals := []time.Duration{5 * time.Second, 10 * time.Second, 7 * time.Second, 0}
		for i := range 100 {
			time.Sleep(3700 * time.Millisecond)
			every := intervals[i%len(intervals)]
			err := a.offer(s.sign(t, func(p *wire.Plan) {
				p.Number.Revision++
				p.Checks = append([]checks.Target(nil), all...)
				p.Checks[2].Every = every
				if every == 0 {
					p.Checks = p.Checks[:2]
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(10 * time.Second)
		ends, slots := time.Now(), map[string][]time.Time{}
		for _, o := range s.onSchedule(t, a) {
			slots[o.Check] = append(slots[o.Check], o.Scheduled)
		}
		for _, id := range []string{"steady", "calm"} {
			list := slots[id]
			if n := len(list); n < 99 || ends.Sub(list[n-1]) > 5*time.Second {
				t.Errorf("%s: %d runs, the last %s ago", id, n, ends.Sub(list[n-1]))
			}
			for i := 1; i < len(list); i++ {
				if d := list[i].Sub(list[i-1]); d != 5*time.Second {
					t.Errorf("%s: run %d is %s behind the one before", id, i, d)
				}
			}
		}
		seen := map[time.Time]bool{}
		for _, at := range slots["fickle"] {
			if seen[at] {
				t.Errorf("fickle: two observations of %s", at)
			}
			seen[at] = true
		}
		if n := len(seen); n < 50 {
			t.Errorf("fickle: %d runs, want that a plan every few seconds starves no check", n)
		}
	})
}
