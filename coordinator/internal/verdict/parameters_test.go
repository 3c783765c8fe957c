package verdict

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"varde/checks"
)

// The defaults are those that the rule is written down with.
func TestDefaults(t *testing.T) {
	want := Parameters{
		Failures: 4, Good: 3, ShareOver: 10 * time.Minute, ShareRuns: 60, ShareBegins: 0.05, ShareEnds: 0.02,
		Falls: 3, FallsWithin: time.Hour, Calm: 30 * time.Minute, SlowTimes: 3, SlowMore: 500 * time.Millisecond,
	}
	if diff := cmp.Diff(want, Parameters{}.WithDefaults()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := want.WithDefaults(); got != want {
		t.Errorf("defaults are not stable: %+v", got)
	}
}

// ruled is half with parameters.
func ruled(p Parameters) Rule {
	rule := half
	rule.Parameters = p
	return rule
}

// turns are the states that a region of three probes at 30 s went through, and when.
func (g *region) turns() (out []string) {
	for _, c := range g.changes[1:] { // the first is up
		out = append(out, seconds(c.At)+" "+c.To.String())
	}
	return out
}

func TestEachParameterCounts(t *testing.T) {
	down := func(g *region) { g.look(61, nil); g.look(12, always); g.look(12, nil) }
	lossy := func(g *region) { g.look(61, nil); g.look(120, fifth); g.look(300, nil) }
	falls := func(g *region) {
		g.look(61, nil)
		for range 3 {
			g.look(6, always)
			g.look(60, nil)
		}
		g.look(400, nil)
	}
	slow := func(g *region) {
		g.look(600, nil)
		g.took = 650 * time.Millisecond
		g.look(20, nil)
		g.took = 100 * time.Millisecond
		g.look(20, nil)
	}
	fallen := []string{"640 down", "690 up", "1300 down", "1350 up", "1960 down"}
	for _, tc := range []struct {
		name string
		p    Parameters
		play func(*region)
		want []string
	}{
		{"default", Parameters{}, down, []string{"640 down", "750 up"}},
		{"failures", Parameters{Failures: 6}, down, []string{"660 down", "750 up"}},
		{"more failures than two intervals hold", Parameters{Failures: 9}, down, []string{"690 down", "750 up"}},
		{"fewer failures", Parameters{Failures: 2}, down, []string{"620 down", "750 up"}},
		{"good", Parameters{Good: 1}, down, []string{"640 down", "730 up"}},
		{"more good", Parameters{Good: 8}, down, []string{"640 down", "800 up"}},
		{"default", Parameters{}, lossy, []string{"970 intermittent", "2320 up"}},
		{"share", Parameters{ShareBegins: 0.08}, lossy, []string{"1120 intermittent", "2320 up"}},
		{"share that is never reached", Parameters{ShareBegins: 0.3}, lossy, nil},
		{"share ends", Parameters{ShareEnds: 0.1}, lossy, []string{"970 intermittent", "2070 up"}},
		{"share over", Parameters{ShareOver: 20 * time.Minute}, lossy, []string{"1220 intermittent", "2870 up"}},
		{"share runs", Parameters{ShareOver: time.Minute, ShareRuns: 45}, lossy, []string{"970 intermittent", "2210 up"}},
		{"default", Parameters{}, falls, append(fallen, "2010 intermittent", "3820 up")},
		{"falls", Parameters{Falls: 2}, falls, []string{"640 down", "690 up", "1300 down", "1350 intermittent", "1960 down", "2010 intermittent", "3820 up"}},
		{"more falls", Parameters{Falls: 4}, falls, append(fallen, "2010 up")},
		{"falls within", Parameters{FallsWithin: 20 * time.Minute}, falls, append(fallen, "2010 up")},
		{"calm", Parameters{Calm: 10 * time.Minute}, falls, append(fallen, "2010 intermittent", "2620 up")},
		{"default", Parameters{}, slow, []string{"6050 slow", "6240 up"}},
		{"slow times", Parameters{SlowTimes: 7}, slow, nil},
		{"slow more", Parameters{SlowMore: 600 * time.Millisecond}, slow, nil},
		{"slow over", Parameters{SlowTimes: 7, SlowOver: 640 * time.Millisecond}, slow, []string{"6050 slow", "6240 up"}},
	} {
		g := region{rule: ruled(tc.p)}
		tc.play(&g)
		if diff := cmp.Diff(tc.want, g.turns()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, diff)
		}
	}
}

