package history

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// Pulse is how a probe was in a stretch of time, by what it sent.
type Pulse struct {
	At time.Time
	// Runs are the observations that ended in it, Down those of them that were down.
	// OwnNetwork, OwnLate and OwnError count what it could not tell for a fault of its own.
	Runs, Down, OwnNetwork, OwnLate, OwnError int64
	// Waited is the longest time from the end of a run to its arrival.
	Waited time.Duration
	// ClockLow and ClockHigh are the ends of its clock's offset against the coordinator's,
	// over what arrived in that time. ClockKnown is false where it was not measured.
	ClockLow, ClockHigh time.Duration
	ClockKnown          bool
}

// Merge adds what another one knows.
func (p *Pulse) Merge(o Pulse) {
	p.Runs, p.Down, p.OwnNetwork = p.Runs+o.Runs, p.Down+o.Down, p.OwnNetwork+o.OwnNetwork
	p.OwnLate, p.OwnError, p.Waited = p.OwnLate+o.OwnLate, p.OwnError+o.OwnError, max(p.Waited, o.Waited)
	if o.ClockKnown {
		p.clock(o.ClockLow)
		p.clock(o.ClockHigh)
	}
}

// run takes an observation that arrived at a time.
func (p *Pulse) run(o *checks.Observation, received time.Time) {
	p.Runs++
	p.Waited = max(p.Waited, received.Sub(o.End()).Truncate(time.Millisecond))
	switch {
	case o.Outcome == checks.Down:
		p.Down++
	case o.Class == checks.OwnNetwork:
		p.OwnNetwork++
	case o.Class == checks.OwnLate:
		p.OwnLate++
	case o.Class == checks.OwnError:
		p.OwnError++
	}
}

func (p *Pulse) clock(offset time.Duration) {
	offset = offset.Truncate(time.Microsecond)
	if !p.ClockKnown {
		p.ClockLow, p.ClockHigh, p.ClockKnown = offset, offset, true
	}
	p.ClockLow, p.ClockHigh = min(p.ClockLow, offset), max(p.ClockHigh, offset)
}

// PulseStep is the width of the narrowest pulses. They are kept as long as minutes;
// those of an hour as long as hours.
const PulseStep = 5 * time.Minute

func pulseUnits() [2]time.Duration { return [...]time.Duration{PulseStep, time.Hour} }

// pulseKey names one pulse; at is in seconds since 1970.
type pulseKey struct {
	probe string
	unit  time.Duration
	at    int64
}

// beat is a pulse that is being added to.
type beat struct {
	Pulse
	dirty bool
	used  time.Time
}

// pulses are those in memory. What is on disk is read when it is needed.
type pulses struct {
	s     *Store
	beats map[pulseKey]*beat
}

func newPulses(s *Store) *pulses { return &pulses{s, make(map[pulseKey]*beat)} }

// add takes an observation of a batch, whatever it was for.
func (p *pulses) add(o *checks.Observation, b *wire.Batch) error {
	return p.each(o.Probe, o.End(), b.Received, func(x *Pulse) { x.run(o, b.Received) })
}

// clock takes the offset that came with a batch.
func (p *pulses) clock(b *wire.Batch) error {
	if !b.ClockKnown {
		return nil
	}
	return p.each(b.Probe, b.Received, b.Received, func(x *Pulse) { x.clock(b.ClockOffset) })
}

// each changes the pulses of a probe of all widths in which a time lies.
func (p *pulses) each(probe string, at, now time.Time, change func(*Pulse)) error {
	for _, unit := range pulseUnits() {
		if at.Before(now.Add(-p.s.keepsPulses(unit))) {
			continue
		}
		key := pulseKey{probe, unit, at.Truncate(unit).Unix()}
		x := p.beats[key]
		if x == nil {
			stored, err := p.s.pulse(key)
			if err != nil {
				return fmt.Errorf("read pulse of %s: %w", probe, err)
			}
			x = &beat{Pulse: stored}
			p.beats[key] = x
		}
		change(&x.Pulse)
		x.dirty, x.used = true, now
	}
	return nil
}

// keepsPulses is how long pulses of a width are kept.
func (s *Store) keepsPulses(unit time.Duration) time.Duration {
	if unit == PulseStep {
		return s.options.Retention.Minutes
	}
	return s.options.Retention.Hours
}

