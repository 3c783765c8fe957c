package availability

import "time"

// Sums are lengths of slots, added up. The zero value is that of nothing.
type Sums struct {
	Up, Down, Unknown time.Duration
}

// Merge is the sum of both: commutative, associative, with the zero value as its
// empty element.
func (s Sums) Merge(o Sums) Sums {
	return Sums{s.Up + o.Up, s.Down + o.Down, s.Unknown + o.Unknown}
}

// Known is the time of which we can say something.
func (s Sums) Known() time.Duration { return s.Up + s.Down }

// Ratio is up / (up + down), from 0 to 1; ok is false when nothing is known.
func (s Sums) Ratio() (ratio float64, ok bool) {
	if s.Known() <= 0 {
		return 0, false
	}
	return float64(s.Up) / float64(s.Known()), true
}

// Fill returns the sums with what is missing to the expected time counted as
// unknown: a slot without an observation.
func (s Sums) Fill(expected time.Duration) Sums {
	if missing := expected - s.Up - s.Down - s.Unknown; missing > 0 {
		s.Unknown += missing
	}
	return s
}
