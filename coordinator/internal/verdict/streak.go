package verdict

import (
	"cmp"
	"slices"
	"time"

	"varde/checks"
)

// streak is since when every vote of a probe has failed.
type streak struct {
	probe string
	since time.Time
}

// trace keeps the streak of the probe of which a vote came in. While all is well
// there is none.
func (j *Judge) trace(rule Rule, r *Result) {
	if r.good() && len(j.streaks) == 0 {
		return
	}
	since, whole := j.row(rule, j.clock, r.Probe, checks.Down)
	i, found := slices.BinarySearchFunc(j.streaks, r.Probe, func(s streak, probe string) int { return cmp.Compare(s.probe, probe) })
	switch {
	case since.IsZero() && found:
		j.streaks = slices.Delete(j.streaks, i, i+1)
	case since.IsZero():
	case !found:
		j.streaks = slices.Insert(j.streaks, i, streak{r.Probe, since})
	case !whole || since.Before(j.streaks[i].since):
		j.streaks[i].since = since
	}
}

// row is the start of the results of a probe under way that say the same, zero if
// its last one says something else. Whole says that no other of it is remembered:
// what prune may forget at any time is left out. A result that claims nothing does
// not come between those that do.
func (j *Judge) row(rule Rule, at time.Time, probe string, outcome checks.Outcome) (since time.Time, whole bool) {
	intervals, standing := rule.keep(), false
	whole = true
	for i := range j.window {
		r := &j.window[i]
		counts := !at.After(rule.expiry(r, intervals))
		if r.Probe != probe || !counts && (!standing || !r.votes()) {
			continue
		}
		standing = standing || r.votes()
		switch {
		case r.Outcome == outcome && since.IsZero():
			since = r.Started
		case r.Outcome != outcome && r.votes():
			since, whole = time.Time{}, false
		}
	}
	return since, whole
}

// since is when the probe of a result, its latest, began to say that; zero if no
// other result of it is remembered.
func (j *Judge) since(rule Rule, at time.Time, r *Result) time.Time {
	for _, s := range j.streaks {
		if r.failed() && s.probe == r.Probe {
			return s.since
		}
	}
	since, whole := j.row(rule, at, r.Probe, r.Outcome)
	if whole {
		return time.Time{}
	}
	return since
}

// silent forgets the streaks of probes of which no vote is left.
func (j *Judge) silent() {
	j.streaks = slices.DeleteFunc(j.streaks, func(s streak) bool {
		return !j.hasVote(s.probe)
	})
}
