package history

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/history/cell"
	"varde/coordinator/internal/verdict"
)

// target is a track that a query is about. A check that was never observed in a
// region is one too, without number: nobody looked.
type target struct {
	track
	id     int64
	exists bool
	// probes is how many probes should look there.
	probes int
	// open are the hours of its tracks that were open when the query began.
	open []hourKey
}

// targets returns the series of a query in order. They are those that the
// configuration asks for; only a check that is asked for by name may have left it.
func (s *Store) targets(q Query) ([]target, error) {
	if q.Check == "" && q.Service == "" {
		return nil, &QueryError{"neither check nor service given"}
	}
	config := s.options.Config()
	type place struct{ check, region string }
	seen := make(map[place]bool)
	var out []target
	for _, series := range s.series.all() {
		t := track{series, q.Probe}
		if id, ok := s.series.of(t); ok && q.wants(config, series) {
			out = append(out, target{track: t, id: id, exists: true, probes: t.expected(config)})
			seen[place{series.Check, series.Region}] = true
		}
	}
	for _, check := range config.Checks {
		for _, r := range config.Regions {
			t := track{verdict.Series{Check: check.ID, Region: r.ID}, q.Probe}
			if q.wants(config, t.Series) && !seen[place{check.ID, r.ID}] && config.looksFrom(q.Probe, r.ID) {
				out = append(out, target{track: t, probes: t.expected(config)})
			}
		}
	}
	return out, s.findOpen(out)
}

// wants says whether the query is about a series; one without family stands for a
// check that was never observed.
func (q Query) wants(c *Config, s verdict.Series) bool {
	check, configured := c.check(s.Check)
	switch {
	case q.Check != "" && s.Check != q.Check, q.Check == "" && (!configured || check.Service != q.Service):
		return false
	case !q.allRegions() && s.Region != q.Region, q.allRegions() && !c.has(s.Region):
		return false
	case q.Family != checks.NoFamily && s.Family != checks.NoFamily && s.Family != q.Family:
		return false
	}
	return !configured || check.in(s.Region) && (s.Family == checks.NoFamily || check.over(s.Family))
}

// read calls fn with the totals of a target, piece by piece: every minute, hour or
// day of the window once, also those of which nothing is known.
func (s *Store) read(ctx context.Context, t target, w window, want parts, fn func(at time.Time, total cell.Total)) error {
	absent := s.absent(t, w, fn)
	for _, p := range w.pieces() {
		var err error
		switch {
		case !t.exists:
			for at := p.from; at.Before(p.to); at = at.Add(p.unit) {
				absent(at, p.unit)
			}
		case p.unit == time.Minute:
			err = s.readMinutes(ctx, t, w, p, fn)
		default:
			err = s.readRows(ctx, t, w, p, want, fn)
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", t.Series, err)
		}
	}
	return ctx.Err()
}

// absent says of a unit that nothing is known of it.
func (s *Store) absent(t target, w window, fn func(time.Time, cell.Total)) func(time.Time, time.Duration) {
	return func(at time.Time, unit time.Duration) {
		fn(at, nothingKnown(t.probes, unit, passed(at, unit, w.now)))
	}
}

// nothingKnown is the total of a stretch of time in which that many probes should
// have looked, as far as it has passed, and none did.
func nothingKnown(probes int, length, passed time.Duration) (t cell.Total) {
	t.Coverage.Minutes = int(length / time.Minute)
	t.Unknown = time.Duration(probes) * passed
	return t
}

// passed is how much of the unit has passed.
func passed(at time.Time, unit time.Duration, now time.Time) time.Duration {
	return max(min(now.Sub(at), unit), 0)
}

// readMinutes reads minutes, an hour at a time.
func (s *Store) readMinutes(ctx context.Context, t target, w window, p piece, fn func(time.Time, cell.Total)) error {
	minProbes := t.quorum(s.options.Config())
	for start := p.from.Truncate(time.Hour); start.Before(p.to); start = start.Add(time.Hour) {
		if err := ctx.Err(); err != nil {
			return err
		}
		h, err := s.hour(t, start, true)
		if err != nil {
			return err
		}
		if h == nil {
			h = &cell.Hour{Probes: t.probes}
		} else if t.probe != "" {
			h.Probes = 1
		}
		for i, m := range h.Minutes {
			at := start.Add(time.Duration(i) * time.Minute)
			if at.Before(p.from) || !at.Before(p.to) {
				continue
			}
			var total cell.Total
			total.AddMinute(m, h.Probes, minProbes, passed(at, time.Minute, w.now))
			if i%15 == 0 {
				total.Phases.Merge(h.Quarters[i/15])
			}
			fn(at, total)
		}
	}
	return nil
}

// hour returns one hour minute by minute, open or sealed, of all tracks of the series if
// the target is; nil if nothing is known of it. Open comes first: an hour that is sealed
// between the two reads is found in its block. There is none to be asked for where
// nothing was sealed when the open hours were found, and all of these still are.
func (s *Store) hour(t target, start time.Time, sealed bool) (*cell.Hour, error) {
	open, all, err := s.openOf(t, start)
	if err != nil {
		return nil, err
	}
	if h := open[t.probe]; h != nil && t.probe != "" {
		return h, nil
	}
	if all && !sealed {
		return open.Together(), nil
	}
	hours, err := s.months.get(t.Series, start)
	if err != nil || t.probe != "" {
		return hours[t.probe], err
	}
	maps.Copy(hours, open)
	return hours.Together(), nil
}

