package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"varde/proto/wire"
)

// Rebuilding is how far the rollups of what the journal still holds are made again.
type Rebuilding struct {
	// Since is the first hour that is made again: of this and all later ones the
	// journal has every observation.
	Since time.Time `json:"since"`
	// Done are the entries of the journal that were read, of All.
	Done uint64 `json:"done"`
	All  uint64 `json:"all"`
}

// errAgain says that a reader is to begin anew from what is on disk, and that nothing
// went wrong.
var errAgain = errors.New("reader begins anew")

// rebuilder is the name under which the reader of the rollups keeps its place while it
// makes them again. Its own place stays where it was, and it goes on from there.
const rebuilder = "rebuild"

// rebuild is a rebuilding under way.
type rebuild struct {
	since time.Time
	// first and until are the first entry and the last one.
	first, until uint64
}

// Rebuild has the rollups of every whole hour that the journal holds made again, which
// the reader then does before it goes on; what is older is not touched. It returns when
// that has begun, and nothing more is needed: a crash does not end it. While one is
// under way it only says how far that is.
//
// What was told, the ledger of mails and the changes of servers are records of their
// own and stay. Final verdicts of those hours are judged again.
func (r *Rollup) Rebuild(ctx context.Context) (Rebuilding, error) {
	answer := make(chan error, 1)
	select {
	case r.rebuilds <- answer:
	case <-ctx.Done():
		return Rebuilding{}, context.Cause(ctx)
	}
	if err := <-answer; err != nil {
		return Rebuilding{}, fmt.Errorf("rebuild history: %w", err)
	}
	out, _, err := r.s.Rebuilding(ctx)
	return out, err
}

// Rebuilding says how far a rebuilding is; ok is false if none is under way.
func (s *Store) Rebuilding(ctx context.Context) (out Rebuilding, ok bool, err error) {
	b, err := s.loadRebuild(ctx)
	if err != nil || b == nil {
		return out, false, err
	}
	out = Rebuilding{Since: b.since, All: b.until + 1 - b.first}
	var place uint64
	err = s.reads.QueryRowContext(ctx, `SELECT seq FROM place WHERE reader = ?`, rebuilder).Scan(&place)
	if errors.Is(err, sql.ErrNoRows) {
		return out, true, nil
	}
	out.Done = min(max(place, b.first-1)+1-b.first, out.All)
	return out, true, err
}

// loadRebuild returns the rebuilding under way, nil if there is none.
func (s *Store) loadRebuild(ctx context.Context) (*rebuild, error) {
	var b rebuild
	var since int64
	err := s.reads.QueryRowContext(ctx, `SELECT since, first, until FROM rebuild`).Scan(&since, &b.first, &b.until)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	b.since = time.Unix(since, 0).UTC()
	return &b, err
}

// asked answers whoever wants a rebuilding. It is called between two entries.
func (r *Rollup) asked(ctx context.Context) error {
	select {
	case answer := <-r.rebuilds:
		err := r.begin(ctx)
		answer <- err
		if err == nil {
			return errAgain
		}
	default:
	}
	return nil
}

// begin takes away what will be made again, in one transaction; the blocks follow when
// the reader begins anew.
func (r *Rollup) begin(ctx context.Context) error {
	if r.rebuild != nil {
		return nil
	}
	if err := r.flush(); err != nil {
		return err
	}
	b, err := r.s.rebuildable(ctx, r.marks.seq)
	if err != nil {
		return err
	}
	since := b.since.Unix()
	return r.s.write(func(w *writer) {
		w.exec(`INSERT INTO rebuild (one, since, first, until) VALUES (1, ?, ?, ?)`, since, b.first, b.until)
		w.exec(`DELETE FROM open_minute WHERE minute >= ?`, since)
		w.exec(`DELETE FROM open_quarter WHERE quarter >= ?`, since)
		w.exec(`DELETE FROM open_hour WHERE hour >= ?`, since)
		w.unpack(hourLevel(), b.since)
		w.unpack(dayLevel(), b.since.Truncate(day))
		w.exec(`UPDATE days_closed SET until = min(until, ?)`, b.since.Truncate(day).Unix())
		w.exec(`WITH RECURSIVE hours (hour, until) AS (SELECT max(?, first), until FROM final UNION ALL
			SELECT hour + 3600, until FROM hours WHERE hour + 3600 < until)
			INSERT OR IGNORE INTO touched (hour) SELECT hour FROM hours WHERE hour < until`, since)
	})
}

// rebuildable is what can be made again by a reader that has come so far.
func (s *Store) rebuildable(ctx context.Context, until uint64) (b rebuild, err error) {
	b.first, _ = s.options.Source.Bounds()
	b.until = until
	found := errors.New("found")
	var began time.Time
	err = s.options.Source.Read(ctx, b.first, b.until, func(e Entry) error {
		for i := range e.Batches {
			began = later(began, e.Batches[i].Received)
		}
		return found
	})
	if err != nil && !errors.Is(err, found) {
		return b, err
	}
	if began.IsZero() {
		return b, errors.New("the journal holds nothing")
	}
	// What was observed since then came since then, and no run before it speaks for a
	// later minute than its interval.
	b.since = ceil(began.Add(wire.MaxClockOffset+s.options.Config().longest()).UTC(), time.Hour)
	if b.since.After(s.rolled.Load().Received) {
		return b, fmt.Errorf("the journal begins at %s: no whole hour is in it", began.UTC().Format(time.RFC3339))
	}
	return b, nil
}

// longest is the longest interval of a check.
func (c *Config) longest() (d time.Duration) {
	for _, k := range c.Checks {
		d = max(d, k.Every)
	}
	return d
}

// resume gets a rebuilding ready that is under way, and returns the place to go on from.
func (r *Rollup) resume(b *rebuild) (uint64, error) {
	m, err := loadMarks(r.s.db, rebuilder)
	if err != nil {
		return 0, err
	}
	if m.seq == 0 { // nothing is sealed again yet
		if err := r.s.months.blank(r.s.log, b.since); err != nil {
			return 0, err
		}
	}
	r.rebuild, r.marks, r.hours.since = b, m, b.since
	return max(m.seq, b.first-1), nil
}

// complete ends a rebuilding that has read all that it was to read.
func (r *Rollup) complete() error {
	if err := r.flush(); err != nil {
		return err
	}
	err := r.s.write(func(w *writer) {
		w.exec(`DELETE FROM rebuild`)
		w.exec(`DELETE FROM place WHERE reader = ?`, rebuilder)
		w.exec(`DELETE FROM mark WHERE reader = ?`, rebuilder)
	})
	if err != nil {
		return fmt.Errorf("end rebuilding: %w", err)
	}
	r.s.log.Info("history was made again", "since", r.rebuild.since)
	return errAgain
}
