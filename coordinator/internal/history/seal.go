package history

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/history/cell"
	"varde/coordinator/internal/verdict"
)

// sealAfter is how long after its end an hour stays open for observations that
// are a little late, the same as for the final verdicts.
const sealAfter = 15 * time.Minute

// seal turns the hours that are over into blocks, adds days up and deletes what
// is kept no longer. What waits is written before: a block must not hold what the place
// in the journal does not, or a crash would have it added twice.
func (r *Rollup) seal(now time.Time) error {
	hours, err := r.s.overdue(now)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	if len(hours) > 0 {
		if err := r.flush(); err != nil {
			return err
		}
	}
	for _, hour := range hours {
		if err := r.sealHour(hour); err != nil {
			return fmt.Errorf("seal %s: %w", hour.Format(time.RFC3339), err)
		}
	}
	if err := r.s.closeDays(now); err != nil {
		return fmt.Errorf("close day: %w", err)
	}
	if now.Truncate(time.Hour) != r.sealed.Truncate(time.Hour) {
		if err := r.s.retain(now); err != nil {
			return fmt.Errorf("delete old history: %w", err)
		}
	}
	return nil
}

// overdue are the open hours that can be sealed.
func (s *Store) overdue(now time.Time) ([]time.Time, error) {
	rows, err := s.reads.Query(`SELECT DISTINCT hour FROM open_hour WHERE hour <= ? ORDER BY hour`,
		now.Add(-time.Hour-sealAfter).Unix())
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	var out []time.Time
	for rows.Next() {
		var hour int64
		if err := rows.Scan(&hour); err != nil {
			return nil, err
		}
		out = append(out, time.Unix(hour, 0).UTC())
	}
	return out, rows.Err()
}

// sealing is one hour on its way into blocks.
type sealing struct {
	// open are the tracks of which the hour is open.
	open []int64
	// totals are those of the tracks, and of the series that they are of.
	totals map[int64]cell.Total
}

func (r *Rollup) sealHour(hour time.Time) error {
	x, err := r.sealBlocks(hour)
	if err != nil {
		return err
	}
	// The blocks are on disk: a crash here repeats them, byte for byte.
	if err := r.s.sealTotals(hour, x); err != nil {
		return err
	}
	for _, id := range x.open {
		r.hours.forget(hourKey{id, hour.Unix()})
	}
	return nil
}

// sealBlocks writes the blocks of all tracks that are open in the hour.
func (r *Rollup) sealBlocks(hour time.Time) (sealing, error) {
	s, x := r.s, sealing{totals: make(map[int64]cell.Total)}
	ids, err := s.ids(`SELECT series FROM open_hour WHERE hour = ?`, hour.Unix())
	if err != nil {
		return x, err
	}
	blocks := make(map[verdict.Series]cell.Hours)
	for _, id := range ids {
		t, known := s.series.name(id)
		h, err := r.hours.whole(hourKey{id, hour.Unix()})
		if err != nil {
			return x, err
		}
		if h == nil || !known {
			continue
		}
		if blocks[t.Series] == nil { // the other tracks can be sealed
			if blocks[t.Series], err = s.months.get(t.Series, hour); err != nil {
				return x, err
			}
		}
		blocks[t.Series][t.probe] = h
		if x.open = append(x.open, id); t.probe != "" {
			x.totals[id] = t.total(h, s.options.Config())
		}
	}
	for series, hours := range blocks {
		id, _ := s.series.find(series)
		x.totals[id] = track{series, ""}.total(hours.Together(), s.options.Config())
	}
	return x, s.months.put(hour, blocks)
}

// total adds an hour of the track up, in which so many probes should have looked.
func (t track) total(h *cell.Hour, c *Config) cell.Total {
	if t.probe == "" {
		return h.Total(t.quorum(c))
	}
	one := *h
	one.Probes = 1
	return one.Total(t.quorum(c))
}

// quorum is how many probes must have looked.
func (t track) quorum(c *Config) int {
	if t.probe != "" {
		return 1
	}
	return c.quorum(t.Check)
}

// expected is how many probes should look.
func (t track) expected(c *Config) int {
	if t.probe != "" {
		return 1
	}
	return c.probesIn(t.Region)
}

