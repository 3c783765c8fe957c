package availability

import (
	"maps"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"varde/checks"
)

var ten = time.Date(2026, 11, 22, 10, 0, 0, 0, time.UTC)

func at(seconds float64) time.Time {
	return ten.Add(time.Duration(seconds * float64(time.Second)))
}

func TestSlotIsCutAtMinutes(t *testing.T) {
	slot := Slot{Probe: "a", From: at(50.5), Length: 90 * time.Second}
	got := maps.Collect(slot.Minutes())
	want := map[time.Time]time.Duration{
		ten: 9500 * time.Millisecond, at(60): time.Minute, at(120): 20500 * time.Millisecond,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("pieces differ (-want +got):\n%s", diff)
	}
}

func TestSlotOf(t *testing.T) {
	o := checks.Observation{Probe: "a", Scheduled: ten, Every: 30 * time.Second, Result: checks.Result{Outcome: checks.Up}}
	if s, ok := SlotOf(o); !ok || s.Probe != "a" || s.Length != 30*time.Second || s.Outcome != checks.Up {
		t.Errorf("scheduled run: got %+v, %t", s, ok)
	}
	for name, change := range map[string]func(*checks.Observation){
		"confirmation": func(o *checks.Observation) { o.Trigger = checks.Confirm },
		"manual run":   func(o *checks.Observation) { o.Trigger = checks.Manual },
		"no interval":  func(o *checks.Observation) { o.Every = 0 },
		"two days":     func(o *checks.Observation) { o.Every = 48 * time.Hour },
	} {
		other := o
		change(&other)
		if _, ok := SlotOf(other); ok {
			t.Errorf("%s has a slot", name)
		}
	}
}

func TestCoverageCountsProbesAndNotSlots(t *testing.T) {
	var all []Slot
	add := func(probe string, from float64, outcome checks.Outcome) {
		all = append(all, Slot{Probe: probe, From: at(from), Length: 30 * time.Second, Outcome: outcome})
	}
	add("a", 0, checks.Up)
	add("a", 30, checks.Up)
	add("b", 15, checks.Down) // reaches 45: the first minute has two probes
	add("a", 60, checks.Up)
	add("a", 90, checks.Up)
	add("b", 75, checks.Unknown) // does not count
	minutes := gather(all)
	for i, want := range []struct {
		Sums
		covered bool
	}{
		{Sums{Up: time.Minute, Down: 30 * time.Second}, true},
		{Sums{Up: time.Minute, Unknown: 30 * time.Second}, false},
		{Sums{}, false},
	} {
		if m := minutes[at(60*float64(i))]; m.Sums != want.Sums || m.Covered(2) != want.covered {
			t.Errorf("minute %d: got %+v, covered %t, want %+v", i, m.Sums, m.Covered(2), want)
		}
	}
}

func TestOverallIsByWeight(t *testing.T) {
	day := Coverage{1440, 1440}
	regions := []Region{
		{Weight: 3, Sums: Sums{Up: 9 * time.Hour, Down: time.Hour}, Coverage: day},
		{Weight: 1, Sums: Sums{Up: time.Minute, Down: time.Minute}, Coverage: Coverage{720, 1440}},
		{Weight: 4, Coverage: Coverage{0, 1440}},
	}
	ratio, coverage, ok := Overall(regions)
	if want := (3*0.9 + 0.5) / 4; !ok || math.Abs(ratio-want) > 1e-12 {
		t.Errorf("ratio: got %v, %t, want %v", ratio, ok, want)
	}
	if want := (3 + 0.5) / 8; math.Abs(coverage-want) > 1e-12 {
		t.Errorf("coverage: got %v, want %v", coverage, want)
	}
	if _, _, ok := Overall(regions[2:]); ok {
		t.Error("a region of which nothing is known gave a number")
	}
}

// The examples are those of the methods' notes: a day of one probe at 30 s, and
// of nine.
func TestWilson(t *testing.T) {
	for _, tc := range []struct{ failed, n, low, high float64 }{
		{0, 2880, 0.99867, 1},
		{3, 2880, 0.99694, 0.99965},
		{26, 25920, 0.99853, 0.99932},
		{0, 0, 0, 1},
	} {
		ratio := 1.0
		if tc.n > 0 {
			ratio = 1 - tc.failed/tc.n
		}
		low, high := Wilson(ratio, tc.n, Z95)
		if math.Abs(low-tc.low) > 1e-5 || math.Abs(high-tc.high) > 1e-5 {
			t.Errorf("%v of %v failed: got %.5f to %.5f, want %.5f to %.5f", tc.failed, tc.n, low, high, tc.low, tc.high)
		}
	}
}

