package history

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"
)

// A passage is a stretch of the journal that holds observations which ended in
// one minute. The passages of a minute are how late data is found again, and how
// observations are listed, without reading all of the journal.
type passage struct{ first, last uint64 }

// passageGap is how many entries of other minutes a passage may span before a new
// one is begun: an entry costs less to skip than a row.
const passageGap = 16

// passages are those that grow at present, by minute (seconds since 1970).
type passages struct {
	s     *Store
	open  map[int64]*passage
	dirty map[int64][]*passage
}

func newPassages(s *Store) *passages {
	return &passages{s: s, open: make(map[int64]*passage), dirty: make(map[int64][]*passage)}
}

// add says that entry seq holds an observation that ended at the given time.
func (p *passages) add(ended time.Time, seq uint64) error {
	minute := ended.Truncate(time.Minute).Unix()
	open := p.open[minute]
	if open == nil {
		var err error
		if open, err = p.last(minute); err != nil {
			return fmt.Errorf("read index of the journal: %w", err)
		}
	}
	if open == nil || seq > open.last+passageGap {
		open = &passage{first: seq}
	}
	p.open[minute] = open
	if open.last != seq {
		open.last = seq
		if !slices.Contains(p.dirty[minute], open) {
			p.dirty[minute] = append(p.dirty[minute], open)
		}
	}
	return nil
}

// last reads the last passage of a minute, nil if it has none.
func (p *passages) last(minute int64) (*passage, error) {
	var out passage
	row := p.s.reads.QueryRow(`SELECT first, last FROM passage WHERE minute = ? ORDER BY first DESC LIMIT 1`, minute)
	if err := row.Scan(&out.first, &out.last); errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return &out, nil
}

// save writes what changed, and marks hours of the final record that were touched.
func (p *passages) save(w *writer) {
	touched := make(map[int64]struct{})
	for minute, list := range p.dirty {
		for _, o := range list {
			w.exec(savePassage, minute, o.first, o.last)
		}
		touched[minute-minute%3600] = struct{}{}
	}
	for hour := range touched {
		w.exec(touchHour, hour, hour)
	}
}

// saved says that what save wrote is on disk, and lets go of minutes that no
// longer grow.
func (p *passages) saved(now time.Time) {
	clear(p.dirty)
	oldest := now.Add(-5 * time.Minute).Unix()
	for minute := range p.open {
		if minute < oldest {
			delete(p.open, minute)
		}
	}
}

// passagesIn returns the parts of the journal to read for observations that ended
// in [from, to), joined where they meet, in order.
func (s *Store) passagesIn(ctx context.Context, from, to time.Time) ([]passage, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT first, last FROM passage WHERE minute >= ? AND minute < ?`,
		from.Truncate(time.Minute).Unix(), ceil(to, time.Second).Unix())
	if err != nil {
		return nil, fmt.Errorf("read index of the journal: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	var all []passage
	for rows.Next() {
		var p passage
		if err := rows.Scan(&p.first, &p.last); err != nil {
			return nil, fmt.Errorf("read index of the journal: %w", err)
		}
		all = append(all, p)
	}
	return joined(all), rows.Err()
}

// joined sorts passages and joins those that overlap or touch.
func joined(all []passage) []passage {
	slices.SortFunc(all, func(a, b passage) int { return cmp.Compare(a.first, b.first) })
	var out []passage
	for _, p := range all {
		if n := len(out); n > 0 && p.first <= out[n-1].last+1 {
			out[n-1].last = max(out[n-1].last, p.last)
			continue
		}
		out = append(out, p)
	}
	return out
}
