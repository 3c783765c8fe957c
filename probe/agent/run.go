package agent

import (
	"context"
	"time"

	"varde/checks"
	"varde/probe/internal/schedule"
)

// run does one run of one check and spools what it saw.
func (a *Agent) run(ctx context.Context, r schedule.Run) {
	j, revision, ok := a.work.job(r.Target.ID)
	if !ok {
		return // the plan changed between its turn and now
	}
	o := a.observation(r, revision)
	o.Result = j.check.Attempt(ctx, r.Family)
	if ctx.Err() != nil && o.Outcome == checks.Unknown {
		return // we stopped; a slot without observation is unknown all the same
	}
	a.keep(o)
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
	return checks.Observation{
		Check: r.Target.ID, Service: r.Target.Service,
		Probe: a.identity.Name(), Region: a.identity.Region(),
		Family: r.Family, Plan: revision, Trigger: checks.Scheduled,
		Scheduled: r.Scheduled, Started: time.Now(), Every: r.Target.Every,
	}
}

func (a *Agent) keep(o checks.Observation) {
	o, err := a.spool.Append(o)
	if err != nil {
		// The spool counts the loss and sends it as a gap.
		a.opts.Logger.Warn("spool observation", "check", o.Check, "error", err)
		return
	}
	a.opts.Logger.Debug("observation", "check", o.Check, "family", o.Family, "outcome", o.Outcome,
		"class", o.Class, "elapsed_ms", checks.Milliseconds(o.Elapsed), "seq", o.Seq)
}
