package mesh

import (
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// isAs says whether m is who and where b is, however they stand.
func (m Member) isAs(b Member) bool {
	m.Standing, b.Standing = Standing{}, Standing{}
	return m == b
}

// note takes in that a member is there, or gone if member is nil.
func (m *Mesh) note(name string, member *Member) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before, was := m.members[name]
	if !m.running || member == nil && !was || member != nil && was && *member == before {
		return
	}
	if member != nil && was && member.isAs(before) {
		m.members[name] = *member
		m.signal()
		return
	}
	m.changedAt = time.Now()
	m.whereLocked(name, member)
	m.standLocked(name, member != nil && member.Region == m.opt.Region)
	if member == nil {
		delete(m.members, name)
		m.tellLocked(slog.LevelInfo, "probe left the mesh", "probe", name, "region", before.Region, "members", len(m.members))
	} else {
		m.members[name] = *member
		m.tellLocked(slog.LevelInfo, "probe joined the mesh", "probe", name, "region", member.Region,
			"address", member.Address, "members", len(m.members))
	}
	m.signal()
}

func (m *Mesh) roomFor(name string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, known := m.members[name]
	return known || len(m.members) < maxMembers
}

func (m *Mesh) conflict(name string, existing, other netip.AddrPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if last, ok := m.conflicts[name]; ok && now.Sub(last) < conflictLog || len(m.conflicts) > maxMembers {
		return
	}
	m.conflicts[name] = now
	m.tellLocked(slog.LevelWarn, "two machines run as the same probe, one of them must be enrolled anew",
		"probe", name, "known_at", existing.String(), "also_at", other.String())
}

// Members returns who is alive, by name, this member included; nobody before
// and after Run.
func (m *Mesh) Members() []Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.members), func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
}
