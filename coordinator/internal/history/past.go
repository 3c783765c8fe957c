package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"varde/coordinator/internal/history/cell"
	"varde/coordinator/internal/verdict"
)

// level is one of the lengths for which totals are kept: hours and days. What is not
// over long is a row each of its own table; when the day, or the month, that they are
// in is closed, they become one block a series there.
type level struct {
	table string
	unit  time.Duration
	// period is the start of the day or month that a time lies in, next that of the
	// one after it.
	period func(time.Time) time.Time
	next   func(time.Time) time.Time
}

func hourLevel() level {
	return level{"hour", time.Hour, func(t time.Time) time.Time { return t.Truncate(day) }, func(t time.Time) time.Time { return t.Truncate(day).Add(day) }}
}

func dayLevel() level {
	return level{"day", day, monthOf, func(t time.Time) time.Time { return monthOf(t).AddDate(0, 1, 0) }}
}

// length is how many units the period has that begins then.
func (l level) length(start time.Time) int { return int(l.next(start).Sub(start) / l.unit) }

func levelOf(unit time.Duration) level {
	if unit == day {
		return dayLevel()
	}
	return hourLevel()
}

func monthOf(t time.Time) time.Time {
	t = t.UTC()
	return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC)
}

// pack puts the rows of a period into its block, over what it held, and returns all
// that it holds now.
func (w *writer) pack(l level, series int64, start time.Time) cell.Totals {
	var totals cell.Totals
	p, err := w.packed("past", l, series, start)
	if err == nil && p.Sums == nil {
		totals = make(cell.Totals, l.length(start))
	} else if err == nil {
		totals, err = cell.DecodeTotals(l.length(start), p)
	}
	if w.failed(l, start, err) {
		return nil
	}
	if w.move(l, series, start, totals) > 0 {
		w.keep("past", l, series, start, totals.Encode())
	}
	return totals
}

// packProbes does the same with what each probe saw of a series.
func (w *writer) packProbes(l level, s verdict.Series, start time.Time) cell.ProbeTotals {
	id, _ := w.s.series.find(s)
	all, fresh := cell.ProbeTotals{}, 0
	p, err := w.packed("probe_past", l, id, start)
	if err == nil && p.Sums != nil {
		all, err = cell.DecodeProbeTotals(l.length(start), p)
	}
	if w.failed(l, start, err) {
		return nil
	}
	for _, t := range w.s.series.tracks(s) {
		if t.probe == "" {
			continue
		}
		totals := all[t.probe]
		if totals == nil {
			totals = make(cell.Totals, l.length(start))
		}
		number, _ := w.s.series.of(t)
		if n := w.move(l, number, start, totals); n > 0 {
			all[t.probe], fresh = totals, fresh+n
		}
	}
	if fresh > 0 {
		w.keep("probe_past", l, id, start, all.Encode())
	}
	return all
}

// failed says whether the transaction has failed, by an error about a period too.
func (w *writer) failed(l level, start time.Time, err error) bool {
	if err != nil {
		w.fail(fmt.Errorf("%ss since %s: %w", l.table, start.Format(time.DateOnly), err))
	}
	return w.err != nil
}

// move takes the rows of a period into totals and says how many there were.
func (w *writer) move(l level, series int64, start time.Time, totals cell.Totals) (n int) {
	if w.err != nil {
		return 0
	}
	rows, err := w.tx.Query(selectTotals(l.table), series, start.Unix(), l.next(start).Unix())
	if err == nil {
		err = eachTotal(rows, everything, func(at time.Time, t cell.Total) { totals[at.Sub(start)/l.unit] = &t; n++ })
	}
	if err != nil {
		w.fail(err)
		return 0
	}
	if n > 0 {
		w.exec(`DELETE FROM `+l.table+` WHERE series = ? AND at >= ? AND at < ?`, series, start.Unix(), l.next(start).Unix())
	}
	return n
}

// packed reads a block of one of the tables, and gives an empty one if there is none.
func (w *writer) packed(table string, l level, series int64, start time.Time) (p cell.Packed, err error) {
	if w.err != nil {
		return p, nil
	}
	err = w.tx.QueryRow(`SELECT sums, latencies, phases FROM `+table+` WHERE series = ? AND unit = ? AND at = ?`, series, l.table, start.Unix()).
		Scan(&p.Sums, &p.Latencies, &p.Phases)
	if errors.Is(err, sql.ErrNoRows) {
		return cell.Packed{}, nil
	}
	return p, err
}

// keep writes a block into one of the tables.
func (w *writer) keep(table string, l level, series int64, start time.Time, p cell.Packed) {
	w.exec(`INSERT OR REPLACE INTO `+table+` (series, unit, at, sums, latencies, phases) VALUES (?, ?, ?, ?, ?, ?)`,
		series, l.table, start.Unix(), p.Sums, p.Latencies, p.Phases)
}

