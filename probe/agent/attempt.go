package agent

import (
	"cmp"
	"context"
	"time"

	"varde/checks"
)

// attempt runs the check of j once it may use its account. While the login is
// left alone, or other runs have the account for half of the interval, it looks
// without logging in: then the service can still be seen to fail, and is never
// up.
func (a *Agent) attempt(ctx context.Context, j job, f checks.Family) (r checks.Result, began time.Time) {
	began = time.Now()
	if j.bare == nil {
		return j.check.Attempt(ctx, f), began
	}
	t, why := a.work.enter(ctx, j.seats[ownLogin], j.target.Every/2)
	began = time.Now()
	if why != nil {
		return unproven{j.bare, *why}.Attempt(ctx, f), began
	}
	said := unsaid // of a check that panics
	defer func() {
		if until, rests := a.work.leave(t, said); rests {
			a.opts.Logger.Warn("login is refused, leaving it alone", "check", j.target.ID, "detail", r.Detail, "until", until.UTC())
		}
	}()
	r = j.check.Attempt(ctx, f)
	said = welcomeOf(r)
	return r, began
}

// unproven is a check without its login: it says where the service fails, and
// otherwise why it does not know whether people can log in.
type unproven struct {
	bare checks.Check
	why  checks.Failure
}

// Attempt looks without logging in.
func (u unproven) Attempt(ctx context.Context, f checks.Family) checks.Result {
	r := u.bare.Attempt(ctx, f)
	if r.Outcome == checks.Up {
		r.Outcome, r.FailedPhase, r.Class, r.Detail = checks.Unknown, u.why.Phase, u.why.Class, u.why.Detail
	}
	return r
}

// withoutLogin is what can be asked of a target's server by somebody who may not
// log in; ok is false where that is nothing.
func withoutLogin(t checks.Target) (bare checks.Target, ok bool) {
	t.Login = nil
	t.Expect.Mailbox, t.Expect.Newest = "", false
	t.From, t.To = "", ""
	if t.Kind == checks.HTTPS {
		// A page that asks for a login, or leads to where one is asked for, is as
		// well as one that needs none.
		t.Expect.Status = cmp.Or(t.Expect.Status, "200") + ", 3xx, 401, 403"
		t.Expect.Body, t.Expect.BodyRegexp = "", ""
	}
	return t, t.Kind != checks.RoundTrip
}

// declined stands for a check that this probe does not run: whoever looks at its
// series must find out why it says nothing.
type declined struct{ why string }

// Attempt asks nobody.
func (d declined) Attempt(ctx context.Context, _ checks.Family) checks.Result {
	return checks.Record(ctx, checks.DefaultTimeout, func(context.Context, *checks.Recorder) error {
		return checks.Fail(checks.OwnError, "%s", d.why)
	})
}
