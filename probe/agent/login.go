package agent

import (
	"context"
	"slices"
	"time"

	"varde/checks"
)

// A login that was refused is left alone, or its provider locks the account, or
// the probe out: after so many refusals in a row it is tried again once after
// firstRest, then after twice and always four times that.
const (
	maxRefused = 2
	firstRest  = 15 * time.Minute
)

// login is a user and the hash of a password, whatever checks use it.
type login struct {
	user   string
	secret [32]byte
}

// account is how a login fared.
type account struct {
	// refused counts refusals in a row, rests how often it was left alone for
	// them. While there are rests there is no attempt before next.
	refused, rests int
	next           time.Time
}

// begin says whether to log in now; retry is true for the one attempt after a
// rest.
func (a *account) begin(now time.Time) (retry, ok bool) {
	if a.rests == 0 {
		return false, true
	}
	if now.Before(a.next) {
		return false, false
	}
	a.next = now.Add(a.rest()) // for all others
	return true, true
}

// end notes what became of an attempt.
func (a *account) end(r checks.Result, retry bool, now time.Time) {
	tried := slices.ContainsFunc(r.Phases, func(p checks.PhaseTiming) bool { return p.Name == checks.Auth })
	switch {
	case r.Class == checks.AuthRejected:
		a.refused++
		if retry || a.rests == 0 && a.refused >= maxRefused {
			a.rests++
			a.next = now.Add(a.rest())
		}
	case tried && r.FailedPhase != checks.Auth: // it came past that
		*a = account{}
	case retry:
		a.next = now // it did not come so far
	}
}

func (a *account) rest() time.Duration { return firstRest << min(a.rests-1, 2) }

// attempt runs the check of j, without its login while that is left alone: then
// the service can still be seen to fail, and is never up.
func (a *Agent) attempt(ctx context.Context, j job, f checks.Family) checks.Result {
	if j.bare == nil {
		return j.check.Attempt(ctx, f)
	}
	retry, next, ok := a.work.beginLogin(j)
	if !ok {
		r := j.bare.Attempt(ctx, f)
		if r.Outcome == checks.Up {
			r.Outcome, r.FailedPhase, r.Class = checks.Unknown, checks.Auth, checks.AuthRejected
			r.Detail = "the login was refused and is left alone until " + next.UTC().Format("15:04 UTC")
		}
		return r
	}
	r := j.check.Attempt(ctx, f)
	if next, rests := a.work.endLogin(j, r, retry); rests {
		a.opts.Logger.Warn("login is refused, leaving it alone", "check", j.target.ID, "detail", r.Detail, "until", next.UTC())
	}
	return r
}

func (w *workload) beginLogin(j job) (retry bool, next time.Time, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.accountLocked(j)
	retry, ok = a.begin(time.Now())
	return retry, a.next, ok
}

// endLogin says until when the login is left alone, if a rest begins by r.
func (w *workload) endLogin(j job, r checks.Result, retry bool) (next time.Time, rests bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a := w.accountLocked(j)
	before := a.rests
	a.end(r, retry, time.Now())
	return a.next, a.rests > before
}

func (w *workload) accountLocked(j job) *account {
	l := j.login()
	if w.accounts[l] == nil {
		w.accounts[l] = new(account)
	}
	return w.accounts[l]
}

// login is what the job logs in with; it must have a login.
func (j job) login() login { return login{j.target.Login.User, j.secret} }
