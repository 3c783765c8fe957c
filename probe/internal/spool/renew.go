package spool

import (
	"fmt"
	"path/filepath"
	"time"

	"varde/proto/wire"
)

// Renew begins a new epoch, and moves to it what the current one has to hand out:
// for a machine whose numbers have been used, by a copy of it or by itself before
// it was set back to a snapshot of its memory. What cannot be written in the new
// epoch is lost and counted. It returns when all is done; who appends waits.
func (s *Spool) Renew() error {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	s.settle()
	if s.closed {
		s.mu.Unlock()
		return ErrClosed
	}
	old, name := s.current(), NewEpoch(time.Now())
	after := old.mark.Acked
	s.epochs = append(s.epochs, &epoch{name: name, dir: filepath.Join(s.opt.Dir, name)})
	s.lastSeq = 0
	s.activate(nil)
	s.mu.Unlock()
	for {
		records, err := s.Next(old.name, after, wire.MaxRecords)
		if err != nil {
			return err
		}
		if len(records) > 0 {
			after = records[len(records)-1].Last()
			s.carry(records)
		}
		if err := s.Ack(old.name, after); err != nil {
			return fmt.Errorf("leave epoch %s: %w", old.name, err)
		}
		if len(records) == 0 {
			return nil
		}
	}
}

// settle writes what is being appended, and returns with mu held and nothing to
// write. commitMu is held.
func (s *Spool) settle() {
	for s.mu.Lock(); len(s.batch.items) > 0; s.mu.Lock() {
		s.mu.Unlock()
		s.commit()
	}
}

// carry appends the records of another epoch. commitMu is held.
func (s *Spool) carry(records []wire.Record) {
	for _, r := range records {
		if r.Gap != nil {
			s.settle() // a gap stands behind what is written
			s.carryGapLocked(*r.Gap)
			s.mu.Unlock()
			continue
		}
		s.mu.Lock()
		_, err := s.joinLocked(&r)
		s.mu.Unlock()
		if err != nil { // it was read, so it can be written
			s.opt.Logger.Error("record cannot be moved to another epoch", "check", r.Check(), "error", err)
		}
	}
	s.commit()
}

func (s *Spool) carryGapLocked(g wire.Gap) {
	n, e := g.Last-g.First+1, s.current()
	e.tail = merge(e.tail, &wire.Gap{First: s.lastSeq + 1, Last: s.lastSeq + n, From: g.From, To: g.To})
	s.lastSeq += n
	s.activate(nil)
}
