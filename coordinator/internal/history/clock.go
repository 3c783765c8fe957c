package history

import "time"

// clockLeap is how far the coordinator's clock may go back, from one entry of the
// journal or tick to the next, before it is taken to have been ahead until then.
const clockLeap = time.Minute

// leapt says that the clock was ahead until now.
func leapt(clock, now time.Time) bool { return clock.Sub(now) > clockLeap }

// forward is what the clock shows now: it does not go back, unless it had leapt.
func forward(clock, now time.Time) time.Time {
	if leapt(clock, now) {
		return now
	}
	return later(clock, now)
}
