package availability

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

const minute = time.Minute

// filled is an account of blocks that hold the given share of failures, each of ten
// runs of half a minute.
func filled(shares ...float64) *Account {
	a := NewAccount(0)
	for i, share := range shares {
		down := time.Duration(share * float64(5*minute))
		a.Add(ten.Add(time.Duration(i)*BlockLength), Cell{
			Sums: Sums{Up: 5*minute - down, Down: down}, Coverage: Coverage{5, 5}, Runs: 10, Failed: uint64(10*share + 0.5),
		})
	}
	return a
}

func nearly(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9*max(1, math.Abs(want)) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// The formula by its ends: clusters that agree in nothing count every run, clusters that
// agree wholly count once.
func TestEffectiveRuns(t *testing.T) {
	nearly(t, "independent", Effective(2880, 10, 0), 2880)
	nearly(t, "one mind", Effective(2880, 10, 1), 288)
	nearly(t, "in between", Effective(2880, 10, 0.3), 2880/3.7)
	nearly(t, "clusters of one", Effective(2880, 1, 1), 2880)
	half := make([]float64, 100)
	for i := range half {
		half[i] = float64(i % 2)
	}
	for name, c := range map[string]struct {
		blocks         []float64
		rho, effective float64
	}{
		"every block the same":     {[]float64{0.2, 0.2, 0.2, 0.2}, 0, 40},
		"whole blocks fail":        {half, 1, 100},
		"nothing fails":            {[]float64{0, 0, 0}, 0, 30},
		"everything fails":         {[]float64{1, 1, 1}, 0, 30},
		"one block, some of it":    {[]float64{0.5}, 1, 1},
		"one failure in a day":     {append(make([]float64, 287), 0.1), rhoOf(288, 0.1), 2880 / (1 + 9*rhoOf(288, 0.1))},
		"one block of a whole day": {append(make([]float64, 287), 1), 1, 288},
	} {
		e := Measured([]Share{{1, filled(c.blocks...)}})
		nearly(t, name+": rho", e.Clustering, c.rho)
		nearly(t, name+": effective runs", e.Effective, c.effective)
		low, high := Wilson(e.Ratio, c.effective, Z95)
		nearly(t, name+": low", e.Low, low)
		nearly(t, name+": high", e.High, high)
	}
}

// rhoOf is what one block with a share of failures among others without any comes to:
// the variance B/(B-1) x²(1-1/B)/B² = x²/B² in the terms of the blocks' mean, n = 10 B.
func rhoOf(blocks, x float64) float64 {
	p := x / blocks
	design := x * x / (blocks * blocks) * 10 * blocks / (p * (1 - p))
	return min(max((design-1)/9, 0), 1)
}

// Of several regions the effective number is 1 / Σ w²/n, and what fails in all of them
// at the same time is one event.
func TestEffectiveRunsOfRegions(t *testing.T) {
	quiet, busy := filled(0, 0), filled(0, 0)
	busy.Runs = 1000
	e := Measured([]Share{{3, quiet}, {1, busy}})
	nearly(t, "by weight", e.Effective, 1/(0.75*0.75/20+0.25*0.25/1000))
	same := []Share{{1, filled(0, 1, 0, 1)}, {1, filled(0, 1, 0, 1)}}
	nearly(t, "together: rho", Clustering(same), 1)
	nearly(t, "together: effective runs", Measured(same).Effective, 4)
	against := []Share{{1, filled(0, 1, 0, 1)}, {1, filled(1, 0, 1, 0)}}
	nearly(t, "in turn: rho", Clustering(against), 0)
	if e := Measured([]Share{{1, NewAccount(0)}}); e.Known || e.Low != 0 || e.Effective != 0 {
		t.Errorf("nothing known: got %+v", e)
	}
}

// What was down is a share of all slots, so that what is unknown uses nothing of a budget.
func TestUnknownTimeIsNotOut(t *testing.T) {
	half, whole := filled(0, 1), filled(0.5)
	half.Add(ten.Add(day), Cell{Sums: Sums{Unknown: 10 * minute}})
	e := Measured([]Share{{1, half}, {3, whole}, {1, NewAccount(0)}})
	nearly(t, "ratio", e.Ratio, 0.5)
	nearly(t, "out", e.Out, (0.25+3*0.5)/4)
}

func TestThinNumbersAreLabelled(t *testing.T) {
	for coverage, want := range map[float64]string{0: "insufficient data", 0.79: "insufficient data", 0.8: "", 1: ""} {
		if got := (Estimate{Known: true, Ratio: 0.5, Coverage: coverage}).Label(); got != want {
			t.Errorf("coverage %v: got %q, want %q", coverage, got, want)
		}
	}
}

// added is one cell and when it begins.
type added struct {
	region int
	at     time.Time
	cell   Cell
}

func cells() *rapid.Generator[[]added] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) added {
		second := func(name string) time.Duration {
			return time.Duration(rapid.IntRange(0, 60).Draw(t, name)) * time.Second
		}
		failed := rapid.Uint64Range(0, 3).Draw(t, "failed")
		covered := rapid.IntRange(0, 1).Draw(t, "covered")
		return added{rapid.IntRange(0, 2).Draw(t, "region"), ten.Add(time.Duration(rapid.IntRange(0, 59).Draw(t, "minute")) * minute), Cell{
			Sums: Sums{second("up"), second("down"), second("unknown")}, Coverage: Coverage{covered, 1}, Runs: failed + rapid.Uint64Range(0, 3).Draw(t, "good"), Failed: failed,
		}}
	}), 1, 60)
}

