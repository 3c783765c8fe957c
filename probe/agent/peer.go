package agent

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"varde/probe/internal/mesh"
	"varde/probe/internal/peer"
	"varde/probe/internal/uplink"
	"varde/proto/wire"
)

// peering is how this probe and the others help one another.
type peering struct {
	*peer.Peer
	seeker *peer.Seeker
	// plansRefused counts the plans that were not taken, whoever brought them.
	plansRefused atomic.Uint64
}

// openPeering makes the ways to other probes.
func (a *Agent) openPeering() error {
	log := a.opts.Logger.With("component", "peer")
	var err error
	a.peers.Peer, err = peer.New(peer.Options{
		Bind: a.opts.PeerBind, Network: a.opts.Network, Certificate: a.identity.Certificate, Plans: a.plans,
		Changed: a.tellStanding, Logger: log,
	})
	if err != nil {
		return err
	}
	a.peers.seeker, err = peer.NewSeeker(peer.SeekerOptions{
		Ask: a.askForPlan, Candidates: a.candidates, Have: a.planNumber, Offer: a.offer, Since: a.aloneSince, After: uplink.Alone,
		Logger: log,
	})
	return err
}

// askForPlan asks another probe for a newer plan. An answer that is none counts as a
// plan that was refused.
func (a *Agent) askForPlan(ctx context.Context, r peer.Remote, after wire.PlanNumber) (*wire.SignedPlan, error) {
	signed, err := a.peers.Plan(ctx, r, after)
	_, unreachable := errors.AsType[*peer.Unreachable](err)
	_, no := errors.AsType[*peer.Refusal](err)
	if err != nil && !unreachable && !no {
		a.peers.plansRefused.Add(1)
	}
	return signed, err
}

// listenForPeers helps other probes until ctx ends, if it is to. It is not needed
// for measuring.
func (a *Agent) listenForPeers(ctx context.Context) error {
	if a.opts.PeerBind == "" {
		return nil
	}
	log := a.opts.Logger.With("component", "peer")
	persist(ctx, a.peers.Run, a.listenFault("peer.bind", a.opts.PeerBind), func(reason string, news bool) {
		if news {
			log.Error("no help for other probes, going on without it and trying again", "error", reason, "retry", retryListen)
		}
	})
	return nil
}

// candidates are the other probes of the plan that may help: where the mesh says
// that they listen, or else where they did when the plan was made.
func (a *Agent) candidates() (out []peer.Candidate) {
	p, _, _ := a.plans.Current()
	members := map[string]mesh.Member{}
	if m := a.mesh.Load(); m != nil {
		for _, member := range m.Members() {
			members[member.Name] = member
		}
	}
	for _, r := range p.Roster {
		m := members[r.Name]
		c := peer.Candidate{Remote: peer.Remote{Name: r.Name}, Region: r.Region, Plan: m.Plan, Coordinator: m.Coordinator}
		for _, address := range []string{m.PeerAddress(), r.PeerAddress} {
			if address != "" && !slices.Contains(c.Addresses, address) {
				c.Addresses = append(c.Addresses, address)
			}
		}
		if r.Name != a.identity.Name() && len(c.Addresses) > 0 {
			out = append(out, c)
		}
	}
	return out
}

// relays are the peers that may pass the uplink on.
func (a *Agent) relays() (out []uplink.Relay) {
	for _, r := range peer.Relays(a.identity.Region(), a.candidates()) {
		out = append(out, uplink.Relay{Name: r.Name, Dial: func(ctx context.Context, coordinator string) (net.Conn, error) {
			return a.peers.Through(ctx, r, coordinator)
		}})
	}
	return out
}

// aloneSince is when the last coordinator was lost.
func (a *Agent) aloneSince() (at time.Time, alone bool) {
	s := a.uplink.Status()
	if s.Since.IsZero() {
		s.Since = a.started
	}
	return s.Since, !s.Connected
}

// linkChanged passes on that a coordinator was met or lost, by which way, and
// where it sees this probe come from.
func (a *Agent) linkChanged() {
	a.peers.seeker.Stir()
	if m := a.mesh.Load(); m != nil {
		a.tellSeen(m)
		m.StandingChanged()
	}
}

// tellSeen tells the mesh where this probe is seen to come from, which may be
// another address than it has.
func (a *Agent) tellSeen(m *mesh.Mesh) {
	if from, err := netip.ParseAddr(a.uplink.Status().SeenFrom); err == nil {
		m.SeenFrom(from)
	}
}

// standing is what the others are told of this probe.
func (a *Agent) standing() mesh.Standing {
	s := a.uplink.Status()
	return mesh.Standing{Plan: a.planNumber(), PeerPort: a.peerPort(), Coordinator: s.Connected && s.Relay == ""}
}

// peerPort is where others may ask this probe for help; 0 where they cannot. A
// probe behind a translated address is of no use to them, unless its operator has
// named the address at which it is reached.
func (a *Agent) peerPort() uint16 {
	m := a.mesh.Load()
	if m == nil {
		return 0
	}
	faults := m.Faults()
	if slices.Contains(faults, wire.FaultUnreachable) || a.opts.MeshAdvertise == "" && slices.Contains(faults, wire.FaultNAT) {
		return 0
	}
	return a.peers.Port()
}

// peerAddress is where others may ask this probe for help, "192.0.2.10:7947";
// empty where they cannot.
func (a *Agent) peerAddress() string {
	m := a.mesh.Load()
	if m == nil {
		return ""
	}
	return mesh.Member{Address: m.Address(), Standing: mesh.Standing{PeerPort: a.peerPort()}}.PeerAddress()
}
