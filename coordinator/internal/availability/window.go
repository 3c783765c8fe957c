package availability

import (
	"slices"
	"time"
)

// Window is a stretch of time [From, To) of announced maintenance.
type Window struct {
	From, To time.Time
	// Regions are those that it is about; none means all.
	Regions []string
}

// Windows are stretches of maintenance, in any order; they may overlap.
type Windows []Window

// In returns the windows of one region, widened to whole units, in order and without
// overlap.
func (w Windows) In(region string, unit time.Duration) Windows {
	var mine Windows
	for _, x := range w {
		if len(x.Regions) > 0 && !slices.Contains(x.Regions, region) || !x.From.Before(x.To) {
			continue
		}
		to := x.To.Truncate(unit)
		if to.Before(x.To) {
			to = to.Add(unit)
		}
		mine = append(mine, Window{From: x.From.Truncate(unit), To: to})
	}
	slices.SortFunc(mine, func(a, b Window) int { return a.From.Compare(b.From) })
	var out Windows
	for _, x := range mine {
		if n := len(out); n > 0 && !x.From.After(out[n-1].To) {
			if x.To.After(out[n-1].To) {
				out[n-1].To = x.To
			}
			continue
		}
		out = append(out, x)
	}
	return out
}

// Covers says whether the time lies in one of the windows.
func (w Windows) Covers(at time.Time) bool {
	return slices.ContainsFunc(w, func(x Window) bool { return !at.Before(x.From) && at.Before(x.To) })
}

// Length is how much of [from, to) lies in the windows, which must not overlap.
func (w Windows) Length(from, to time.Time) (d time.Duration) {
	for _, x := range w {
		start, end := x.From, x.To
		if start.Before(from) {
			start = from
		}
		if end.After(to) {
			end = to
		}
		d += max(end.Sub(start), 0)
	}
	return d
}
