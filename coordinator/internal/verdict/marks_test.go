package verdict

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"varde/checks"
)

var half = Rule{Interval: 30 * time.Second, MinProbes: 2}

// region is three probes that look every 10 s in turn.
type region struct {
	j    Judge
	at   time.Time
	n    uint64
	took time.Duration
	log  []string
	// changes are those that log tells of.
	changes []Change
	// rule is half, if it is not given.
	rule Rule
}

// look makes n runs, of which those fail that fails says so of.
func (g *region) look(n int, fails func(i int) bool) {
	if g.at.IsZero() {
		g.at, g.took = start, 100*time.Millisecond
	}
	if g.rule.Interval == 0 {
		g.rule = half
	}
	for i := range n {
		r := Result{Probe: string(rune('a' + g.n%3)), Epoch: "e", Seq: g.n, Outcome: checks.Up, Elapsed: g.took, Scheduled: true, Phase: checks.Greeting, Network: "192.0.2.0/24"}
		if fails != nil && fails(i) {
			r.Outcome, r.Class, r.Phase = checks.Down, checks.TLSTimeout, checks.TLS
		}
		r.Started, r.Ended = g.at.Add(-g.took), g.at
		changes := g.j.Observe(g.rule, g.at, r)
		g.changes = append(g.changes, changes...)
		for _, c := range changes {
			g.log = append(g.log, fmt.Sprintf("%s %s since %s: %s", seconds(c.At), c.To, seconds(c.Since), c.Reason))
		}
		g.at, g.n = g.at.Add(10*time.Second), g.n+1
	}
}

func always(int) bool { return true }

// fifth lets every fifth run fail, over three probes each of them.
func fifth(i int) bool { return i%5 == 0 }

func (g *region) expect(t *testing.T, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, g.log); diff != "" {
		t.Errorf("changes differ (-want +got):\n%s", diff)
	}
}

func TestPartialLossIsIntermittent(t *testing.T) {
	var g region
	g.look(61, nil)
	g.look(120, fifth)
	g.look(120, nil)
	g.expect(t,
		"10 up since 10: 2 of 2 probes good",
		"970 intermittent since 610: tls_timeout, 8 of 61 runs failed within 10 min, by 3 of 3 probes",
		"2320 up since 2320: 1 of 61 runs failed within 10 min",
	)
}

func TestWhatOneProbeSeesIsNotIntermittent(t *testing.T) {
	var g region
	g.look(60, nil)
	g.look(300, func(i int) bool { return i%3 == 0 })
	g.expect(t, "10 up since 10: 2 of 2 probes good")
}

// The failures of a Down were told as that: they make nothing intermittent once it
// is over, also where the quorum was lost meanwhile.
func TestADownIsNotIntermittentAfterwards(t *testing.T) {
	for _, silence := range []time.Duration{0, 5 * time.Minute} {
		var g region
		g.look(61, nil)
		g.look(20, always)
		g.at = g.at.Add(silence)
		g.look(200, nil)
		for _, line := range g.log {
			if strings.Contains(line, "intermittent") {
				t.Errorf("silence of %s: %s", silence, line)
			}
		}
		if g.j.State() != Up {
			t.Errorf("silence of %s: got %s", silence, g.j.State())
		}
	}
}

// A series that goes down three times within an hour is intermittent, from the end
// of the third on until it has not been down for half an hour.
// A Down leaves no gap in the sample: what was wrong before it, and still is, is told
// at once, however long it lasted.
func TestLossBeforeAndAfterADown(t *testing.T) {
	for _, runs := range []int{12, 150, 600} {
		var g region
		g.look(61, nil)
		g.look(120, fifth)
		g.look(runs, always)
		g.log = nil
		g.look(61, fifth)
		if len(g.log) != 1 || !strings.Contains(g.log[0], "intermittent since") {
			t.Errorf("after a down of %d runs: got %q, want intermittent and nothing else", runs, g.log)
		}
	}
}

// What one of several sees while the others cannot tell is its own.
func TestALoneProbeMakesNoLoss(t *testing.T) {
	var g region
	g.look(61, nil)
	for i := range 60 {
		at := g.at.Add(time.Duration(i) * 30 * time.Second)
		r := Result{Probe: "a", Epoch: "alone", Seq: uint64(i), Started: at, Ended: at, Outcome: checks.Up, Scheduled: true}
		if i%3 == 0 {
			r.Outcome, r.Class = checks.Down, checks.TLSTimeout
		}
		g.j.Observe(half, at, r)
	}
	g.at, g.log = g.at.Add(30*time.Minute), nil
	g.look(30, nil)
	if g.j.State() != Up || len(g.log) != 1 {
		t.Errorf("got %s by %q, want up at once", g.j.State(), g.log)
	}
}

// Where the quorum is there a loss is told, also if nothing was known before.
func TestLossFromTheBeginning(t *testing.T) {
	var g region
	g.look(60, func(i int) bool { return i%3 != 2 }) // two probes of three
	if g.j.State() != Intermittent {
		t.Errorf("got %s: %s", g.j.State(), g.j.Reason(half, g.at))
	}
}

