package mesh

import (
	"net/netip"
	"slices"
	"time"

	"varde/proto/wire"
)

const (
	// silentAfter is for how long no datagram must have come, while streams do, for
	// UDP to be held for blocked. Every member is looked after more often.
	silentAfter = 30 * time.Second
	// unreachedAfter is for how long nobody must have opened a stream to this
	// member for it to be held for unreachable, times how often each member exchanges
	// all it knows with another one: by chance nobody does once in 20,000 times.
	unreachedAfter = 10
)

// contact is when members were last heard of, by the way they came.
type contact struct {
	packet, stream, inbound time.Time
}

// Faults are what the operator of this member should mend.
func (m *Mesh) Faults() []wire.Fault {
	m.mu.Lock()
	t, since, running, seen := m.transport, m.accompanied, m.running, m.seenFrom
	others := len(m.members) > 1
	m.mu.Unlock()
	if !running || t == nil {
		return nil
	}
	var out []wire.Fault
	if t.translated(seen) {
		out = append(out, wire.FaultNAT)
	}
	if !others {
		return out
	}
	c := t.contact()
	if quiet := time.Since(later(c.packet, since)); quiet > silentAfter && time.Since(c.stream) < silentAfter {
		out = append(out, wire.FaultUDPBlocked)
	}
	if time.Since(later(c.inbound, since)) > unreachedAfter*m.exchangeEvery() {
		out = append(out, wire.FaultUnreachable)
	}
	return out
}

// SeenFrom tells the address from which this machine's connections arrive
// elsewhere.
func (m *Mesh) SeenFrom(a netip.Addr) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seenFrom = a.Unmap()
}

// translated says whether others see another address than the machine has: the one
// that is advertised is none of its own, or is a private one while connections
// arrive elsewhere from a public one.
func (t *transport) translated(seen netip.Addr) bool {
	own := addrs(t.net)
	if a := t.advertise.Addr(); !a.IsLoopback() && len(own) > 0 && !slices.Contains(own, a) {
		return true
	}
	return t.advertise.Addr().IsPrivate() && seen.IsValid() && !seen.IsPrivate() && !seen.IsLoopback()
}

func (t *transport) contact() contact {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.heard
}

// hear notes that a member was heard of.
func (t *transport) hear(note func(*contact, time.Time)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	note(&t.heard, time.Now())
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
