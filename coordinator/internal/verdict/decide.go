package verdict

import (
	"time"

	"varde/checks"
)

// decide applies the rule at the judge's clock, after a vote came in.
func (j *Judge) decide(rule Rule) (Change, bool) {
	c := j.counts(rule, j.clock)
	n := c.Up + c.Down
	if n < rule.MinProbes {
		return Change{}, false // it is Unknown already: Advance has seen to that
	}
	failures, probes, intervals := rule.run(n)
	votes := j.votes(rule, intervals)
	bad := ends(votes, failures, probes, checks.Down) && atLeastTwoThirds(c.Down, n)
	switch {
	case j.state == Down && ends(votes, goodRun, probes, checks.Up):
		return j.change(Up, j.clock, recoveryReason(votes), c), true
	case j.state != Down && bad:
		return j.fall(votes[len(votes)-failures:], c), true
	case j.state == Unknown && evidence(c, len(votes) >= failures):
		return j.change(Up, j.clock, firstReason(c), c), true
	}
	return Change{}, false
}

// ends says whether the last k votes all have the outcome and come from at
// least the given number of probes.
func ends(votes []*Result, k, probes int, want checks.Outcome) bool {
	if len(votes) < k {
		return false
	}
	last := votes[len(votes)-k:]
	for _, r := range last {
		if r.Outcome != want {
			return false
		}
	}
	return distinct(last) >= probes
}

func distinct(results []*Result) (n int) {
	for i, r := range results {
		if !seen(results[:i], r.Probe) {
			n++
		}
	}
	return n
}

func atLeastTwoThirds(part, whole int) bool { return 3*part >= 2*whole }

// evidence says whether a series of which nothing was known may be called up:
// more than half of its probes are good, or a full run of results is in and
// leaves a tie short of down.
func evidence(c Counts, full bool) bool {
	n := c.Up + c.Down
	return 2*c.Up > n || full && !atLeastTwoThirds(c.Down, n)
}

// fall makes the change to Down, which began with the first failure of the run
// and not with the result that proved it.
func (j *Judge) fall(run []*Result, c Counts) Change {
	change := j.change(Down, j.clock, downReason(run, c, j.clock.Sub(j.failing)), c)
	j.since, change.Since = j.failing, j.failing
	return change
}

func (j *Judge) change(to State, at time.Time, reason string, c Counts) Change {
	change := Change{From: j.state, To: to, At: at, Since: at, Reason: reason, Counts: c}
	j.state, j.since, j.reason = to, at, reason
	return change
}