func sharesOf(list []added) []Share {
	out := []Share{{4, NewAccount(0)}, {2, NewAccount(0)}, {1, NewAccount(0)}}
	for _, a := range list {
		out[a.region].Add(a.at, a.cell)
	}
	return out
}

// Order and batching of what is added never change an estimate, to the last bit.
func TestEstimatesAreOrderFree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := cells().Draw(t, "cells")
		want := Measured(sharesOf(all))
		if got := Measured(sharesOf(rapid.Permutation(all).Draw(t, "mixed"))); got != want {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		merged := make(map[added]Cell)
		for _, a := range all {
			key := added{region: a.region, at: a.at.Truncate(BlockLength)}
			merged[key] = merged[key].Merge(a.cell)
		}
		var batches []added
		for key, c := range merged {
			batches = append(batches, added{key.region, key.at, c})
		}
		if got := Measured(sharesOf(batches)); got != want {
			t.Fatalf("in batches: got %+v, want %+v", got, want)
		}
	})
}

// Unknown time changes neither a ratio nor its interval, only the coverage.
func TestUnknownTimeChangesNoInterval(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := cells().Draw(t, "cells")
		want := Measured(sharesOf(all))
		for range rapid.IntRange(1, 5).Draw(t, "more") {
			all = append(all, added{rapid.IntRange(0, 2).Draw(t, "region"), ten.Add(time.Hour), Cell{Sums: Sums{Unknown: minute}, Coverage: Coverage{0, 1}}})
		}
		got := Measured(sharesOf(all))
		if got.Ratio != want.Ratio || got.Low != want.Low || got.High != want.High || got.Effective != want.Effective {
			t.Fatalf("got %+v, want %+v", got, want)
		}
		if got.Out > want.Out || got.Out > 1-got.Ratio+1e-12 {
			t.Fatalf("%v of the slots were down, %v before", got.Out, want.Out)
		}
		if got.Coverage > want.Coverage {
			t.Fatalf("coverage grew from %v to %v", want.Coverage, got.Coverage)
		}
	})
}

// An interval holds its ratio, and is never narrower than that of independent runs.
func TestIntervalHoldsItsRatio(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := Measured(sharesOf(cells().Draw(t, "cells")))
		if !e.Known {
			return
		}
		if e.Ratio == 1 && e.High != 1 || e.Ratio == 0 && e.Low != 0 {
			t.Fatalf("an end is not in the interval: %+v", e)
		}
		if e.Low > e.Ratio+1e-12 || e.High < e.Ratio-1e-12 || e.Low < 0 || e.High > 1 || e.Clustering < 0 || e.Clustering > 1 {
			t.Fatalf("got %+v", e)
		}
		if e.Runs > 0 && e.Effective > float64(e.Runs)*(1+1e-9)+3 {
			t.Fatalf("%d runs count for %v", e.Runs, e.Effective)
		}
	})
}
