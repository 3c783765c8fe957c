package evidence

import (
	"fmt"
	"html/template"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/verdict"
)

// maxCells is how many steps a picture has at most.
const maxCells = 240

// windowOf is the window of the pictures, in the finest round steps that still can be
// seen.
func windowOf(from, until time.Time) graph.Window {
	const day = 24 * time.Hour
	step := time.Minute
	for _, longer := range []time.Duration{
		2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, day, 7 * day,
	} {
		if until.Sub(from)/step > maxCells {
			step = longer
		}
	}
	w := graph.Window{From: from.UTC().Truncate(step), Step: step}
	w.To = w.From.Add((until.Sub(w.From) + step - 1) / step * step)
	return w
}

// stands calls fn with what holds of a series in the window: the final verdict where it
// is known, and else what was told.
func (c Case) stands(of verdict.Series, fn func(v Verdict, from, to time.Time)) {
	known := earlier(later(c.FinalUntil, c.From), c.Until)
	for _, part := range []struct {
		list     []Verdict
		from, to time.Time
	}{{c.Final, c.From, known}, {c.Told, known, c.Until}} {
		for _, v := range part.list {
			from, to := later(v.From, part.from), part.to
			if v.To != nil {
				to = earlier(*v.To, part.to)
			}
			if v.Series == of && from.Before(to) {
				fn(v, from, to)
			}
		}
	}
}

// tallies are what was judged of a check in a region, step by step: the worst of its
// families.
func (c Case) tallies(w graph.Window, at site) []graph.Tally {
	out := make([]graph.Tally, w.Cells())
	for i := range out {
		out[i].Length = earlier(w.Start(i+1), c.Until).Sub(later(w.Start(i), c.From))
	}
	for _, family := range []checks.Family{checks.IPv4, checks.IPv6} {
		one := make([]graph.Tally, len(out))
		c.stands(verdict.Series{Check: at.check, Region: at.region, Family: family}, func(v Verdict, from, to time.Time) {
			for i := max(0, cellOf(w, from)); i < len(one) && w.Start(i).Before(to); i++ {
				tell(&one[i], v.State, earlier(to, w.Start(i+1)).Sub(later(from, w.Start(i))))
			}
		})
		for i, t := range one {
			t.Coverage = float64(t.Length) / float64(max(1, out[i].Length))
			worsen(&out[i], t)
		}
	}
	return out
}

// tell adds a stretch of time in a state; Length is what was looked at.
func tell(t *graph.Tally, s verdict.State, d time.Duration) {
	if s == verdict.Unknown {
		return
	}
	t.Length += d
	switch s {
	case verdict.Down:
		t.Down += d
	case verdict.Intermittent:
		t.Intermittent += d
	case verdict.Slow:
		t.Slow += d
	}
}

// worsen has a step tell the worse of what it tells and of another family.
func worsen(t *graph.Tally, o graph.Tally) {
	t.Coverage = max(t.Coverage, o.Coverage)
	t.Down, t.Intermittent, t.Slow = max(t.Down, o.Down), max(t.Intermittent, o.Intermittent), max(t.Slow, o.Slow)
}

// drawing turns what was seen of one check into pictures over one time axis.
type drawing struct {
	c      Case
	a      *account
	window graph.Window
	check  string
	// regions are those from which it was seen.
	regions []string
	// number is that of the check: ids in a page are made with it.
	number int
}

// rowView is a picture with the words on both sides of it.
type rowView struct {
	Name, Small   string
	Picture       template.HTML
	Value, Detail string
}

func (d drawing) words(kind string, i int, title, desc string) graph.Words {
	return graph.Words{ID: fmt.Sprintf("%s%d_%d", kind, d.number, i), Title: title, Desc: desc}
}

