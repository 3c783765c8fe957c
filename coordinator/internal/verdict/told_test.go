package verdict

import (
	"math"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"varde/checks"
)

// arrival is a result and when it came.
type arrival struct {
	at time.Time
	r  Result
}

// arrivals let results come up to two minutes late, so in another order than that in
// which they were made.
func arrivals() *rapid.Generator[[]arrival] {
	return rapid.Custom(func(t *rapid.T) []arrival {
		var out []arrival
		for _, r := range results().Draw(t, "results") {
			late := rapid.SampledFrom([]int{0, 0, 0, 1, 7, 40, 120}).Draw(t, "late")
			out = append(out, arrival{r.Ended.Add(time.Duration(late) * time.Second), r})
		}
		slices.SortStableFunc(out, func(a, b arrival) int { return a.at.Compare(b.at) })
		return out
	})
}

func told(rule Rule, j Judge, list []arrival) (Judge, []Change) {
	j = j.Clone()
	var changes []Change
	for _, a := range list {
		changes = append(changes, j.Observe(rule, a.at, a.r)...)
	}
	return j, append(changes, j.Advance(rule, start.Add(4*time.Hour))...)
}

// What claims nothing changes no told verdict either, in whatever order all else
// comes.
func TestUnknownResultsChangeNothingTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, list := rules().Draw(t, "rule"), arrivals().Draw(t, "arrivals")
		rule.Parameters = parameters().Draw(t, "parameters")
		from := judges(rule).Draw(t, "judge")
		known := slices.DeleteFunc(slices.Clone(list), func(a arrival) bool { return a.r.Outcome == checks.Unknown })
		_, want := told(rule, from, known)
		_, got := told(rule, from, list)
		if diff := gocmp.Diff(verdicts(want), verdicts(got)); diff != "" {
			t.Fatalf("unknown results changed a verdict (-without +with):\n%s", diff)
		}
	})
}

// What comes twice changes nothing told, as long as the first still counts; and
// how often a judge is told the time leaves no trace in it.
func TestDoublesAndTheTimeChangeNothingTold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, list := rules().Draw(t, "rule"), arrivals().Draw(t, "arrivals")
		from := judges(rule).Draw(t, "judge")
		wantJudge, want := told(rule, from, list)
		j, got := from.Clone(), []Change(nil)
		for _, a := range list {
			if rapid.Bool().Draw(t, "time") {
				got = append(got, j.Advance(rule, a.at)...)
			}
			got = append(got, j.Observe(rule, a.at, a.r)...)
			if rapid.Bool().Draw(t, "double") {
				got = append(got, j.Observe(rule, a.at, a.r)...)
			}
		}
		got = append(got, j.Advance(rule, start.Add(4*time.Hour))...)
		if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-once +again):\n%s", diff)
		}
		sameJudge(t, wantJudge, j)
	})
}

// In whatever order the results of a batch stand, and whatever batches there are, the
// final verdicts of the hours are the same.
func TestBatchesChangeNoFinalVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule, list := rules().Draw(t, "rule"), arrivals().Draw(t, "arrivals")
		set := make([]Result, len(list))
		for i, a := range list {
			set[i] = a.r
		}
		_, want := Final(anySeries, rule, Judge{}, set, start.Add(4*time.Hour))
		var batched []Result
		for left := set; len(left) > 0; {
			n := rapid.IntRange(1, len(left)).Draw(t, "batch")
			batched = append(batched, rapid.Permutation(left[:n]).Draw(t, "order")...)
			left = left[n:]
		}
		var j Judge
		var got []Change
		for end := start; end.Before(start.Add(4 * time.Hour)); {
			from := end
			end = end.Add(20 * time.Minute)
			hour := slices.DeleteFunc(slices.Clone(batched), func(r Result) bool { return r.Ended.Before(from) || !r.Ended.Before(end) })
			var changes []Change
			j, changes = Final(anySeries, rule, j, hour, end)
			got = append(got, changes...)
		}
		if diff := gocmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("(-the set +in batches):\n%s", diff)
		}
	})
}

// A region of three probes that fail by chance goes down as often as a row of K
// failures comes by chance: over all outcomes of twelve runs, each with its weight,
// that is the closed formula of runs in Bernoulli trials.
func TestDownsByChance(t *testing.T) {
	const runs, p = 12, 0.2
	for _, k := range []int{3, 4, 6} {
		rule, got := ruled(Parameters{Failures: k}), 0.0
		for outcomes := range 1 << runs {
			g := region{rule: rule}
			g.look(10, nil)
			weight := 1.0
			g.look(runs, func(i int) bool {
				fails := outcomes>>i&1 == 1
				weight *= map[bool]float64{true: p, false: 1 - p}[fails]
				return fails
			})
			if slices.ContainsFunc(g.changes, func(c Change) bool { return c.To == Down }) {
				got += weight
			}
		}
		if want := 1 - noRow(runs, k, p); math.Abs(got-want) > 1e-9 {
			t.Errorf("failures %d: down with probability %.9f, want %.9f", k, got, want)
		}
	}
}

// noRow is the probability that of n trials, each of which fails with p, no k in a
// row do: after i failures comes the first that is good, and then the rest.
func noRow(n, k int, p float64) (none float64) {
	if n < k {
		return 1
	}
	for i := range k {
		none += math.Pow(p, float64(i)) * (1 - p) * noRow(n-1-i, k, p)
	}
	return none
}

// A loss begins at the number of failures at which the lower end of Wilson's interval
// is above the share, by the formula written down once more.
func TestLossBeginsByWilson(t *testing.T) {
	rule := half.withDefaults()
	for _, n := range []int{60, 61, 120, 600} {
		for k := range n + 1 {
			p, z, m := float64(k)/float64(n), 2.58, float64(n)
			low := (p + z*z/(2*m) - z*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))) / (1 + z*z/m)
			if got := (loss{failed: k, runs: n, often: 2}).isLossy(rule, 2); got != (low > 0.05) {
				t.Errorf("%d of %d: got %t, lower end %.4f", k, n, got, low)
			}
		}
	}
}

// What is good of a series that is up costs no allocation.
func TestHealthAllocatesNothing(t *testing.T) {
	var g region
	g.look(600, nil)
	n := uint64(1000)
	names := []string{"a", "b", "c"}
	got := testing.AllocsPerRun(1000, func() {
		g.at, n = g.at.Add(10*time.Second), n+1
		g.j.Observe(half, g.at, Result{
			Probe: names[n%3], Epoch: "e", Seq: n, Started: g.at.Add(-g.took), Ended: g.at, Outcome: checks.Up,
			Elapsed: g.took, Scheduled: true, Phase: checks.Greeting, Network: "192.0.2.0/24",
		})
	})
	if got > 0 {
		t.Errorf("got %v allocations a result", got)
	}
}
