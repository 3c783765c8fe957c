package verdict

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"varde/checks"
)

var tenProbes = []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "k"}

// crowd is ten probes that look every 30 s in turn, each good, until 27 s.
func crowd(t *testing.T) Judge {
	t.Helper()
	var j Judge
	for i, probe := range tenProbes {
		at := start.Add(time.Duration(3*i) * time.Second)
		j.Observe(half, at, Result{Probe: probe, Seq: 1, Started: at, Ended: at, Outcome: checks.Up, Scheduled: true})
	}
	if j.State() != Up {
		t.Fatalf("ten good probes: got %s", j.State())
	}
	return j
}

// In a large region what most probes saw before a failure says nothing of it: four
// that fail, and nobody else who looked, are enough.
func TestFourOfTenAreEnough(t *testing.T) {
	fail := func(probe string, began, ended float64) Result {
		at := func(s float64) time.Time { return start.Add(time.Duration(s * float64(time.Second))) }
		return Result{Probe: probe, Seq: 2, Started: at(began), Ended: at(ended), Outcome: checks.Down, Class: checks.ConnectTimeout}
	}
	good := func(probe string, began, ended float64) Result {
		r := fail(probe, began, ended)
		r.Outcome, r.Class = checks.Up, ""
		return r
	}
	again := func(r Result) Result { r.Seq = 3; return r }
	for _, tc := range []struct {
		name string
		rs   []Result
		want State
	}{
		{"four probes, four failures", []Result{fail("a", 30, 35), fail("b", 31, 36), fail("c", 31, 36), fail("d", 31, 36)}, Down},
		{"three probes, four failures", []Result{fail("a", 30, 35), again(fail("a", 31, 36)), fail("b", 31, 36), fail("c", 31, 36)}, Up},
		{"four probes, of which one is well again", []Result{fail("a", 30, 35), fail("b", 31, 36), fail("c", 31, 36), fail("d", 31, 36), again(good("a", 35, 36))}, Up},
		{
			"a fifth finds it good while they wait",
			[]Result{good("e", 31, 31.1), fail("a", 30, 35), fail("b", 31, 36), fail("c", 31, 36), fail("d", 31, 36)},
			Up,
		},
		{
			"a fifth found it good before they began",
			[]Result{good("e", 29, 31.1), fail("a", 30, 35), fail("b", 31, 36), fail("c", 31, 36), fail("d", 31, 36)},
			Down,
		},
	} {
		j := crowd(t)
		j, _ = Final(anySeries, half, j, tc.rs, time.Time{})
		if j.State() != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, j.State(), tc.want)
		}
		if want := "connect_timeout, 4 of 10 probes, all that looked since, 6 s after the first failure"; tc.want == Down && j.Reason(half, j.clock) != want {
			t.Errorf("%s: got %q, want %q", tc.name, j.Reason(half, j.clock), want)
		}
	}
}

// In regions of up to six probes four are no fewer than two thirds: there the
// rule is that two thirds of the probes fail.
func TestInSmallRegionsTwoThirdsFail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, rs := rules().Draw(t, "rule"), results().Draw(t, "results")
		var j Judge
		for _, r := range rs {
			j.Observe(rule, r.Ended, r)
			probes := j.latest(rule, j.clock)
			n := len(probes)
			_, _, intervals := rule.run(n)
			f := fault{(*Result).broken, j.broken, count(probes, (*Result).broken), n}
			if n >= 2 && n <= 6 && f.isRegions(j.votes(rule, intervals), probes) != (3*f.probes >= 2*n) {
				t.Fatalf("%d of %d probes fail: got %t", f.probes, n, !f.isMost())
			}
		}
	})
}

// No region goes down by fewer probes than min_probes, nor by one of several.
func TestDownHasItsProbes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, rs := rules().Draw(t, "rule"), results().Draw(t, "results")
		for _, c := range judgeAll(rule, rs) {
			if n := c.Counts.Up + c.Counts.Down; c.To != Unknown && (n < rule.MinProbes || c.To == Down && c.Counts.Down < min(n, 2)) {
				t.Fatalf("%s with counts %+v", c.To, c.Counts)
			}
		}
	})
}

func TestTailIsTheRunUnderWay(t *testing.T) {
	a, b := &Result{Outcome: checks.Up}, &Result{Outcome: checks.Down}
	if got := tail([]*Result{b, a, b, b}, (*Result).failed); !slices.Equal(got, []*Result{b, b}) {
		t.Errorf("got %d results, want 2", len(got))
	}
}
