package recording

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"varde/checks"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

// Journal is what the coordinator of a data folder, which must not run, was told.
type Journal struct {
	// Dir is the data folder. Required.
	Dir string
	// Names are the checks that are read, by each of some configurations: others have
	// left since, and are passed over.
	Names []Names
	// Progress is told how many of the messages were read, from one goroutine. It may be
	// nil.
	Progress func(read, all uint64)
	// Ignored is told after each reading what was passed over. It may be nil.
	Ignored func(Ignored)
}

// Ignored counts what is in a journal and was not handed over.
type Ignored struct {
	// Strange are observations of checks or from regions that nobody configured, Senseless those whose
	// times make no sense, Repeated records that were there twice.
	Strange, Senseless, Repeated int
}

// passage is one reading of a journal.
type passage struct {
	Journal
	marks   map[wire.Source]uint64
	ignored Ignored
	fn      func(*checks.Observation) error
}

// Read calls fn with the observations of the journal by the coordinator's clock, in
// order, until fn returns an error. The next is read into the same memory.
func (j Journal) Read(ctx context.Context, fn func(*checks.Observation) error) error {
	p := newPassage(j, fn)
	err := eachEntry(ctx, j.Dir, (*journal.Journal).Scan, func(e journal.Entry, last uint64) error {
		if j.Progress != nil {
			j.Progress(e.Seq, last)
		}
		return p.entry(e)
	})
	if j.Ignored != nil {
		j.Ignored(p.ignored)
	}
	return err
}

func newPassage(j Journal, fn func(*checks.Observation) error) *passage {
	return &passage{Journal: j, marks: make(map[wire.Source]uint64), fn: fn}
}

// entry takes one message.
func (p *passage) entry(e journal.Entry) error {
	for i := range e.Batches {
		if err := p.take(&e.Batches[i]); err != nil {
			return err
		}
	}
	return nil
}

// take hands over what was not there before.
func (p *passage) take(b *wire.Batch) error {
	source := b.Source()
	mark := p.marks[source]
	for i := range b.Records {
		r := &b.Records[i]
		if r.Last() <= mark {
			p.ignored.Repeated++
			continue
		}
		mark = r.Last()
		if !r.IsObservation() {
			continue
		}
		if err := p.observation(b, &r.Observation); err != nil {
			return err
		}
	}
	p.marks[source] = mark
	return nil
}

func (p *passage) observation(b *wire.Batch, o *checks.Observation) error {
	var ok bool
	*o, ok = history.Correct(b, *o)
	switch {
	case !p.known(o):
		p.ignored.Strange++
	case !ok:
		p.ignored.Senseless++
	default:
		return p.fn(o)
	}
	return nil
}

func (p *passage) known(o *checks.Observation) bool {
	for i := range p.Names {
		if _, ok := p.Names[i].checks[o.Check]; !ok || p.Names[i].regions[o.Region] == "" {
			return false
		}
	}
	return true
}

// EachBatch calls fn with every batch that the data folder of a coordinator holds which
// does not run, in order, until fn returns an error.
func EachBatch(ctx context.Context, data string, fn func(wire.Batch) error) error {
	return eachEntry(ctx, data, (*journal.Journal).Read, func(e journal.Entry, _ uint64) error {
		for _, b := range e.Batches {
			if err := fn(b); err != nil {
				return err
			}
		}
		return nil
	})
}

// way is how a journal is read.
type way func(j *journal.Journal, ctx context.Context, from, to uint64, fn func(journal.Entry) error) error

// eachEntry calls fn with every entry of a journal, and with the number of the last.
func eachEntry(ctx context.Context, data string, read way, fn func(e journal.Entry, last uint64) error) error {
	dir := filepath.Join(data, "journal")
	if _, err := os.Stat(dir); err != nil { // to open it would make it
		return fmt.Errorf("read journal: %w", err)
	}
	j, err := journal.Open(ctx, journal.Options{Dir: dir, ReadOnly: true, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	first, last := j.Bounds()
	err = read(j, ctx, first, last, func(e journal.Entry) error { return fn(e, last) })
	if closeErr := j.Close(); err == nil {
		err = closeErr
	}
	return err
}
