package agent

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"varde/proto/wire"
)

// watchEvery is how often the agent looks whether there is something that the
// coordinator should hear before the state is due.
const watchEvery = 5 * time.Second

// tally is what the agent counts itself.
type tally struct {
	// late counts the scheduled runs that began over maxLate late.
	late atomic.Uint64
	// meshRefused is what meshes refused that this one has taken the place of.
	meshRefused atomic.Uint64
}

// faults are what the operator of this probe should mend.
func (a *Agent) faults() []wire.Fault {
	out := a.controls.Faults()
	if m := a.mesh.Load(); m != nil {
		out = append(out, m.Faults()...)
	}
	return out
}

// counts is how often something happened since the start.
func (a *Agent) counts() wire.Counts {
	runs, bursts := a.schedule.Stats(), a.confirming.bursts.Counts()
	c := wire.Counts{
		Runs: runs.Runs, Late: a.tally.late.Load(), Missed: runs.Missed, Panics: runs.Panics,
		Dropped:       a.spool.Stats().Dropped,
		ConfirmsAsked: bursts.Asked, ConfirmsRun: a.confirming.run.Load(), ConfirmsRefused: bursts.Refused,
		Disqualified: a.controls.Disqualified(),
		MeshRefused:  a.tally.meshRefused.Load(),
		PlansRefused: a.peers.plansRefused.Load(), PlansFromPeers: a.peers.seeker.Taken(),
		Relayed: a.peers.Relayed(), RelayUsed: a.uplink.Status().Relayed,
	}
	if m := a.mesh.Load(); m != nil {
		c.MeshRefused += m.Refused()
	}
	return c
}

// watch has the coordinator told soon of faults that come or go, and of records
// that are lost. Qualification tells of itself, and the way is told with the
// connection.
func (a *Agent) watch(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var faults []wire.Fault
	var dropped uint64
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, lost := a.faults(), a.spool.Stats().Dropped
		if !slices.Equal(now, faults) || lost != dropped {
			faults, dropped = now, lost
			a.uplink.StateChanged()
		}
	}
}
