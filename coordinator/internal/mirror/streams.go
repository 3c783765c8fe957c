package mirror

import (
	"context"
	"errors"
	"fmt"
	"time"

	"varde/coordinator/internal/history"
)

// errFull ends the reading of a batch.
var errFull = errors.New("batch is full")

// nextEntries reads the observations after a place of the journal.
func (m *mirror) nextEntries(ctx context.Context, p place) (batch, error) {
	source := m.options.Source
	first, last := source.Bounds()
	switch {
	case p.Journal == last:
		return batch{}, nil
	case p.Journal > last:
		// The journal was lost, or is an older copy: what it holds is sent, and what
		// was sent before takes its own place again.
		m.log.Error("journal ends before the place of the mirror, it is read from its beginning", "place", p.Journal, "last", last)
		return batch{moves: func(p *place) { p.Journal = max(first, 1) - 1 }}, nil
	}
	var b batch
	at, missed := p.Journal, uint64(0)
	err := source.Read(ctx, p.Journal+1, last, func(e history.Entry) error {
		missed += e.Seq - at - 1
		at = e.Seq
		for i := range e.Batches {
			b.points = append(b.points, m.scheme.batch(&e.Batches[i])...)
		}
		if len(b.points) >= maxPoints {
			return errFull
		}
		return nil
	})
	switch {
	case err == nil: // what was not read of the rest is gone
		missed, at = missed+last-at, last
	case !errors.Is(err, errFull):
		return batch{}, fmt.Errorf("read journal after %d: %w", p.Journal, err)
	}
	if missed > 0 {
		m.log.Error("entries of the journal were discarded before they were mirrored", "entries", missed, "after", p.Journal)
	}
	b.moves = func(p *place) {
		p.Journal = at
		if missed > 0 {
			p.Missed, p.MissedAt = p.Missed+missed, time.Now().UTC()
		}
	}
	return b, nil
}

// nextChanges reads the verdicts after a place of the record.
func (m *mirror) nextChanges(ctx context.Context, p place) (batch, error) {
	list, err := m.options.Verdicts.ChangesAfter(ctx, "told", p.Verdict, maxPoints)
	if err != nil || len(list) == 0 {
		return batch{}, err
	}
	var b batch
	for _, c := range list {
		b.points = append(b.points, m.scheme.verdict(c))
	}
	last := list[len(list)-1].ID
	b.moves = func(p *place) { p.Verdict = last }
	return b, nil
}
