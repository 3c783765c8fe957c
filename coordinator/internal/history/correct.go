package history

import (
	"fmt"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// maxAge is the age beyond which an observation is left to the journal: it is older
// than any minute that is kept, or its clock was never set.
const maxAge = 60 * 24 * time.Hour

// Correct returns the observation by the coordinator's clock. It is unknown where
// the clock of the probe is too far off to be believed: its measured offset is
// large, or it claims to have ended after it arrived. ok is false when its times
// make no sense at all.
func Correct(b *wire.Batch, o checks.Observation) (_ checks.Observation, ok bool) {
	o.Elapsed = min(o.Elapsed, checks.MaxEvery)
	if b.ClockKnown {
		o = shift(o, -b.ClockOffset)
		if b.ClockOffset.Abs() > wire.MaxClockOffset {
			o = disbelieve(o, fmt.Sprintf("clock is %s off", b.ClockOffset.Round(time.Second)))
		}
	}
	oldest, newest := b.Received.Add(-maxAge), b.Received.Add(wire.MaxClockOffset)
	if ahead := o.End().Sub(b.Received); ahead > wire.MaxClockOffset {
		o = disbelieve(shift(o, -ahead), fmt.Sprintf("clock is at least %s ahead", ahead.Round(time.Second)))
	}
	o.Scheduled, o.Started = o.Scheduled.UTC(), o.Started.UTC()
	ok = o.Started.After(oldest) && o.Scheduled.After(oldest) && o.Scheduled.Before(newest)
	return o, ok
}

func shift(o checks.Observation, d time.Duration) checks.Observation {
	o.Scheduled, o.Started = o.Scheduled.Add(d), o.Started.Add(d)
	return o
}

func disbelieve(o checks.Observation, detail string) checks.Observation {
	o.Outcome, o.Class, o.FailedPhase, o.Detail = checks.Unknown, checks.OwnError, "", detail
	return o
}
