package ingest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"varde/coordinator/internal/presence"
	"varde/proto/wire"
)

// Probe is what is known of one probe of the roster now.
type Probe struct {
	Name, Region, Site string
	// ASN is 0 when it is not known.
	ASN uint32
	// State is Silent or Connected.
	State presence.State
	// LastSeen is when it last sent something with its certificate, for a time
	// before our start the last that the journal kept; zero if it never did.
	LastSeen time.Time
	// Version, Epoch, Plan, Spool, MeshAddress, Peers, Qualified, Reason, Relay,
	// Faults and Counts are what the probe said of itself last; zero before that.
	Version, Epoch string
	Plan           wire.PlanNumber
	Spool          uint64
	MeshAddress    string
	Peers          []string
	Qualified      wire.Qualification
	Reason         string
	Relay          string
	Faults         []wire.Fault
	Counts         wire.Counts
	// QualifiedSince is when it first said Qualified, RelayedSince when Relay:
	// since our start, and zero before it said anything.
	QualifiedSince, RelayedSince time.Time
	// LostAt is when it last said that its spool has lost records; zero if it did
	// not since our start.
	LostAt time.Time
	// Dropped counts the records, since our start, that are kept as gaps: its
	// spool had no room for them, or they were not believed.
	Dropped uint64
	// ClockOffset is the probe's clock minus ours. ClockKnown is false while it
	// was not measured.
	ClockOffset time.Duration
	ClockKnown  bool
	// Notices are sentences for the operator: what is odd about this probe.
	Notices []string
}

// Probes returns every probe of the roster, by name.
func (i *Ingest) Probes() []Probe {
	now := time.Now()
	roster := i.opts.Authority.Roster()
	out := make([]Probe, 0, len(roster))
	i.fleet.mu.Lock()
	defer i.fleet.mu.Unlock()
	for _, peer := range roster {
		m := i.fleet.members[peer.Name]
		if m == nil {
			m = &member{}
		}
		out = append(out, m.probe(peer, now))
	}
	slices.SortFunc(out, func(a, b Probe) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// probe is the member as the outside sees it.
func (m *member) probe(peer Peer, now time.Time) Probe {
	p := Probe{
		Name: peer.Name, Region: peer.Region, Site: peer.Site, ASN: peer.ASN, LastSeen: m.lastSeen.UTC(),
		Version: m.state.Version, Epoch: m.state.Epoch, Plan: m.state.Plan, Spool: m.state.Spool,
		MeshAddress: m.state.MeshAddress, Peers: slices.Clone(m.state.Peers),
		Qualified: m.state.Qualified, Reason: m.state.Reason, Dropped: m.dropped,
		Relay: m.state.Relay, Faults: slices.Clone(m.state.Faults), Counts: m.state.Counts,
		QualifiedSince: m.qualifiedSince.UTC(), RelayedSince: m.relayedSince.UTC(), LostAt: m.lostAt.UTC(),
	}
	if slices.ContainsFunc(m.open, func(s *stream) bool { return s.kind == "report" }) {
		p.State = presence.Connected
	}
	if m.clock != nil {
		p.ClockOffset, p.ClockKnown = m.clock.offset()
	}
	p.Notices = m.notices(p, now)
	return p
}

// said takes over what the probe says of itself, and when that became so.
func (m *member) said(state wire.ProbeState, at time.Time) {
	was := m.state
	m.state = state
	first := was.Epoch == ""
	if first || was.Qualified != state.Qualified {
		m.qualifiedSince = at
	}
	if first || was.Relay != state.Relay {
		m.relayedSince = at
	}
	if was.Epoch != state.Epoch {
		was.Counts = wire.Counts{} // another life counts anew
	}
	if !first && state.Counts.Dropped > was.Counts.Dropped { // nobody knows when it lost what it counts at first
		m.lostAt = at
	}
}

func (m *member) notices(p Probe, now time.Time) []string {
	var out []string
	if off := p.ClockOffset.Round(100 * time.Millisecond); off > MaxOffset {
		out = append(out, fmt.Sprintf("its clock is %s ahead: its observations count as unknown", off))
	} else if off < -MaxOffset {
		out = append(out, fmt.Sprintf("its clock is %s behind: its observations count as unknown", -off))
	}
	for _, e := range []event{m.cloned, m.refusal} {
		if !e.at.IsZero() && now.Sub(e.at) < noticeLife {
			out = append(out, e.text)
		}
	}
	return out
}
