package cell

import (
	"cmp"
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

// Count is how many runs failed in one way.
type Count struct {
	Failure
	N uint64
}

// Failures count scheduled runs that were not up, each way once and in order. A list: there
// are few ways, and a map for every hour of a month is most of what reading it takes.
type Failures []Count

// maxNames bounds the classes of a minute and the phases of a quarter against a
// probe that invents words; there are about thirty classes and fourteen phases.
const maxNames = 64

// otherClass stands for classes beyond maxNames.
const otherClass checks.Class = "other"

// Add counts n runs.
func (f *Failures) Add(failure Failure, n uint64) {
	i, known := f.find(failure)
	if !known && len(*f) >= maxNames {
		failure.Class = otherClass
		i, known = f.find(failure)
	}
	if known {
		(*f)[i].N += n
		return
	}
	*f = slices.Insert(*f, i, Count{failure, n})
}

// find is the place of a failure, or where it would stand.
func (f *Failures) find(failure Failure) (i int, known bool) {
	return slices.BinarySearchFunc(*f, failure, func(c Count, to Failure) int { return compareFailures(c.Failure, to) })
}

// Merge takes everything that o holds.
func (f *Failures) Merge(o Failures) {
	for _, c := range o {
		f.Add(c.Failure, c.N)
	}
}

// Count is how many runs had the outcome.
func (f Failures) Count(outcome checks.Outcome) (n uint64) {
	for _, c := range f {
		if c.Outcome == outcome {
			n += c.N
		}
	}
	return n
}
