package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"varde/proto/wire"
)

// gatherFor is how much time lies between two syncs for observations at least:
// each costs the disk a write or two and a busy probe the processor, while a
// coordinator waits twice as long for a batch.
const gatherFor = 50 * time.Millisecond

// maxRoom bounds what a batch has room for before anything is in it.
const maxRoom = 128

// batch is what is written together. Whoever appends the first of it writes it
// when it is time for the next sync, unless an event comes before that: whoever
// appends the event writes all that was appended until then.
type batch struct {
	items []item
	// done is closed when the batch was written. Everything up to durable is on
	// disk then, and err is why the rest is not.
	done    chan struct{}
	durable uint64
	err     error
}

// newBatch returns a batch with room for as many items as the one before had.
func newBatch(before int) *batch {
	return &batch{items: make([]item, 0, min(before, maxRoom)), done: make(chan struct{})}
}

func (b *batch) isDone() bool {
	select {
	case <-b.done:
		return true
	default:
		return false
	}
}

type item struct {
	record wire.Record
	frame  []byte
}

func (i item) seq() uint64   { return i.record.First() }
func (i item) at() time.Time { return i.record.At() }

var errDamaged = errors.New("segment was damaged meanwhile")

// joinLocked numbers r, which is no gap, and puts it into the batch that will be
// written next.
func (s *Spool) joinLocked(r *wire.Record) (*batch, error) {
	next := *r
	if r.Event != nil {
		e := *r.Event
		e.Seq, next.Event = s.lastSeq+1, &e
	} else {
		next.Observation.Epoch, next.Observation.Seq = s.currentLocked().name, s.lastSeq+1
	}
	frame, read, err := encode(next)
	if err != nil {
		return nil, err
	}
	*r = next
	s.lastSeq++
	s.batch.items = append(s.batch.items, item{read, frame})
	return s.batch, nil
}

// gather waits until it is time for the next sync.
func (s *Spool) gather() {
	if s.opt.NoSync {
		return
	}
	s.mu.Lock()
	wait := gatherFor - time.Since(s.committed)
	s.mu.Unlock()
	<-time.After(wait)
}

// lead writes a batch unless somebody has.
func (s *Spool) lead(b *batch) {
	s.commitMu.Lock()
	defer s.commitMu.Unlock()
	if !b.isDone() {
		s.commit()
	}
}

// commit writes the batch and wakes whoever reads. commitMu is held.
func (s *Spool) commit() {
	s.mu.Lock()
	b := s.batch
	s.batch, s.committed = newBatch(len(b.items)), time.Now()
	refused := s.refused.take(s.lastSeq)
	if refused != nil {
		s.lastSeq = refused.Last
	}
	s.mu.Unlock()
	items := b.items
	for len(items) > 0 && b.err == nil {
		var n int
		if n, b.err = s.write(items); b.err == nil {
			b.durable = items[n-1].seq()
			items = items[n:]
		}
	}
	if b.err != nil {
		s.giveUp(items)
	}
	if refused != nil {
		s.lose(refused)
	}
	close(b.done)
	s.signal()
}

// write puts as many of the items on disk as fit the segment, at least one.
// With an error none of them counts as written.
func (s *Spool) write(items []item) (n int, err error) {
	s.mu.Lock()
	g, e := s.active, s.currentLocked()
	tail := e.tail
	s.mu.Unlock()
	var buf []byte
	fresh := g == nil || g.size >= s.segmentSize() || s.file == nil
	if fresh {
		if g, buf, err = s.begin(e, items[0].seq(), tail); err != nil {
			return 0, err
		}
	}
	head := int64(len(buf))
	size := head
	for n < len(items) && (n == 0 || g.size+size+int64(len(items[n].frame)) <= s.segmentSize()) {
		size += int64(len(items[n].frame))
		n++
	}
	buf = slices.Grow(buf, int(size-head))
	for _, it := range items[:n] {
		buf = append(buf, it.frame...)
	}
	s.mu.Lock()
	s.makeRoomLocked(int64(len(buf)))
	s.mu.Unlock()
	if err = s.put(g, buf, fresh); err != nil {
		return 0, fmt.Errorf("write spool: %w", err)
	}
	if fresh {
		g.size = head
	}
	return n, s.publish(g, items[:n], fresh)
}

// begin opens the next segment of e. What could not be written before goes to
// its head as a gap.
func (s *Spool) begin(e *epoch, first uint64, tail *wire.Gap) (*segment, []byte, error) {
	if s.file != nil {
		_ = s.file.Close() // what counts was synced, or given up
		s.file = nil
	}
	var head []byte
	if tail != nil {
		var err error
		if head, _, err = encode(wire.Record{Gap: tail}); err != nil {
			return nil, nil, fmt.Errorf("encode gap: %w", err)
		}
		first = tail.First
	}
	if err := s.prepare(e); err != nil {
		return nil, nil, err
	}
	path := filepath.Join(e.dir, segmentName(first))
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("begin segment: %w", err)
	}
	s.file = f
	return &segment{path: path}, head, nil
}

