package agent

import (
	"context"

	"golang.org/x/sync/errgroup"

	"varde/probe/internal/mesh"
)

// applyMesh starts the mesh with the first plan that has keys, and hands later
// keys to it.
func (a *Agent) applyMesh(ctx context.Context, g *errgroup.Group) {
	if p, _, _ := a.plans.Current(); len(p.GossipKeys) == 0 {
		return
	}
	if !a.meshing {
		a.meshing = true
		g.Go(func() error { return a.keepMesh(ctx) })
		return
	}
	if m := a.mesh.Load(); m != nil {
		a.setKeys(m)
	}
}

// setKeys gives the keys of the plan in force to a mesh.
func (a *Agent) setKeys(m *mesh.Mesh) {
	a.keying.Lock()
	defer a.keying.Unlock()
	p, _, _ := a.plans.Current()
	if err := m.SetKeys(p.GossipKeys); err != nil {
		a.opts.Logger.Error("change keys of mesh", "component", "mesh", "error", err)
	}
}

// keepMesh takes part in the mesh until ctx ends.
func (a *Agent) keepMesh(ctx context.Context) error {
	log := a.opts.Logger.With("component", "mesh")
	persist(ctx, a.runMesh, a.listenFault("mesh.bind", a.opts.MeshBind), func(reason string, news bool) {
		a.meshError.Store(reason)
		if news {
			log.Error("no mesh, going on without it and trying again", "error", reason, "retry", retryListen)
		}
	})
	return nil
}

// runMesh takes part in the mesh once, until it ends.
func (a *Agent) runMesh(ctx context.Context) error {
	timing := mesh.Production()
	if a.opts.SlowMesh {
		timing = mesh.Simulation()
	}
	p, _, _ := a.plans.Current()
	m, err := mesh.New(mesh.Options{
		Name: a.identity.Name(), Region: a.identity.Region(), Site: a.identity.Site(),
		Bind: a.opts.MeshBind, Advertise: a.opts.MeshAdvertise, Keys: p.GossipKeys,
		Network: a.meshNetwork(), Seeds: a.meshSeeds, Enrolled: a.enrolledInMesh, Standing: a.standing, Receive: a.hinted, Timing: timing,
		Logger: a.opts.Logger.With("component", "mesh"),
	})
	if err != nil {
		return err
	}
	if old := a.mesh.Swap(m); old != nil {
		a.tally.meshRefused.Add(old.Refused())
	}
	a.setKeys(m) // a plan may have come meanwhile
	a.tellSeen(m)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return m.Run(ctx) })
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-m.Changed(): // the first time when this probe has begun
				a.meshError.Store("")
				a.schedule.MembersChanged()
				a.peers.seeker.Stir()
			}
		}
	})
	return g.Wait()
}

// tellStanding has the others told how this probe stands now.
func (a *Agent) tellStanding() {
	if m := a.mesh.Load(); m != nil {
		m.StandingChanged()
	}
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

// enrolledInMesh returns where the plan says that a probe is. One that has moved is
// taken at its new address when the coordinator, which it has told, has told us.
func (a *Agent) enrolledInMesh(name string) (region, address string, ok bool) {
	p, _, _ := a.plans.Current()
	for _, r := range p.Roster {
		if r.Name == name {
			return r.Region, r.MeshAddress, true
		}
	}
	return "", "", false
}

// regionMembers are the probes of this probe's region to go by.
func (a *Agent) regionMembers() []string {
	if m := a.mesh.Load(); m != nil {
		return m.Neighbours()
	}
	return nil
}

// regionRoster are the probes that the plan has in this probe's region.
func (a *Agent) regionRoster() (out []string) {
	p, _, _ := a.plans.Current()
	for _, r := range p.Roster {
		if r.Region == a.identity.Region() {
			out = append(out, r.Name)
		}
	}
	return out
}

func (a *Agent) meshSettled() bool {
	m := a.mesh.Load()
	return m != nil && m.Settled()
}
