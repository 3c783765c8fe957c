package history

import (
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// dictionary gives every series that was ever observed a number for the tables.
type dictionary struct {
	mu  sync.RWMutex
	ids map[verdict.Series]int64
}

func loadDictionary(db *sql.DB) (*dictionary, error) {
	d := &dictionary{ids: make(map[verdict.Series]int64)}
	rows, err := db.Query(`SELECT id, check_id, region, family FROM series`)
	if err != nil {
		return nil, fmt.Errorf("read series: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	for rows.Next() {
		var id int64
		var s verdict.Series
		var family string
		if err := rows.Scan(&id, &s.Check, &s.Region, &family); err != nil {
			return nil, fmt.Errorf("read series: %w", err)
		}
		if err := s.Family.UnmarshalText([]byte(family)); err != nil {
			return nil, fmt.Errorf("read series %d: %w", id, err)
		}
		d.ids[s] = id
	}
	return d, rows.Err()
}

// id returns the number of the series and gives it one if it has none, in a
// transaction of its own: a number that nothing uses yet does no harm.
func (s *Store) id(series verdict.Series) (int64, error) {
	if id, ok := s.series.find(series); ok {
		return id, nil
	}
	// The lock is not held while the database works: whoever holds a transaction
	// may look a number up.
	_, err := s.db.Exec(`INSERT OR IGNORE INTO series (check_id, region, family) VALUES (?, ?, ?)`,
		series.Check, series.Region, series.Family.String())
	if err != nil {
		return 0, fmt.Errorf("number series %s: %w", series, err)
	}
	var id int64
	err = s.db.QueryRow(`SELECT id FROM series WHERE check_id = ? AND region = ? AND family = ?`,
		series.Check, series.Region, series.Family.String()).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("number series %s: %w", series, err)
	}
	s.series.mu.Lock()
	defer s.series.mu.Unlock()
	s.series.ids[series] = id
	return id, nil
}

// find returns the number of a series; ok is false when it was never observed.
func (d *dictionary) find(s verdict.Series) (id int64, ok bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	id, ok = d.ids[s]
	return id, ok
}

// all returns every series in order.
func (d *dictionary) all() []verdict.Series {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.SortedFunc(maps.Keys(d.ids), verdict.Series.Compare)
}

// name returns the series of a number.
func (d *dictionary) name(id int64) (s verdict.Series, ok bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for s, n := range d.ids {
		if n == id {
			return s, true
		}
	}
	return verdict.Series{}, false
}

// hasCheck says whether any series is of the check.
func (d *dictionary) hasCheck(check string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for s := range d.ids {
		if s.Check == check {
			return true
		}
	}
	return false
}

func seriesOf(o checks.Observation) verdict.Series {
	return verdict.Series{Check: o.Check, Region: o.Region, Family: o.Family}
}

// newest is the newest observation of every probe.
type newest struct {
	mu     sync.RWMutex
	probes map[string]lastSeen
}

type lastSeen struct {
	region string
	// ended is the largest corrected end, received when its batch arrived.
	ended, received time.Time
}

func (n *newest) load(db *sql.DB) error {
	rows, err := db.Query(`SELECT name, region, newest, received FROM probe`)
	if err != nil {
		return fmt.Errorf("read probes: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	n.mu.Lock()
	defer n.mu.Unlock()
	for rows.Next() {
		var name string
		var l lastSeen
		var ended, received int64
		if err := rows.Scan(&name, &l.region, &ended, &received); err != nil {
			return fmt.Errorf("read probes: %w", err)
		}
		l.ended, l.received = time.Unix(0, ended).UTC(), time.Unix(0, received).UTC()
		n.probes[name] = l
	}
	return rows.Err()
}

// see takes note of an observation. One that ended after this one arrived was noted
// by a clock that had leapt.
func (n *newest) see(probe, region string, ended, received time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if l, ok := n.probes[probe]; ok && l.region == region && !ended.After(l.ended) && !leapt(l.ended, received) {
		return
	}
	n.probes[probe] = lastSeen{region, ended.UTC(), received.UTC()}
}

func (n *newest) of(probe string) lastSeen {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.probes[probe]
}

// NewestObservation returns, for every region that was ever heard of, the end of
// its newest observation: a region that has stopped looking must look stopped.
func (s *Store) NewestObservation() map[string]time.Time {
	s.newest.mu.RLock()
	defer s.newest.mu.RUnlock()
	out := make(map[string]time.Time)
	for _, l := range s.newest.probes {
		if l.ended.After(out[l.region]) {
			out[l.region] = l.ended
		}
	}
	return out
}
