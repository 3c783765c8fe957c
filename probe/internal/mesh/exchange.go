package mesh

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/hashicorp/memberlist"
)

// exchangePerMember times the number of members is how often a member exchanges all
// it knows at least: that grows with their number, and what it costs a second shall
// not. A member is about 125 bytes.
const exchangePerMember = 4500 * time.Millisecond

// exchangeEvery is how often a member exchanges all it knows with another one, on
// average.
func (m *Mesh) exchangeEvery() time.Duration {
	return max(m.opt.Timing.PushPullInterval, time.Duration(m.size())*exchangePerMember)
}

// exchange exchanges all that this member knows with one other by lot, again and
// again until ctx ends. What memberlist does of this kind by itself slows down too
// little in a large mesh.
func (m *Mesh) exchange(ctx context.Context, list *memberlist.Memberlist) {
	for {
		// Not in step with those who joined at the same moment.
		select {
		case <-ctx.Done():
			return
		case <-time.After(rand.N(2 * m.exchangeEvery())):
		}
		others := m.others()
		if len(others) == 0 {
			continue
		}
		if _, err := list.Join([]string{others[rand.IntN(len(others))]}); err != nil {
			m.opt.Logger.Debug("exchange with a member", "error", err)
		}
	}
}

// size is how many members are alive.
func (m *Mesh) size() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.members)
}

// others are the addresses of the other members.
func (m *Mesh) others() (out []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for name, member := range m.members {
		if name != m.opt.Name {
			out = append(out, member.Address)
		}
	}
	return out
}
