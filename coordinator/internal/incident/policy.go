package incident

import (
	"cmp"
	"time"
)

// Policy are the numbers of the rules. Of each zero stands for the default, which
// is that of updown.io and Better Stack where they have one.
type Policy struct {
	// Join is how far the troubles of one cause may lie apart: 5 min.
	Join time.Duration
	// Hold is for how long all must have been well before an incident is closed: 180 s;
	// Intervals is the same in intervals of the slowest of its checks: 3. The longer
	// counts.
	Hold      time.Duration
	Intervals int
	// Reopen is for how long after its end trouble that returns is the same incident:
	// 15 min.
	Reopen time.Duration
	// Turns is how many turns within TurnsWithin are no more than an incident has by
	// itself; one with more is intermittent, and is closed Calm after the last at the
	// soonest: 3 in 1 h, 30 min.
	Turns       int
	TurnsWithin time.Duration
	Calm        time.Duration
	// Recall is for how long a closed incident is remembered: 1 h. As far back may the
	// trouble of a change have begun, since shares are taken over such a time.
	Recall time.Duration
	// Steps is how many steps of an incident are kept: 500.
	Steps int
	// Taken says whether an id is that of an incident which the book holds no longer.
	// Nil stands for no.
	Taken func(id string) bool
}

// filled has the defaults in the place of what is zero.
func (p Policy) filled() Policy {
	p.Join, p.Hold, p.Intervals = cmp.Or(p.Join, 5*time.Minute), cmp.Or(p.Hold, 180*time.Second), cmp.Or(p.Intervals, 3)
	p.Reopen = cmp.Or(p.Reopen, 15*time.Minute)
	p.Turns, p.TurnsWithin, p.Calm = cmp.Or(p.Turns, 3), cmp.Or(p.TurnsWithin, time.Hour), cmp.Or(p.Calm, 30*time.Minute)
	p.Recall, p.Steps = max(cmp.Or(p.Recall, time.Hour), p.Reopen), max(cmp.Or(p.Steps, 500), 4)
	return p
}
