package agent

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"varde/probe/internal/status"
	"varde/probe/internal/uplink"
	"varde/proto/wire"
)

// serveStatus answers `varde-probe status` as long as ctx lasts. The agent needs
// nobody to ask it: without a socket it measures all the same.
func (a *Agent) serveStatus(ctx context.Context) {
	if !a.opts.Socket {
		return
	}
	if err := status.Serve(ctx, a.opts.State, a.status); err != nil {
		a.opts.Logger.Error("no status here, going on without it", "error", err)
	}
}

// status is what the agent sees now.
func (a *Agent) status() status.Status {
	n, stats := a.planNumber(), a.spool.Stats()
	s := status.Status{
		Name: a.identity.Name(), Region: a.identity.Region(), Site: a.identity.Site(),
		Version: a.opts.Version, Epoch: a.spool.Epoch(), Started: a.started.UTC(),
		CertificateEnds: a.identity.NotAfter().UTC(),
		Plan:            status.Plan{Generation: n.Generation, Revision: n.Revision, Entries: a.schedule.Stats().Entries},
		Coordinator:     coordinatorOf(a.uplink.Status()),
		Spool:           status.Spool{Records: stats.Records, Bytes: stats.Bytes},
		Mesh:            a.meshStatus(), Faults: []status.Fault{}, Counts: a.counts(),
		Resting: a.work.resting(time.Now()), BlockedPorts: []status.BlockedPort{},
	}
	s.Qualified, s.Reason = a.controls.Standing()
	for _, f := range a.faults() {
		s.Faults = append(s.Faults, status.Fault{Fault: f, Advice: f.Advice(s.Mesh.Address)})
	}
	for _, b := range a.ports.Blocked() {
		s.BlockedPorts = append(s.BlockedPorts, status.BlockedPort(b))
	}
	return s
}

// meshStatus is what the agent sees of its peers.
func (a *Agent) meshStatus() status.Mesh {
	s := status.Mesh{Peers: []status.Peer{}}
	m := a.mesh.Load()
	if m == nil {
		return s
	}
	s.Address, s.Settled = m.Address(), m.Settled()
	s.Error, _ = a.meshError.Load().(string)
	for _, p := range m.Members() {
		s.Peers = append(s.Peers, status.Peer{
			Name: p.Name, Region: p.Region, Site: p.Site, Address: p.Address, PeerAddress: p.PeerAddress(),
			Generation: p.Plan.Generation, Revision: p.Plan.Revision, Coordinator: p.Coordinator,
		})
	}
	return s
}

// coordinatorOf leaves out why an earlier connection ended: while there is one,
// an error beside it would read as if it failed now.
func coordinatorOf(link uplink.Status) status.Uplink {
	u := status.Uplink{Connected: link.Connected, Address: link.Coordinator, Relay: link.Relay, Since: known(link.Since), LastAck: known(link.LastAck)}
	if !link.Connected {
		u.LastError = link.LastError
	}
	return u
}

// known is t in UTC, nil for the zero time.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// resting is what turned this probe away and is left alone now, in order.
func (w *workload) resting(now time.Time) []status.Resting {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := []status.Resting{}
	add := func(l *ladder, format string, args ...any) {
		if l.resting(now) {
			out = append(out, status.Resting{What: fmt.Sprintf(format, args...), Until: l.next.UTC()})
		}
	}
	for d, s := range w.doors {
		add(&s.ladder, "%s of %s over %s: it refuses this probe", d.kind, d.host, d.family)
	}
	for l, s := range w.logins {
		add(&s.ladder, "login of %s: refused", l.user)
	}
	for s, a := range w.accounts {
		if !a.whole.resting(now) {
			add(&a.ladder, "login of %s to %s of %s: refused", s.user, s.kind, s.host)
		}
	}
	slices.SortFunc(out, func(x, y status.Resting) int { return strings.Compare(x.What, y.What) })
	return out
}

// state is what the probe says of itself to the coordinator.
func (a *Agent) state() wire.ProbeState {
	s := wire.ProbeState{
		Epoch: a.spool.Epoch(), Version: a.opts.Version[:min(len(a.opts.Version), wire.MaxVersion)], Plan: a.planNumber(),
		Spool: a.spool.Stats().Records, PeerAddress: a.peerAddress(), Relay: a.uplink.Status().Relay,
		Faults: a.faults(), Counts: a.counts(),
	}
	s.Qualified, s.Reason = a.controls.Standing()
	if m := a.mesh.Load(); m != nil {
		s.MeshAddress = m.Address()
		for _, p := range m.Members() {
			s.Peers = append(s.Peers, p.Name)
		}
		slices.Sort(s.Peers)
	}
	return s
}
