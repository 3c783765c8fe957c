package history

import (
	"fmt"
	"time"

	"varde/checks"
)

// Query chooses what a number or a graph is made of.
type Query struct {
	// Check or Service chooses the checks; one of them must be set.
	Check, Service string
	// Region restricts to one region; empty or "all" means all of them.
	Region string
	// Family restricts to one address family; none means all of them.
	Family checks.Family
	// Probe restricts to what one probe saw; empty means all of them. Before there were
	// numbers by probe nothing is known of it. Verdicts are those of its region.
	Probe string
	// From and To bound the window [From, To). It is widened to whole minutes, and
	// to whole hours or days where nothing finer is kept. To after now means now.
	From, To time.Time
	// Step is the width of a point, in whole minutes; points are aligned to UTC.
	// Zero means a width that gives about two hundred points.
	Step time.Duration
	// Phase restricts Latency to one phase; empty means the whole run.
	Phase string
}

func (q Query) allRegions() bool { return q.Region == "" || q.Region == "all" }

// maxPoints bounds the answer to one query.
const maxPoints = 5000

// QueryError says that a query makes no sense: the fault of whoever asked.
type QueryError struct{ Problem string }

// Error returns the problem.
func (e *QueryError) Error() string { return e.Problem }

// window is the stretch of time that a query is answered for, with the steps that
// are kept for all of it.
type window struct {
	from, to, now time.Time
	step          time.Duration
	// edges are times, beside the boundaries of steps, that no unit may cross. They lie on
	// boundaries of the finest unit that is kept of the window.
	edges []time.Time
}

// window works out what the query can be answered for.
func (s *Store) window(q Query, now time.Time, finest time.Duration) (window, error) {
	w := window{from: q.From.UTC(), to: q.To.UTC(), now: now.UTC(), step: q.Step}
	if w.to.After(w.now) {
		w.to = w.now
	}
	if !w.from.Before(w.to) {
		return w, &QueryError{fmt.Sprintf("from %s to %s is no time that has passed", w.from.Format(time.RFC3339), w.to.Format(time.RFC3339))}
	}
	if w.step == 0 {
		w.step = niceStep(w.to.Sub(w.from))
	}
	if w.step < time.Minute || w.step%time.Minute != 0 {
		return w, &QueryError{fmt.Sprintf("step %s, expected whole minutes", w.step)}
	}
	unit := max(s.unit(w.from, w.now), finest)
	w.step = ceilStep(w.step, unit)
	w.from, w.to = w.from.Truncate(unit), ceil(w.to, s.unit(w.to, w.now))
	if n := w.to.Sub(w.from) / w.step; n > maxPoints {
		return w, &QueryError{fmt.Sprintf("%d points, expected at most %d: choose a larger step", n, maxPoints)}
	}
	return w, nil
}

// unit is the finest unit that is kept of the given time.
func (s *Store) unit(at, now time.Time) time.Duration {
	switch keep := s.options.Retention; {
	case at.Before(now.Add(-keep.Hours)):
		return day
	case at.Before(now.Add(-keep.Minutes)):
		return time.Hour
	}
	return time.Minute
}

// ceilStep is the smallest multiple of unit that is not below step.
func ceilStep(step, unit time.Duration) time.Duration {
	return (step + unit - 1) / unit * unit
}

// niceStep is the width of about two hundred points.
func niceStep(d time.Duration) time.Duration {
	for _, step := range []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour} {
		if d <= 200*step {
			return step
		}
	}
	return day
}

func ceil(t time.Time, unit time.Duration) time.Time {
	if down := t.Truncate(unit); down.Before(t) {
		return down.Add(unit)
	}
	return t
}

// A piece is a stretch of time that is read from rows of one unit: minutes, hours
// or days.
type piece struct {
	unit     time.Duration
	from, to time.Time
}

// pieces cuts the window so that no unit crosses the boundary of a step or an edge, with
// the largest units that fit.
func (w window) pieces() []piece {
	var out []piece
	for at := w.from; at.Before(w.to); {
		p := largest(at, w.limit(at))
		if n := len(out); n > 0 && out[n-1].unit == p.unit {
			out[n-1].to = p.to
		} else {
			out = append(out, p)
		}
		at = p.to
	}
	return out
}

// limit is how far a unit that begins at the time may reach.
func (w window) limit(at time.Time) time.Time {
	limit := earlier(at.Truncate(w.step).Add(w.step), w.to)
	for _, edge := range w.edges {
		if edge.After(at) {
			limit = earlier(limit, edge)
		}
	}
	return limit
}

// largest is the first piece of [at, limit).
func largest(at, limit time.Time) piece {
	for _, unit := range []time.Duration{day, time.Hour} {
		if at.Truncate(unit).Equal(at) && !at.Add(unit).After(limit) {
			return piece{unit, at, at.Add(unit)}
		}
	}
	to := at.Truncate(time.Hour).Add(time.Hour)
	if to.After(limit) {
		to = limit
	}
	return piece{time.Minute, at, to}
}
