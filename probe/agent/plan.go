package agent

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"varde/proto/wire"
)

// How often a probe looks anew which address families the names of its checks
// have, and which it has itself: soon again where a resolver did not answer.
const (
	refreshFamilies = 5 * time.Minute
	retryFamilies   = 10 * time.Second
)

// followPlan applies the plan on disk and every later one until ctx ends. The
// mesh that they ask for goes on until last ends.
func (a *Agent) followPlan(ctx, last context.Context) error {
	var g errgroup.Group
	for ctx.Err() == nil {
		refresh := refreshFamilies
		if p, bundle, ok := a.plans.Current(); ok && a.apply(ctx, p, bundle) {
			refresh = retryFamilies
		}
		a.applyMesh(last, &g)
		if err := a.plans.Keep(); err != nil {
			a.opts.Logger.Debug("keep plan", "component", "plan", "error", err) // told when it came
		}
		select {
		case <-ctx.Done():
		case <-a.plans.Changed():
		case <-a.refit:
		case <-time.After(refresh):
		}
	}
	return g.Wait()
}

// apply makes p the plan that this probe works by, and says whether it had to
// guess the families of some check. A plan that cannot be applied whole is logged
// and what can be done is done: a probe that measures something is worth more
// than one that waits.
func (a *Agent) apply(ctx context.Context, p wire.Plan, bundle []byte) (guessed bool) {
	log := a.opts.Logger.With("component", "plan", "generation", p.Number.Generation, "revision", p.Number.Revision)
	if err := a.identity.SetAuthorities(p.Authorities); err != nil {
		log.Error("keep authorities of plan", "error", err)
	}
	var secrets map[string]string
	if len(bundle) > 0 {
		var err error
		if secrets, err = a.identity.OpenBundle(bundle); err != nil {
			log.Error("open secrets of plan", "error", err)
		}
	}
	entries, guessed := a.work.set(ctx, a.opts.Network, p, wire.Subject{Name: a.identity.Name(), Region: a.identity.Region()}, secrets, log)
	a.ports.SetControls(p.Controls)
	a.controls.Set(p.Controls)
	a.schedule.Set(a.withoutDead(entries))
	a.confirming.keep(a.work)
	a.peers.PlanChanged()
	log.Debug("plan applied", "entries", len(entries))
	return guessed
}

func (a *Agent) planNumber() wire.PlanNumber {
	p, _, _ := a.plans.Current()
	return p.Number
}

// offer gives a plan to the store. One that the disk does not take is in force all
// the same, and no reason to have it sent again.
func (a *Agent) offer(s wire.SignedPlan) error {
	changed, err := a.plans.Offer(s)
	if !changed {
		a.peers.plansRefused.Add(1)
		return err
	}
	n := a.planNumber()
	log := a.opts.Logger.With("component", "plan", "generation", n.Generation, "revision", n.Revision)
	log.Info("plan taken")
	a.tellStanding()
	if err != nil {
		log.Error("plan is in force, and lost when the probe stops before it can be kept", "error", err)
	}
	return nil
}

// coordinators are those of the newest plan, and then those that the token named
// and the plan does not: a plan whose addresses lead nowhere must not be the last
// one that arrives. The CA is pinned, so that no address can do harm.
func (a *Agent) coordinators() []string {
	p, _, _ := a.plans.Current()
	out := slices.Clone(p.Coordinators)
	for _, address := range a.identity.Coordinators() {
		if !slices.Contains(out, address) {
			out = append(out, address)
		}
	}
	return out
}
