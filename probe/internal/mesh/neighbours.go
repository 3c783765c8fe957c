package mesh

import (
	"maps"
	"slices"
	"time"
)

// settling is what is held of a member of the own region. Whether it counts
// follows whether it is alive, but only when that has held for SettleAfter: a
// member that restarts goes on counting, and one that others do not reach,
// which is believed, doubted and held for dead again and again, changes nothing.
type settling struct {
	alive  bool
	since  time.Time // when alive became what it is
	before bool      // whether it counted until then
}

func (s settling) counts(settleAfter time.Duration) bool {
	if time.Since(s.since) >= settleAfter {
		return s.alive
	}
	return s.before
}

// settleLocked takes in that a member of the own region is alive or not. mu is
// held.
func (m *Mesh) settleLocked(name string, alive bool) {
	after := m.opt.Timing.SettleAfter
	old := m.neighbours[name]
	if old.alive == alive {
		return
	}
	counted := old.counts(after) || alive && !m.settledLocked()
	m.neighbours[name] = settling{alive: alive, since: time.Now(), before: counted}
	maps.DeleteFunc(m.neighbours, func(_ string, s settling) bool { return !s.alive && !s.counts(after) })
	time.AfterFunc(after, m.signal)
}

// Neighbours returns the names of the members of the own region that count,
// this one included, sorted: who has been alive for Timing.SettleAfter, or was
// there when this member came, and has not been gone for as long. Nobody before
// and after Run.
func (m *Mesh) Neighbours() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for name, s := range m.neighbours {
		if s.counts(m.opt.Timing.SettleAfter) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// Settled says whether this member has been in the mesh for Timing.SettleAfter,
// so that it knows its Neighbours. False before and after Run.
func (m *Mesh) Settled() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.settledLocked()
}

func (m *Mesh) settledLocked() bool {
	return m.running && time.Since(m.begun) >= m.opt.Timing.SettleAfter
}

// still says whether nobody has come or gone for SettleAfter, in any region.
func (m *Mesh) still() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return time.Since(m.changedAt) >= m.opt.Timing.SettleAfter
}

// signal says that Members or Neighbours may answer differently.
func (m *Mesh) signal() {
	select {
	case m.changed <- struct{}{}:
	default: // a signal is waiting already
	}
}
