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
	old, after, err := s.beginEpoch()
	if err != nil {
		return err
	}
	for {
		records, err := s.Next(old, after, wire.MaxRecords)
		if err != nil {
			return err
		}
		if len(records) > 0 {
			after = records[len(records)-1].Last()
			s.carry(records)
		}
		if err := s.Ack(old, after); err != nil {
			return fmt.Errorf("leave epoch %s: %w", old, err)
		}
		if len(records) == 0 {
			return nil
		}
	}
}

// beginEpoch makes a new epoch the current one. It returns the one before, which is
// written as a whole, and the last number of it that was acknowledged. commitMu is
// held.
func (s *Spool) beginEpoch() (old string, acked uint64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleLocked()
	if s.closed {
		return "", 0, ErrClosed
	}
	e, name := s.currentLocked(), NewEpoch(time.Now())
	s.epochs = append(s.epochs, &epoch{name: name, dir: filepath.Join(s.opt.Dir, name)})
	s.lastSeq = 0
	s.activateLocked(nil)
	return e.name, e.mark.Acked, nil
}

// settleLocked writes what is being appended, until there is nothing to write. It
// lets go of mu while it writes. commitMu is held too.
func (s *Spool) settleLocked() {
	for len(s.batch.items) > 0 {
		s.mu.Unlock()
		s.commit()
		s.mu.Lock()
	}
}

// carry appends the records of another epoch. commitMu is held.
func (s *Spool) carry(records []wire.Record) {
	for _, r := range records {
		if r.Gap != nil {
			s.carryGap(*r.Gap)
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

// carryGap puts a gap behind what was appended. commitMu is held.
func (s *Spool) carryGap(g wire.Gap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleLocked()
	n, e := g.Last-g.First+1, s.currentLocked()
	e.tail = merge(e.tail, &wire.Gap{First: s.lastSeq + 1, Last: s.lastSeq + n, From: g.From, To: g.To})
	s.lastSeq += n
	s.activateLocked(nil)
}
