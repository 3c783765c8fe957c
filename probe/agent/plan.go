package agent

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"varde/proto/wire"
)

// refreshFamilies is how often a probe looks anew which address families the
// names of its checks have, and which it has itself.
const refreshFamilies = 5 * time.Minute

// followPlan applies the plan on disk and every later one.
func (a *Agent) followPlan(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		ticker := time.NewTicker(refreshFamilies)
		defer ticker.Stop()
		for {
			if p, bundle, ok := a.plans.Current(); ok {
				a.apply(ctx, g, p, bundle)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-a.plans.Changed():
			case <-ticker.C:
			}
		}
	})
	return g.Wait()
}

// apply makes p the plan that this probe works by. A plan that cannot be
// applied whole is logged and what can be done is done: a probe that measures
// something is worth more than one that waits.
func (a *Agent) apply(ctx context.Context, g *errgroup.Group, p wire.Plan, bundle []byte) {
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
	entries := a.work.set(ctx, a.opts.Network, p, a.identity.Region(), secrets, log)
	a.schedule.Set(entries)
	a.applyMesh(ctx, g, p)
	log.Debug("plan applied", "entries", len(entries))
}

func (a *Agent) planNumber() wire.PlanNumber {
	p, _, _ := a.plans.Current()
	return p.Number
}

func (a *Agent) offer(s wire.SignedPlan) error {
	changed, err := a.plans.Offer(s)
	if changed {
		n := a.planNumber()
		a.opts.Logger.Info("plan taken", "generation", n.Generation, "revision", n.Revision)
	}
	return err
}

// coordinators are those of the newest plan, else those that the token named.
func (a *Agent) coordinators() []string {
	if p, _, ok := a.plans.Current(); ok && len(p.Coordinators) > 0 {
		return p.Coordinators
	}
	return a.identity.Coordinators()
}