// prepare makes the folder of e with the first segment: a disk that is full at
// the start must not keep the probe from handing over what fills it.
func (s *Spool) prepare(e *epoch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.made {
		return nil
	}
	if err := s.opt.own(s.disk); err != nil {
		return err
	}
	return e.make(s.disk, !s.opt.NoSync)
}

// put writes buf behind what the segment holds. When that goes wrong the
// segment is cut back to whole records and not written to again, because after
// a failed sync nobody knows what the disk holds.
func (s *Spool) put(g *segment, buf []byte, fresh bool) error {
	err := s.disk.write(s.file, buf, g.size)
	if err == nil {
		err = s.disk.sync(s.file)
	}
	if err == nil && fresh {
		err = s.disk.syncDir(filepath.Dir(g.path))
	}
	if err == nil {
		return nil
	}
	// Both are tidying: a torn record is cut when the spool is opened again.
	if fresh {
		_ = os.Remove(g.path)
	} else {
		_ = s.file.Truncate(g.size)
	}
	_ = s.file.Close()
	s.file = nil
	return err
}

// publish lets readers see what was written.
func (s *Spool) publish(g *segment, items []item, fresh bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.currentLocked()
	if fresh {
		// An acknowledgement may have shortened the gap since it was written.
		g.gap, e.tail = e.tail, nil
		e.segs = append(e.segs, g)
		s.activateLocked(g)
		defer s.compressLocked() // when what is spent has gone
	} else if s.active != g {
		return errDamaged
	}
	for _, it := range items {
		g.observe(it.seq(), it.at())
		g.size += int64(len(it.frame))
		g.recent.add(it.record)
	}
	if e.mark.FirstAt == 0 {
		e.mark.FirstAt = nanos(items[0].at())
	}
	if len(e.spent(g)) > 0 {
		if err := s.pruneLocked(e, g); err != nil {
			s.opt.Logger.Debug("spool segment is left over", "error", err) // it counts, and is tried again
		}
	}
	return nil
}

// pruneLocked deletes what is spent of e but for keep, the mark first: else what
// is deleted would look lost after a crash.
func (s *Spool) pruneLocked(e *epoch, keep *segment) error {
	if err := e.save(!s.opt.NoSync); err != nil {
		return err
	}
	return e.prune(keep)
}

// giveUp counts what could not be written.
func (s *Spool) giveUp(items []item) {
	lost := &wire.Gap{First: items[0].seq(), Last: items[len(items)-1].seq(), From: items[0].at(), To: items[0].at()}
	for _, it := range items {
		lost.From, lost.To = earlier(lost.From, it.at()), later(lost.To, it.at())
	}
	s.mu.Lock()
	s.dropped += uint64(len(items))
	s.mu.Unlock()
	s.lose(lost)
}

// lose puts a gap behind what is written. It is kept in the mark until a segment
// can be written again.
func (s *Spool) lose(lost *wire.Gap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.currentLocked()
	e.tail = merge(e.tail, lost)
	s.activateLocked(nil)
	if e.mark.FirstAt == 0 {
		e.mark.FirstAt = nanos(lost.From)
	}
	s.saveLocked(e)
}

// makeRoomLocked drops the oldest segments until need more bytes fit the bound.
// The segment that is written to is never dropped.
func (s *Spool) makeRoomLocked(need int64) {
	for s.bytesLocked()+need > s.opt.MaxBytes {
		e := s.oldestLocked()
		if e == nil {
			return
		}
		g, n := e.drop()
		s.dropped += n
		if n > 0 {
			s.opt.Logger.Warn("spool is full, oldest observations dropped",
				"epoch", e.name, "observations", n, "max_bytes", s.opt.MaxBytes)
		}
		s.saveLocked(e)
		if err := g.remove(); err != nil {
			s.opt.Logger.Warn("spool segment is left over", "error", err)
		}
	}
}

// oldestLocked is the epoch that holds the oldest segment that can be dropped.
func (s *Spool) oldestLocked() *epoch {
	for _, e := range s.epochs {
		if len(e.segs) > 0 && e.segs[0] != s.active {
			return e
		}
	}
	return nil
}

func (s *Spool) bytesLocked() int64 {
	n := s.unfinishedBytes
	for _, e := range s.epochs {
		n += e.bytes()
	}
	return n
}

// saveLocked writes the mark of e. Without it nothing is lost: after a restart
// some records are handed out again, or a gap has rougher times.
func (s *Spool) saveLocked(e *epoch) {
	if err := e.save(!s.opt.NoSync); err != nil {
		s.opt.Logger.Debug("spool mark is behind", "epoch", e.name, "error", err)
	}
}

// segmentSize is where the next segment begins, in bytes.
func (s *Spool) segmentSize() int64 { return min(largestSegment, s.opt.MaxBytes/16) }
