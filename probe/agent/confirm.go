package agent

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"varde/checks"
	"varde/probe/internal/confirm"
	"varde/probe/internal/schedule"
	"varde/proto/wire"
)

// confirming is what the agent keeps for the looks that follow failures.
type confirming struct {
	bursts *confirm.Bursts
	usual  *confirm.Usual
	// run counts the looks that were made.
	run atomic.Uint64
}

func (a *Agent) newConfirming() confirming {
	return confirming{
		bursts: confirm.New(confirm.Options{
			Self: a.identity.Name(), Neighbours: a.living, Others: a.others, Enrolled: a.enrolled,
			Bound: func() int { return max(8, a.schedule.Stats().Entries/10) },
		}),
		usual: confirm.NewUsual(),
	}
}

// keep forgets what no job has any more.
func (c *confirming) keep(w *workload) {
	still := func(check string) bool {
		_, _, ok := w.job(check)
		return ok
	}
	c.bursts.Keep(still)
	c.usual.Keep(still)
}

// living are the probes of this region that the mesh holds for alive and that look
// at a check.
func (a *Agent) living(check string) (out []string) {
	j, _, ok := a.work.job(check)
	if m := a.mesh.Load(); ok && m != nil {
		for _, p := range m.Members() {
			if p.Region == a.identity.Region() && j.target.MayLogIn(p.Name) {
				out = append(out, p.Name)
			}
		}
	}
	return out
}

// others is how many of them are asked about a check.
func (a *Agent) others(check string) int {
	j, _, ok := a.work.job(check)
	if !ok {
		return 0
	}
	return j.target.Others()
}

// enrolled says whether the plan has a probe of this name in this region.
func (a *Agent) enrolled(probe string) bool { return slices.Contains(a.regionRoster(), probe) }

// watched runs an attempt, and has the others look as soon as it does not get on:
// what a black hole swallows is known before its time is up. A probe that is not fit
// to judge asks nobody.
func (a *Agent) watched(ctx context.Context, j job, r schedule.Run) (checks.Result, time.Time) {
	if r.Trigger != checks.Scheduled || !mayConfirm(j) {
		return a.look(ctx, j, r.Family)
	}
	s := confirm.Series{Check: r.Target.ID, Family: r.Family}
	var progress checks.Progress
	defer a.whenStuck(s, &progress, func(at checks.Phase) {
		a.controls.Doubt(s.Family)
		if fit, _ := a.controls.Standing(); fit != wire.Disqualified {
			a.burst(j, s, behindLogin(j, at))
		}
	})()
	return a.look(checks.WithProgress(ctx, &progress), j, r.Family)
}

// confirmFailure has a failure of a scheduled run looked at again once it is known
// that it is the target's.
func (a *Agent) confirmFailure(j job, o checks.Observation) {
	if o.Outcome == checks.Down && o.Trigger == checks.Scheduled && mayConfirm(j) {
		a.burst(j, confirm.Series{Check: o.Check, Family: o.Family}, behindLogin(j, o.FailedPhase))
	}
}

// again is the job of a look out of turn, which leaves the login out if it may. None
// is made where somebody rests for having been turned away, or where the account is
// in use: then the next look in turn has to do.
func (a *Agent) again(j job, r schedule.Run) (_ job, ok bool) {
	if r.Bare && j.bare != nil {
		j.check, j.bare = j.bare, nil
	}
	if !a.work.isFree(j, r.Family) {
		a.confirming.bursts.Refuse()
		return j, false
	}
	a.confirming.run.Add(1)
	return j, true
}

// isFree says whether no server of the job has turned this probe away since it last
// took it, neither the probe nor its login, and nobody here has the account.
func (w *workload) isFree(j job, f checks.Family) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.doors[j.door(f)] != nil {
		return false
	}
	at := w.accounts[j.seats[ownLogin]]
	whole := w.logins[j.seats[ownLogin].login]
	return j.bare == nil || (at == nil || at.rests == 0 && len(at.free) > 0) && (whole == nil || whole.rests == 0)
}

// mayConfirm says whether a check may be looked at out of turn. Without consent
// the floors of the cadence forbid it: on a server that counts, one more
// connection in ten minutes can lock a probe out (methods 5.1). A round trip sends
// a mail.
func mayConfirm(j job) bool {
	return j.target.Consent && j.target.Kind != checks.RoundTrip && j.problem == nil
}

// behindLogin says whether a phase of a check comes about only after a login.
func behindLogin(j job, p checks.Phase) bool {
	if j.bare == nil {
		return false
	}
	if j.target.Kind == checks.HTTPS { // there the login is a part of the request
		return p == checks.Auth
	}
	order := checks.Phases()
	return slices.Index(order, p) >= slices.Index(order, checks.Auth)
}

// whenStuck calls stuck once if the attempt stands still for longer than is usual,
// until stop is called.
func (a *Agent) whenStuck(s confirm.Series, progress *checks.Progress, stuck func(checks.Phase)) (stop func()) {
	var timer atomic.Pointer[time.Timer]
	look := func() {
		phase, at := progress.Last()
		patience, never := a.confirming.usual.Patience(s, phase)
		left := patience - time.Since(at)
		if never || phase == "" {
			left = time.Second // the next phase may be another
		}
		if left > 0 {
			if t := timer.Load(); t != nil {
				t.Reset(left)
			}
			return
		}
		stuck(phase)
	}
	t := time.AfterFunc(time.Hour, look)
	timer.Store(t)
	t.Reset(time.Second)
	return func() {
		timer.Store(nil)
		t.Stop()
	}
}

// burst has a failure looked at again, here and by others, unless that has just
// been done. A login that failed is tried again elsewhere alone: it must not be
// this probe that locks the account.
func (a *Agent) burst(j job, s confirm.Series, login bool) {
	hints, ok := a.confirming.bursts.Begin(s, login)
	if !ok {
		return
	}
	if m := a.mesh.Load(); m != nil {
		for _, h := range hints {
			if message, err := wire.MarshalHint(h); err == nil {
				m.Send(h.Asked, message)
			}
		}
	}
	if !login {
		a.lookSoon(j, s, false)
	}
}

// lookSoon has a look made at once, unless too many wait.
func (a *Agent) lookSoon(j job, s confirm.Series, login bool) {
	r := schedule.Run{Target: j.target, Family: s.Family, Scheduled: time.Now().UTC(), Trigger: checks.Confirm, Bare: !login}
	if !a.schedule.Now(r) {
		a.confirming.bursts.Refuse()
	}
}

// hinted takes what another probe says over the mesh. It does not wait.
func (a *Agent) hinted(message []byte) {
	h, err := wire.UnmarshalHint(message)
	if err != nil {
		a.confirming.bursts.Refuse()
		return
	}
	j, _, ok := a.work.job(h.Check)
	if !ok || !mayConfirm(j) || !slices.Contains(j.families, h.Family) || a.controls.Dead(h.Family) {
		if slices.Contains(h.Asked, a.identity.Name()) {
			a.confirming.bursts.Refuse()
		}
		return
	}
	if a.confirming.bursts.Hear(h) {
		a.lookSoon(j, confirm.Series{Check: h.Check, Family: h.Family}, h.Login)
	}
}
