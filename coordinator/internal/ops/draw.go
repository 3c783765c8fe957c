package ops

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
)

// drawing turns the history of a check into pictures over one time axis.
type drawing struct {
	now     Now
	check   checks.Target
	scope   scope
	window  graph.Window
	history CheckHistory
	// lines are the times of annotations; they run through all pictures.
	lines []time.Time
}

// regionView is one region on the page of a check.
type regionView struct {
	ID                string
	Name, Class, Word string
	Glyph             template.HTML
	Bold              bool
	Strip             template.HTML
	Uptime, Looked    string
	Panel             template.HTML
	P50, P95, Usual   string
	Stack             template.HTML
	Sum               string
	Keys              []keyView
}

// keyView names one phase of a stack with its newest median.
type keyView struct {
	Key        template.HTML
	Name, Time string
}

// regions draws each region that runs the check.
func (d drawing) regions() []regionView {
	latencies := make([][]graph.LatencyPoint, len(d.history.Regions))
	for i, r := range d.history.Regions {
		latencies[i] = r.Latency
	}
	scale := graph.ScaleOf(latencies...)
	var out []regionView
	for _, region := range d.now.Regions {
		if d.scope.region != "" && d.scope.region != region.ID {
			continue
		}
		series := d.now.verdicts(func(v Verdict) bool { return v.Check == d.check.ID && v.Region == region.ID && d.scope.over(v.Family) })
		i := slices.IndexFunc(d.history.Regions, func(r CheckRegion) bool { return r.Region == region.ID })
		if len(series) == 0 && i < 0 {
			continue
		}
		h := CheckRegion{Region: region.ID}
		if i >= 0 {
			h = d.history.Regions[i]
		}
		out = append(out, d.region(region, h, series, scale, len(out)))
	}
	return out
}

func (d drawing) region(region Region, h CheckRegion, series []Verdict, scale graph.Scale, i int) regionView {
	w := worst{}
	if len(series) > 0 {
		w = worstOf(series)
	}
	mark := w.mark()
	cells := pad(d.window, h.Tallies)
	v := regionView{
		ID: region.ID, Name: region.Name, Class: mark.Class(), Word: d.now.word(w.state, d.check.ID), Glyph: mark.Glyph(), Bold: mark != graph.Up,
		Uptime: h.Uptime.Percent(3), Looked: graph.Looked(h.Coverage),
		Strip: graph.Strip{
			Words: graph.Words{ID: fmt.Sprintf("s_%d", i), Title: d.title(region), Desc: "Now " + d.now.word(w.state, d.check.ID) + ". " + graph.Describe(cells, "step")},
			Cells: cells, Height: 24, Ground: 4, Lines: d.window.Places(d.lines, float64(max(1, len(cells)))),
		}.HTML(),
	}
	if !w.since.IsZero() {
		v.Word += " " + graph.Span(d.now.At.Sub(w.since))
	}
	if w.mixed {
		v.Word += ", " + familyWords(w.families)
	}
	d.latency(&v, region, h, scale, i)
	d.stack(&v, region, h, i)
	return v
}

func (d drawing) title(region Region) string {
	return d.check.ID + " in " + region.Name + ", " + d.scope.words()
}

// noteRoom is the part of a picture that "no run completed" needs.
const noteRoom = 0.1

func (d drawing) latency(v *regionView, region Region, h CheckRegion, scale graph.Scale, i int) {
	p := graph.Panel{
		Words:  graph.Words{ID: fmt.Sprintf("l_%d", i), Title: "Latency of " + d.title(region), Desc: "No run completed."},
		Window: d.window, Points: h.Latency, Scale: scale, Lines: d.lines,
		Silent: graph.Silent(d.window, h.Tallies, h.Latency), Note: []string{"no run", "completed"}, Room: noteRoom,
	}
	if t, ok := graph.Typical(h.Latency); ok {
		p.Desc = fmt.Sprintf("Typical p50 %s, p95 %s, p99 %s; logarithmic scale from %s to %s.",
			graph.Latency(t.P50), graph.Latency(t.P95), graph.Latency(t.P99), graph.Round(scale.Low), graph.Round(scale.High))
		last := h.Latency[len(h.Latency)-1]
		v.P50, v.Usual = graph.Latency(last.P50), "p50 "+graph.Latency(t.P50)+" typically"
		v.P95 = "p95 " + graph.Latency(last.P95) + ", p99 " + graph.Latency(last.P99)
	}
	v.Panel = p.HTML()
}

func (d drawing) stack(v *regionView, region Region, h CheckRegion, i int) {
	if len(h.Phases) == 0 || len(h.Medians) == 0 {
		return
	}
	s := graph.Stack{
		Words:  graph.Words{ID: fmt.Sprintf("p_%d", i), Title: "Phases of " + d.title(region) + ", medians"},
		Window: d.window, Points: h.Medians, Lines: d.lines,
		Silent: graph.Silent(d.window, h.Tallies, h.Latency), Note: []string{"no run", "completed"}, Room: noteRoom,
	}
	last := h.Medians[len(h.Medians)-1]
	var sum time.Duration
	var words []string
	for k, phase := range h.Phases {
		s.Names = append(s.Names, string(phase))
		if k < len(last.Medians) {
			sum += last.Medians[k]
			words = append(words, string(phase)+" "+graph.Latency(last.Medians[k]))
			v.Keys = append(v.Keys, keyView{graph.HueKey(k, len(h.Phases)), string(phase), graph.Latency(last.Medians[k])})
		}
	}
	slices.Reverse(v.Keys) // the list reads from the top, as the picture does
	s.Desc = "From the bottom: " + strings.Join(words, ", ") + "."
	v.Sum, v.Stack = "sum "+graph.Latency(sum), s.HTML()
}

// classes draws the failures by class.
func (d drawing) classes() []classView {
	most := 1
	for _, c := range d.history.Classes {
		most = max(most, slices.Max(append([]int{0}, c.Counts...)))
	}
	var out []classView
	for i, c := range d.history.Classes {
		total := 0
		for _, n := range c.Counts {
			total += n
		}
		where := make([]string, len(c.Regions))
		for k, r := range c.Regions {
			where[k] = d.now.regionName(r)
		}
		v := classView{Class: string(c.Class), Total: graph.Thousands(total), Where: graph.List(where)}
		if len(where) > 2 {
			v.Where = graph.Count(len(where), "region")
		}
		b := graph.Bars{
			Words:  graph.Words{ID: fmt.Sprintf("c_%d", i), Title: v.Class + ", " + d.scope.words(), Desc: graph.Count(total, "run") + ", " + graph.List(where) + "."},
			Window: d.window, Counts: c.Counts, Most: most, Lines: d.window.Places(d.lines, float64(max(1, len(c.Counts)))),
		}
		if c.Class.Outcome() == checks.Unknown {
			b.Hollow, b.Desc = true, b.Desc+" Counts as unknown."
		}
		v.Bars = b.HTML()
		out = append(out, v)
	}
	return out
}
