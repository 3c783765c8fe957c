package history

import (
	"context"
	"time"
)

// retainStep bounds how much time the retention passes in one turn, of which there
// is one an hour. A clock that is wrong by years can then delete a day too much in
// that hour, and not all there is.
const retainStep = day

// retain deletes what is kept no longer.
func (s *Store) retain(now time.Time) error {
	var clock int64
	if err := s.reads.QueryRow(`SELECT clock FROM retention`).Scan(&clock); err != nil {
		return err
	}
	if clock > 0 {
		now = earlier(now, time.Unix(clock, 0).Add(retainStep))
	}
	keep := s.options.Retention
	dropped, err := s.months.drop(now.Add(-keep.Minutes))
	for _, name := range dropped {
		s.log.Info("minutes deleted, kept long enough", "file", name)
	}
	if err != nil {
		return err
	}
	first, _ := s.options.Source.Bounds()
	return s.write(func(w *writer) {
		w.exec(`UPDATE retention SET clock = ?`, now.Unix())
		w.exec(`DELETE FROM hour WHERE at < ?`, now.Add(-keep.Hours).Unix())
		for _, table := range []string{"past", "probe_past"} {
			w.exec(`DELETE FROM `+table+` WHERE unit = 'hour' AND at < ?`, now.Add(-keep.Hours-day).Unix())
			w.exec(`DELETE FROM `+table+` WHERE unit = 'day' AND at < ?`, now.Add(-keep.Days-31*day).Unix())
		}
		w.exec(`DELETE FROM day WHERE at < ?`, now.Add(-keep.Days).Unix())
		// The last change of a series stands, however old: it says what holds.
		w.exec(`DELETE FROM verdict WHERE at < ? AND id NOT IN
			(SELECT id FROM (SELECT id, max(at) FROM verdict GROUP BY kind, series))`,
			now.Add(-keep.Days).UnixNano())
		for _, table := range []string{"mail WHERE sent", "annotation WHERE at", "finding WHERE at"} {
			w.exec(`DELETE FROM `+table+` < ?`, now.Add(-keep.Days).UnixNano())
		}
		for _, unit := range pulseUnits() {
			w.exec(`DELETE FROM pulse WHERE unit = ? AND at < ?`, int64(unit/time.Second), now.Add(-s.keepsPulses(unit)).Unix())
		}
		w.exec(`DELETE FROM sighting WHERE at < ?`, now.Add(-maxAge).UnixNano())
		w.exec(`DELETE FROM chain WHERE hash NOT IN (SELECT chain FROM sighting)`)
		w.exec(`DELETE FROM mark WHERE received < ?`, now.Add(-maxAge).Unix())
		w.forget(`last < ?`, first)
	})
}

// forget deletes the passages for which the condition holds: the journal has them
// no longer, so what they were in can be neither read nor judged again.
func (w *writer) forget(condition string, args ...any) {
	w.exec(`UPDATE retention SET forgotten = max(forgotten,
		(SELECT coalesce(max(minute) + 60, 0) FROM passage WHERE `+condition+`))`, args...)
	w.exec(`DELETE FROM passage WHERE `+condition, args...)
	w.exec(`DELETE FROM boundary WHERE hour < (SELECT forgotten FROM retention) AND hour < (SELECT until FROM final)`)
}

// forgotten says whether the journal no longer holds all that was observed in the
// hour, of which it has these parts still.
func (s *Store) forgotten(ctx context.Context, hour time.Time, parts []passage) (bool, error) {
	if first, _ := s.options.Source.Bounds(); len(parts) > 0 && parts[0].first < first {
		return true, nil
	}
	var until int64
	err := s.reads.QueryRowContext(ctx, `SELECT forgotten FROM retention`).Scan(&until)
	return hour.Unix() < until, err
}
