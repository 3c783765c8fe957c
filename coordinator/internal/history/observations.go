package history

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// ObservationQuery chooses observations. Empty fields choose all.
type ObservationQuery struct {
	Check, Probe, Region string
	// Checks are those of which any will do.
	Checks   []string
	Family   checks.Family
	Outcomes []checks.Outcome
	// Epoch and Seq, together with Probe, name one observation.
	Epoch string
	Seq   uint64
	// From and To bound the time [From, To) in which they ended. A zero To means
	// now, a zero From as far back as the journal goes.
	From, To time.Time
	// After goes on where an earlier listing of the same query ended.
	After Position
	// Limit is the largest number returned: 100 if zero, at most 1,000.
	Limit int
}

// Position is a place in a listing, which goes from the newest end to the oldest;
// equal ends stand by probe and epoch, and those of one epoch from the largest
// number to the smallest. The zero Position is before the first.
type Position struct {
	End          time.Time
	Probe, Epoch string
	Seq          uint64
}

func positionOf(o checks.Observation) Position { return Position{o.End(), o.Probe, o.Epoch, o.Seq} }

func (p Position) compare(q Position) int {
	return cmp.Or(q.End.Compare(p.End), cmp.Compare(p.Probe, q.Probe), cmp.Compare(p.Epoch, q.Epoch), cmp.Compare(q.Seq, p.Seq))
}

func newestFirst(a, b checks.Observation) int { return positionOf(a).compare(positionOf(b)) }

// Limits of one listing.
const (
	defaultLimit = 100
	maxLimit     = 1000
	// maxScanned is how many observations are looked at, about half a second's
	// work, and those of a minute more. What is rarer than that is found by going
	// on, or by asking for a narrower window.
	maxScanned = 200_000
)

// Observations lists observations from the journal, the newest first, as the
// verdicts see them: by the coordinator's clock, and unknown where the clock of
// the probe could not be believed. next is where to go on, and zero when there is
// nothing after the list. A list that is shorter than the limit, or empty, has a
// next when it stopped because too many were looked at.
//
// Going on until next is zero gives every observation that was in the journal at
// the start exactly once.
func (s *Store) Observations(ctx context.Context, q ObservationQuery) (list []checks.Observation, next Position, err error) {
	if q.Limit < 0 {
		return nil, next, &QueryError{fmt.Sprintf("limit %d, expected 1 to %d", q.Limit, maxLimit)}
	}
	q = q.withDefaults(time.Now())
	minutes, err := s.minutesWithPassages(ctx, q.From, q.To)
	if err != nil {
		return nil, next, err
	}
	list = []checks.Observation{}
	scanned := 0
	for i, m := range minutes {
		found, n, err := s.observationsOf(ctx, m, q)
		if err != nil {
			return nil, next, err
		}
		list = append(list, found...)
		more := i < len(minutes)-1
		if len(list) > q.Limit || len(list) == q.Limit && more {
			return list[:q.Limit], positionOf(list[q.Limit-1]), nil
		}
		if scanned += n; scanned > maxScanned && more {
			return list, Position{End: m.start.Add(-1)}, nil // before everything that ended earlier
		}
	}
	return list, next, nil
}

func (q ObservationQuery) withDefaults(now time.Time) ObservationQuery {
	q.Limit = min(cmp.Or(q.Limit, defaultLimit), maxLimit)
	if q.To.IsZero() {
		q.To = now.Add(time.Minute)
	}
	if q.From.IsZero() {
		q.From = time.Unix(0, 0)
	}
	if q.After.End.IsZero() {
		q.After.End = q.To
	}
	q.To = earlier(q.To, q.After.End.Add(1))
	return q
}

// indexed is one minute with the parts of the journal that hold its observations.
type indexed struct {
	start    time.Time
	passages []passage
}

// minutesWithPassages are the minutes of [from, to), the newest first.
func (s *Store) minutesWithPassages(ctx context.Context, from, to time.Time) ([]indexed, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT minute, first, last FROM passage WHERE minute >= ? AND minute < ?
		ORDER BY minute DESC, first`, from.Truncate(time.Minute).Unix(), ceil(to, time.Second).Unix())
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

// observationsOf lists those of one minute, the newest first, and says how many it
// looked at. It looks at all of them, however many there are: a list that was cut
// within a minute could not be gone on with.
func (s *Store) observationsOf(ctx context.Context, m indexed, q ObservationQuery) (found []checks.Observation, scanned int, err error) {
	q.From, q.To = later(m.start, q.From), earlier(m.start.Add(time.Minute), q.To)
	for _, p := range joined(m.passages) {
		err := s.options.Source.Read(ctx, p.first, p.last, func(e Entry) error {
			for i := range e.Batches {
				found = q.choose(found, &e.Batches[i])
				scanned += len(e.Batches[i].Records)
			}
			return nil
		})
		if err != nil {
			return nil, scanned, fmt.Errorf("read journal %d to %d: %w", p.first, p.last, err)
		}
	}
	slices.SortFunc(found, newestFirst)
	return slices.CompactFunc(found, func(a, b checks.Observation) bool { return newestFirst(a, b) == 0 }), scanned, nil
}

// choose appends the observations of a batch that are asked for.
func (q ObservationQuery) choose(out []checks.Observation, b *wire.Batch) []checks.Observation {
	if q.Probe != "" && q.Probe != b.Probe || q.Region != "" && q.Region != b.Region || q.Epoch != "" && q.Epoch != b.Epoch {
		return out
	}
	for i := range b.Records {
		r := &b.Records[i]
		if !r.IsObservation() || !q.asks(r.Observation.Check) {
			continue
		}
		if o, ok := Correct(b, r.Observation); ok && q.wants(o) {
			out = append(out, o)
		}
	}
	return out
}

// asks says whether the observations of a check are asked for.
func (q ObservationQuery) asks(check string) bool {
	return (q.Check == "" || q.Check == check) && (len(q.Checks) == 0 || slices.Contains(q.Checks, check))
}

// wants says whether an observation of a batch that is asked for is too.
func (q ObservationQuery) wants(o checks.Observation) bool {
	switch {
	case o.End().Before(q.From), !o.End().Before(q.To), q.After.compare(positionOf(o)) >= 0:
		return false
	case q.Seq != 0 && q.Seq != o.Seq, q.Family != checks.NoFamily && q.Family != o.Family:
		return false
	}
	return len(q.Outcomes) == 0 || slices.Contains(q.Outcomes, o.Outcome)
}
