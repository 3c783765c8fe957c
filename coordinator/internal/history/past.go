package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"varde/coordinator/internal/history/cell"
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
	if w.err != nil {
		return nil
	}
	totals, err := w.packed(l, series, start)
	if err != nil {
		w.fail(fmt.Errorf("%ss since %s: %w", l.table, start.Format(time.DateOnly), err))
		return nil
	}
	rows, err := w.tx.Query(selectTotals(l.table), series, start.Unix(), l.next(start).Unix())
	if err != nil {
		w.fail(err)
		return nil
	}
	if err := eachTotal(rows, everything, func(at time.Time, t cell.Total) { totals[at.Sub(start)/l.unit] = &t }); err != nil {
		w.fail(err)
		return nil
	}
	p := totals.Encode()
	w.exec(savePast, series, l.table, start.Unix(), p.Sums, p.Latencies, p.Phases)
	w.exec(`DELETE FROM `+l.table+` WHERE series = ? AND at >= ? AND at < ?`, series, start.Unix(), l.next(start).Unix())
	return totals
}

// packed reads a block, and gives one that knows nothing if there is none.
func (w *writer) packed(l level, series int64, start time.Time) (cell.Totals, error) {
	n := int(l.next(start).Sub(start) / l.unit)
	var p cell.Packed
	err := w.tx.QueryRow(`SELECT sums, latencies, phases FROM past WHERE series = ? AND unit = ? AND at = ?`, series, l.table, start.Unix()).
		Scan(&p.Sums, &p.Latencies, &p.Phases)
	if errors.Is(err, sql.ErrNoRows) {
		return make(cell.Totals, n), nil
	}
	if err != nil {
		return nil, err
	}
	return cell.DecodeTotals(n, p)
}

// day adds up the hours of a day that is over. Of those that are not there nothing is
// known.
func (w *writer) day(series int64, start time.Time) {
	hours := w.pack(hourLevel(), series, start)
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
	name, _ := w.s.series.name(series)
	sum.Merge(nothingKnown(w.s.options.Config().probesIn(name.Region), silent, silent))
	w.total("day", series, start, sum)
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
	over := make(map[hourKey]struct{})
	err = eachKey(rows, func(k hourKey) { over[hourKey{k.series, monthOf(time.Unix(k.hour, 0)).Unix()}] = struct{}{} })
	if err != nil {
		w.fail(err)
	}
	for k := range over {
		w.pack(dayLevel(), k.series, time.Unix(k.hour, 0).UTC())
	}
}

// unpack takes the totals since a time away. Of a block with older ones these become
// rows again; one that cannot be read is lost.
func (w *writer) unpack(l level, since time.Time) {
	start := l.period(since)
	ids, err := w.s.ids(`SELECT series FROM past WHERE unit = ? AND at = ?`, l.table, start.Unix())
	if err != nil {
		w.fail(err)
		return
	}
	for _, id := range ids {
		totals, err := w.packed(l, id, start)
		if err != nil {
			w.s.log.Error("totals cannot be read and are left out", "unit", l.table, "since", start.Format(time.DateOnly), "error", err)
			continue
		}
		for i, t := range totals {
			if at := start.Add(time.Duration(i) * l.unit); t != nil && at.Before(since) {
				w.total(l.table, id, at, *t)
			}
		}
	}
	w.exec(`DELETE FROM past WHERE unit = ? AND at >= ?`, l.table, start.Unix())
	w.exec(`DELETE FROM `+l.table+` WHERE at >= ?`, since.Unix())
}

// past fills in the totals of a piece that are in blocks.
func (s *Store) past(ctx context.Context, t target, p piece, want parts, known []*cell.Total) error {
	l := levelOf(p.unit)
	rows, err := s.query(ctx, selectPast(want), t.id, l.table, l.period(p.from).Unix(), p.to.Unix())
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
		totals, err := cell.DecodeTotals(int(l.next(start).Sub(start)/l.unit), blobs)
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
