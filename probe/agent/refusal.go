package agent

import (
	"context"
	"time"

	"varde/checks"
)

// door is where a server meets this probe: whom it turns away over one address
// family it may still take over the other.
type door struct {
	place
	family checks.Family
}

// shut is how a door that was shut in our face is left alone.
type shut struct {
	ladder
	// phase is where the server said so.
	phase checks.Phase
}

// look asks a service, unless its server turned this probe away: then nothing is
// asked until it may have thought better of it. It returns when the result's
// attempt began, which is after the wait for an account.
func (a *Agent) look(ctx context.Context, j job, f checks.Family) (checks.Result, time.Time) {
	d := j.door(f)
	retry, why := a.work.knock(d)
	if why != nil {
		return checks.Result{FailedPhase: why.Phase, Class: why.Class, Detail: why.Detail}, time.Now()
	}
	r, began := a.attempt(ctx, j, f)
	if until, rests := a.work.answered(d, r, retry); rests {
		a.opts.Logger.Warn("server refuses this probe, leaving it alone",
			"check", j.target.ID, "family", f, "detail", r.Detail, "until", until.UTC())
	}
	return r, began
}

// knock says whether this is the one attempt after a rest, and why there must be
// none.
func (w *workload) knock(d door) (retry bool, why *checks.Failure) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.doors[d]
	if s == nil {
		return false, nil
	}
	now := time.Now()
	if s.resting(now) {
		return false, &checks.Failure{
			Phase: s.phase, Class: checks.Policy, Detail: "the server refuses us, left alone until " + s.until(),
		}
	}
	return s.try(now), nil
}

// answered notes what became of an attempt, and says until when the server is
// left alone if a rest begins by it. One that began before the rest under way
// does not end it.
func (w *workload) answered(d door, r checks.Result, retry bool) (until time.Time, rests bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, now := w.doors[d], time.Now()
	switch {
	case r.Class == checks.Policy:
		if s == nil {
			s = &shut{phase: r.FailedPhase}
			w.doors[d] = s
		}
		rests = s.climb(retry, now)
		return s.next, rests
	case s != nil && !heard(r):
		s.again(retry, now)
	case retry:
		delete(w.doors, d)
	}
	return time.Time{}, false
}

// heard says whether a result tells anything of the server: one that is our own
// fault does not.
func heard(r checks.Result) bool {
	return r.Class != checks.OwnNetwork && r.Class != checks.OwnLate && r.Class != checks.OwnError
}
