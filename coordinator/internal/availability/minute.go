package availability

import (
	"slices"
	"time"

	"varde/checks"
)

// Probes is a set of probes by name, sorted. The nil set is empty.
type Probes []string

// With returns the set with one more probe in it.
func (p Probes) With(name string) Probes {
	i, found := slices.BinarySearch(p, name)
	if found {
		return p
	}
	return slices.Insert(slices.Clip(p), i, name)
}

// Minute is what one minute of a series or of a whole region holds. The zero
// value is a minute in which nobody looked.
type Minute struct {
	Sums
	// Known are the probes that had a slot in the minute which was up or down.
	Known Probes
}

// Add returns the minute with a piece of a slot in it.
func (m Minute) Add(probe string, outcome checks.Outcome, d time.Duration) Minute {
	m.Sums = m.Merge(sumsOf(outcome, d))
	if outcome != checks.Unknown && d > 0 {
		m.Known = m.Known.With(probe)
	}
	return m
}

// Union is the minute with what other probes had in it.
func (m Minute) Union(o Minute) Minute {
	m.Sums = m.Merge(o.Sums)
	for _, name := range o.Known {
		m.Known = m.Known.With(name)
	}
	return m
}

// Covered says whether enough probes had a known slot in the minute.
func (m Minute) Covered(minProbes int) bool { return len(m.Known) >= max(minProbes, 1) }