// A limit of the check holds although nothing is known of what is usual, is named in
// the reason, and does not become usual by lasting.
func TestALimitOfTheCheck(t *testing.T) {
	g := region{rule: ruled(Parameters{SlowOver: 2 * time.Second}), at: start, took: time.Second}
	g.look(20, nil)
	g.took = 2400 * time.Millisecond
	g.look(6*60*24*8, nil)
	g.took = 1600 * time.Millisecond // under the limit, and not yet well
	g.look(20, nil)
	g.took = 1500 * time.Millisecond
	g.look(20, nil)
	g.expect(t,
		"10 up since 10: 2 of 2 probes good",
		"250 slow since 200: p50 2.40 s, of 2.00 s allowed",
		"691640 up since 691640: p50 1.50 s, of 2.00 s allowed",
	)
	g.expectEvidence(t,
		"up first; good probes 2 needed 2 of 2; / []",
		"slow pace; p50 of good runs 2.4 needed 2 s of 10; greeting/ []",
		"up end; p50 of good runs 1.5 needed 1.5 s of 10; / []",
	)
}

// A parameter that changes takes nothing from a judge that it learnt.
func TestAChangedParameterLosesNothing(t *testing.T) {
	var g region
	g.look(600, nil)
	g.look(1, always)
	p := NewPanel(Rules{"imap": half})
	p.Restore(anySeries, g.j.Clone())
	changed := ruled(Parameters{Failures: 6, Good: 5, ShareOver: time.Hour, Falls: 5, SlowTimes: 2})
	if got := p.SetRules(g.at, Rules{"imap": changed}); len(got) != 0 {
		t.Errorf("got %v, want nothing", got)
	}
	if diff := cmp.Diff(g.j, *p.Judge(anySeries), wholeJudge, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the judge (-before +after):\n%s", diff)
	}
	h := region{j: *p.Judge(anySeries), at: g.at, n: g.n, took: g.took, rule: changed}
	h.look(5, always)
	if len(h.changes) != 1 || h.changes[0].To != Down || !h.changes[0].Since.Equal(start.Add(5999900*time.Millisecond)) {
		t.Errorf("got %+v, want down by the failure before the change and five after it", h.changes)
	}
}

// parameters are drawn over all that a configuration allows.
func parameters() *rapid.Generator[Parameters] {
	return rapid.Custom(func(t *rapid.T) Parameters {
		minutes := func(name string, most int) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Minute
		}
		return Parameters{
			Failures: rapid.SampledFrom([]int{0, 2, 3, 5, 9, MaxRun}).Draw(t, "failures"), Good: rapid.SampledFrom([]int{0, 1, 5, MaxRun}).Draw(t, "good"),
			ShareOver: minutes("share over", 60), ShareRuns: rapid.SampledFrom([]int{0, 10, 30, 200}).Draw(t, "share runs"),
			ShareBegins: rapid.SampledFrom([]float64{0, 0.01, 0.2}).Draw(t, "begins"),
			Falls:       rapid.SampledFrom([]int{0, 2, 4, MaxFalls}).Draw(t, "falls"), FallsWithin: minutes("within", 120), Calm: minutes("calm", 90),
			SlowTimes: rapid.SampledFrom([]float64{0, 1.5, 8}).Draw(t, "times"), SlowMore: minutes("more", 1) / 100, SlowOver: minutes("over", 1) / 20,
		}
	})
}

// Whatever the parameters, the final verdicts are a function of the set, also in
// parts and through a rest; unknown results change none; and no region goes down
// by fewer failures or probes than were asked for.
func TestLawsHoldForAnyParameters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, rs := rules().Draw(t, "rule"), results().Draw(t, "results")
		rule.Parameters = parameters().Draw(t, "parameters")
		from, end := judges(rule).Draw(t, "judge"), start.Add(4*time.Hour)
		want, changes := Final(anySeries, rule, from, rs, end)
		mixed := rapid.Permutation(rs).Draw(t, "mixed")
		got, again := Final(anySeries, rule, from, mixed, end)
		if diff := cmp.Diff(changes, again); diff != "" {
			t.Fatalf("order changed the judgement:\n%s", diff)
		}
		sameJudge(t, want, got)
		sameJudge(t, want, rest(t, want))
		cut := start.Add(time.Duration(rapid.IntRange(0, 1500).Draw(t, "cut")) * time.Second)
		before := slices.DeleteFunc(slices.Clone(rs), func(r Result) bool { return !r.Ended.Before(cut) })
		after := slices.DeleteFunc(slices.Clone(rs), func(r Result) bool { return r.Ended.Before(cut) })
		j, first := Final(anySeries, rule, from, before, cut)
		j, second := Final(anySeries, rule, rest(t, j), after, end)
		if diff := cmp.Diff(changes, append(first, second...)); diff != "" {
			t.Fatalf("two parts differ from the whole:\n%s", diff)
		}
		sameJudge(t, want, j)
		known := slices.DeleteFunc(slices.Clone(rs), func(r Result) bool { return r.Outcome == checks.Unknown })
		_, without := Final(anySeries, rule, from, known, end)
		if diff := cmp.Diff(verdicts(without), verdicts(changes)); diff != "" {
			t.Fatalf("unknown results changed a verdict:\n%s", diff)
		}
		for _, c := range changes {
			for _, f := range c.Evidence.Figures {
				if c.To == Down && f.Got < f.Needed {
					t.Fatalf("down with %+v", c.Evidence)
				}
			}
		}
	})
}
