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
	m.settleLocked(name, member != nil && member.Region == m.opt.Region)
	if member == nil {
		delete(m.members, name)
		delete(m.protested, name)
		m.tellLocked(slog.LevelInfo, "probe left the mesh", "probe", name, "region", before.Region, "members", len(m.members))
	} else {
		m.members[name] = *member
		if len(m.members) == 2 && !was {
			m.accompanied = time.Now()
		}
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

// conflictLog is how often the same conflict is logged at most.
const conflictLog = 10 * time.Minute

// conflict says that two members go by one name.
func (m *Mesh) conflict(name string, existing, other netip.AddrPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conflictLocked(name, existing, other)
}

func (m *Mesh) conflictLocked(name string, existing, other netip.AddrPort) {
	if last, ok := m.conflicts[name]; ok && time.Since(last) < conflictLog || len(m.conflicts) > maxMembers {
		return
	}
	m.conflicts[name] = time.Now()
	m.tellLocked(slog.LevelWarn, "two machines run as the same probe, one of them must be enrolled anew",
		"probe", name, "known_at", existing.String(), "also_at", other.String())
}

// moved says that an enrolled member is not where the plan has it. Mostly it has a new
// address, of which the coordinator tells all soon; if it lives on at the old one, there
// are two.
func (m *Mesh) moved(name string, planned, at netip.AddrPort) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch first, ok := m.moves[name]; {
	case !ok || time.Since(first) >= conflictLog:
		m.moves[name] = time.Now()
		m.tellLocked(slog.LevelInfo, "probe is refused at an address that the plan does not have",
			"probe", name, "plan_has", planned.String(), "says", at.String())
	case time.Since(first) >= m.opt.Timing.SettleAfter && m.members[name].Address == planned.String():
		m.conflictLocked(name, planned, at)
	}
}

// Members returns who is alive, by name, this member included; nobody before
// and after Run.
func (m *Mesh) Members() []Member {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.SortedFunc(maps.Values(m.members), func(a, b Member) int { return strings.Compare(a.Name, b.Name) })
}
