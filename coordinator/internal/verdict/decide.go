package verdict

import (
	"slices"
	"time"
)

// decide applies the rule of the last few results at the judge's clock, after a
// vote came in.
func (j *Judge) decide(rule Rule) {
	probes := j.latest(rule, j.clock)
	n := len(probes)
	if n < rule.MinProbes {
		return // it is Unknown already: Advance has seen to that
	}
	failures, from, intervals := rule.run(n)
	votes := j.votes(rule, intervals)
	down := fault{(*Result).broken, j.broken, count(probes, (*Result).broken), n}
	bad := fault{(*Result).failed, j.failing, count(probes, (*Result).failed), n}
	switch {
	case j.base == Down && ends(votes, goodRun, from, (*Result).passable):
		j.recover(votes, bad.probes-down.probes, n)
	case j.base == Slow && ends(votes, goodRun, from, (*Result).good):
		j.set(Up, j.clock, recoveryReason(votes))
	case j.base != Down && ends(votes, failures, from, (*Result).broken) && down.isRegions(votes, probes):
		j.set(Down, j.broken, downReason(votes[len(votes)-failures:], down, j.clock.Sub(j.broken)))
	case j.base < Slow && ends(votes, failures, from, (*Result).failed) && bad.isRegions(votes, probes):
		j.set(Slow, j.failing, lateReason(votes[len(votes)-failures:], bad, j.clock.Sub(j.failing)))
	case j.base == Unknown && (j.lossy.on() || evidence(n, bad.probes, len(votes) >= failures)):
		j.set(Up, j.clock, firstReason(n-bad.probes, n))
	}
}

// fault is a kind of failure that is under way: since when, and how many of the
// n probes with a current result see it.
type fault struct {
	is        func(*Result) bool
	since     time.Time
	probes, n int
}

// isRegions says whether the fault is the region's and not that of a few probes:
// two thirds of them see it, or enough do and so does every one that began to look
// since it began. What the others saw before says nothing of it.
func (f fault) isRegions(votes, probes []*Result) bool {
	failures := tail(votes, f.is)
	seeing := count(probes, func(r *Result) bool { return f.is(r) && seen(failures, r.Probe) })
	return f.isMost() || seeing >= min((2*f.n+2)/3, wide) &&
		!slices.ContainsFunc(probes, func(r *Result) bool { return !r.Started.Before(f.since) && !f.is(r) })
}

func (f fault) isMost() bool { return atLeastTwoThirds(f.probes, f.n) }

// tail is the run of results of one kind that is under way.
func tail(votes []*Result, are func(*Result) bool) []*Result {
	i := len(votes)
	for i > 0 && are(votes[i-1]) {
		i--
	}
	return votes[i:]
}

// ends says whether the last k votes are all of one kind and come from at least
// the given number of probes.
func ends(votes []*Result, k, probes int, are func(*Result) bool) bool {
	if len(votes) < k {
		return false
	}
	last := votes[len(votes)-k:]
	return count(last, are) == k && distinct(last) >= probes
}

// count is how many of a list are of one kind.
func count[T any](list []T, are func(T) bool) (n int) {
	for _, x := range list {
		if are(x) {
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
// more than half of its n probes are good, or a full run of results is in and
// leaves a tie short of down.
func evidence(n, bad int, full bool) bool {
	return 2*(n-bad) > n || full && !atLeastTwoThirds(bad, n)
}

// recover ends a Down, after which late probes say that mail is still late.
func (j *Judge) recover(votes []*Result, late, n int) {
	if atLeastTwoThirds(late, n) {
		j.set(Slow, j.clock, stillLateReason(late, n))
		return
	}
	j.set(Up, j.clock, recoveryReason(votes))
}