func TestFormatPercent(t *testing.T) {
	for _, tc := range []struct {
		ratio    float64
		decimals int
		want     string
	}{
		{1, 2, "100 %"},
		{0.99996, 2, "99.99 %"},
		{0.999999999999, 2, "99.99 %"},
		{math.Nextafter(1, 0), 3, "99.999 %"},
		{0.9999, 2, "99.99 %"},
		{0.57, 2, "57.00 %"},
		{0.29, 0, "29 %"},
		{0.999, 0, "99 %"},
		{0.00001, 2, "0.00 %"},
		{0, 2, "0 %"},
		{math.NaN(), 2, "0 %"},
	} {
		if got := FormatPercent(tc.ratio, tc.decimals); got != tc.want {
			t.Errorf("%v with %d decimals: got %q, want %q", tc.ratio, tc.decimals, got, tc.want)
		}
	}
}

func TestPercentIsNeverRoundedUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(1, 1e6).Draw(t, "n")
		k := rapid.Int64Range(0, n).Draw(t, "k")
		got := FormatPercent(float64(k)/float64(n), 2)
		if (got == "100 %") != (k == n) {
			t.Fatalf("%d of %d is %s", k, n, got)
		}
		if want := k * 10000 / n; k > 0 && k < n && got != FormatPercent(float64(want)/10000, 2) && want > 0 {
			t.Fatalf("%d of %d is %s, cut it is %d hundredths", k, n, got, want)
		}
	})
}

func slots() *rapid.Generator[[]Slot] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Slot {
		return Slot{
			Probe:   rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "probe"),
			From:    at(rapid.Float64Range(0, 600).Draw(t, "from")),
			Length:  time.Duration(rapid.IntRange(1, 200_000).Draw(t, "ms")) * time.Millisecond,
			Outcome: checks.Outcome(rapid.IntRange(0, 2).Draw(t, "outcome")),
		}
	}), 0, 30)
}

func gather(slots []Slot) map[time.Time]Minute {
	out := map[time.Time]Minute{}
	for _, s := range slots {
		for at, d := range s.Minutes() {
			out[at] = out[at].Add(s.Probe, s.Outcome, d)
		}
	}
	return out
}

func TestMinutesAreOrderFree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := slots().Draw(t, "slots")
		want := gather(all)
		if diff := cmp.Diff(want, gather(rapid.Permutation(all).Draw(t, "mixed")), cmpopts.EquateEmpty()); diff != "" {
			t.Fatalf("order changed the minutes (-want +got):\n%s", diff)
		}
		var ofSlots, ofMinutes Sums
		for _, s := range all {
			ofSlots = ofSlots.Merge(sumsOf(s.Outcome, s.Length))
		}
		for _, m := range want {
			ofMinutes = ofMinutes.Merge(m.Sums)
		}
		if ofMinutes != ofSlots {
			t.Fatalf("minutes add up to %+v, slots to %+v", ofMinutes, ofSlots)
		}
	})
}

func TestUnknownSlotsChangeNoRatio(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := slots().Draw(t, "slots")
		var with, without Sums
		for _, s := range all {
			with = with.Merge(sumsOf(s.Outcome, s.Length))
			if s.Outcome != checks.Unknown {
				without = without.Merge(sumsOf(s.Outcome, s.Length))
			}
		}
		a, aok := with.Ratio()
		b, bok := without.Ratio()
		if a != b || aok != bok {
			t.Fatalf("got %v, %t with unknown slots and %v, %t without", a, aok, b, bok)
		}
	})
}

func TestFillCountsMissingSlotsAsUnknown(t *testing.T) {
	s := Sums{Up: 40 * time.Second, Unknown: 5 * time.Second}
	if got := s.Fill(time.Minute); got.Unknown != 20*time.Second || got.Up != s.Up {
		t.Errorf("got %+v", got)
	}
	if got := s.Fill(30 * time.Second); got != s {
		t.Errorf("more than expected: got %+v", got)
	}
}
