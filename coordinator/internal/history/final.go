package history

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"varde/coordinator/internal/verdict"
)

// Final judges hours again, each from the whole set of its observations in order
// of their corrected ends, beginning with where the hour before it ended.
type Final struct {
	s      *Store
	judged func(hour time.Time)
	// hour is the one that waits for its end, and wait the place in the journal
	// that the rollups must have reached before it is judged.
	hour time.Time
	wait uint64
}

const (
	// finalAfter is how long after its end an hour waits for probes that have not
	// reported past it.
	finalAfter = 15 * time.Minute
	// finalEvery is how often Final looks for something to do: a final verdict comes
	// an hour after the fact.
	finalEvery = 15 * time.Second
)

// FinalOptions are the options of Final.
type FinalOptions struct {
	// Store is required.
	Store *Store
	// Judged is called with the start of every hour that was judged, after its verdicts
	// are on disk. It must not block for long and may be nil.
	Judged func(hour time.Time)
}

// NewFinal returns the pass; nothing happens before Run.
func NewFinal(o FinalOptions) (*Final, error) {
	if o.Store == nil {
		return nil, errors.New("final verdicts: Store is required")
	}
	if o.Judged == nil {
		o.Judged = func(time.Time) {}
	}
	return &Final{s: o.Store, judged: o.Judged}, nil
}

// Run judges hours until ctx ends. What goes wrong is logged and tried again.
func (f *Final) Run(ctx context.Context) error {
	tick := time.NewTicker(finalEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if err := f.step(ctx, time.Now()); err == nil {
			f.s.health.work("final")
		} else if ctx.Err() == nil {
			f.s.health.fail("final", err)
			f.s.log.Error("final verdicts failed, will try again", "error", err)
		}
	}
}

// step judges every hour that is ready, and one at a time those that late data
// touched.
func (f *Final) step(ctx context.Context, now time.Time) error {
	for ctx.Err() == nil {
		hour, ok, err := f.next(ctx, now)
		if err != nil || !ok {
			return err
		}
		if done, err := f.judge(ctx, hour); err != nil {
			return fmt.Errorf("judge %s: %w", hour.Format(time.RFC3339), err)
		} else if !done {
			return nil // its observations changed meanwhile: next time
		}
		f.judged(hour)
	}
	return nil
}

// next is the hour to judge: the oldest one that late data touched, or the next
// one if it is over.
func (f *Final) next(ctx context.Context, now time.Time) (hour time.Time, ok bool, err error) {
	var touched sql.NullInt64
	if err := f.s.reads.QueryRowContext(ctx, `SELECT min(hour) FROM touched`).Scan(&touched); err != nil {
		return time.Time{}, false, err
	}
	if touched.Valid {
		return time.Unix(touched.Int64, 0).UTC(), true, nil
	}
	_, until, err := f.s.finalRange(ctx)
	if err != nil {
		return time.Time{}, false, err
	}
	if until.IsZero() { // begin with the oldest observation
		var oldest sql.NullInt64
		if err := f.s.reads.QueryRowContext(ctx, `SELECT min(minute) FROM passage`).Scan(&oldest); err != nil || !oldest.Valid {
			return time.Time{}, false, err
		}
		until = time.Unix(oldest.Int64, 0).UTC().Truncate(time.Hour)
	}
	return until, f.ready(until, now), nil
}

// ready says whether everybody has reported past the hour, or it is time anyway,
// and the rollups have seen everything that had arrived when that was so.
func (f *Final) ready(hour, now time.Time) bool {
	end := hour.Add(time.Hour)
	if now.Before(end) || now.Before(end.Add(finalAfter)) && !f.s.reportedPast(end) {
		return false
	}
	if f.hour != hour {
		f.hour = hour
		f.wait = f.s.options.Source.Last()
	}
	return f.s.rolled.Load().Seq >= min(f.wait, f.s.options.Source.Last())
}

// reportedPast says whether every rostered probe has sent an observation that
// ended at or after the given time.
func (s *Store) reportedPast(at time.Time) bool {
	for _, p := range s.options.Config().Probes {
		if s.newest.of(p.Name).ended.Before(at) {
			return false
		}
	}
	return true
}

