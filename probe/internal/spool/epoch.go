package spool

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"varde/proto/wire"
)

// epoch is what the spool holds of one life of the program, in order: segments,
// each perhaps with a gap in front of it, and perhaps a gap at the end.
type epoch struct {
	name, dir string
	// made says that dir exists.
	made bool
	mark mark
	segs []*segment
	// tail stands behind the last segment: what could not be written.
	tail *wire.Gap
}

// recoverEpoch reads what an earlier life of the program left in dir. Whatever
// is missing between the records that can be read becomes a gap.
func recoverEpoch(dir, name string, sync bool, log *slog.Logger) (*epoch, error) {
	m, err := readMark(dir)
	if err != nil {
		return nil, err
	}
	paths, err := segmentPaths(dir)
	if err != nil {
		return nil, fmt.Errorf("list segments: %w", err)
	}
	e := &epoch{name: name, dir: dir, made: true, mark: m}
	// lost is what is known to be missing in front of the next segment.
	lost := m.Head.gap()
	var spoilt []string
	for _, path := range paths {
		g, err := scanSegment(path)
		if errors.Is(err, errTorn) {
			log.Warn("spool segment ends in a record that was cut", "file", path, "kept_bytes", g.size)
			if err = nil; g.last != 0 {
				err = os.Truncate(path, g.size)
			}
		}
		if err != nil {
			log.Warn("spool segment cannot be read to its end", "file", path, "error", err)
		}
		if g.last == 0 || g.last <= e.last() {
			lost = merge(lost, g.gap)
			if err == nil {
				spoilt = append(spoilt, path)
			}
			continue
		}
		e.take(g, lost)
		lost = nil
	}
	e.tail = trim(merge(lost, m.Tail.gap()), e.last())
	if e.tail != nil {
		e.tail.First = e.lastWritten() + 1
	}
	if err := e.clear(spoilt, sync); err != nil {
		log.Warn("spool segments are left over", "epoch", name, "error", err)
	}
	return e, nil
}

// clear deletes segments that hold nothing which can be read, the mark first:
// what they said of the gap that they leave must not go with them.
func (e *epoch) clear(spoilt []string, sync bool) error {
	if len(spoilt) == 0 {
		return nil
	}
	if err := e.save(sync); err != nil {
		return err
	}
	for _, path := range spoilt {
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("remove segment: %w", err)
		}
	}
	return nil
}

// make makes the folder of the epoch, all of it or nothing. Its name is not on
// disk for certain before the folder above is synced.
func (e *epoch) make(d disk, sync bool) error {
	if err := os.Mkdir(e.dir, 0o700); err != nil {
		return fmt.Errorf("begin epoch: %w", err)
	}
	err := createMark(e.dir, sync)
	if err == nil {
		err = errors.Join(d.syncDir(e.dir), d.syncDir(filepath.Dir(e.dir)))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("begin epoch: %w", err), e.remove())
	}
	e.made = true
	return nil
}

// take appends a segment that was read from disk and gives it the gap that is
// really in front of it; lost is what is known of it.
func (e *epoch) take(g *segment, lost *wire.Gap) {
	expected := e.last() + 1
	lost = merge(lost, g.gap)
	g.gap = nil
	if g.first > expected {
		g.gap = &wire.Gap{First: expected, Last: g.first - 1, From: e.newest(g.from), To: g.from}
		if lost != nil {
			g.gap.From, g.gap.To = lost.From, lost.To
		}
	}
	e.segs = append(e.segs, g)
}

// newest is the latest start known before the end of what is there, at most
// the given time.
func (e *epoch) newest(before time.Time) time.Time {
	at := fromNanos(max(e.mark.AckedAt, e.mark.FirstAt))
	if n := len(e.segs); n > 0 {
		at = e.segs[n-1].to
	}
	if at.Unix() == 0 || at.After(before) {
		return before
	}
	return at
}

// last is the last number that was written or given up, at least the last one
// acknowledged.
func (e *epoch) last() uint64 {
	if e.tail != nil {
		return e.tail.Last
	}
	return e.lastWritten()
}

// lastWritten is last without the tail.
func (e *epoch) lastWritten() uint64 {
	if n := len(e.segs); n > 0 {
		return max(e.segs[n-1].last, e.mark.Acked)
	}
	return e.mark.Acked
}

// empty says whether nothing is left to hand out.
func (e *epoch) empty() bool { return e.last() == e.mark.Acked }

// bytes is the size of the segments on disk.
func (e *epoch) bytes() int64 {
	var n int64
	for _, g := range e.segs {
		n += g.size
	}
	return n
}

// waiting is the number of records, gaps included, that were not acknowledged.
func (e *epoch) waiting() uint64 {
	var n uint64
	for _, g := range e.segs {
		n += g.waiting(e.mark.Acked)
		if g.gap != nil {
			n++
		}
	}
	if e.tail != nil {
		n++
	}
	return n
}

