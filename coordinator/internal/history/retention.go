package history

import "time"

// retain deletes what is kept no longer.
func (s *Store) retain(now time.Time) error {
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
		w.exec(`DELETE FROM hour WHERE at < ?`, now.Add(-keep.Hours).Unix())
		w.exec(`DELETE FROM day WHERE at < ?`, now.Add(-keep.Days).Unix())
		// The last change of a series stands, however old: it says what holds.
		w.exec(`DELETE FROM verdict WHERE at < ? AND id NOT IN
			(SELECT id FROM (SELECT id, max(at) FROM verdict GROUP BY kind, series))`,
			now.Add(-keep.Days).UnixNano())
		w.exec(`DELETE FROM mark WHERE received < ?`, now.Add(-maxAge).Unix())
		// What the journal holds no longer cannot be read or judged again.
		w.exec(`DELETE FROM passage WHERE last < ?`, first)
		w.exec(`DELETE FROM boundary WHERE hour < (SELECT coalesce(min(minute), 0) - 3600 FROM passage)
			AND hour < (SELECT until FROM final)`)
	})
}
