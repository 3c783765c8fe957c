// Package agent is one probe from its start to its end: it wires the rooms of
// the probe together and runs them.
//
// An agent measures as long as it runs. It needs no coordinator for that: it
// starts with the plan on its disk, and what it saw stays in the spool until a
// coordinator has it. It stops in order: schedule and runs in flight first,
// then the uplink, which gets two seconds to hand over the rest, then the mesh.
package agent

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"varde/checks"
	"varde/probe/internal/identity"
	"varde/probe/internal/mesh"
	"varde/probe/internal/plan"
	"varde/probe/internal/schedule"
	"varde/probe/internal/selfcheck"
	"varde/probe/internal/spool"
	"varde/probe/internal/uplink"
)

// Network is everything that a probe does outside of its own process.
type Network interface {
	checks.Network
	// Listen and ListenPacket are for the mesh.
	Listen(network, address string) (net.Listener, error)
	ListenPacket(network, address string) (net.PacketConn, error)
}

// Options configures an agent.
type Options struct {
	// State is the folder made by Join. Required.
	State string
	// MeshBind is where the mesh listens, TCP and UDP; "[::]:7946" if empty.
	MeshBind string
	// MeshAdvertise is the IP that other probes use; found out if empty.
	MeshAdvertise string
	// PeerBind is where this probe listens for others that need its help; nowhere if
	// empty.
	PeerBind string
	// Network is the machine's own if nil.
	Network Network
	// Logger is required.
	Logger *slog.Logger
	// ConfigPath is where MeshBind and PeerBind were read from, named in errors; may
	// be empty.
	ConfigPath string
	// Version of the program, told to the coordinator.
	Version string
	// SpoolBytes bounds the spool on disk; 64 MB if zero.
	SpoolBytes int64
	// Socket serves `varde-probe status` on a unix socket in State.
	Socket bool
	// NoSync leaves it to the system when observations and mails reach the disk: for
	// simulated days only.
	NoSync bool
	// SlowMesh lets the mesh take its time, so that a simulated day costs seconds.
	SlowMesh bool
	// Ahead is how far the clock is ahead by which this probe looks, dates what it
	// saw and answers when it is asked for the time: of simulated machines only,
	// which share one clock. That of the machine if nil.
	Ahead func() time.Duration
}

// Agent is one probe.
type Agent struct {
	opts     Options
	identity *identity.Identity
	plans    *plan.Store
	spool    *spool.Spool
	schedule *schedule.Scheduler
	uplink   *uplink.Uplink
	ports    *selfcheck.Ports
	controls *selfcheck.Controls
	// refit is told that the families to look over are others now.
	refit chan struct{}
	// mesh is nil until a plan has brought the keys.
	mesh   atomic.Pointer[mesh.Mesh]
	keying sync.Mutex // held by setKeys, so that older keys do not overtake newer ones
	// meshing says that there have been keys; for followPlan alone.
	meshing bool
	// meshError is why there is no mesh, a string; empty while there is one.
	meshError  atomic.Value
	work       *workload
	confirming confirming
	peers      peering
	mails      mailroom
	started    time.Time
	tally      tally
	// losing says that the spool took nothing last time.
	losing atomic.Bool
}

