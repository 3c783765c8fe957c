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

// track is what one probe sees of a series; without a probe what all of the region see
// together.
type track struct {
	verdict.Series
	probe string
}

// dictionary gives every track that was ever observed a number for the tables.
type dictionary struct {
	mu    sync.RWMutex
	ids   map[track]int64
	names map[int64]track
	// probes are those that have a track of the series, "" among them, sorted.
	probes map[verdict.Series][]string
}

func loadDictionary(db *sql.DB) (*dictionary, error) {
	d := &dictionary{ids: make(map[track]int64), names: make(map[int64]track), probes: make(map[verdict.Series][]string)}
	rows, err := db.Query(`SELECT id, check_id, region, family, probe FROM series`)
	if err != nil {
		return nil, fmt.Errorf("read series: %w", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	for rows.Next() {
		var id int64
		var t track
		var family string
		if err := rows.Scan(&id, &t.Check, &t.Region, &family, &t.probe); err != nil {
			return nil, fmt.Errorf("read series: %w", err)
		}
		if err := t.Family.UnmarshalText([]byte(family)); err != nil {
			return nil, fmt.Errorf("read series %d: %w", id, err)
		}
		d.set(t, id)
	}
	return d, rows.Err()
}

// set gives a track its number.
func (d *dictionary) set(t track, id int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ids[t], d.names[id] = id, t
	if probes := d.probes[t.Series]; !slices.Contains(probes, t.probe) {
		d.probes[t.Series] = slices.Sorted(slices.Values(append(slices.Clone(probes), t.probe)))
	}
}

// id returns the number of the series, for what all probes see together, and gives it
// one if it has none.
func (s *Store) id(series verdict.Series) (int64, error) { return s.number(track{series, ""}) }

// number returns the number of a track and gives it one if it has none, in a
// transaction of its own: a number that nothing uses yet does no harm. Who has a track has
// its series too.
func (s *Store) number(t track) (int64, error) {
	if id, ok := s.series.of(t); ok {
		return id, nil
	}
	if t.probe != "" {
		if _, err := s.id(t.Series); err != nil {
			return 0, err
		}
	}
	// The lock is not held while the database works: whoever holds a transaction
	// may look a number up.
	_, err := s.db.Exec(`INSERT OR IGNORE INTO series (check_id, region, family, probe) VALUES (?, ?, ?, ?)`,
		t.Check, t.Region, t.Family.String(), t.probe)
	if err != nil {
		return 0, fmt.Errorf("number series %s: %w", t.Series, err)
	}
	var id int64
	err = s.db.QueryRow(`SELECT id FROM series WHERE check_id = ? AND region = ? AND family = ? AND probe = ?`,
		t.Check, t.Region, t.Family.String(), t.probe).Scan(&id)
	if err != nil {
		return 0, fmt.Errorf("number series %s: %w", t.Series, err)
	}
	s.series.set(t, id)
	return id, nil
}

// find returns the number of a series; ok is false when it was never observed.
func (d *dictionary) find(s verdict.Series) (id int64, ok bool) { return d.of(track{s, ""}) }

// of returns the number of a track; ok is false when it was never observed.
func (d *dictionary) of(t track) (id int64, ok bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	id, ok = d.ids[t]
	return id, ok
}

// tracks are those of a series, that of all together among them, in order.
func (d *dictionary) tracks(s verdict.Series) []track {
	d.mu.RLock()
	defer d.mu.RUnlock()
	var out []track
	for _, probe := range d.probes[s] {
		out = append(out, track{s, probe})
	}
	return out
}

// all returns every series in order.
func (d *dictionary) all() []verdict.Series {
	d.mu.RLock()
	defer d.mu.RUnlock()
	return slices.SortedFunc(maps.Keys(d.probes), verdict.Series.Compare)
}

// name returns the track of a number.
func (d *dictionary) name(id int64) (t track, ok bool) {
	d.mu.RLock()
	defer d.mu.RUnlock()
	t, ok = d.names[id]
	return t, ok
}

// hasCheck says whether any series is of the check.
func (d *dictionary) hasCheck(check string) bool {
	d.mu.RLock()
	defer d.mu.RUnlock()
	for s := range d.probes {
		if s.Check == check {
			return true
		}
	}
	return false
}

func seriesOf(o checks.Observation) verdict.Series {
	return verdict.Series{Check: o.Check, Region: o.Region, Family: o.Family}
}

func trackOf(o checks.Observation) track { return track{seriesOf(o), o.Probe} }

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