// judge writes the verdicts of one hour and the judges as they stand at its end.
// If that end is another than before, the hour after it is judged again too. It
// is not done when observations of the hour were indexed while it worked.
func (f *Final) judge(ctx context.Context, hour time.Time) (done bool, err error) {
	end := hour.Add(time.Hour)
	parts, err := f.s.passagesIn(ctx, hour, end)
	if err != nil {
		return false, err
	}
	if stands, err := f.stands(ctx, hour, parts); err != nil {
		return false, err
	} else if stands {
		f.s.log.Warn("late observations change no verdict, the journal no longer holds their hour", "hour", hour)
		return true, f.s.write(func(w *writer) { w.exec(`DELETE FROM touched WHERE hour = ?`, hour.Unix()) })
	}
	set, err := f.gather(ctx, parts, hour, end)
	if err != nil {
		return false, err
	}
	judges, err := f.s.boundary(ctx, hour)
	if err != nil {
		return false, err
	}
	outcome := f.decide(set, judges, end)
	before, err := f.s.boundary(ctx, end)
	if err != nil {
		return false, err
	}
	for series := range outcome {
		if _, err := f.s.id(series); err != nil {
			return false, err
		}
	}
	err = f.s.write(func(w *writer) {
		if done = w.unchanged(hour, end, parts); done {
			w.finalHour(hour, end, outcome, before)
		}
	})
	return done, err
}

// stands says whether the hour was judged before and cannot be judged again.
func (f *Final) stands(ctx context.Context, hour time.Time, parts []passage) (bool, error) {
	_, until, err := f.s.finalRange(ctx)
	if err != nil || !hour.Before(until) {
		return false, err
	}
	return f.s.forgotten(ctx, hour, parts)
}

// gather reads the results of an hour by series.
func (f *Final) gather(ctx context.Context, parts []passage, hour, end time.Time) (map[verdict.Series][]verdict.Result, error) {
	set := make(map[verdict.Series][]verdict.Result)
	for _, p := range parts {
		err := f.s.options.Source.Read(ctx, p.first, p.last, func(e Entry) error {
			for i := range e.Batches {
				f.s.addResults(set, &e.Batches[i], hour, end)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read journal %d to %d: %w", p.first, p.last, err)
		}
	}
	return set, nil
}

// judged is what became of one series in one hour.
type judged struct {
	judge   verdict.Judge
	changes []verdict.Change
}

// decide judges every series that has results in the hour or came into it with a
// verdict.
func (f *Final) decide(set map[verdict.Series][]verdict.Result, judges map[verdict.Series]verdict.Judge, end time.Time) map[verdict.Series]judged {
	config := f.s.options.Config()
	rules := config.Rules()
	out := make(map[verdict.Series]judged)
	series := slices.Collect(maps.Keys(judges))
	for s := range set {
		if _, ok := judges[s]; !ok {
			series = append(series, s)
		}
	}
	for _, s := range series {
		rule, ok := rules[s.Check]
		if !ok { // it has left the configuration since
			rule = verdict.Rule{Interval: time.Minute, MinProbes: max(config.MinProbes, 1)}
		}
		j, changes := verdict.Final(s, rule, judges[s], set[s], end)
		out[s] = judged{j, changes}
	}
	return out
}

// unchanged says whether the index of the hour is still what was read.
func (w *writer) unchanged(hour, end time.Time, parts []passage) bool {
	if w.err != nil {
		return false
	}
	rows, err := w.tx.Query(`SELECT first, last FROM passage WHERE minute >= ? AND minute < ?`, hour.Unix(), end.Unix())
	if err != nil {
		w.fail(err)
		return false
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	var now []passage
	for rows.Next() {
		var p passage
		if err := rows.Scan(&p.first, &p.last); err != nil {
			w.fail(err)
			return false
		}
		now = append(now, p)
	}
	if err := rows.Err(); err != nil {
		w.fail(err)
	}
	return w.err == nil && slices.Equal(joined(now), parts)
}

// finalHour writes the outcome of one hour.
func (w *writer) finalHour(hour, end time.Time, outcome map[verdict.Series]judged, before map[verdict.Series]verdict.Judge) {
	w.exec(`DELETE FROM verdict WHERE kind = 'final' AND at >= ? AND at < ?`, hour.UnixNano(), end.UnixNano())
	w.exec(`DELETE FROM boundary WHERE hour = ?`, end.Unix())
	same, kept := true, 0
	for series, o := range outcome {
		id, _ := w.s.series.find(series)
		for _, c := range o.changes {
			w.verdict("final", id, c)
		}
		if o.judge.Idle() {
			continue
		}
		kept++
		text, err := json.Marshal(o.judge)
		if err != nil {
			w.fail(err)
			return
		}
		w.exec(`INSERT INTO boundary (hour, series, judge) VALUES (?, ?, ?)`, end.Unix(), id, string(text))
		was, err := json.Marshal(before[series])
		if err != nil {
			w.fail(err)
			return
		}
		same = same && bytes.Equal(text, was)
	}
	w.exec(`DELETE FROM touched WHERE hour = ?`, hour.Unix())
	w.exec(`INSERT INTO final (one, first, until) VALUES (1, ?, ?)
		ON CONFLICT (one) DO UPDATE SET first = min(first, excluded.first), until = max(until, excluded.until)`, hour.Unix(), end.Unix())
	if !same || kept != len(before) {
		w.exec(touchHour, end.Unix(), end.Unix())
	}
}