// New opens what the probe has on disk. It starts nothing.
func New(opts Options) (*Agent, error) {
	if opts.Logger == nil || opts.State == "" {
		return nil, errors.New("agent: State and Logger are required")
	}
	opts.MeshBind = cmp.Or(opts.MeshBind, mesh.DefaultBind)
	if opts.Network == nil {
		opts.Network = &system{}
	}
	if opts.Ahead == nil {
		opts.Ahead = func() time.Duration { return 0 }
	}
	id, err := identity.Open(identity.Options{Dir: opts.State, Logger: opts.Logger.With("component", "identity")})
	if err != nil {
		return nil, err
	}
	a := &Agent{opts: opts, identity: id, started: time.Now(), work: newWorkload(), refit: make(chan struct{}, 1)}
	if a.plans, err = plan.Open(plan.Options{
		Dir: opts.State, Probe: id.Name(), Key: id.PlanKey(), Logger: opts.Logger.With("component", "plan"),
	}); err != nil {
		return nil, err
	}
	if a.spool, err = spool.Open(spool.Options{
		Dir: filepath.Join(opts.State, "spool"), Epoch: spool.NewEpoch(a.started), Owner: owner(id), MaxBytes: opts.SpoolBytes,
		NoSync: opts.NoSync, Logger: opts.Logger.With("component", "spool"),
	}); err != nil {
		return nil, err
	}
	a.ports = selfcheck.Open(selfcheck.Options{
		Dir: opts.State, Network: opts.Network, Logger: opts.Logger.With("component", "selfcheck"),
		Online: func() bool { return a.uplink.Status().Connected },
	})
	a.controls = selfcheck.NewControls(selfcheck.ControlsOptions{
		Network: opts.Network, Changed: func() { a.uplink.StateChanged() }, Families: a.familiesChanged, Logger: opts.Logger.With("component", "selfcheck"),
	})
	if err := a.build(); err != nil {
		return nil, errors.Join(err, a.spool.Close())
	}
	return a, nil
}

// owner names a probe by its fleet, name and region. A fleet is known by the key
// of its plans, which stays when its CA is succeeded.
func owner(id *identity.Identity) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%x %s %s", id.PlanKey(), id.Name(), id.Region()))
	return hex.EncodeToString(sum[:])
}

// build makes the parts that need one another.
func (a *Agent) build() error {
	err := a.openMails()
	if err != nil {
		return err
	}
	a.schedule, err = schedule.New(schedule.Options{
		Self: a.identity.Name(), Ahead: a.opts.Ahead, Members: a.regionMembers, Settled: a.meshSettled, Enrolled: a.regionRoster,
		Run: a.run, Panicked: a.panicked, Logger: a.opts.Logger.With("component", "schedule"),
	})
	if err != nil {
		return fmt.Errorf("schedule: %w", err)
	}
	a.confirming = a.newConfirming()
	if err := a.openPeering(); err != nil {
		return err
	}
	a.uplink, err = uplink.New(uplink.Options{
		Dial: a.dial, Coordinators: a.coordinators, TLS: a.identity.TLS, Spool: a.spool,
		State: a.state, PlanNumber: a.planNumber, OnPlan: a.offer, Relays: a.relays, Changed: a.linkChanged, Ahead: a.opts.Ahead,
		Logger: a.opts.Logger.With("component", "uplink"),
	})
	if err != nil {
		return fmt.Errorf("uplink: %w", err)
	}
	return nil
}

// Run measures until ctx ends and returns after the last goroutine has. An
// agent runs once.
func (a *Agent) Run(ctx context.Context) (err error) {
	defer func() { err = errors.Join(err, a.spool.Close()) }()
	a.opts.Logger.Info("probe starts", "name", a.identity.Name(), "region", a.identity.Region(), "epoch", a.spool.Epoch())
	late, stopLate := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLate()
	last, stopLast := context.WithCancel(context.WithoutCancel(ctx))
	defer stopLast()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer stopLate() // the uplink outlives the last run
		defer a.controls.Close()
		return a.schedule.Run(ctx)
	})
	g.Go(func() error {
		defer stopLast() // and the mesh the uplink
		return a.uplink.Run(late)
	})
	g.Go(func() error { return a.identity.KeepFresh(ctx, a.uplink.Renew) })
	g.Go(func() error {
		a.serveStatus(ctx)
		return nil
	})
	g.Go(func() error { return a.followPlan(ctx, last) })
	g.Go(func() error { return a.listenForPeers(ctx) })
	g.Go(func() error { return a.peers.seeker.Run(ctx) })
	g.Go(func() error { return a.watch(ctx) })
	g.Go(func() error { return a.followMails(ctx) })
	g.Go(func() error { return a.followDomains(ctx) })
	if err := g.Wait(); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

func (a *Agent) dial(ctx context.Context, address string) (net.Conn, error) {
	return a.opts.Network.DialContext(ctx, "tcp", address)
}
