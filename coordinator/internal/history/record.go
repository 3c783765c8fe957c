package history

import (
	"context"
	"fmt"
	"time"

	"varde/coordinator/internal/verdict"
)

// Told returns what was told of every series that was ever observed, in [from, to)
// and without gap or overlap.
func (s *Store) Told(ctx context.Context, from, to time.Time) ([]verdict.Span, error) {
	return s.record(ctx, "told", from, to)
}

// Final returns the final verdicts of every series that was ever observed, as far
// as there are any: in [from, to), but not after until.
func (s *Store) Final(ctx context.Context, from, to time.Time) (spans []verdict.Span, until time.Time, err error) {
	first, until, err := s.finalRange(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	from, to = later(first, from), earlier(until, to)
	if !from.Before(to) {
		return nil, until, nil
	}
	spans, err = s.record(ctx, "final", from, to)
	return spans, until, err
}

func (s *Store) record(ctx context.Context, kind string, from, to time.Time) (out []verdict.Span, err error) {
	for _, series := range s.series.all() {
		id, _ := s.series.find(series)
		spans, err := s.spans(ctx, kind, id, series, from, to)
		if err != nil {
			return nil, fmt.Errorf("read %s verdicts of %s: %w", kind, series, err)
		}
		out = append(out, spans...)
	}
	return out, nil
}
