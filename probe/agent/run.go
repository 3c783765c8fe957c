package agent

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"varde/checks"
	"varde/probe/internal/confirm"
	"varde/probe/internal/schedule"
)

// maxLate is how late a run may begin for its failure to be the target's: a
// machine that is starved longer may miss answers and deadlines by itself. What
// is up is up, however late somebody looked.
const maxLate = 250 * time.Millisecond

// run does one run of one check and spools what it saw.
func (a *Agent) run(ctx context.Context, r schedule.Run) {
	late := time.Since(r.Scheduled)
	j, revision, ok := a.work.job(r.Target.ID)
	if ok && r.Trigger == checks.Confirm {
		j, ok = a.again(j, r)
	}
	if !ok {
		return // the plan changed between its turn and now, or there is to be none
	}
	if late > maxLate && r.Trigger == checks.Scheduled {
		a.tally.late.Add(1)
	}
	o := a.observation(r, revision)
	o.Result, o.Started = a.watched(ctx, a.onTrip(j, o), r)
	if o, ok = a.judged(ctx, j, o, late); ok {
		a.learn(j, o)
		a.confirmFailure(j, o)
		a.keep(o)
	}
}

// judged puts the blame for a result where it belongs. It tells nothing when the
// agent was stopped, since a slot without observation is unknown all the same, or
// when there is no such family.
func (a *Agent) judged(ctx context.Context, j job, o checks.Observation, late time.Duration) (_ checks.Observation, tells bool) {
	if ctx.Err() != nil && o.Outcome == checks.Unknown {
		return o, false
	}
	if j.unasked(ctx, a.opts.Network, o.Family, o.Result) {
		a.opts.Logger.Debug("family left out", "check", o.Check, "family", o.Family, "reason", o.Detail)
		return o, false
	}
	o.Result = a.judge(ctx, o.Family, o.Result)
	if late > maxLate && o.Outcome == checks.Down {
		o.Outcome, o.Detail = checks.Unknown, fmt.Sprintf("began %s late, then %s", late.Round(time.Millisecond), o.Class)
		o.Class = checks.OwnLate
	}
	if o.Outcome == checks.Down && o.FailedPhase == checks.Resolve {
		o.Detail = extended(o.Detail, a.stillAnswers(ctx, confirm.Series{Check: o.Check, Family: o.Family}))
	}
	return o, true
}

// panicked makes a fault of ours an observation that blames nobody. The
// scheduler has logged it.
func (a *Agent) panicked(r schedule.Run) {
	_, revision, _ := a.work.job(r.Target.ID)
	o := a.observation(r, revision)
	o.Class, o.Detail = checks.OwnError, "the check panicked; the probe's log says where"
	a.keep(o)
}

func (a *Agent) observation(r schedule.Run, revision uint64) checks.Observation {
	every := r.Speaks
	if r.Trigger != checks.Scheduled {
		every = r.Target.Every
	}
	return checks.Observation{
		Check: r.Target.ID, Service: r.Target.Service,
		Probe: a.identity.Name(), Region: a.identity.Region(),
		Family: r.Family, Plan: revision, Trigger: r.Trigger,
		Scheduled: r.Scheduled, Started: time.Now(), Every: every,
	}
}

func (a *Agent) keep(o checks.Observation) {
	ahead := a.opts.Ahead()
	o.Scheduled, o.Started = o.Scheduled.Add(ahead), o.Started.Add(ahead)
	o, err := a.spool.Append(o)
	if err != nil {
		// The spool counts the loss and sends it as a gap; one line is enough.
		level := slog.LevelDebug
		if !a.losing.Swap(true) {
			level = slog.LevelError
		}
		a.opts.Logger.Log(context.Background(), level, "observations are lost", "check", o.Check, "error", err)
		return
	}
	if a.losing.Swap(false) {
		a.opts.Logger.Info("observations are kept again", "dropped", a.spool.Stats().Dropped)
	}
	a.opts.Logger.Debug("observation", "check", o.Check, "family", o.Family, "outcome", o.Outcome,
		"class", o.Class, "elapsed_ms", checks.Milliseconds(o.Elapsed), "seq", o.Seq)
}