// save writes what changed.
func (p *pulses) save(w *writer) {
	for key, x := range p.beats {
		if !x.dirty {
			continue
		}
		var low, high sql.NullInt64
		if x.ClockKnown {
			low, high = sql.NullInt64{Int64: x.ClockLow.Microseconds(), Valid: true}, sql.NullInt64{Int64: x.ClockHigh.Microseconds(), Valid: true}
		}
		w.exec(savePulse, key.probe, int64(key.unit/time.Second), key.at, x.Runs, x.Down, x.OwnNetwork, x.OwnLate, x.OwnError,
			x.Waited.Milliseconds(), low, high)
	}
}

// saved says that what save wrote is on disk, and lets go of what was not added to for a
// while.
func (p *pulses) saved(now time.Time) {
	for key, x := range p.beats {
		if x.dirty = false; now.Sub(x.used).Abs() > 2*key.unit {
			delete(p.beats, key)
		}
	}
}

// pulse reads one pulse, an empty one if there is none.
func (s *Store) pulse(key pulseKey) (Pulse, error) {
	p, err := scanPulse(s.queries[selectPulse].QueryRow(key.probe, int64(key.unit/time.Second), key.at))
	if errors.Is(err, sql.ErrNoRows) {
		return Pulse{}, nil
	}
	return p, err
}

func scanPulse(row interface{ Scan(...any) error }) (p Pulse, err error) {
	var at, waited int64
	var low, high sql.NullInt64
	err = row.Scan(&at, &p.Runs, &p.Down, &p.OwnNetwork, &p.OwnLate, &p.OwnError, &waited, &low, &high)
	p.At, p.Waited, p.ClockKnown = time.Unix(at, 0).UTC(), ms(waited), low.Valid
	p.ClockLow, p.ClockHigh = time.Duration(low.Int64)*time.Microsecond, time.Duration(high.Int64)*time.Microsecond
	return p, err
}

// Pulses returns how a probe was in [from, to), in steps from from on, oldest first.
// Steps in which nothing is known are left out. A step is a multiple of PulseStep; one of
// an hour or more also shows what is older than minutes are kept.
func (s *Store) Pulses(ctx context.Context, probe string, from, to time.Time, step time.Duration) ([]Pulse, error) {
	unit := PulseStep
	if step%time.Hour == 0 && from.Equal(from.Truncate(time.Hour)) {
		unit = time.Hour
	}
	if step <= 0 || step%unit != 0 {
		return nil, &QueryError{fmt.Sprintf("step %s, expected a multiple of %s", step, PulseStep)}
	}
	rows, err := s.query(ctx, selectPulses, probe, int64(unit/time.Second), from.Unix(), to.Unix())
	if err != nil {
		return nil, fmt.Errorf("read pulses of %s: %w", probe, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	var out []Pulse
	for rows.Next() {
		p, err := scanPulse(rows)
		if err != nil {
			return nil, fmt.Errorf("read pulses of %s: %w", probe, err)
		}
		at := from.Add(p.At.Sub(from) / step * step)
		if n := len(out); n == 0 || !out[n-1].At.Equal(at) {
			out = append(out, Pulse{At: at})
		}
		out[len(out)-1].Merge(p)
	}
	return out, rows.Err()
}

// Starts returns when lives of a probe's program began that fall into [from, to), by the
// clock of its machine, oldest first: as far as their names say, and the history still
// knows them.
func (s *Store) Starts(ctx context.Context, probe string, from, to time.Time) ([]time.Time, error) {
	rows, err := s.reads.QueryContext(ctx, `SELECT epoch FROM mark WHERE reader = 'rollup' AND probe = ?`, probe)
	if err != nil {
		return nil, fmt.Errorf("read starts of %s: %w", probe, err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells what matters
	var out []time.Time
	for rows.Next() {
		var epoch string
		if err := rows.Scan(&epoch); err != nil {
			return nil, fmt.Errorf("read starts of %s: %w", probe, err)
		}
		if at, ok := wire.EpochStart(epoch); ok && !at.Before(from) && at.Before(to) {
			out = append(out, at)
		}
	}
	slices.SortFunc(out, time.Time.Compare)
	return out, rows.Err()
}
