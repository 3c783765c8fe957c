package mesh

import (
	"maps"
	"net/netip"
	"time"
)

// knownFor is for how long after its end the address of a member is still tried.
const knownFor = 24 * time.Hour

// whereabouts is where a member was alive last. Until is when it ended, zero while it
// is alive.
type whereabouts struct {
	address string
	until   time.Time
}

// whereLocked takes in that a member is alive at an address, or that it no longer
// is. mu is held.
func (m *Mesh) whereLocked(name string, alive *Member) {
	if name == m.opt.Name {
		return
	}
	if alive != nil {
		m.known[name] = whereabouts{address: alive.Address}
	} else if was, ok := m.known[name]; ok {
		m.known[name] = whereabouts{was.address, time.Now()}
	}
	if len(m.known) > maxMembers {
		maps.DeleteFunc(m.known, func(name string, _ whereabouts) bool {
			_, alive := m.members[name]
			return !alive
		})
	}
}

// formerly are the addresses of members that were alive within the last day and are
// enrolled: a plan may not name them yet.
func (m *Mesh) formerly() (out []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	maps.DeleteFunc(m.known, func(_ string, w whereabouts) bool {
		return !w.until.IsZero() && time.Since(w.until) >= knownFor
	})
	for name, w := range m.known {
		if _, _, ok := m.opt.Enrolled(name); ok {
			out = append(out, w.address)
		}
	}
	return out
}

// knows says whether a member is at an address, or was within the last day.
func (m *Mesh) knows(at netip.AddrPort) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !at.IsValid() {
		return false
	}
	place := at.String()
	for _, w := range m.known {
		if w.address == place {
			return true
		}
	}
	return false
}