// oldest is the start of the oldest run that was not acknowledged, or of the
// oldest one in its segment; zero when there is none.
func (e *epoch) oldest() time.Time {
	for _, g := range e.segs {
		if g.gap != nil {
			return g.gap.From
		}
		if g.last > e.mark.Acked {
			return g.from
		}
	}
	if e.tail != nil {
		return e.tail.From
	}
	return time.Time{}
}

// next returns up to n records after the given number, in order and without a
// hole. A *fault names, with the segment, where reading could not go on.
func (e *epoch) next(after uint64, n int) (out []wire.Record, g *segment, err error) {
	gap := func(p *wire.Gap) {
		if p = trim(p, after); p != nil && len(out) < n {
			out, after = append(out, wire.Record{Gap: p}), p.Last
		}
	}
	if after < e.mark.Acked {
		// Whoever asks has lost what it once acknowledged.
		gap(&wire.Gap{First: 1, Last: e.mark.Acked, From: fromNanos(e.mark.FirstAt), To: fromNanos(e.mark.AckedAt)})
	}
	for _, g := range e.segs {
		gap(g.gap)
		if g.last <= after || len(out) >= n {
			continue
		}
		recs, err := g.read(after, n-len(out))
		for i := range recs {
			recs[i].Observation.Epoch = e.name
		}
		out = append(out, recs...)
		if err != nil {
			return out, g, err
		}
		if len(recs) > 0 {
			after = recs[len(recs)-1].Last()
		}
	}
	gap(e.tail)
	return out, nil, nil
}

// ack notes that everything up to and including through was acknowledged. It
// returns false when nothing changed.
func (e *epoch) ack(through uint64) (changed bool) {
	through = min(through, e.last())
	if through <= e.mark.Acked {
		return false
	}
	e.mark.Acked = through
	for _, g := range e.segs {
		if g.begin() > through {
			break
		}
		g.gap = trim(g.gap, through)
		g.recent.forget(through)
		if g.first <= through {
			e.mark.AckedAt = nanos(g.to)
		}
	}
	if e.tail != nil && e.tail.First <= through {
		e.mark.AckedAt = nanos(e.tail.To)
	}
	e.tail = trim(e.tail, through)
	return true
}

// spent are the segments that were acknowledged as a whole; keep is never one of
// them.
func (e *epoch) spent(keep *segment) []*segment {
	n := 0
	for n < len(e.segs) && e.segs[n].last <= e.mark.Acked && e.segs[n] != keep {
		n++
	}
	return e.segs[:n]
}

// prune deletes the segments that are spent, and forgets those that it deleted:
// what is still on the disk counts. The mark must say that they are spent.
func (e *epoch) prune(keep *segment) error {
	for _, g := range e.spent(keep) {
		if err := g.remove(); err != nil {
			return err
		}
		e.segs = e.segs[1:]
	}
	return nil
}

// drop gives up the oldest segment and returns it with the number of
// observations that were lost by it.
func (e *epoch) drop() (*segment, uint64) {
	g := e.segs[0]
	n := g.waiting(e.mark.Acked)
	e.segs = e.segs[1:]
	e.lose(0, merge(g.gap, trim(&wire.Gap{First: g.first, Last: g.last, From: g.from, To: g.to}, e.mark.Acked)))
	return g, n
}

// damage gives up what comes from the fault on in segment i, and the segment
// with it when nothing is left. It returns the number of observations lost.
func (e *epoch) damage(i int, at place) uint64 {
	g := e.segs[i]
	n := g.waiting(max(e.mark.Acked, at.seq-1))
	lost := trim(&wire.Gap{First: at.seq, Last: g.last, From: g.from, To: g.to}, e.mark.Acked)
	if at.seq > g.first {
		g.cut(at)
		i++
	} else {
		lost = merge(g.gap, lost)
		e.segs = append(e.segs[:i:i], e.segs[i+1:]...)
	}
	e.lose(i, lost)
	return n
}

// lose puts a gap in front of segment i, or at the end when there is none.
func (e *epoch) lose(i int, lost *wire.Gap) {
	if i < len(e.segs) {
		e.segs[i].gap = merge(lost, e.segs[i].gap)
		return
	}
	e.tail = merge(lost, e.tail)
}

// save writes the mark, unless there is nothing on disk that it could speak of.
// A slot that could not be written is the one that is written next.
func (e *epoch) save(sync bool) error {
	if !e.made {
		return nil
	}
	next := e.mark
	next.Counter++
	next.Head, next.Tail = markGap{}, toMarkGap(e.tail)
	if len(e.segs) > 0 {
		next.Head = toMarkGap(e.segs[0].gap)
	}
	if err := writeMark(e.dir, next, sync); err != nil {
		return err
	}
	e.mark.Counter = next.Counter
	return nil
}

// remove deletes the epoch's folder.
func (e *epoch) remove() error {
	paths, err := segmentPaths(e.dir)
	if err != nil {
		return err
	}
	for _, p := range append(paths, filepath.Join(e.dir, markFile), e.dir) {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove epoch: %w", err)
		}
	}
	return nil
}
