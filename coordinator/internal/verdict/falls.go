package verdict

import "time"

const (
	// A series that goes down manyFalls times within fallsWithin is intermittent,
	// until it has not been down for calm.
	manyFalls   = 3
	fallsWithin = time.Hour
	calm        = 30 * time.Minute
)

// flap looks whether the series has gone down too often, after it did so again.
func (j *Judge) flap() {
	if n := len(j.falls); n > manyFalls {
		j.falls = j.falls[n-manyFalls:]
	}
	if len(j.falls) == manyFalls && !j.flapping.on() {
		j.flapping = mark{j.falls[0], flapReason(manyFalls, j.clock.Sub(j.falls[0]))}
	}
}

// settle ends what flap began, once the series has not been down for a while. A
// Down of which nobody knows whether it ended has not ended.
func (j *Judge) settle() {
	if j.flapping.on() && j.fell.IsZero() && j.clock.Sub(j.rose) > calm {
		j.rose = time.Time{}
		j.lift(&j.flapping, calmReason)
	}
}

// forgetFalls forgets those that are too old to count.
func (j *Judge) forgetFalls() {
	for len(j.falls) > 0 && j.clock.Sub(j.falls[0]) > fallsWithin {
		j.falls = j.falls[1:]
	}
}