// openOf are the tracks of a target of which an hour is open, by probe, and whether that
// is all of those of which it was.
func (s *Store) openOf(t target, start time.Time) (open cell.Hours, all bool, err error) {
	open, all = make(cell.Hours), true
	for _, key := range t.open {
		if key.hour != start.Unix() {
			continue
		}
		h, err := s.openHour(key)
		if err != nil {
			return nil, false, err
		}
		if all = all && h != nil; h != nil {
			one, _ := s.series.name(key.series)
			open[one.probe] = h
		}
	}
	return open, all, nil
}

// findOpen finds the open hours of targets.
func (s *Store) findOpen(targets []target) error {
	of := make(map[int64]*target)
	for i := range targets {
		for _, one := range targets[i].parts(s) {
			if id, ok := s.series.of(one); ok {
				of[id] = &targets[i]
			}
		}
	}
	ids, err := json.Marshal(slices.Collect(maps.Keys(of)))
	if err != nil {
		return err
	}
	rows, err := s.query(context.Background(), selectOpen, string(ids))
	if err != nil {
		return err
	}
	return eachKey(rows, func(k hourKey) { of[k.series].open = append(of[k.series].open, k) })
}

// parts are the tracks that the target is made of.
func (t target) parts(s *Store) []track {
	if t.probe != "" {
		return []track{t.track}
	}
	return s.series.tracks(t.Series)
}

// readRows reads hours or days. Hours that are open are added up from their
// minutes; a day without a row, which is not over or was not added up yet, from
// its hours.
func (s *Store) readRows(ctx context.Context, t target, w window, p piece, want parts, fn func(time.Time, cell.Total)) error {
	known, err := s.rows(ctx, t, p, want)
	if err != nil {
		return err
	}
	for i := 0; i < len(known); i++ {
		at := p.from.Add(time.Duration(i) * p.unit)
		if known[i] != nil {
			fn(at, *known[i])
			continue
		}
		for i+1 < len(known) && known[i+1] == nil {
			i++
		}
		if err := s.readGap(ctx, t, w, piece{p.unit, at, p.from.Add(time.Duration(i+1) * p.unit)}, want, fn); err != nil {
			return err
		}
	}
	return nil
}

// readGap reads a stretch of which there are no totals.
func (s *Store) readGap(ctx context.Context, t target, w window, p piece, want parts, fn func(at time.Time, total cell.Total)) error {
	absent := s.absent(t, w, fn)
	if p.unit != day {
		for at := p.from; at.Before(p.to); at = at.Add(p.unit) {
			absent(at, p.unit)
		}
		return nil
	}
	hours, err := s.rows(ctx, t, piece{time.Hour, p.from, p.to}, want)
	if err != nil {
		return err
	}
	for at := p.from; at.Before(p.to); at = at.Add(day) {
		if first := int(at.Sub(p.from) / time.Hour); !eachHour(hours[first:first+24], at, fn, absent) {
			absent(at, day)
		}
	}
	return nil
}

// eachHour calls fn with the hours of a day, absent for those of which nothing is
// known; false if that is so of all of them, and then nothing is called.
func eachHour(hours []*cell.Total, start time.Time, fn func(time.Time, cell.Total), absent func(time.Time, time.Duration)) bool {
	if !slices.ContainsFunc(hours, func(t *cell.Total) bool { return t != nil }) {
		return false
	}
	for i, total := range hours {
		if at := start.Add(time.Duration(i) * time.Hour); total != nil {
			fn(at, *total)
		} else {
			absent(at, time.Hour)
		}
	}
	return true
}

// rows reads what is known of the hours or days of a piece, nil where nothing is.
func (s *Store) rows(ctx context.Context, t target, p piece, want parts) ([]*cell.Total, error) {
	known := make([]*cell.Total, p.to.Sub(p.from)/p.unit)
	if err := s.past(ctx, t, p, want, known); err != nil {
		return nil, err
	}
	rows, err := s.query(ctx, selectTotals(levelOf(p.unit).table), t.id, p.from.Unix(), p.to.Unix())
	if err != nil {
		return nil, err
	}
	if err := eachTotal(rows, want, func(at time.Time, total cell.Total) { known[at.Sub(p.from)/p.unit] = &total }); err != nil {
		return nil, err
	}
	if p.unit == time.Hour {
		return known, s.openTotals(t, p, known)
	}
	return known, nil
}

// openTotals puts the hours of the piece that are open over those that are not.
func (s *Store) openTotals(t target, p piece, known []*cell.Total) error {
	var done time.Time
	for _, key := range t.open {
		start := time.Unix(key.hour, 0).UTC()
		if start.Before(p.from) || !start.Before(p.to) || start.Equal(done) {
			continue
		}
		done = start
		i := start.Sub(p.from) / p.unit
		h, err := s.hour(t, start, known[i] != nil)
		if err != nil {
			return err
		}
		if h != nil {
			total := t.total(h, s.options.Config())
			known[i] = &total
		}
	}
	return nil
}
