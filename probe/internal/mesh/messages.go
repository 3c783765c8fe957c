package mesh

import (
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	// maxMessage is the largest message, in bytes: a hint has about a hundred.
	maxMessage = 512
	// maxQueue is how many messages wait to be passed on, the newest of them.
	maxQueue = 64
	// maxRate is how many messages of others are taken within a second: whoever
	// holds the key of the mesh can send as many as he likes.
	maxRate = 50
	// remembered is for how long at least a message is known again, and maxKnown
	// half of how many are. Whoever receives messages must refuse older ones.
	remembered = 2 * time.Minute
	maxKnown   = 8192
	// passes times log10 of the members is how often each passes a message, or news of
	// a member, on, each time to one other by lot: one message in 400 misses a member
	// of six.
	passes = 6
)

// messages is what members say to one another beside who they are.
type messages struct {
	receive func([]byte)
	queue   *memberlist.TransmitLimitedQueue

	known *memory

	mu      sync.Mutex // protects all following fields
	taken   ration
	refused uint64
}

func newMessages(receive func([]byte)) *messages {
	if receive == nil {
		receive = func([]byte) {}
	}
	return &messages{receive: receive, known: newMemory(remembered, maxKnown), taken: ration{most: maxRate}}
}

// Send says something to the living members of the given names: one datagram to
// each, and gossip, which finds a way where a datagram does not. What comes twice
// is received once. It does not wait, and nothing says whether it arrives. A
// message of more than 512 bytes is not sent.
func (m *Mesh) Send(names []string, message []byte) {
	m.mu.Lock()
	list, running := m.list, m.running
	m.mu.Unlock()
	if !running || list == nil || len(message) > maxMessage || !m.messages.isNew(message) {
		return
	}
	for _, n := range list.Members() {
		if slices.Contains(names, n.Name) && n.Name != m.opt.Name {
			if err := list.SendBestEffort(n, message); err != nil {
				m.opt.Logger.Debug("message is left to gossip", "to", n.Name, "error", err)
			}
		}
	}
	m.messages.pass(message)
}

// take receives a message unless it was there before, is too long, or one too
// many.
func (s *messages) take(message []byte) {
	if len(message) == 0 || len(message) > maxMessage || !s.allowed() {
		s.refuse()
		return
	}
	if !s.isNew(message) {
		return
	}
	message = slices.Clone(message) // memberlist uses the buffer again
	s.pass(message)
	s.receive(message)
}

// pass queues a message to be passed on with the next gossip.
func (s *messages) pass(message []byte) {
	s.queue.QueueBroadcast(broadcast(message))
	s.queue.Prune(maxQueue)
}

// isNew says whether a message was not sent or taken before, and remembers it.
func (s *messages) isNew(message []byte) bool {
	sum := sha256.Sum256(message)
	return s.known.isNew(id(sum[:16]))
}

// allowed says whether another message may be taken now.
func (s *messages) allowed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.taken.allows()
}

func (s *messages) refuse() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refused++
}

// Refused is how many messages and members were refused.
func (m *Mesh) Refused() uint64 {
	m.messages.mu.Lock()
	defer m.messages.mu.Unlock()
	return m.messages.refused
}

// broadcast is a message in memberlist's queue.
type broadcast []byte

var _ memberlist.Broadcast = broadcast(nil)

// Invalidates says that no message stands for another.
func (broadcast) Invalidates(memberlist.Broadcast) bool { return false }

// Message returns the bytes.
func (b broadcast) Message() []byte { return b }

// Finished is told when the message was passed on often enough.
func (broadcast) Finished() {}
