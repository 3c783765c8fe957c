package verdict

import (
	"slices"
	"time"

	"varde/checks"
)

// Judge judges one series. The zero value has seen nothing and says Unknown. A
// Judge is a value: a copy made with Clone goes its own way.
type Judge struct {
	state  State
	since  time.Time
	reason string
	// clock is the largest time that the judge was told of.
	clock time.Time
	// failing is the start of the first failure of the run under way, which may
	// be older than the window; zero when the last vote was good. broken is the
	// same of failures that are not late mail: late mail ends that run.
	failing, broken time.Time
	// window are the results that can still matter, in order, Unknown included.
	window []Result
}

// State is the verdict now.
func (j *Judge) State() State { return j.state }

// Since is when the state began; zero before the first change.
func (j *Judge) Since() time.Time { return j.since }

// Reason is why the state is what it is: of Up and Down the reason of the last
// change, of Unknown what is missing at the given time, which may be something
// else than at first.
func (j *Judge) Reason(rule Rule, at time.Time) string {
	if j.state != Unknown {
		return j.reason
	}
	return j.missing(rule, at)
}

// missing says what keeps the judge from knowing.
func (j *Judge) missing(rule Rule, at time.Time) string {
	voters := j.latest(rule, at)
	return quorumReason(rule, len(voters), j.vague(rule, at, voters))
}

// Clone returns a judge that shares nothing with j.
func (j *Judge) Clone() Judge {
	c := *j
	c.window = slices.Clone(j.window)
	return c
}

// Idle says that j knows nothing a new judge would not know: it is Unknown and
// no result counts any longer.
func (j *Judge) Idle() bool { return j.state == Unknown && len(j.window) == 0 }

// Observe takes one result at the time at, which is moved forward to the
// largest time seen so far if it is before that. It returns the changes in order:
// a quorum that was lost before at, and what the result brings about. A result
// that is too old to count, or was seen before, changes nothing. Series is left
// empty in the changes.
func (j *Judge) Observe(rule Rule, at time.Time, r Result) []Change {
	changes := j.Advance(rule, at)
	if !j.insert(rule, r) {
		return changes
	}
	if c, ok := j.decide(rule); ok {
		changes = append(changes, c)
	}
	return changes
}

// Advance moves the clock to at; a time before it changes nothing. The one
// change that time can bring is the loss of the quorum, dated to its instant if
// that lies before at: a result still counts when it is exactly 2 intervals old.
func (j *Judge) Advance(rule Rule, at time.Time) []Change {
	if at.Before(j.clock) {
		return nil
	}
	var changes []Change
	if lost, ok := j.Expiry(rule); ok && at.After(lost) {
		if lost.Before(j.clock) {
			lost = j.clock // the rule has become stricter since
		}
		j.clock = lost
		c := j.counts(rule, lost.Add(1))
		changes = append(changes, j.change(Unknown, lost, j.missing(rule, lost.Add(1)), c))
	}
	j.clock = at
	j.prune(rule)
	return changes
}

// Expiry is the instant after which the quorum is lost if no further result
// comes; ok is false while the state is Unknown.
func (j *Judge) Expiry(rule Rule) (at time.Time, ok bool) {
	if j.state == Unknown {
		return time.Time{}, false
	}
	var ends []time.Time
	for _, r := range j.latest(rule, j.clock) {
		ends = append(ends, rule.expiry(r, currentFor))
	}
	if len(ends) < rule.MinProbes {
		return j.clock, true
	}
	slices.SortFunc(ends, time.Time.Compare)
	return ends[len(ends)-rule.MinProbes], true
}

// Counts are the probes behind the verdict at the given time.
func (j *Judge) Counts(rule Rule, at time.Time) Counts { return j.counts(rule, at) }

// insert puts r in its place; false if it does not count.
func (j *Judge) insert(rule Rule, r Result) bool {
	if j.clock.After(rule.expiry(&r, rule.keep())) {
		return false
	}
	i, found := slices.BinarySearchFunc(j.window, r, Result.Compare)
	if found {
		return false
	}
	first := !slices.ContainsFunc(j.window, Result.votes)
	j.window = slices.Insert(j.window, i, r)
	if len(j.window) > maxWindow {
		j.window = slices.Delete(j.window, 0, 1)
	}
	j.follow(first)
	return r.votes()
}

// follow keeps the starts of the runs of failures under way; first says that
// the window held no vote before.
func (j *Judge) follow(first bool) {
	j.failing = j.running(first, j.failing, Result.failed)
	j.broken = j.running(first, j.broken, Result.broken)
}

// running is the start of the run of votes under way that are of one kind, of
// which was says where it began before the last result came in.
func (j *Judge) running(first bool, was time.Time, is func(Result) bool) time.Time {
	var start time.Time
	for _, r := range slices.Backward(j.window) {
		if r.votes() && !is(r) {
			return start
		}
		if r.votes() {
			start = r.Started
		}
	}
	// Every vote in the window is of that kind: the run may be older than the
	// window.
	if first || was.IsZero() {
		return start
	}
	return was
}

// prune forgets what no part of the rule can look at again. A vote stays as long as
// an older one of its probe counts, which else would be the latest again.
func (j *Judge) prune(rule Rule) {
	standing := make([]string, 0, 8) // the probes with a vote that counts
	j.window = slices.DeleteFunc(j.window, func(r Result) bool {
		if !j.clock.After(rule.expiry(&r, rule.keep())) {
			if r.votes() && !slices.Contains(standing, r.Probe) {
				standing = append(standing, r.Probe)
			}
			return false
		}
		return !r.votes() || !slices.Contains(standing, r.Probe)
	})
}

// votes are the results that are up or down and count for the given number of
// intervals, in order.
func (j *Judge) votes(rule Rule, intervals time.Duration) []*Result {
	out := make([]*Result, 0, len(j.window))
	for i := range j.window {
		if r := &j.window[i]; r.votes() && !j.clock.After(rule.expiry(r, intervals)) {
			out = append(out, r)
		}
	}
	return out
}

// latest is the latest vote of each probe, of those that it is current of at the
// given time.
func (j *Judge) latest(rule Rule, at time.Time) []*Result {
	out := make([]*Result, 0, 8)
	for i := range slices.Backward(j.window) {
		if r := &j.window[i]; r.votes() && !seen(out, r.Probe) {
			out = append(out, r)
		}
	}
	return slices.DeleteFunc(out, func(r *Result) bool { return at.After(rule.expiry(r, currentFor)) })
}

func seen(results []*Result, probe string) bool {
	return slices.ContainsFunc(results, func(r *Result) bool { return r.Probe == probe })
}

func (j *Judge) counts(rule Rule, at time.Time) Counts {
	probes := j.latest(rule, at)
	var c Counts
	for _, r := range probes {
		if r.Outcome == checks.Up {
			c.Up++
		} else {
			c.Down++
		}
	}
	c.Unknown = len(j.vague(rule, at, probes))
	return c
}

// vague is the latest result of each probe that could not tell, of those
// without a current vote.
func (j *Judge) vague(rule Rule, at time.Time, voters []*Result) []*Result {
	var out []*Result
	for i := range slices.Backward(j.window) {
		r := &j.window[i]
		if !r.votes() && !at.After(rule.expiry(r, currentFor)) && !seen(voters, r.Probe) && !seen(out, r.Probe) {
			out = append(out, r)
		}
	}
	return out
}