// day adds up the hours of a day that is over, of a series and of each of its tracks. Of
// those that are not there nothing is known.
func (w *writer) day(s verdict.Series, start time.Time) {
	id, _ := w.s.series.find(s)
	w.sum(track{s, ""}, id, start, w.pack(hourLevel(), id, start))
	for probe, hours := range w.packProbes(hourLevel(), s, start) {
		t := track{s, probe}
		number, _ := w.s.series.of(t)
		w.sum(t, number, start, hours)
	}
}

// sum writes the day that hours add up to.
func (w *writer) sum(t track, number int64, start time.Time, hours cell.Totals) {
	if w.err != nil {
		return
	}
	var sum cell.Total
	silent := time.Duration(0)
	for _, t := range hours {
		if t == nil {
			silent += time.Hour
			continue
		}
		sum.Merge(*t)
	}
	sum.Merge(nothingKnown(t.expected(w.s.options.Config()), silent, silent))
	w.total("day", number, start, sum)
}

// months packs the days of the months that are over at the given time.
func (w *writer) months(now time.Time) {
	if w.err != nil {
		return
	}
	rows, err := w.tx.Query(`SELECT DISTINCT series, at FROM day WHERE at < ?`, monthOf(now).Unix())
	if err != nil {
		w.fail(err)
		return
	}
	over, err := w.s.periods(rows, monthOf)
	if err != nil {
		w.fail(err)
	}
	for m := range over {
		id, _ := w.s.series.find(m.series)
		w.pack(dayLevel(), id, m.start)
		w.packProbes(dayLevel(), m.series, m.start)
	}
}

// unpack takes the totals since a time away. Of a block with older ones these become
// rows again; one that cannot be read is lost.
func (w *writer) unpack(l level, since time.Time) {
	start := l.period(since)
	for _, table := range []string{"past", "probe_past"} {
		ids, err := w.s.ids(`SELECT series FROM `+table+` WHERE unit = ? AND at = ?`, l.table, start.Unix())
		if err != nil {
			w.fail(err)
			return
		}
		for _, id := range ids {
			if err := w.unpackBlock(table, l, id, start, since); err != nil {
				w.s.log.Error("totals cannot be read and are left out", "unit", l.table, "since", start.Format(time.DateOnly), "error", err)
			}
		}
		w.exec(`DELETE FROM `+table+` WHERE unit = ? AND at >= ?`, l.table, start.Unix())
	}
	w.exec(`DELETE FROM `+l.table+` WHERE at >= ?`, since.Unix())
}

// unpackBlock makes rows of the totals of a block that are older than a time.
func (w *writer) unpackBlock(table string, l level, series int64, start, since time.Time) error {
	p, err := w.packed(table, l, series, start)
	if err != nil || w.err != nil {
		return err
	}
	all := cell.ProbeTotals{}
	if table == "past" {
		all[""], err = cell.DecodeTotals(l.length(start), p)
	} else {
		all, err = cell.DecodeProbeTotals(l.length(start), p)
	}
	if err != nil {
		return err
	}
	of, _ := w.s.series.name(series)
	for probe, totals := range all {
		number, ok := w.s.series.of(track{of.Series, probe})
		for i, t := range totals {
			if at := start.Add(time.Duration(i) * l.unit); ok && t != nil && at.Before(since) {
				w.total(l.table, number, at, *t)
			}
		}
	}
	return nil
}

// past fills in the totals of a piece that are in blocks.
func (s *Store) past(ctx context.Context, t target, p piece, want parts, known []*cell.Total) error {
	l, table := levelOf(p.unit), "past"
	id, _ := s.series.find(t.Series)
	if t.probe != "" {
		table = "probe_past"
	}
	rows, err := s.query(ctx, selectPast(table, want), id, l.table, l.period(p.from).Unix(), p.to.Unix())
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	for rows.Next() {
		var at int64
		var blobs cell.Packed
		if err := rows.Scan(&at, (*sql.RawBytes)(&blobs.Sums), (*sql.RawBytes)(&blobs.Latencies), (*sql.RawBytes)(&blobs.Phases)); err != nil {
			return err
		}
		start := time.Unix(at, 0).UTC()
		totals, err := t.decode(l.length(start), blobs)
		if err != nil {
			return fmt.Errorf("%ss since %s: %w", l.table, start.Format(time.DateOnly), err)
		}
		for i, t := range totals {
			if at := start.Add(time.Duration(i) * l.unit); t != nil && !at.Before(p.from) && at.Before(p.to) {
				known[at.Sub(p.from)/p.unit] = t
			}
		}
	}
	return rows.Err()
}

// decode reads what a block of n totals has of the track.
func (t track) decode(n int, p cell.Packed) (cell.Totals, error) {
	if t.probe == "" {
		return cell.DecodeTotals(n, p)
	}
	all, err := cell.DecodeProbeTotals(n, p)
	return all[t.probe], err
}
