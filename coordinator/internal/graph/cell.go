package graph

import (
	"math"
	"slices"
	"strings"
	"time"
)

// Tally is what was judged of one series in one stretch of time. The zero
// value claims nothing.
type Tally struct {
	// Length is the part of the stretch that lies in the past; the current,
	// unfinished one is shorter than the others.
	Length time.Duration
	// Coverage is the share of Length in which we really looked, 0 to 1.
	Coverage float64
	// Down, Intermittent, Slow and Maintenance are the times under these
	// verdicts; the rest of what was looked at is up.
	Down, Intermittent, Slow, Maintenance time.Duration
	// Failed is the share of failed runs while intermittent, 0 to 1.
	Failed float64
}

// Cell is one mark of a strip.
type Cell struct {
	Mark Mark
	// Share is the part of the cell in trouble, 0 to 1; it gives the height.
	Share float64
	// Coverage is the part that was looked at, 0 to 1.
	Coverage float64
	// Title is shown when the mark is pointed at; none for what is up.
	Title string
}

// Coverages below which a ground line is thin, and a cell without trouble a gap.
const (
	thinBelow = ThinCoverage
	gapBelow  = 0.05
)

// Mark is the worst verdict of the stretch. It is never a mean: six minutes of
// a day are 0.4 %, and a mean would paint them away. Trouble is shown however
// little was looked at; health is not claimed of a stretch of which almost
// nothing was seen.
func (t Tally) Mark() Mark {
	switch {
	case !(t.Coverage > 0):
		return Unknown
	case t.Down > 0:
		return Down
	case t.Intermittent > 0:
		return Intermittent
	case t.Slow > 0:
		return Slow
	case t.Maintenance > 0:
		return Maintenance
	case t.Coverage < gapBelow:
		return Unknown
	}
	return Up
}

// Words says what was wrong and for how long: "unreachable 6 min, slow 2 min".
// It is empty where nothing was.
func (t Tally) Words() string {
	var words []string
	add := func(what string, d time.Duration) {
		if d > 0 {
			words = append(words, what+" "+Span(d))
		}
	}
	add("unreachable", t.Down)
	add("failing at times", t.Intermittent)
	add("slow", t.Slow)
	add("maintenance", t.Maintenance)
	return strings.Join(words, ", ")
}

// Cell is the mark of the stretch. prefix says when and where it was and opens
// the title of a cell that has something to tell.
func (t Tally) Cell(prefix string) Cell {
	c := Cell{Mark: t.Mark(), Coverage: clamp(t.Coverage, 0, 1)}
	if c.Mark <= Up {
		return c
	}
	known := max(c.Coverage, gapBelow) * float64(t.Length)
	bad := float64(t.Down + t.Slow + t.Maintenance)
	// The height of an intermittent stretch is the share that failed in it.
	if failed := clamp(t.Failed, 0, 1); c.Mark == Intermittent && failed > 0 {
		bad = float64(t.Intermittent) * failed
	} else {
		bad += float64(t.Intermittent)
	}
	c.Share = clamp(bad/math.Max(1, known), 0, 1)
	c.Title = prefix + t.Words()
	return c
}

// Weighted is a region's cell with the region's weight.
type Weighted struct {
	Cell   Cell
	Weight float64
}

// Merge is the cell of a service: the worst mark of its regions and their
// weighted share and coverage. A region that was not looked at brings coverage
// down and says nothing else.
func Merge(cells []Weighted) Cell {
	var out Cell
	var total float64
	var titles []string
	for _, c := range cells {
		w := math.Max(0, clamp(c.Weight, 0, 1e6))
		total += w
		mark := c.Cell.Mark.known()
		out.Mark = max(out.Mark, mark)
		if mark == Unknown {
			continue
		}
		out.Share += w * c.Cell.Share
		out.Coverage += w * c.Cell.Coverage
		if c.Cell.Title != "" {
			titles = append(titles, c.Cell.Title)
		}
	}
	if total > 0 {
		out.Share, out.Coverage = out.Share/total, out.Coverage/total
	}
	out.Title = strings.Join(titles, "; ")
	return out
}

// Describe says in one sentence what a row of cells shows; noun is what one
// cell is, e.g. "day".
func Describe(cells []Cell, noun string) string {
	var counts [Down + 1]int
	for _, c := range cells {
		counts[c.Mark.known()]++
	}
	if counts[Unknown] == len(cells) {
		if slices.ContainsFunc(cells, func(c Cell) bool { return c.Coverage > 0 }) {
			return "Measured too little to be drawn."
		}
		return "Not measured."
	}
	s := Thousands(counts[Up]) + " of " + Count(len(cells), noun) + " without trouble"
	for _, p := range []struct {
		mark  Mark
		words string
	}{
		{Down, "unreachable for a time"},
		{Intermittent, "failing at times"},
		{Slow, "slow for a time"},
		{Maintenance, "in maintenance"},
		{Unknown, "not measured"},
	} {
		if n := counts[p.mark]; n > 0 {
			s += "; " + Count(n, noun) + " " + p.words
		}
	}
	return s + "."
}
