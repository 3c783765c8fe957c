package verdict

import "time"

// mark is one thing that a judge holds to be so: since when, and why. The zero
// value says that it is not so. Its evidence names no probe: what those say is
// another thing at every moment.
type mark struct {
	since    time.Time
	reason   string
	evidence Evidence
}

func (m *mark) on() bool { return !m.since.IsZero() }

// stands is the verdict, and the one of its grounds that is shown: the gravest.
// Unknown and Down leave nothing else to be said.
func (j *Judge) stands() (State, *mark) {
	switch {
	case j.base == Unknown || j.base == Down:
		return j.base, &j.ground
	case j.lossy.on():
		return Intermittent, &j.lossy
	case j.flapping.on():
		return Intermittent, &j.flapping
	case j.base == Slow:
		return Slow, &j.ground
	case j.dragging.on():
		return Slow, &j.dragging
	}
	return Up, &j.ground
}

// set changes what the last few results say, and keeps the account of the times
// at which the series went down.
func (j *Judge) set(rule Rule, to State, m mark) {
	if j.base == Down && to != Down {
		j.excuse(j.ground.since)
	}
	j.base, j.ground = to, m
	switch {
	case to == Down && j.fell.IsZero():
		j.fell = m.since
		j.falls = append(j.falls, j.clock)
		j.flap(rule)
	case (to == Up || to == Slow) && !j.fell.IsZero():
		j.fell = time.Time{}
		if j.flapping.on() {
			j.rose = j.clock
		}
	}
}

// lift takes a mark away. The reason is that of the Up, where nothing else is
// wrong: it says why the trouble is over.
func (j *Judge) lift(m *mark, reason string, e Evidence) {
	*m = mark{}
	if j.base == Up {
		j.ground = mark{j.clock, reason, e}
	}
}

// turned is the change from the state that was, with what the probes say at the
// given time.
func (j *Judge) turned(rule Rule, was State, at time.Time) Change {
	state, m := j.stands()
	c := Change{From: was, To: state, At: j.clock, Since: m.since, Reason: m.reason, Counts: j.Counts(rule, at), Evidence: m.evidence}
	c.Evidence.Probes = j.witnesses(rule, at)
	return c
}
