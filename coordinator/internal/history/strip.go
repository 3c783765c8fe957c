package history

import (
	"context"
	"maps"
	"slices"
	"time"

	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/history/cell"
	"varde/coordinator/internal/verdict"
)

// StripCell is one cell of a strip: a day, or a quarter of an hour.
type StripCell struct {
	// T is the start; the last cell may not be over.
	T time.Time
	// Worst is the gravest verdict in the cell, over all series of the query. It is
	// never a mean: that would paint a bad minute away.
	Worst verdict.State
	// Time is how long each state was the gravest one; it adds up to the part of
	// the cell that has passed.
	Time [verdict.States]time.Duration
	// Trouble is the share of the cell in which the verdict was slow or worse, over
	// several regions their mean by weight.
	Trouble float64
	// Coverage is the share of the minutes in which we really looked.
	Coverage float64
	// Runs are the scheduled runs that were up or down, Failed those that were down.
	Runs, Failed uint64
}

// Strip returns every cell of the window, also those in which nobody looked.
func (s *Store) Strip(ctx context.Context, q Query) ([]StripCell, error) {
	w, err := s.window(q, time.Now(), time.Minute)
	if err != nil {
		return nil, err
	}
	regions, err := s.timelines(ctx, q, w)
	if err != nil {
		return nil, err
	}
	cells := newStrip(w)
	cells.paint(overlay(regions.lines, w), func(c *StripCell, seg segment, d time.Duration) {
		c.Time[seg.state] += d
		c.Worst = max(c.Worst, seg.state)
	})
	for i, line := range regions.lines {
		weight := regions.weights[i]
		cells.paint(line, func(c *StripCell, seg segment, d time.Duration) {
			if seg.state >= verdict.Slow {
				c.Trouble += weight * float64(d) / float64(cells.length(c))
			}
		})
	}
	return cells.cells, s.count(ctx, q, cells)
}

// count fills in how much was looked in every cell.
func (s *Store) count(ctx context.Context, q Query, cells *strip) error {
	config := s.options.Config()
	seen, err := gather(ctx, s, q, cells.w, failures, func() *looks { return &looks{cells, make(map[lookKey]availability.Cell)} })
	if err != nil {
		return err
	}
	regions := make([]map[string]availability.Cell, len(cells.cells))
	for key, c := range seen.seen {
		if regions[key.cell] == nil {
			regions[key.cell] = make(map[string]availability.Cell)
		}
		regions[key.cell][key.region] = c
	}
	for i := range cells.cells {
		cells.cells[i].look(config, regions[i])
	}
	return nil
}

// looks are what the regions saw in the cells of a strip.
type looks struct {
	cells *strip
	seen  map[lookKey]availability.Cell
}

type lookKey struct {
	cell   int
	region string
}

func (l *looks) add(region string, at time.Time, t cell.Total) {
	key := lookKey{l.cells.index(at), region}
	l.seen[key] = l.seen[key].Merge(cellOf(t))
}

func (l *looks) join(o *looks) {
	for key, c := range o.seen {
		l.seen[key] = l.seen[key].Merge(c)
	}
}

// look fills in what the regions saw.
func (c *StripCell) look(config *Config, seen map[string]availability.Cell) {
	var regions []availability.Region
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		r := seen[id]
		regions = append(regions, availability.Region{Weight: config.weight(id), Sums: r.Sums, Coverage: r.Coverage})
		c.Runs, c.Failed = c.Runs+r.Runs, c.Failed+r.Failed
	}
	_, c.Coverage, _ = availability.Overall(regions)
}

// strip is a row of cells.
type strip struct {
	w     window
	first time.Time
	cells []StripCell
}

func newStrip(w window) *strip {
	s := &strip{w: w, first: w.from.Truncate(w.step)}
	for at := s.first; at.Before(w.to); at = at.Add(w.step) {
		s.cells = append(s.cells, StripCell{T: at})
	}
	return s
}

func (s *strip) index(at time.Time) int { return int(at.Sub(s.first) / s.w.step) }

// length is how much of the cell lies in the window and has passed.
func (s *strip) length(c *StripCell) time.Duration {
	from, to := later(c.T, s.w.from), earlier(c.T.Add(s.w.step), earlier(s.w.to, s.w.now))
	return to.Sub(from)
}

// paint calls fn with every cell that a segment lies in, and how long it does.
func (s *strip) paint(line []segment, fn func(c *StripCell, seg segment, d time.Duration)) {
	for _, seg := range line {
		for i := s.index(seg.from); i < len(s.cells); i++ {
			c := &s.cells[i]
			from, to := later(seg.from, c.T), earlier(seg.to, c.T.Add(s.w.step))
			if !from.Before(to) {
				break
			}
			fn(c, seg, to.Sub(from))
		}
	}
}

// segment is a stretch of time in one state.
type segment struct {
	from, to time.Time
	state    verdict.State
}

// timelines are the gravest states of every region, with its share of the weight.
type timelines struct {
	lines   [][]segment
	weights []float64
}

func (s *Store) timelines(ctx context.Context, q Query, w window) (timelines, error) {
	targets, err := s.targets(q)
	if err != nil {
		return timelines{}, err
	}
	end := earlier(w.to, w.now)
	byRegion := make(map[string][][]segment)
	var order []string
	for _, t := range targets {
		if byRegion[t.Region] == nil {
			order = append(order, t.Region)
		}
		spans, err := s.Spans(ctx, t.Series, w.from, end)
		if err != nil {
			return timelines{}, err
		}
		byRegion[t.Region] = append(byRegion[t.Region], segments(spans, end))
	}
	config := s.options.Config()
	var out timelines
	sum := 0.0
	for _, region := range order {
		out.lines = append(out.lines, overlay(byRegion[region], w))
		out.weights = append(out.weights, config.weight(region))
		sum += config.weight(region)
	}
	for i := range out.weights {
		if sum > 0 {
			out.weights[i] /= sum
		} else {
			out.weights[i] = 1 / float64(len(order))
		}
	}
	return out, nil
}

func segments(spans []Span, end time.Time) []segment {
	out := make([]segment, 0, len(spans))
	for _, span := range spans {
		if span.To.IsZero() {
			span.To = end
		}
		out = append(out, segment{span.From, span.To, span.State})
	}
	return out
}

// overlay is the gravest state of several timelines that span the same time.
func overlay(lines [][]segment, w window) []segment {
	end := earlier(w.to, w.now)
	next := make([]int, len(lines))
	var out []segment
	for at := w.from; len(lines) > 0 && at.Before(end); {
		worst, to := verdict.Unknown, end
		for i, line := range lines {
			for next[i] < len(line)-1 && !line[next[i]].to.After(at) {
				next[i]++
			}
			if len(line) == 0 {
				continue
			}
			seg := line[next[i]]
			worst = max(worst, seg.state)
			if seg.to.After(at) {
				to = earlier(to, seg.to)
			}
		}
		if n := len(out); n > 0 && out[n-1].state == worst {
			out[n-1].to = to
		} else {
			out = append(out, segment{at, to, worst})
		}
		at = to
	}
	return out
}
