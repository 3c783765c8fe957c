package spool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"time"

	"varde/proto/wire"
)

// indexEvery is how many observations lie between two entries of a segment's
// index: reading from the middle decodes at most so many in vain.
const indexEvery = 64

// segment is one file of an epoch: perhaps one gap, then observations with
// consecutive sequence numbers.
type segment struct {
	path string
	// size is how many bytes of the file hold whole records.
	size int64
	// compressed says how the file is written, incompressible that it has to stay
	// plain.
	compressed, incompressible bool
	// gap stands in front of the first observation; nil for none.
	gap *wire.Gap
	// first and last are the observations; both 0 while there is none.
	first, last uint64
	// from and to are the earliest and the latest start of a run.
	from, to time.Time
	// index is that of a plain file; a compressed one is read from its beginning.
	index  []place
	recent recent
}

type place struct {
	seq    uint64
	offset int64
}

func segmentName(first uint64) string { return fmt.Sprintf("%016x.log", first) }

// segmentPaths returns the segments in dir, the oldest first.
func segmentPaths(dir string) ([]string, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "????????????????.log"))
	sort.Strings(paths)
	return paths, err
}

// add takes the record that lies at the end of the segment. It returns false,
// and takes nothing, when the record does not continue it.
func (g *segment) add(r wire.Record, size int64) bool {
	switch {
	case r.Gap != nil && g.size == 0:
		g.gap = r.Gap
	case r.Gap != nil:
		return false
	case g.last != 0 && r.First() != g.last+1:
		return false
	case g.last == 0 && g.gap != nil && r.First() != g.gap.Last+1:
		return false
	default:
		g.observe(r.First(), r.At())
	}
	g.size += size
	return true
}

// observe notes one more observation, which lies at the end of the segment.
func (g *segment) observe(seq uint64, at time.Time) {
	if g.last == 0 {
		g.first, g.from, g.to = seq, at, at
	}
	if (seq-g.first)%indexEvery == 0 {
		g.index = append(g.index, place{seq, g.size})
	}
	g.last = seq
	g.from, g.to = earlier(g.from, at), later(g.to, at)
}

// start is where to begin reading what comes after the given number.
func (g *segment) start(after uint64) place {
	i := sort.Search(len(g.index), func(i int) bool { return g.index[i].seq > after+1 })
	return g.index[max(i-1, 0)]
}

// begin is the first number that the segment or its gap covers.
func (g *segment) begin() uint64 {
	if g.gap != nil {
		return g.gap.First
	}
	return g.first
}

// waiting is how many observations come after the given number.
func (g *segment) waiting(after uint64) uint64 {
	if g.last <= after {
		return 0
	}
	return g.last - max(after, g.first-1)
}

// cut makes the segment end before the given place.
func (g *segment) cut(at place) {
	g.last, g.size = at.seq-1, at.offset
	n := sort.Search(len(g.index), func(i int) bool { return g.index[i].seq >= at.seq })
	g.index = g.index[:n]
}

// remove deletes the file.
func (g *segment) remove() error {
	if err := os.Remove(g.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove segment: %w", err)
	}
	return nil
}

// scanSegment finds what a segment holds. With errTorn or another error of reading
// the segment holds what comes before the fault.
func scanSegment(path string) (*segment, error) {
	g := &segment{path: path}
	f, err := os.Open(path)
	if err != nil {
		return g, err
	}
	defer f.Close()
	if compressed, err := isCompressed(f); err != nil {
		return g, err
	} else if compressed {
		return scanCompressed(path, f)
	}
	for r := newReader(f); ; {
		rec, size, err := r.next()
		if errors.Is(err, io.EOF) {
			return g, nil
		} else if err != nil {
			return g, err
		}
		if !g.add(rec, size) {
			return g, errTorn
		}
	}
}

// fault is where a segment turned out not to be readable.
type fault struct {
	place
	err error
}

func (f *fault) Error() string { return fmt.Sprintf("seq %d: %s", f.seq, f.err) }
func (f *fault) Unwrap() error { return f.err }

// read returns up to n observations after the given number. A *fault says that
// the segment is damaged from some number on; the observations before it are
// returned with it. Any other error may pass.
func (g *segment) read(after uint64, n int) ([]wire.Record, error) {
	if recs, ok := g.recent.after(after, n); ok {
		return recs, nil
	}
	f, err := os.Open(g.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, &fault{place{seq: g.first}, err}
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	if g.compressed {
		return g.readCompressed(f, after, n)
	}
	var out []wire.Record
	at := g.start(after)
	r := newReader(io.NewSectionReader(f, at.offset, g.size-at.offset))
	for ; at.seq <= g.last && len(out) < n; at.seq++ {
		rec, size, err := r.next()
		if err == nil && (rec.Gap != nil || rec.First() != at.seq) {
			err = errTorn
		}
		if err != nil {
			return out, &fault{at, err}
		}
		at.offset += size
		if at.seq > after {
			out = append(out, rec)
		}
	}
	return out, nil
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// merge returns one gap over both; either may be nil. They must touch.
func merge(a, b *wire.Gap) *wire.Gap {
	if a == nil || b == nil {
		if a == nil {
			a = b
		}
		return a
	}
	return &wire.Gap{
		First: min(a.First, b.First), Last: max(a.Last, b.Last),
		From: earlier(a.From, b.From), To: later(a.To, b.To),
	}
}

// trim returns the part of g that comes after the given number, nil for none.
// The times stay: they still enclose the runs that are left.
func trim(g *wire.Gap, after uint64) *wire.Gap {
	if g == nil || g.Last <= after {
		return nil
	}
	return &wire.Gap{First: max(g.First, after+1), Last: g.Last, From: g.From, To: g.To}
}
