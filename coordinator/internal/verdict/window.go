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
	i, found := j.place(&r)
	if found {
		return false
	}
	if r.Login && r.good() && r.Ended.After(j.admitted) {
		j.admitted = r.Ended
	}
	first := !j.hasVote("")
	r.Elapsed, r.Scheduled = 0, false // the sample and the pace have what matters of these
	if r.good() {
		r.Phase = ""
	}
	j.window = slices.Insert(j.window, i, r)
	if len(j.window) > maxWindow {
		j.window = slices.Delete(j.window, 0, 1)
	}
	if !r.votes() {
		return false
	}
	j.follow(first, &r)
	j.trace(rule, &r)
	return true
}

// place is where a result belongs, which is mostly the end; found says that it is
// there already.
func (j *Judge) place(r *Result) (i int, found bool) {
	i = len(j.window)
	for i > 0 {
		c := compare(&j.window[i-1], r)
		if c == 0 {
			return i - 1, true
		}
		if c < 0 {
			break
		}
		i--
	}
	return i, false
}

// hasVote says whether the window holds a vote of the probe, or of any if that is
// empty.
func (j *Judge) hasVote(probe string) bool {
	for i := range j.window {
		if r := &j.window[i]; r.votes() && (probe == "" || r.Probe == probe) {
			return true
		}
	}
	return false
}

// follow keeps the starts of the runs of failures under way, after the vote r came
// in; first says that the window held no vote before.
func (j *Judge) follow(first bool, r *Result) {
	j.failing = j.running(first, r, j.failing, (*Result).failed)
	j.broken = j.running(first, r, j.broken, (*Result).broken)
}

// running is the start of the run of votes under way that are of one kind, of
// which was says where it began before the vote last came in.
func (j *Judge) running(first bool, last *Result, was time.Time, is func(*Result) bool) time.Time {
	var start time.Time
	whole := true // every vote in the window is of that kind
	for i := len(j.window) - 1; i >= 0 && whole; i-- {
		r := &j.window[i]
		if whole = !r.votes() || is(r); whole && r.votes() {
			start = r.Started
		}
	}
	switch {
	case start.IsZero() || was.IsZero() || whole && first:
		return start
	case whole || start.Before(was) && !last.Started.Before(was):
		return was // the window no longer holds all of the run, or what was before it
	}
	return start
}

// prune forgets what no part of the rule can look at again. A vote stays as long as
// an older one of its probe counts, which else would be the latest again.
func (j *Judge) prune(rule Rule) {
	standing := make([]string, 0, usually) // the probes with a vote that counts
	intervals, n := rule.keep(), 0
	for i := range j.window {
		r := &j.window[i]
		counts := !j.clock.After(rule.expiry(r, intervals))
		if !counts && (!r.votes() || !slices.Contains(standing, r.Probe)) {
			continue
		}
		if counts && r.votes() && !slices.Contains(standing, r.Probe) {
			standing = append(standing, r.Probe)
		}
		if n < i {
			j.window[n] = *r
		}
		n++
	}
	clear(j.window[n:])
	j.window = j.window[:n]
	j.silent()
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
func (j *Judge) latest(rule Rule, at time.Time) []*Result { return j.voters(nil, rule, at) }

// voters is latest in the room that is given.
func (j *Judge) voters(out []*Result, rule Rule, at time.Time) []*Result {
	for i := len(j.window) - 1; i >= 0; i-- {
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
