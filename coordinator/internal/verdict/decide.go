package verdict

import (
	"slices"
	"time"
)

// decide applies the rule of the last few results at the judge's clock, after a
// vote came in.
func (j *Judge) decide(rule Rule) {
	if j.base == Up && j.failing.IsZero() {
		return // nothing can begin, and there is nothing to end
	}
	probes := j.latest(rule, j.clock)
	n := len(probes)
	if n < rule.MinProbes {
		return // it is Unknown already: Advance has seen to that
	}
	failures, from, intervals := rule.run(n)
	votes := j.votes(rule, intervals)
	healthy := min(from, rule.Good) // how many probes the good results are from
	down := fault{(*Result).broken, j.broken, count(probes, (*Result).broken), n}
	bad := fault{(*Result).failed, j.failing, count(probes, (*Result).failed), n}
	switch {
	case j.base == Down && ends(votes, rule.Good, healthy, (*Result).passable):
		j.recover(rule, votes[len(votes)-rule.Good:], healthy, bad.probes-down.probes, n)
	case j.base == Slow && ends(votes, rule.Good, healthy, (*Result).good):
		last := votes[len(votes)-rule.Good:]
		j.set(rule, Up, mark{j.clock, recoveryReason(last), byRecovery(last, healthy)})
	case j.base != Down && ends(votes, failures, from, (*Result).broken) && down.isRegions(votes, probes):
		j.set(rule, Down, mark{
			j.broken, downReason(votes[len(votes)-failures:], down, j.clock.Sub(j.broken)),
			down.byRun(ByFailures, tail(votes, down.is), failures, from),
		})
	case j.base < Slow && ends(votes, failures, from, (*Result).failed) && bad.isRegions(votes, probes):
		j.set(rule, Slow, mark{
			j.failing, lateReason(votes[len(votes)-failures:], bad, j.clock.Sub(j.failing)),
			bad.byRun(ByLateMail, tail(votes, bad.is), failures, from),
		})
	case j.base == Unknown && (j.lossy.on() || enough(n, bad.probes, len(votes) >= failures)):
		j.set(rule, Up, mark{j.clock, firstReason(n-bad.probes, n), byFirst(n-bad.probes, n)})
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
	return f.isMost() || seeing >= min(twoThirds(f.n), wide) &&
		!slices.ContainsFunc(probes, func(r *Result) bool { return !r.Started.Before(f.since) && !f.is(r) })
}

func (f fault) isMost() bool { return f.probes >= twoThirds(f.n) }

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

// twoThirds is the least number that is two thirds of n.
func twoThirds(n int) int { return (2*n + 2) / 3 }

// enough says whether a series of which nothing was known may be called up:
// more than half of its n probes are good, or a full run of results is in and
// leaves a tie short of down.
func enough(n, bad int, full bool) bool {
	return 2*(n-bad) > n || full && bad < twoThirds(n)
}

// recover ends a Down by its last results, after which late probes say that mail is
// still late.
func (j *Judge) recover(rule Rule, last []*Result, from, late, n int) {
	if late >= twoThirds(n) {
		j.set(rule, Slow, mark{j.clock, stillLateReason(late, n), stillLate(last, from, late, n)})
		return
	}
	j.set(rule, Up, mark{j.clock, recoveryReason(last), byRecovery(last, from)})
}
