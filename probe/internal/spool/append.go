package spool

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"varde/checks"
	"varde/proto/wire"
)

// maxWaiting bounds how many appends wait for the disk: one that hangs must not
// take all memory of the machine. At a thousand observations a second that is four
// seconds, for 100 series at 30 s twenty minutes.
const maxWaiting = 4096

var errWaiting = errors.New("disk hangs, too many wait for it")

// Append gives the observation its epoch and the next sequence number, and
// returns it when it is on disk. Those who append within 50 ms share one write: the
// first waits for the others unless there was no write for as long. With an error
// the observation is lost and, unless it was refused because it is not valid,
// counted as dropped.
func (s *Spool) Append(o checks.Observation) (checks.Observation, error) {
	r := wire.Record{Observation: o}
	err := s.append(&r)
	return r.Observation, err
}

// AppendEvent gives the event the next sequence number and returns when it is on
// disk, or lost as with Append. It waits for nobody.
func (s *Spool) AppendEvent(e wire.Event) error { return s.append(&wire.Record{Event: &e}) }

func (s *Spool) append(r *wire.Record) error {
	defer s.waiting.Add(-1)
	if s.waiting.Add(1) > maxWaiting {
		s.refused.add(*r)
		return fmt.Errorf("append record of %s: %w", r.Check(), errWaiting)
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	b, err := s.joinLocked(r)
	first := len(s.batch.items) == 1
	s.mu.Unlock()
	if err != nil {
		return fmt.Errorf("append record of %s: %w", strings.ToValidUTF8(r.Check(), "?"), err)
	}
	switch {
	case r.Event != nil:
		s.lead(b)
	case first:
		s.gather()
		s.lead(b)
	}
	<-b.done
	if r.First() > b.durable {
		return fmt.Errorf("append record of %s: %w", r.Check(), b.err)
	}
	return nil
}

// refusals are the records that were not taken because too many waited. They have a
// lock of their own: whoever waits for the disk may hold that of the spool.
type refusals struct {
	mu sync.Mutex // protects all following fields
	// gap stands for those that have no numbers yet, as if they began at 1.
	gap *wire.Gap
	all uint64
}

func (r *refusals) add(rec wire.Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := uint64(1)
	if r.gap != nil {
		n = r.gap.Last + 1
	}
	r.gap = merge(r.gap, &wire.Gap{First: n, Last: n, From: rec.At(), To: rec.At()})
	r.all++
}

// count is how many there ever were.
func (r *refusals) count() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.all
}

// take gives those without numbers the numbers after the given one; nil for none.
func (r *refusals) take(after uint64) *wire.Gap {
	r.mu.Lock()
	defer r.mu.Unlock()
	g := r.gap
	if r.gap = nil; g != nil {
		g.First, g.Last = after+1, after+g.Last
	}
	return g
}
