package verdict

import (
	"slices"
	"time"

	"varde/checks"
)

// insert puts r in its place; false if it does not count.
func (j *Judge) insert(rule Rule, r Result) bool {
	if j.clock.After(rule.expiry(&r, rule.keep())) {
		return false
	}
	i, found := slices.BinarySearchFunc(j.window, r, Result.Compare)
	if found {
		return false
	}
	if r.Login && r.good() && r.Ended.After(j.admitted) {
		j.admitted = r.Ended
	}
	first := !slices.ContainsFunc(j.window, func(r Result) bool { return r.votes() })
	r.Elapsed, r.Scheduled = 0, false // the sample and the pace have what matters of these
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
	j.failing = j.running(first, j.failing, (*Result).failed)
	j.broken = j.running(first, j.broken, (*Result).broken)
}

// running is the start of the run of votes under way that are of one kind, of
// which was says where it began before the last result came in.
func (j *Judge) running(first bool, was time.Time, is func(*Result) bool) time.Time {
	var start time.Time
	for i := range slices.Backward(j.window) {
		r := &j.window[i]
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

// silence is after how long a judge that heard no vote forgets what it learnt.
const silence = 24 * time.Hour

// forget makes a new judge of one that knows nothing of use any longer.
func (j *Judge) forget() {
	if j.base == Unknown && len(j.window) == 0 && !j.heard.IsZero() && j.clock.Sub(j.heard) > silence {
		*j = Judge{ground: j.ground, clock: j.clock}
	}
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

// Counts are the probes behind the verdict at the given time.
func (j *Judge) Counts(rule Rule, at time.Time) Counts {
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
