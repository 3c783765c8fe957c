package history

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// ObservationQuery chooses observations. Empty fields choose all.
type ObservationQuery struct {
	Check, Probe, Region string
	// Outcome restricts to one outcome; nil chooses all.
	Outcome *checks.Outcome
	// From and To bound the time [From, To) in which they ended. A zero To means
	// now, a zero From as far back as the journal goes.
	From, To time.Time
	// Limit is the largest number returned: 100 if zero, at most 1,000.
	Limit int
}

// Limits of one listing.
const (
	defaultLimit = 100
	maxLimit     = 1000
	// maxScanned is how many observations are looked at, about half a second's
	// work. What is rarer than that is found by asking for a narrower window.
	maxScanned = 200_000
)

// Observations lists observations from the journal, the newest first, as the
// verdicts see them: by the coordinator's clock, and unknown where the clock of
// the probe could not be believed. complete is false when it stopped before From
// because it had looked at too many.
func (s *Store) Observations(ctx context.Context, q ObservationQuery) (list []checks.Observation, complete bool, err error) {
	q.Limit = min(cmp.Or(q.Limit, defaultLimit), maxLimit)
	if q.Limit < 0 {
		return nil, false, &QueryError{fmt.Sprintf("limit %d, expected 1 to %d", q.Limit, maxLimit)}
	}
	if q.To.IsZero() {
		q.To = time.Now().Add(time.Minute)
	}
	if q.From.IsZero() {
		q.From = time.Unix(0, 0)
	}
	minutes, err := s.minutesWithPassages(ctx, q.From, q.To)
	if err != nil {
		return nil, false, err
	}
	list = []checks.Observation{}
	scanned := 0
	for _, m := range minutes {
		found, n, err := s.observationsOf(ctx, m, q)
		if err != nil {
			return nil, false, err
		}
		list = append(list, found...)
		if len(list) >= q.Limit {
			return list[:q.Limit], true, nil
		}
		if scanned += n; scanned > maxScanned {
			return list, false, nil
		}
	}
	return list, true, nil
}

// indexed is one minute with the parts of the journal that hold its observations.
type indexed struct {
	start    time.Time
	passages []passage
}

// minutesWithPassages are the minutes of [from, to), the newest first.
func (s *Store) minutesWithPassages(ctx context.Context, from, to time.Time) ([]indexed, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT minute, first, last FROM passage WHERE minute >= ? AND minute < ?
		ORDER BY minute DESC, first`, from.Truncate(time.Minute).Unix(), to.Unix())
	if err != nil {
		return nil, fmt.Errorf("read index of the journal: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	var out []indexed
	for rows.Next() {
		var minute int64
		var p passage
		if err := rows.Scan(&minute, &p.first, &p.last); err != nil {
			return nil, fmt.Errorf("read index of the journal: %w", err)
		}
		start := time.Unix(minute, 0).UTC()
		if n := len(out); n == 0 || !out[n-1].start.Equal(start) {
			out = append(out, indexed{start: start})
		}
		last := &out[len(out)-1]
		last.passages = append(last.passages, p)
	}
	return out, rows.Err()
}

var errEnough = errors.New("looked at enough")

// observationsOf lists those of one minute, the newest first, and says how many it
// looked at.
func (s *Store) observationsOf(ctx context.Context, m indexed, q ObservationQuery) (found []checks.Observation, scanned int, err error) {
	from, to := later(m.start, q.From), earlier(m.start.Add(time.Minute), q.To)
	for _, p := range joined(m.passages) {
		err := s.options.Source.Read(ctx, p.first, p.last, func(e Entry) error {
			for i := range e.Batches {
				found = q.choose(found, &e.Batches[i], from, to)
				scanned += len(e.Batches[i].Records)
			}
			if scanned > maxScanned {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			return nil, scanned, fmt.Errorf("read journal %d to %d: %w", p.first, p.last, err)
		}
	}
	slices.SortFunc(found, newestFirst)
	return slices.CompactFunc(found, func(a, b checks.Observation) bool {
		return a.Probe == b.Probe && a.Epoch == b.Epoch && a.Seq == b.Seq
	}), scanned, nil
}

func newestFirst(a, b checks.Observation) int {
	return cmp.Or(b.End().Compare(a.End()), cmp.Compare(a.Probe, b.Probe), cmp.Compare(a.Epoch, b.Epoch), cmp.Compare(b.Seq, a.Seq))
}

// choose appends the observations of a batch that ended in [from, to) and are
// asked for.
func (q ObservationQuery) choose(out []checks.Observation, b *wire.Batch, from, to time.Time) []checks.Observation {
	if q.Probe != "" && q.Probe != b.Probe || q.Region != "" && q.Region != b.Region {
		return out
	}
	for i := range b.Records {
		r := &b.Records[i]
		if r.Gap != nil || q.Check != "" && r.Observation.Check != q.Check {
			continue
		}
		o, ok := correct(b, r.Observation)
		if ok && !o.End().Before(from) && o.End().Before(to) && (q.Outcome == nil || o.Outcome == *q.Outcome) {
			out = append(out, o)
		}
	}
	return out
}
