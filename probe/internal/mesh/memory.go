package mesh

import (
	"sync"
	"time"
)

// id is how something is known again: a nonce, or a hash.
type id [16]byte

// memory knows again what was there within the last while. It forgets earlier when
// there is more than it holds.
type memory struct {
	// keep is for how long at least, and most half of how many it holds.
	keep time.Duration
	most int

	mu sync.Mutex // protects all following fields
	// known is the generation under way, and before the one before it.
	known, before map[id]struct{}
	turned        time.Time
}

func newMemory(keep time.Duration, most int) *memory {
	return &memory{keep: keep, most: most, known: map[id]struct{}{}, turned: time.Now()}
}

// isNew says whether i was not there before, and remembers it.
func (s *memory) isNew(i id) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, now := s.known[i]
	_, earlier := s.before[i]
	if now || earlier {
		return false
	}
	if now := time.Now(); now.Sub(s.turned) >= s.keep || len(s.known) >= s.most {
		s.before, s.known, s.turned = s.known, map[id]struct{}{}, now
	}
	s.known[i] = struct{}{}
	return true
}

// ration is how many of something are taken within a second. Only one goroutine at
// a time may use it.
type ration struct {
	most, taken int
	second      time.Time
}

// allows says whether another one may be taken now.
func (r *ration) allows() bool {
	if now := time.Now(); now.Sub(r.second) >= time.Second {
		r.second, r.taken = now, 0
	}
	r.taken++
	return r.taken <= r.most
}