// sealTotals writes the totals and deletes the minutes that the blocks hold now.
func (s *Store) sealTotals(hour time.Time, x sealing) error {
	closed, err := s.daysClosed()
	if err != nil {
		return err
	}
	return s.write(func(w *writer) {
		from, to := hour.Unix(), hour.Add(time.Hour).Unix()
		for _, id := range x.open {
			w.exec(`DELETE FROM open_minute WHERE series = ? AND minute >= ? AND minute < ?`, id, from, to)
			w.exec(`DELETE FROM open_quarter WHERE series = ? AND quarter >= ? AND quarter < ?`, id, from, to)
			w.exec(`DELETE FROM open_hour WHERE hour = ? AND series = ?`, from, id)
		}
		touched := make(map[verdict.Series]struct{})
		for id, total := range x.totals {
			w.total("hour", id, hour, total)
			t, _ := s.series.name(id)
			touched[t.Series] = struct{}{}
		}
		for series := range touched {
			if start := hour.Truncate(day); start.Before(closed) {
				w.day(series, start)
			}
		}
		w.months(closed)
	})
}

// total writes one row of the table hour or day.
func (w *writer) total(table string, series int64, at time.Time, t cell.Total) {
	w.exec(`INSERT OR REPLACE INTO `+table+` (series, at, up_ms, down_ms, unknown_ms, covered, minutes,
		runs_up, runs_down, runs_unknown, latency, phases, failures) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		series, at.Unix(), t.Up.Milliseconds(), t.Down.Milliseconds(), t.Unknown.Milliseconds(),
		t.Coverage.Covered, t.Coverage.Minutes,
		t.Completed, t.Failures.Count(checks.Down), t.Failures.Count(checks.Unknown),
		t.Latency.Encode(), t.Phases.Encode(), t.Failures.Encode())
}

// closeDays adds up the days whose last hour was sealed since the last time.
func (s *Store) closeDays(now time.Time) error {
	closed, err := s.daysClosed()
	if err != nil {
		return err
	}
	until := now.Add(-time.Hour - sealAfter).Truncate(day)
	if !until.After(closed) {
		return nil
	}
	rows, err := s.reads.Query(`SELECT DISTINCT series, at - at % 86400 FROM hour WHERE at >= ? AND at < ?`, closed.Unix(), until.Unix())
	if err != nil {
		return err
	}
	days, err := s.periods(rows, func(t time.Time) time.Time { return t })
	if err != nil {
		return err
	}
	return s.write(func(w *writer) {
		for d := range days {
			w.day(d.series, d.start)
		}
		w.months(until)
		w.exec(`INSERT OR REPLACE INTO days_closed (one, until) VALUES (1, ?)`, until.Unix())
	})
}

// period is a day or a month of a series.
type period struct {
	series verdict.Series
	start  time.Time
}

// periods are those in which the rows of tracks and times lie, and closes rows.
func (s *Store) periods(rows *sql.Rows, of func(time.Time) time.Time) (map[period]struct{}, error) {
	out := make(map[period]struct{})
	err := eachKey(rows, func(k hourKey) {
		if t, ok := s.series.name(k.series); ok {
			out[period{t.Series, of(time.Unix(k.hour, 0).UTC())}] = struct{}{}
		}
	})
	return out, err
}

// eachKey calls fn with every row and closes rows.
func eachKey(rows *sql.Rows, fn func(hourKey)) error {
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	for rows.Next() {
		var k hourKey
		if err := rows.Scan(&k.series, &k.hour); err != nil {
			return err
		}
		fn(k)
	}
	return rows.Err()
}

// daysClosed is the end of the last day that was added up; 1970 when none was.
func (s *Store) daysClosed() (time.Time, error) {
	var until int64
	err := s.reads.QueryRow(`SELECT coalesce(max(until), 0) FROM days_closed`).Scan(&until)
	return time.Unix(until, 0).UTC(), err
}

// ids returns the numbers of a query, in order.
func (s *Store) ids(query string, args ...any) ([]int64, error) {
	rows, err := s.query(context.Background(), query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	var out []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		out = append(out, id)
	}
	slices.Sort(out)
	return out, rows.Err()
}
