package history

import (
	"context"
	"fmt"
	"slices"
	"time"

	"varde/coordinator/internal/history/cell"
)

// Began returns the minute of the oldest observation of a check that is kept,
// the hour where minutes are kept no more; the zero time if there is none.
func (s *Store) Began(ctx context.Context, check string) (time.Time, error) {
	var oldest time.Time
	for _, series := range s.series.all() {
		if series.Check != check {
			continue
		}
		id, _ := s.series.find(series)
		one := []target{{track: track{series, ""}, id: id, exists: true}}
		if err := s.findOpen(one); err != nil {
			return time.Time{}, err
		}
		at, err := s.began(ctx, one[0])
		if err != nil {
			return time.Time{}, fmt.Errorf("read beginning of %s: %w", series, err)
		}
		if !at.IsZero() && (oldest.IsZero() || at.Before(oldest)) {
			oldest = at
		}
	}
	return oldest, nil
}

func (s *Store) began(ctx context.Context, t target) (time.Time, error) {
	start, err := s.firstHour(ctx, t)
	if start.IsZero() || err != nil {
		return time.Time{}, err
	}
	h, err := s.hour(t, start, true)
	if h == nil || err != nil {
		return start, err
	}
	for i, m := range h.Minutes {
		if m != nil {
			return start.Add(time.Duration(i) * time.Minute), nil
		}
	}
	return start, nil
}

// firstHour is the oldest hour of which something is known, the zero time if there is
// none.
func (s *Store) firstHour(ctx context.Context, t target) (time.Time, error) {
	var first int64
	err := s.reads.QueryRowContext(ctx, `SELECT coalesce(min(at), 0) FROM (SELECT min(at) AS at FROM hour WHERE series = ?
		UNION ALL SELECT min(hour) FROM open_hour WHERE series IN
			(SELECT t.id FROM series t JOIN series s USING (check_id, region, family) WHERE s.id = ?) UNION ALL SELECT min(at) FROM past WHERE series = ? AND unit = 'hour')`,
		t.id, t.id, t.id).Scan(&first)
	if err != nil || first == 0 {
		return time.Time{}, err
	}
	start := time.Unix(first, 0).UTC()
	hours := make([]*cell.Total, 24)
	if err := s.past(ctx, t, piece{time.Hour, start, start.Add(day)}, 0, hours); err != nil {
		return start, err
	}
	i := slices.IndexFunc(hours, func(t *cell.Total) bool { return t != nil })
	return start.Add(time.Duration(max(i, 0)) * time.Hour), nil
}
