package verdict

import "time"

// decide applies the rule at the judge's clock, after a vote came in.
func (j *Judge) decide(rule Rule) (Change, bool) {
	probes := j.latest(rule, j.clock)
	c := j.counts(rule, j.clock)
	n := c.Up + c.Down
	if n < rule.MinProbes {
		return Change{}, false // it is Unknown already: Advance has seen to that
	}
	failures, from, intervals := rule.run(n)
	votes := j.votes(rule, intervals)
	broken := count(probes, Result.broken)
	switch {
	case j.state == Down && ends(votes, goodRun, from, Result.passable):
		return j.recover(votes, c, c.Down-broken), true
	case j.state == Slow && ends(votes, goodRun, from, Result.good):
		return j.change(Up, j.clock, recoveryReason(votes), c), true
	case j.state != Down && ends(votes, failures, from, Result.broken) && atLeastTwoThirds(broken, n):
		return j.fall(Down, j.broken, downReason(votes[len(votes)-failures:], broken, n, j.clock.Sub(j.broken)), c), true
	case j.state < Slow && ends(votes, failures, from, Result.failed) && atLeastTwoThirds(c.Down, n):
		return j.fall(Slow, j.failing, lateReason(votes[len(votes)-failures:], c, j.clock.Sub(j.failing)), c), true
	case j.state == Unknown && evidence(c, len(votes) >= failures):
		return j.change(Up, j.clock, firstReason(c), c), true
	}
	return Change{}, false
}

// ends says whether the last k votes are all of one kind and come from at least
// the given number of probes.
func ends(votes []*Result, k, probes int, are func(Result) bool) bool {
	if len(votes) < k {
		return false
	}
	last := votes[len(votes)-k:]
	return count(last, are) == k && distinct(last) >= probes
}

// count is how many of the results are of one kind.
func count(results []*Result, are func(Result) bool) (n int) {
	for _, r := range results {
		if are(*r) {
			n++
		}
	}
	return n
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

// recover makes the change out of Down, of which late probes say that mail is
// still late.
func (j *Judge) recover(votes []*Result, c Counts, late int) Change {
	if n := c.Up + c.Down; atLeastTwoThirds(late, n) {
		return j.change(Slow, j.clock, stillLateReason(late, n), c)
	}
	return j.change(Up, j.clock, recoveryReason(votes), c)
}

// fall makes the change to Down or Slow, which began with the first failure of
// the run and not with the result that proved it.
func (j *Judge) fall(to State, since time.Time, reason string, c Counts) Change {
	change := j.change(to, j.clock, reason, c)
	j.since, change.Since = since, since
	return change
}

func (j *Judge) change(to State, at time.Time, reason string, c Counts) Change {
	change := Change{From: j.state, To: to, At: at, Since: at, Reason: reason, Counts: c}
	j.state, j.since, j.reason = to, at, reason
	return change
}