func TestThreeDownsAreIntermittent(t *testing.T) {
	var g region
	g.look(61, nil)
	for range 3 {
		g.look(6, always)
		g.look(60, nil)
	}
	g.look(150, nil)
	g.expect(t,
		"10 up since 10: 2 of 2 probes good",
		"640 down since 609.9: tls_timeout, 3 of 3 probes, 30 s after the first failure",
		"690 up since 690: 3 good results in a row from 3 probes",
		"1300 down since 1269.9: tls_timeout, 3 of 3 probes, 30 s after the first failure",
		"1350 up since 1350: 3 good results in a row from 3 probes",
		"1960 down since 1929.9: tls_timeout, 3 of 3 probes, 30 s after the first failure",
		"2010 intermittent since 640: down 3 times within 22 min",
		"3820 up since 3820: not down for 30 min",
	)
}

// One Down in which nobody looked for a while is one.
func TestADownThatIsLostAndFoundIsOne(t *testing.T) {
	var g region
	g.look(61, nil)
	for range 4 {
		g.look(10, always)
		g.at = g.at.Add(5 * time.Minute)
	}
	g.look(10, nil)
	if g.j.State() != Up || len(g.j.falls) != 1 {
		t.Errorf("got %s after %d falls, want up after one: %q", g.j.State(), len(g.j.falls), g.log)
	}
}

func TestSlow(t *testing.T) {
	var g region
	g.look(600, nil)
	g.took = 650 * time.Millisecond
	g.look(20, nil)
	g.took = 500 * time.Millisecond // under the limit, and not yet well
	g.look(20, nil)
	g.took = 120 * time.Millisecond
	g.look(20, nil)
	g.expect(t,
		"10 up since 10: 2 of 2 probes good",
		"6050 slow since 6000: p50 0.65 s, usually 0.10 s",
		"6440 up since 6440: p50 0.12 s, usually 0.10 s",
	)
}

func TestNothingIsSlowWithoutABaseline(t *testing.T) {
	var g region
	g.look(480, nil)
	g.took = 5 * time.Second
	g.look(9, nil)
	g.took = 100 * time.Millisecond
	g.look(10, nil)
	g.expect(t, "10 up since 10: 2 of 2 probes good")
}

// A day is enough for a check that is made seldom.
func TestADayIsABaseline(t *testing.T) {
	rule, at := Rule{Interval: time.Hour, MinProbes: 2}, start
	var j Judge
	look := func(n int, took time.Duration) {
		for range n {
			j.Observe(rule, at, Result{Probe: string(rune('a' + at.Minute()/20)), Ended: at, Outcome: checks.Up, Elapsed: took, Scheduled: true})
			at = at.Add(20 * time.Minute)
		}
	}
	look(74, time.Second)
	look(10, 4*time.Second)
	if got := j.Reason(rule, at); j.State() != Slow || got != "p50 4.00 s, usually 0.99 s" {
		t.Errorf("got %s: %s", j.State(), got)
	}
}

// The slow period teaches nothing: after a day of it the usual is what it was. Only
// what has been so for a week is the usual.
func TestSlownessIsNotLearnt(t *testing.T) {
	var g region
	g.look(600, nil)
	g.took = 2 * time.Second
	g.look(6*60*24, nil)
	if as, _ := g.j.usual.median(); g.j.State() != Slow || as != 100*time.Millisecond {
		t.Errorf("after a day: got %s, usually %s", g.j.State(), as)
	}
	g.look(6*60*24*6+20, nil)
	if got := g.j.Reason(half, g.at); g.j.State() != Up || got != usualReason {
		t.Errorf("after a week: got %s: %s", g.j.State(), got)
	}
}

func TestACheckWithItsOwnLimitIsNotCompared(t *testing.T) {
	rule := half
	rule.Limited = true
	var j Judge
	for i := range 700 {
		at, took := start.Add(time.Duration(i)*10*time.Second), time.Second
		if i > 600 {
			took = time.Minute
		}
		j.Observe(rule, at, Result{Probe: string(rune('a' + i%3)), Ended: at, Outcome: checks.Up, Elapsed: took, Scheduled: true})
	}
	if j.State() != Up {
		t.Errorf("got %s", j.State())
	}
}

// One result that comes late has left no trace by the end of its hour: no later hour
// is judged again for it.
func TestALateResultIsForgottenByTheHour(t *testing.T) {
	var g region
	g.look(6*60*30, nil)
	var rs []Result
	for i := range 360 {
		at := g.at.Add(time.Duration(i) * 10 * time.Second)
		rs = append(rs, Result{Probe: string(rune('a' + i%3)), Seq: g.n + uint64(i), Started: at, Ended: at, Outcome: checks.Up, Elapsed: g.took, Scheduled: true})
	}
	end := g.at.Add(time.Hour)
	want, _ := Final(anySeries, half, g.j, rs, end)
	late := rs[120]
	late.Epoch, late.Elapsed = "late", 3*time.Second
	got, _ := Final(anySeries, half, g.j, append(rs, late), end)
	if diff := cmp.Diff(want, got, wholeJudge, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-without +with):\n%s", diff)
	}
}

