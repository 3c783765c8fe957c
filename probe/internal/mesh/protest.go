package mesh

import (
	"context"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// protestEvery is how often the same accuser is answered at most: its accusation
	// comes by many ways, and again while the answer is under way.
	protestEvery = 3 * time.Second
	// maxProtests is how many accusers are answered at once. One that is silent takes a
	// whole StreamTimeout.
	maxProtests = 4
)

// accused takes in that somebody says that this member does not answer. It does not
// wait.
func (m *Mesh) accused(by string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	accuser, ok := m.members[by]
	if !ok || by == m.opt.Name || time.Since(m.protested[by]) < protestEvery {
		return
	}
	select {
	case m.accusers <- accuser.Address:
		m.protested[by] = time.Now()
	default: // gossip may reach it
	}
}

// protest tells those who accuse this member that it is alive, by a stream, until ctx
// ends. memberlist has it passed on by gossip, which misses a member that loses
// datagrams once in some thousand times, and whoever is missed holds this one for dead.
func (m *Mesh) protest(ctx context.Context, list *memberlist.Memberlist) {
	for {
		select {
		case <-ctx.Done():
			return
		case accuser := <-m.accusers:
			if !pause(ctx, m.opt.Timing.GossipInterval) { // memberlist has its protest ready by then
				return
			}
			if _, err := list.Join([]string{accuser}); err != nil {
				m.opt.Logger.Debug("answer an accusation", "of", accuser, "error", err)
			}
		}
	}
}

// pause waits, and says whether ctx goes on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
