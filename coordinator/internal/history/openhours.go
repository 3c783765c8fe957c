package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/history/cell"
)

// hourKey names one hour of one track.
type hourKey struct {
	series int64
	// hour is its start, in seconds since 1970.
	hour int64
}

// openHour is an hour that is being added to, and what of it is not written yet.
type openHour struct {
	cell.Hour
	// fresh says that the hour has no row yet.
	fresh    bool
	quarters [4]bool
	// used is when it was last added to.
	used time.Time
}

// idle is how long an hour stays in memory that nothing is added to: until it is sealed.
const idle = sealAfter + 5*time.Minute

// openHours are the hours in memory. What is on disk is read when it is needed.
type openHours struct {
	s     *Store
	hours map[hourKey]*openHour
	dirty map[hourKey]*openHour
	// since is the first hour that is added to; all of them if zero.
	since time.Time
}

func newOpenHours(s *Store) *openHours {
	return &openHours{s: s, hours: make(map[hourKey]*openHour), dirty: make(map[hourKey]*openHour)}
}

// add takes one scheduled observation at the time now.
func (h *openHours) add(o checks.Observation, id int64, now time.Time) error {
	slot, ok := availability.SlotOf(o)
	if !ok || slot.From.Before(now.Add(-h.s.options.Retention.Minutes)) {
		return nil // older than the minutes that are kept: its hour cannot be opened
	}
	// Cells are kept in milliseconds: cut before adding, so that sums are exact.
	slot.From, slot.Length = slot.From.Truncate(time.Millisecond), slot.Length.Truncate(time.Millisecond)
	t := trackOf(o)
	for at, d := range slot.Minutes() {
		if at.Before(h.since) {
			continue
		}
		hour, err := h.get(t, id, at, now)
		if err != nil {
			return err
		}
		i := at.Minute()
		if hour.Minutes[i] == nil {
			hour.Minutes[i] = new(cell.Minute)
		}
		hour.Minutes[i].Piece(slot.Probe, slot.Outcome, d)
		hour.quarters[i/15] = true
		if !at.After(slot.From) { // the minute in which the slot begins
			hour.Minutes[i].Run(o.Result)
			if o.Outcome == checks.Up {
				hour.Quarters[i/15].Run(o.Result)
			}
		}
	}
	return nil
}

func (h *openHours) get(t track, id int64, at, now time.Time) (*openHour, error) {
	start := at.Truncate(time.Hour)
	key := hourKey{id, start.Unix()}
	hour := h.hours[key]
	if hour == nil {
		var err error
		if hour, err = h.load(t, key, start); err != nil {
			return nil, fmt.Errorf("open hour %s of %s: %w", start.Format(time.RFC3339), t.Series, err)
		}
		h.hours[key] = hour
	}
	h.dirty[key], hour.used = hour, now
	return hour, nil
}

// load reads the hour if it is open, takes it out of its block if it was sealed,
// and begins it otherwise.
func (h *openHours) load(t track, key hourKey, start time.Time) (*openHour, error) {
	stored, err := h.s.openHour(key)
	if err != nil || stored != nil {
		return &openHour{Hour: deref(stored)}, err
	}
	all, err := h.s.months.get(t.Series, start)
	if err != nil {
		return nil, err
	}
	sealed := all[t.probe]
	if sealed == nil {
		return &openHour{Hour: cell.Hour{Probes: h.s.options.Config().probesIn(t.Region)}, fresh: true}, nil
	}
	o := &openHour{Hour: *sealed, fresh: true}
	for i, m := range o.Minutes {
		o.quarters[i/15] = o.quarters[i/15] || m != nil
	}
	return o, nil
}

func deref(h *cell.Hour) cell.Hour {
	if h == nil {
		return cell.Hour{}
	}
	return *h
}

// save writes what changed.
func (h *openHours) save(w *writer) {
	for key, o := range h.dirty {
		if o.fresh {
			w.exec(saveOpen, key.hour, key.series, o.Probes)
		}
		for i, changed := range o.quarters {
			if changed {
				w.exec(saveQuarter, key.series, key.hour+int64(i)*900, o.EncodeQuarter(i))
			}
		}
	}
}

// saved says that what save wrote is on disk, and lets go of hours that were not
// added to for a while.
func (h *openHours) saved(now time.Time) {
	for _, o := range h.dirty {
		o.fresh, o.quarters = false, [4]bool{}
	}
	clear(h.dirty)
	for key, o := range h.hours {
		if now.Sub(o.used) > idle {
			delete(h.hours, key)
		}
	}
}

// whole is an hour as it is on disk once everything was flushed, nil if it is not open.
func (h *openHours) whole(key hourKey) (*cell.Hour, error) {
	if o := h.hours[key]; o != nil {
		return &o.Hour, nil
	}
	return h.s.openHour(key)
}

// forget lets go of an hour that is open no longer.
func (h *openHours) forget(key hourKey) { delete(h.hours, key) }

// openHour reads an hour that is open on disk, nil if it is not.
func (s *Store) openHour(key hourKey) (*cell.Hour, error) {
	var h cell.Hour
	err := s.queries[selectProbes].QueryRow(key.hour, key.series).Scan(&h.Probes)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := s.query(context.Background(), selectCells, key.series, key.hour)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	for rows.Next() {
		var seconds, i int
		var b sql.RawBytes
		if err := rows.Scan(&seconds, &i, &b); err != nil {
			return nil, err
		}
		if seconds == 900 {
			err = h.DecodeQuarter(i, b)
		} else { // a former version had a row a minute
			h.Minutes[i] = new(cell.Minute)
			*h.Minutes[i], err = cell.DecodeMinute(b)
		}
		if err != nil {
			return nil, err
		}
	}
	return &h, rows.Err()
}
