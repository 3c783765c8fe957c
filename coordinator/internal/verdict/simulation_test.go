package verdict

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"varde/checks"
)

// noisy is one region of probes at 30 s with confirmation: the first to fail tells
// after a second, looks again and asks three others, at most once in 20 s.
type noisy struct {
	*rand.Rand
	probes int
	// flake is the share of runs that fail for no reason, lost that of those since
	// from.
	flake, lost float64
	from        time.Time
	// sick is when the network of a probe is gone and its controls do not say so.
	sick  [10][][2]time.Time
	judge Judge
	seq   uint64
	burst time.Time
}

func (n *noisy) fails(probe int, at time.Time) bool {
	if slices.ContainsFunc(n.sick[probe], func(s [2]time.Time) bool { return !at.Before(s[0]) && at.Before(s[1]) }) {
		return true
	}
	if !at.Before(n.from) && n.Float64() < n.lost {
		return true
	}
	return n.Float64() < n.flake
}

func (n *noisy) look(probe int, at time.Time, scheduled bool) Result {
	n.seq++
	r := Result{Probe: string(rune('a' + probe)), Seq: n.seq, Started: at, Ended: at.Add(80 * time.Millisecond), Outcome: checks.Up, Scheduled: scheduled, Elapsed: 80 * time.Millisecond}
	if n.fails(probe, at) {
		r.Outcome, r.Class, r.Ended = checks.Down, checks.ConnectTimeout, at.Add(5*time.Second)
	}
	return r
}

// play lets the region look for a while and returns every change.
func (n *noisy) play(from time.Time, length time.Duration) (changes []Change) {
	var rs []Result
	every := 30 * time.Second / time.Duration(n.probes)
	for i := 0; every*time.Duration(i) < length; i++ {
		at := from.Add(every * time.Duration(i))
		r := n.look(i%n.probes, at, true)
		rs = append(rs, r)
		if !r.failed() || at.Sub(n.burst) < 20*time.Second {
			continue
		}
		n.burst = at
		for k := range min(4, n.probes) {
			rs = append(rs, n.look((i+k)%n.probes, at.Add(time.Duration(1000+60*k)*time.Millisecond), false))
		}
	}
	n.judge, changes = Final(anySeries, half, n.judge, rs, time.Time{})
	return changes
}

// upset draws two local faults a day of two minutes for each probe, of which the
// controls find 95 %.
func (n *noisy) upset(day time.Time) {
	for probe := range n.probes {
		n.sick[probe] = nil
		for range 2 {
			if n.Float64() < 0.95 {
				continue
			}
			at := day.Add(time.Duration(n.Float64() * float64(24*time.Hour)))
			n.sick[probe] = append(n.sick[probe], [2]time.Time{at, at.Add(time.Duration(n.ExpFloat64() * float64(2*time.Minute)))})
		}
	}
}

// Flakes and local faults are no verdict: nothing but up in forty days.
func TestNoiseIsNoVerdict(t *testing.T) {
	const days = 40
	n := noisy{Rand: rand.New(rand.NewPCG(1, 7)), probes: 3, flake: 0.01, from: start.AddDate(10, 0, 0)}
	var bad []Change
	for day := range days {
		at := start.AddDate(0, 0, day)
		n.upset(at)
		for _, c := range n.play(at, 24*time.Hour) {
			if c.To != Up {
				bad = append(bad, c)
			}
		}
	}
	for _, c := range bad {
		t.Errorf("%s %s: %s", c.At.Format(time.DateTime), c.To, c.Reason)
	}
}

// Everything failing is found within seconds, a fifth of all runs failing within
// minutes.
func TestDetection(t *testing.T) {
	for _, tc := range []struct {
		probes   int
		lost     float64
		want     State
		length   time.Duration
		p50, p99 time.Duration
	}{
		{3, 1, Down, 5 * time.Minute, 12500 * time.Millisecond, 17 * time.Second},
		{10, 1, Down, 5 * time.Minute, 8 * time.Second, 9560 * time.Millisecond}, // 1.2 x (0.99 x 30 s / 10 + 5 s)
		{3, 0.2, Intermittent, 80 * time.Minute, 420 * time.Second, 1200 * time.Second},
	} {
		var took []time.Duration
		for seed := range uint64(100) {
			n := noisy{Rand: rand.New(rand.NewPCG(seed, 3)), probes: tc.probes, lost: tc.lost}
			n.from = start.Add(20*time.Minute + time.Duration(n.Float64()*float64(30*time.Second)))
			changes := n.play(start, 20*time.Minute+tc.length)
			if i := slices.IndexFunc(changes, func(c Change) bool { return c.To >= tc.want }); i >= 0 {
				took = append(took, changes[i].At.Sub(n.from))
			}
		}
		if len(took) < 100 {
			t.Fatalf("%d probes, %g lost: found %d of 100", tc.probes, tc.lost, len(took))
		}
		slices.Sort(took)
		p50, p99 := took[50], took[98]
		t.Logf("%d probes, %g lost: p50 %s, p99 %s", tc.probes, tc.lost, p50, p99)
		if p50 > tc.p50 || p99 > tc.p99 {
			t.Errorf("%d probes, %g lost: found after p50 %s, p99 %s, want at most %s, %s", tc.probes, tc.lost, p50, p99, tc.p50, tc.p99)
		}
	}
}
