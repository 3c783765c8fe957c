package graph

import (
	"fmt"
	"html/template"
	"time"
)

// Waterfall shows the phases of one observation, each where it began and as
// long as it took.
type Waterfall struct {
	Words
	Steps []Step
	// Total is the length of the axis, at least the sum of the steps; the sum
	// if not given.
	Total time.Duration
}

// Step is one phase of an observation. Steps follow one another.
type Step struct {
	Name   string
	Length time.Duration
	// Failed marks the phase in which the run ended.
	Failed bool
	// Skipped marks a phase that was not reached.
	Skipped bool
}

// HTML draws the waterfall: one row a phase and an axis.
func (w Waterfall) HTML() template.HTML {
	w.Total = min(max(w.Total, w.sum(), time.Millisecond), time.Hour)
	marks := Marks(w.Total, 5)
	var b builder
	b.raw(`<div class="wf" role="group" aria-label="`)
	b.text(w.Title + ": " + w.Desc)
	b.raw(`">`)
	var start time.Duration
	for i, s := range w.Steps {
		w.row(&b, i, s, start, marks)
		if !s.Skipped {
			start += max(0, s.Length)
		}
	}
	b.raw(`<div class="w"><svg class="ticks" width="100%" height="18" aria-hidden="true" focusable="false">`)
	for _, m := range marks {
		class := "k1"
		if m == 0 {
			class = "first"
		} else if float64(m) > 0.95*float64(w.Total) {
			class = "last"
		}
		b.raw(`<text class="`, class, `" x="`, percent(float64(m)/float64(w.Total)), `" y="13">`, Round(m), `</text>`)
	}
	b.raw(`</svg></div></div>`)
	return b.html()
}

func (w Waterfall) sum() time.Duration {
	var sum time.Duration
	for _, s := range w.Steps {
		if !s.Skipped {
			sum += min(max(0, s.Length), time.Hour)
		}
	}
	return sum
}

func (w Waterfall) row(b *builder, i int, s Step, start time.Duration, marks []time.Duration) {
	words := Words{ID: fmt.Sprintf("%s-%d", w.ID, i)}
	x := func(d time.Duration) float64 { return clamp(float64(d)/float64(w.Total), 0, 1) * panelWidth }
	var body builder
	body.raw(`<path class="ghost" d="`)
	for _, m := range marks {
		body.raw("M", num(x(m)), " 0V14")
	}
	body.raw(`"/>`)
	class, value := "w", Exact(s.Length)
	switch {
	case s.Skipped:
		class, value = "w skp", "–"
		words.Title, words.Desc = s.Name+": not reached", "This phase did not run."
	case s.Failed:
		words.Title, words.Desc = s.Name+": failed after "+value, "From "+Exact(start)+" on."
	default:
		words.Title, words.Desc = s.Name+": "+value, "From "+Exact(start)+" on."
	}
	if !s.Skipped {
		bar := "wbar"
		if s.Failed {
			bar = "wbad"
		}
		body.raw(`<rect class="`, bar, `" x="`, num(min(x(start), panelWidth-4)), `" y="2" width="`,
			num(max(4, x(start+max(0, s.Length))-x(start))), `" height="10"/>`)
	}
	b.raw(`<div class="`, class, `"><span>`)
	b.text(s.Name)
	b.raw(`</span>`, string(plot(panelWidth, 14, words, body.String())), `<span class="num">`)
	if s.Failed {
		b.raw(`<b class="s-down">`, value, `</b>`)
	} else {
		b.raw(value)
	}
	b.raw(`</span></div>`)
}
