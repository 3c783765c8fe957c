package availability

import (
	"iter"
	"time"

	"varde/checks"
)

// Slot is the stretch of time that one scheduled observation speaks for.
type Slot struct {
	Probe   string
	From    time.Time
	Length  time.Duration
	Outcome checks.Outcome
}

// SlotOf returns the slot of an observation whose times are corrected already;
// ok is false when it was not scheduled or names no interval that is allowed.
func SlotOf(o checks.Observation) (s Slot, ok bool) {
	if o.Trigger != checks.Scheduled || o.Every <= 0 || o.Every > checks.MaxEvery {
		return Slot{}, false
	}
	return Slot{Probe: o.Probe, From: o.Scheduled, Length: o.Every, Outcome: o.Outcome}, true
}

// Minutes cuts the slot at the boundaries of minutes (UTC) and gives the start of
// each minute with the length of the slot in it. The lengths add up to Length.
func (s Slot) Minutes() iter.Seq2[time.Time, time.Duration] {
	return func(yield func(time.Time, time.Duration) bool) {
		end := s.From.Add(s.Length)
		for at := s.From; at.Before(end); {
			minute := at.Truncate(time.Minute)
			next := minute.Add(time.Minute)
			if next.After(end) {
				next = end
			}
			if !yield(minute, next.Sub(at)) {
				return
			}
			at = next
		}
	}
}

func sumsOf(outcome checks.Outcome, d time.Duration) Sums {
	switch outcome {
	case checks.Up:
		return Sums{Up: d}
	case checks.Down:
		return Sums{Down: d}
	}
	return Sums{Unknown: d}
}
