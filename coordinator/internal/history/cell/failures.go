package cell

import (
	"cmp"
	"maps"
	"slices"

	"varde/checks"
)

// Failure is one way in which a run was not up.
type Failure struct {
	Outcome checks.Outcome
	Class   checks.Class
}

func compareFailures(a, b Failure) int {
	return cmp.Or(cmp.Compare(a.Outcome, b.Outcome), cmp.Compare(a.Class, b.Class))
}

// Failures count scheduled runs that were not up.
type Failures map[Failure]uint64

// maxNames bounds the classes of a minute and the phases of a quarter against a
// probe that invents words; there are about thirty classes and fourteen phases.
const maxNames = 64

// otherClass stands for classes beyond maxNames.
const otherClass checks.Class = "other"

// Add counts n runs.
func (f *Failures) Add(failure Failure, n uint64) {
	if *f == nil {
		*f = make(Failures)
	}
	if _, known := (*f)[failure]; !known && len(*f) >= maxNames {
		failure.Class = otherClass
	}
	(*f)[failure] += n
}

// Merge takes everything that o holds.
func (f *Failures) Merge(o Failures) {
	for _, failure := range o.sorted() {
		f.Add(failure, o[failure])
	}
}

// Count is how many runs had the outcome.
func (f Failures) Count(outcome checks.Outcome) (n uint64) {
	for failure, k := range f {
		if failure.Outcome == outcome {
			n += k
		}
	}
	return n
}

func (f Failures) sorted() []Failure {
	return slices.SortedFunc(maps.Keys(f), compareFailures)
}
