package agent

import (
	"context"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"varde/probe/internal/mesh"
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

// applyMesh starts the mesh with the first plan that has keys, and hands later
// keys to it.
func (a *Agent) applyMesh(ctx context.Context, g *errgroup.Group, p wire.Plan) {
	log := a.opts.Logger.With("component", "mesh")
	if len(p.GossipKeys) == 0 {
		return
	}
	if m := a.mesh.Load(); m != nil {
		if err := m.SetKeys(p.GossipKeys); err != nil {
			log.Error("change keys of mesh", "error", err)
		}
		return
	}
	timing := mesh.Production()
	if a.opts.Simulation {
		timing = mesh.Simulation()
	}
	m, err := mesh.New(mesh.Options{
		Name: a.identity.Name(), Region: a.identity.Region(), Site: a.identity.Site(),
		Bind: a.opts.MeshBind, Advertise: a.opts.MeshAdvertise, Keys: p.GossipKeys,
		Network: a.meshNetwork(), Seeds: a.meshSeeds, Timing: timing, Logger: log,
	})
	if err != nil {
		log.Error("start mesh", "error", err)
		return
	}
	a.mesh.Store(m)
	g.Go(func() error {
		if err := m.Run(ctx); err != nil && ctx.Err() == nil {
			// Gossip helps the probe and is not needed for measuring.
			log.Error("mesh ended", "error", err)
			a.meshError.Store(err.Error())
		}
		return nil
	})
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-m.Changed():
				a.schedule.MembersChanged()
			}
		}
	})
}

// meshNetwork is nil, and so the mesh's own choice, on a real machine: it dials
// from the address that it listens on.
func (a *Agent) meshNetwork() mesh.Network {
	if _, real := a.opts.Network.(*system); real {
		return nil
	}
	return a.opts.Network
}

// meshSeeds are the addresses of all other probes of the plan.
func (a *Agent) meshSeeds() []string {
	p, _, _ := a.plans.Current()
	var out []string
	for _, r := range p.Roster {
		if r.Name != a.identity.Name() && r.MeshAddress != "" {
			out = append(out, r.MeshAddress)
		}
	}
	return out
}

// regionMembers are the live probes of this probe's region, itself included.
func (a *Agent) regionMembers() []string {
	out := []string{a.identity.Name()}
	if m := a.mesh.Load(); m != nil {
		for _, member := range m.Members() {
			if member.Region == a.identity.Region() && !slices.Contains(out, member.Name) {
				out = append(out, member.Name)
			}
		}
	}
	return out
}

func (a *Agent) meshSettled() bool {
	m := a.mesh.Load()
	return m != nil && m.Settled()
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
