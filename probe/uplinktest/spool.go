package uplinktest

import (
	"slices"
	"sync"
	"time"

	"varde/checks"
	"varde/probe/internal/uplink"
	"varde/proto/wire"
)

// Spool keeps records in memory and obeys the contract of the real one.
type Spool struct {
	ready chan struct{}

	mu     sync.Mutex // protects all following fields
	epochs []string
	items  map[string][]wire.Record
	acked  map[string]uint64
	err    error
}

var _ uplink.Spool = (*Spool)(nil)

// NewSpool makes a spool with these epochs, the oldest first.
func NewSpool(epochs ...string) *Spool {
	return &Spool{epochs: epochs, items: map[string][]wire.Record{}, acked: map[string]uint64{}, ready: make(chan struct{}, 1)}
}

// Observation is one that a probe could have made now.
func Observation(seq uint64) checks.Observation {
	at := time.Now()
	return checks.Observation{
		Check: "imap", Service: "imap", Family: checks.IPv4, Seq: seq, Scheduled: at, Started: at, Every: 30 * time.Second,
		Probe: "somebody-else", Region: "elsewhere", Result: checks.Result{Outcome: checks.Up, Elapsed: time.Millisecond},
	}
}

// Add appends n observations to an epoch.
func (s *Spool) Add(epoch string, n int) {
	list := make([]checks.Observation, n)
	for i := range list {
		list[i] = Observation(0)
	}
	s.Put(epoch, list...)
}

// Put appends observations to an epoch and numbers them.
func (s *Spool) Put(epoch string, list ...checks.Observation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range list {
		o.Seq = uint64(len(s.items[epoch]) + 1)
		s.items[epoch] = append(s.items[epoch], wire.Record{Observation: o})
	}
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Restart begins a new epoch.
func (s *Spool) Restart(epoch string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epochs = append(s.epochs, epoch)
}

// Fail has Next return an error from now on.
func (s *Spool) Fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// Current is the newest epoch.
func (s *Spool) Current() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.epochs[len(s.epochs)-1]
}

// Acked is the last record of an epoch that was acknowledged.
func (s *Spool) Acked(epoch string) uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.acked[epoch]
}

// Depth counts the records that were not acknowledged.
func (s *Spool) Depth() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := uint64(0)
	for e, items := range s.items {
		n += uint64(len(items)) - min(s.acked[e], uint64(len(items)))
	}
	return n
}

// Epochs returns the old ones with something to send, and the current one.
func (s *Spool) Epochs() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := len(s.epochs) - 1
	old := slices.DeleteFunc(slices.Clone(s.epochs[:last]), func(e string) bool { return s.acked[e] >= uint64(len(s.items[e])) })
	return append(old, s.epochs[last])
}

// Next returns what comes after a number; a gap for what was acknowledged.
func (s *Spool) Next(epoch string, after uint64, limit int) ([]wire.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	items := s.items[epoch]
	switch {
	case s.err != nil:
		return nil, s.err
	case after >= uint64(len(items)):
		return nil, nil
	}
	if a := s.acked[epoch]; a > after {
		at := time.Now()
		return []wire.Record{{Gap: &wire.Gap{First: after + 1, Last: a, From: at, To: at}}}, nil
	}
	return slices.Clone(items[after:min(int(after)+limit, len(items))]), nil
}

// Ack notes what is safe.
func (s *Spool) Ack(epoch string, through uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.acked[epoch] = max(s.acked[epoch], through)
	return nil
}

// Renew begins a new epoch, named after the one whose records it moves there.
func (s *Spool) Renew() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.epochs[len(s.epochs)-1]
	name := old + "-renewed"
	for _, r := range s.items[old][min(s.acked[old], uint64(len(s.items[old]))):] {
		r.Observation.Seq = uint64(len(s.items[name]) + 1)
		s.items[name] = append(s.items[name], r)
	}
	s.acked[old] = uint64(len(s.items[old]))
	s.epochs = append(s.epochs, name)
	return nil
}

// Ready is signalled by Add.
func (s *Spool) Ready() <-chan struct{} { return s.ready }
