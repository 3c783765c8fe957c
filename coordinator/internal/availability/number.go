package availability

import (
	"math"
	"slices"
	"strconv"
)

// Coverage counts minutes: those in which we really looked, and all.
type Coverage struct {
	Covered, Minutes int
}

// Merge adds the minutes of another series or window.
func (c Coverage) Merge(o Coverage) Coverage {
	return Coverage{c.Covered + o.Covered, c.Minutes + o.Minutes}
}

// Ratio is the share of the minutes in which we really looked, 0 for no minutes:
// who did not look at all did not look.
func (c Coverage) Ratio() float64 {
	if c.Minutes <= 0 {
		return 0
	}
	return float64(c.Covered) / float64(c.Minutes)
}

// Enough is the coverage under which a number is labelled as resting on too
// little. It is shown all the same.
const Enough = 0.8

// Region is what one region adds to a number for all of them.
type Region struct {
	// Weight is the share of users there, in any unit. A region without weight does
	// not count, unless none has any: they are equal then.
	Weight float64
	Sums
	Coverage Coverage
}

// Overall is the mean of the regions by weight: of their ratios, over the regions
// of which anything is known (ok is false if there is none), and of their
// coverages, over all regions.
func Overall(regions []Region) (ratio, coverage float64, ok bool) {
	var sum, weight, covered, all float64
	equal := unweighted(regions, func(r Region) float64 { return r.Weight })
	for _, r := range regions {
		w := weightOf(r.Weight, equal)
		all += w
		covered += w * r.Coverage.Ratio()
		if v, known := r.Ratio(); known {
			sum += w * v
			weight += w
		}
	}
	if all > 0 {
		coverage = covered / all
	}
	if weight <= 0 {
		return 0, coverage, false
	}
	return min(sum/weight, 1), coverage, true
}

// unweighted says whether none has any weight.
func unweighted[T any](list []T, weight func(T) float64) bool {
	return !slices.ContainsFunc(list, func(x T) bool { return weight(x) > 0 })
}

// weightOf is the weight of a region, where equal says that all count the same.
func weightOf(weight float64, equal bool) float64 {
	if equal {
		return 1
	}
	return max(weight, 0)
}

// FormatPercent writes a ratio as a percentage with the given decimals, cut and
// never rounded up: 0.99996 with two decimals is "99.99 %". Only all is "100 %",
// only nothing is "0 %".
func FormatPercent(ratio float64, decimals int) string {
	switch {
	case ratio >= 1:
		return "100 %"
	case ratio <= 0 || math.IsNaN(ratio):
		return "0 %"
	}
	unit := math.Pow(10, float64(decimals))
	// The product can fall short of a whole number by its last bits: 0.57 is
	// 56.99999999999999 %. A billionth of a unit makes up for that.
	units := math.Floor(ratio*100*unit + 1e-9)
	units = min(units, 100*unit-1)
	return strconv.FormatFloat(units/unit, 'f', decimals, 64) + " %"
}