// Runs that look again after a failure are in no share and no median.
func TestOnlyScheduledRunsAreASample(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, rs := rules().Draw(t, "rule"), results().Draw(t, "results")
		var j Judge
		for _, r := range rs {
			j.Observe(rule, r.Ended, r)
		}
		for _, x := range j.trials {
			if !slices.ContainsFunc(rs, func(r Result) bool {
				return r.Scheduled && r.Ended.Equal(x.ended) && r.Probe == x.probe && r.broken() == x.failed
			}) {
				t.Fatalf("%+v is not of a scheduled run", x)
			}
		}
	})
}

// account is the rule of intermittent written down as it reads, over all that was
// ever seen.
type account struct {
	base            State
	seen            []trial
	since           time.Time
	falls           []time.Time
	fell, rose      time.Time
	lossy, flapping bool
}

// leave takes the failures of a Down that is over out of the sample.
func (a *account) leave(base State) {
	if a.base == Down && base != Down {
		a.seen = slices.DeleteFunc(a.seen, func(x trial) bool { return x.failed && !x.ended.Before(a.since) })
	}
	a.base = base
}

func (a *account) take(r Result, base State, since time.Time, probes int) {
	if r.Scheduled && (a.base != Down || !r.broken()) {
		a.seen = append(a.seen, trial{ended: r.Ended, probe: r.Probe, failed: r.broken()})
	}
	a.leave(base)
	a.since = since
	switch {
	case base == Down && a.fell.IsZero():
		a.fell, a.falls = since, append(a.falls, r.Ended)
		within := 0
		for _, at := range a.falls {
			if r.Ended.Sub(at) <= time.Hour {
				within++
			}
		}
		a.flapping = a.flapping || within >= 3
	case base > Unknown && base < Down && !a.fell.IsZero():
		a.fell, a.rose = time.Time{}, r.Ended
	}
	if a.fell.IsZero() && r.Ended.Sub(a.rose) > 30*time.Minute {
		a.flapping = false
	}
	failed, n, each := 0, 0, map[string]int{}
	for i, x := range slices.Backward(a.seen) {
		if len(a.seen)-i > 60 && r.Ended.Sub(x.ended) > 10*time.Minute {
			break
		}
		n++
		if x.failed {
			failed++
			each[x.probe]++
		}
	}
	often := 0
	for _, k := range each {
		if k >= 3 {
			often++
		}
	}
	share := float64(failed) / float64(max(n, 1))
	if base == Down {
		return
	}
	if a.lossy {
		a.lossy = share >= 0.02
	} else {
		a.lossy = !r.broken() && often >= probes && (loss{failed: failed, runs: n, often: often}).isLossy(half.withDefaults(), probes)
	}
}

func TestIntermittentAgainstTheWords(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, rs := rules().Draw(t, "rule"), results().Draw(t, "results")
		slices.SortFunc(rs, Result.Compare)
		var j Judge
		var a account
		for i, r := range rs {
			before := j.Clone()
			before.Advance(rule, r.Ended)
			j.Observe(rule, r.Ended, r)
			if a.leave(before.base); r.Outcome == checks.Unknown {
				continue
			}
			probes := 2
			if c := j.Counts(rule, r.Ended); c.Up+c.Down == 1 && rule.MinProbes == 1 {
				probes = 1
			}
			a.take(r, j.base, j.ground.since, probes)
			if j.lossy.on() != a.lossy || j.flapping.on() != a.flapping {
				t.Fatalf("after result %d: lossy %t, flapping %t, the words say %t, %t", i, j.lossy.on(), j.flapping.on(), a.lossy, a.flapping)
			}
		}
	})
}

// Down stands over intermittent, that over slow, that over up.
func TestOrderOfStates(t *testing.T) {
	since := mark{since: start}
	for _, tc := range []struct {
		j    Judge
		want State
	}{
		{Judge{lossy: since, dragging: since}, Unknown},
		{Judge{base: Up}, Up},
		{Judge{base: Up, dragging: since}, Slow},
		{Judge{base: Slow}, Slow},
		{Judge{base: Slow, lossy: since}, Intermittent},
		{Judge{base: Up, flapping: since, dragging: since}, Intermittent},
		{Judge{base: Down, flapping: since, dragging: since}, Down},
	} {
		if got := tc.j.State(); got != tc.want {
			t.Errorf("%+v: got %s, want %s", tc.j, got, tc.want)
		}
	}
}

// A bin is no wider than 1/16 of what it holds, and bins are in order.
func TestBins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(checks.MaxEvery)).Draw(t, "d"))
		low, high := timeOf(binOf(d)), timeOf(binOf(d)+1)
		if d < low || d >= high || high-low > max(time.Millisecond, low/16) {
			t.Fatalf("%s is in the bin from %s to %s", d, low, high)
		}
	})
}
