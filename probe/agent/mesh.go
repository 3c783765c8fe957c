package agent

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"varde/probe/internal/mesh"
)

// retryMesh is how long a mesh that ended is left alone before it is made again.
const retryMesh = 15 * time.Second

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

// keepMesh takes part in the mesh until ctx ends. Gossip helps the probe and is
// not needed for measuring: a mesh that cannot be is told once for each reason,
// and tried again.
func (a *Agent) keepMesh(ctx context.Context) error {
	log := a.opts.Logger.With("component", "mesh")
	told := ""
	for {
		err := a.runMesh(ctx)
		if ctx.Err() != nil {
			return nil
		}
		reason := a.meshFault(err).Error()
		a.meshError.Store(reason)
		if reason != told {
			log.Error("no mesh, going on without it and trying again", "error", reason, "retry", retryMesh)
			told = reason
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(retryMesh):
		}
	}
}

// runMesh takes part in the mesh once, until it ends.
func (a *Agent) runMesh(ctx context.Context) error {
	timing := mesh.Production()
	if a.opts.Simulation {
		timing = mesh.Simulation()
	}
	p, _, _ := a.plans.Current()
	m, err := mesh.New(mesh.Options{
		Name: a.identity.Name(), Region: a.identity.Region(), Site: a.identity.Site(),
		Bind: a.opts.MeshBind, Advertise: a.opts.MeshAdvertise, Keys: p.GossipKeys,
		Network: a.meshNetwork(), Seeds: a.meshSeeds, Standing: a.standing, Timing: timing,
		Logger: a.opts.Logger.With("component", "mesh"),
	})
	if err != nil {
		return err
	}
	a.mesh.Store(m)
	a.setKeys(m) // a plan may have come meanwhile
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
			}
		}
	})
	return g.Wait()
}

// standing is what the others are told of this probe.
func (a *Agent) standing() mesh.Standing {
	return mesh.Standing{Plan: a.planNumber(), Coordinator: a.uplink.Status().Connected}
}

// tellStanding has the others told how this probe stands now.
func (a *Agent) tellStanding() {
	if m := a.mesh.Load(); m != nil {
		m.StandingChanged()
	}
}

// meshFault says which key a mesh that cannot listen needs changed.
func (a *Agent) meshFault(err error) error {
	op, listening := errors.AsType[*net.OpError](err)
	cause, known := errors.AsType[syscall.Errno](err)
	if !listening || op.Op != "listen" || !known {
		return err
	}
	fault := fmt.Errorf("mesh.bind %s: %w", a.opts.MeshBind, cause)
	if a.opts.ConfigPath != "" {
		fault = fmt.Errorf("%s: %w", a.opts.ConfigPath, fault)
	}
	return fault
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

// regionMembers are the probes of this probe's region to go by.
func (a *Agent) regionMembers() []string {
	if m := a.mesh.Load(); m != nil {
		return m.Neighbours()
	}
	return nil
}

func (a *Agent) meshSettled() bool {
	m := a.mesh.Load()
	return m != nil && m.Settled()
}