// strips are what was judged, one a region.
func (d drawing) strips() []rowView {
	var out []rowView
	for i, region := range d.regions {
		name := d.c.regionName(region)
		tallies := d.c.tallies(d.window, site{d.check, region})
		cells := make([]graph.Cell, len(tallies))
		var bad graph.Tally
		for k, t := range tallies {
			cells[k] = t.Cell(d.window.Label(d.window.Start(k)) + ", " + name + ": ")
			bad.Down, bad.Intermittent, bad.Slow = bad.Down+t.Down, bad.Intermittent+t.Intermittent, bad.Slow+t.Slow
		}
		worst := graph.Unknown
		for _, c := range cells {
			worst = max(worst, c.Mark)
		}
		out = append(out, rowView{
			Name: name, Small: worst.Public(), Value: bad.Words(),
			Picture: graph.Strip{
				Words: d.words("s", i, d.check+" as seen from "+name, graph.Describe(cells, "step")), Cells: cells, Height: 24, Ground: 5,
			}.HTML(),
		})
	}
	return out
}

// panels are how long runs took, one a region; none where no run completed anywhere.
func (d drawing) panels() []rowView {
	var all [][]graph.LatencyPoint
	for _, region := range d.regions {
		if p := d.a.places[site{d.check, region}]; p != nil {
			all = append(all, p.points)
		}
	}
	if !slices.ContainsFunc(all, func(p []graph.LatencyPoint) bool { return len(p) > 0 }) {
		return nil
	}
	scale := graph.ScaleOf(all...)
	var out []rowView
	for i, region := range d.regions {
		row := rowView{Name: d.c.regionName(region)}
		desc, points := "No run completed.", []graph.LatencyPoint(nil)
		if p := d.a.places[site{d.check, region}]; p != nil {
			points = p.points
		}
		if t, ok := graph.Typical(points); ok {
			row.Value, row.Detail = "p50 "+graph.Latency(t.P50), "p95 "+graph.Latency(t.P95)+", p99 "+graph.Latency(t.P99)
			desc = "Typically " + row.Value + ", " + row.Detail + "."
		}
		row.Picture = graph.Panel{
			Words: d.words("l", i, "How long runs of "+d.check+" took from "+row.Name, desc), Window: d.window, Points: points, Scale: scale, Height: 64,
			Silent: graph.Silent(d.window, d.c.tallies(d.window, site{d.check, region}), points), Note: []string{"no run", "completed"}, Room: 0.1,
		}.HTML()
		out = append(out, row)
	}
	return out
}

// phased are the failures of a check by where a run ended, from all regions.
type phased struct {
	phase   checks.Phase
	class   checks.Class
	unknown bool
	n       int
	cells   map[int]int
}

// bars are the failing phases, the most frequent first.
func (d drawing) bars() []rowView {
	list := d.byPhase()
	most := 1
	for _, p := range list {
		for _, n := range p.cells {
			most = max(most, n)
		}
	}
	var out []rowView
	for i, p := range list {
		counts := make([]int, d.window.Cells())
		for cell, n := range p.cells {
			if cell >= 0 && cell < len(counts) {
				counts[cell] = n
			}
		}
		row := rowView{Name: string(p.phase), Small: string(p.class), Value: graph.Count(p.n, "run")}
		if row.Name == "" {
			row.Name = "no phase"
		}
		if p.unknown {
			row.Detail = "counts as unknown"
		}
		row.Picture = graph.Bars{
			Words: d.words("b", i, "Runs of "+d.check+" that ended in "+row.Name+" with "+row.Small, row.Value+"."), Window: d.window,
			Counts: counts, Most: most, Hollow: p.unknown, Height: 20,
		}.HTML()
		out = append(out, row)
	}
	return out
}

// maxBars is how many ways to fail are drawn of a check.
const maxBars = 8

func (d drawing) byPhase() []phased {
	var out []phased
	for _, k := range d.a.failed() {
		if k.check != d.check {
			continue
		}
		f := d.a.kinds[k]
		p := phased{phase: k.phase, class: k.class, unknown: k.outcome == checks.Unknown, cells: make(map[int]int)}
		i := slices.IndexFunc(out, func(o phased) bool { return o.phase == p.phase && o.class == p.class && o.unknown == p.unknown })
		if i < 0 {
			out = append(out, p)
			i = len(out) - 1
		}
		out[i].n += f.n
		for cell, n := range f.cells {
			out[i].cells[cell] += n
		}
	}
	slices.SortStableFunc(out, func(x, y phased) int { return y.n - x.n })
	return out[:min(maxBars, len(out))]
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}
