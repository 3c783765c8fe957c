package selfcheck_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// TestDeadFamily: a machine with a route for IPv6 and nothing behind it is fit to
// judge, by what it can look at; it is left out until it works.
func TestDeadFamily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		six := []string{controlAddrs[0][1], controlAddrs[1][1]}
		w.kill(true, six...)
		w.controls.Doubt(checks.IPv6)
		time.Sleep(4 * time.Second)
		w.expect(t, wire.Disqualified, "0 of 2 controls answer over ipv6")
		time.Sleep(5 * time.Minute)
		if !w.controls.Dead(checks.IPv6) || w.controls.Dead(checks.IPv4) || w.families != 1 {
			t.Fatalf("dead: IPv6 %t, IPv4 %t, told %d times, want IPv6 alone, once", w.controls.Dead(checks.IPv6), w.controls.Dead(checks.IPv4), w.families)
		}
		w.expect(t, wire.Qualified, "")
		if got := w.controls.Faults(); !slices.Equal(got, []wire.Fault{wire.FaultNoIPv6}) {
			t.Errorf("faults: %v", got)
		}
		w.counted()
		time.Sleep(20 * time.Minute)
		for a, n := range w.counted() {
			if n != 4 {
				t.Errorf("%s was asked %d times in 20 min, want 4", a, n)
			}
		}
		w.kill(false, six...)
		time.Sleep(5 * time.Minute)
		w.expect(t, wire.Qualified, "")
		if w.controls.Dead(checks.IPv6) || len(w.controls.Faults()) != 0 || w.families != 2 {
			t.Errorf("works again: dead %t, faults %v, told %d times", w.controls.Dead(checks.IPv6), w.controls.Faults(), w.families)
		}
	})
}

// TestUplinkIsNoFamily: where nothing works at all no family is to blame, however
// long it takes, and where one comes back before the other neither.
func TestUplinkIsNoFamily(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		four := []string{controlAddrs[0][0], controlAddrs[1][0], controlAddrs[2][0]}
		six := []string{controlAddrs[0][1], controlAddrs[1][1]}
		w.kill(true, append(four, six...)...)
		w.controls.Doubt(checks.IPv6)
		w.controls.Doubt(checks.IPv4)
		time.Sleep(time.Hour)
		w.expect(t, wire.Disqualified, "0 of 3 controls answer over ipv4")
		w.kill(false, four...)
		time.Sleep(4 * time.Minute)
		w.expect(t, wire.Disqualified, "0 of 2 controls answer over ipv6")
		w.kill(false, six...)
		time.Sleep(15 * time.Second)
		w.expect(t, wire.Qualified, "")
		if w.families != 0 || len(w.controls.Faults()) != 0 {
			t.Errorf("faults %v, told %d times", w.controls.Faults(), w.families)
		}
	})
}

// TestOtherTargets begin a new judgement, of families too.
func TestOtherTargets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWatchman(t)
		w.kill(true, controlAddrs[0][1], controlAddrs[1][1])
		w.controls.Doubt(checks.IPv6)
		time.Sleep(6 * time.Minute)
		w.controls.Set(nil)
		w.expect(t, wire.NotJudged, "")
		if w.controls.Dead(checks.IPv6) || w.families != 2 {
			t.Errorf("dead %t, told %d times", w.controls.Dead(checks.IPv6), w.families)
		}
		w.counted()
		time.Sleep(time.Hour)
		if asked := w.counted(); len(asked) != 0 {
			t.Errorf("asked what is no target any more: %v", asked)
		}
	})
}
