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

// Merge is the union of both sets.
func (p Probes) Merge(o Probes) Probes {
	if len(p) == 0 {
		return o
	}
	for _, name := range o {
		p = p.With(name)
	}
	return p
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
	m.Sums = m.Sums.Merge(sumsOf(outcome, d))
	if outcome != checks.Unknown && d > 0 {
		m.Known = m.Known.With(probe)
	}
	return m
}

// Merge joins what two parts of a record hold of the same minute: commutative,
// associative, with the zero value as its empty element.
func (m Minute) Merge(o Minute) Minute {
	return Minute{Sums: m.Sums.Merge(o.Sums), Known: m.Known.Merge(o.Known)}
}

// Covered says whether enough probes had a known slot in the minute.
func (m Minute) Covered(minProbes int) bool { return len(m.Known) >= max(minProbes, 1) }

// Minutes are the minutes of one series by their start (UTC, whole minutes).
type Minutes map[time.Time]Minute

// Add puts a slot into the minutes that it covers.
func (m Minutes) Add(s Slot) {
	for at, d := range s.Minutes() {
		at = at.UTC()
		m[at] = m[at].Add(s.Probe, s.Outcome, d)
	}
}

// Merge puts all minutes of o into m.
func (m Minutes) Merge(o Minutes) {
	for at, minute := range o {
		m[at] = m[at].Merge(minute)
	}
}

// Sums adds up the minutes that start in [from, to).
func (m Minutes) Sums(from, to time.Time) Sums {
	var s Sums
	for at, minute := range m {
		if !at.Before(from) && at.Before(to) {
			s = s.Merge(minute.Sums)
		}
	}
	return s
}

// Coverage is the number of minutes in [from, to) in which at least minProbes
// probes had a known slot, and the number of all minutes that start there.
func (m Minutes) Coverage(from, to time.Time, minProbes int) Coverage {
	var c Coverage
	for at := ceil(from); at.Before(to); at = at.Add(time.Minute) {
		c.Minutes++
		if m[at].Covered(minProbes) {
			c.Covered++
		}
	}
	return c
}

func ceil(t time.Time) time.Time {
	m := t.Truncate(time.Minute).UTC()
	if m.Before(t) {
		m = m.Add(time.Minute)
	}
	return m
}
