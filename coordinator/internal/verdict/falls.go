package verdict

import "time"

// flap looks whether the series has gone down too often, after it did so again.
func (j *Judge) flap(rule Rule) {
	if n := len(j.falls); n > rule.Falls {
		j.falls = j.falls[n-rule.Falls:]
	}
	if len(j.falls) == rule.Falls && !j.flapping.on() {
		over := j.clock.Sub(j.falls[0])
		j.flapping = mark{j.falls[0], flapReason(rule.Falls, over), byFalls(rule, over, j.ground.evidence)}
	}
}

// settle ends what flap began, once the series has not been down for a while. A
// Down of which nobody knows whether it ended has not ended.
func (j *Judge) settle(rule Rule) {
	if !j.flapping.on() || !j.fell.IsZero() {
		return
	}
	if calm := j.clock.Sub(j.rose); calm > rule.Calm {
		j.rose = time.Time{}
		j.lift(&j.flapping, calmReason(rule.Calm), after("time since the last down", calm, rule.Calm))
	}
}

// forgetFalls forgets those that are too old to count.
func (j *Judge) forgetFalls(rule Rule) {
	for len(j.falls) > 0 && j.clock.Sub(j.falls[0]) > rule.FallsWithin {
		j.falls = j.falls[1:]
	}
}
