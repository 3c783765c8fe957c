package graph

import (
	"html/template"
	"math"
	"time"
)

// Stack shows where the time goes: the medians of the phases, stacked from the
// bottom in the order they ran, on a linear scale of its own.
type Stack struct {
	Words
	Window Window
	// Names of the phases, in the order they run.
	Names []string
	// Points hold one median a phase, in the order of Names.
	Points []StackPoint
	// Height in pixels, 104 if not given.
	Height float64
	// Silent, Note, Room and Lines are as in a Panel.
	Silent []Window
	Note   []string
	Room   float64
	Lines  []time.Time
}

// StackPoint holds the medians of one step. One without values is a gap.
type StackPoint struct {
	At      time.Time
	Medians []time.Duration
}

// sum is the height of the whole stack.
func (p StackPoint) sum() time.Duration {
	var s time.Duration
	for _, v := range p.Medians {
		s += max(0, v)
	}
	return s
}

// Hues is the number of steps that the palette has for phases.
const Hues = 6

// Hue is the step of the palette, 1 to Hues, of the i-th of n phases.
func Hue(i, n int) int {
	if n <= Hues {
		return i%Hues + 1
	}
	return min(Hues, i*Hues/n+1)
}

// HTML draws the stack with the words of its scale; it stands in an element of
// the class "pl" of its own.
func (s Stack) HTML() template.HTML {
	if s.Height <= 0 {
		s.Height = 104
	}
	top := s.top()
	var b builder
	b.raw(`<div class="pl">`, string(plot(panelWidth, s.Height, s.Words, s.body(top))))
	b.raw(`<svg class="yl" height="`, num(s.Height), `" aria-hidden="true" focusable="false">`)
	for _, v := range Marks(top, 5) {
		if v > 0 {
			b.raw(`<text x="100%" y="`, num(s.Height-s.Height*float64(v)/float64(top)), `">`, Round(v), `</text>`)
		}
	}
	b.raw(`</svg>`)
	if n := len(s.Silent); n > 0 {
		b.raw(note(s.Window, s.Silent[n-1], s.Height, s.Room, s.Note))
	}
	b.raw(`</div>`)
	return b.html()
}

// top is the upper end of the scale.
func (s Stack) top() time.Duration {
	var highest time.Duration
	for _, p := range s.Points {
		highest = max(highest, p.sum())
	}
	if highest <= 0 {
		return time.Second
	}
	return time.Duration(math.Min(float64(highest)*1.2, 1e15))
}

func (s Stack) body(top time.Duration) string {
	var b builder
	b.raw(wash(s.Window, s.Silent, s.Height))
	for _, segment := range s.segments() {
		s.areas(&b, segment, top)
	}
	b.raw(lines(s.Window.Places(s.Lines, panelWidth), s.Height))
	b.raw(`<path class="grid" d="M0 `, num(s.Height), "H", num(panelWidth), `"/>`)
	return b.String()
}

func (s Stack) segments() [][]StackPoint {
	var out [][]StackPoint
	var last time.Time
	for _, p := range s.Points {
		if len(p.Medians) < len(s.Names) || len(s.Names) == 0 {
			continue
		}
		if n := len(out); n > 0 && p.At.After(last) && p.At.Sub(last) <= s.Window.Step*3/2 {
			out[n-1] = append(out[n-1], p)
		} else {
			out = append(out, []StackPoint{p})
		}
		last = p.At
	}
	return out
}

// areas draws one segment: an area a phase, and a line of paper between them.
func (s Stack) areas(b *builder, points []StackPoint, top time.Duration) {
	var edges builder
	below := make([]time.Duration, len(points))
	lower := s.edge(points, below, top)
	for i := range s.Names {
		for k, p := range points {
			below[k] += max(0, p.Medians[i])
		}
		upper := s.edge(points, below, top)
		b.raw(`<path class="a`, num(float64(Hue(i, len(s.Names)))), `" d="M`, upper.forth, "L", lower.back, `Z"/>`)
		if i < len(s.Names)-1 {
			edges.raw("M", upper.forth)
		}
		lower = upper
	}
	b.raw(`<path class="edge" d="`, edges.String(), `"/>`)
}

// edge is the line at the given heights; it reaches from the start of its
// first step to the end of its last.
func (s Stack) edge(points []StackPoint, heights []time.Duration, top time.Duration) polyline {
	y := func(i int) float64 { return s.Height - s.Height*float64(heights[i])/float64(top) }
	n := len(points)
	spots := []spot{{s.Window.x(points[0].At), y(0)}}
	for i, p := range points {
		spots = append(spots, spot{s.Window.x(p.At.Add(s.Window.Step / 2)), y(i)})
	}
	return join(append(spots, spot{s.Window.x(points[n-1].At.Add(s.Window.Step)), y(n - 1)}))
}

// HueKey is the small square that names the colour of the i-th of n phases.
func HueKey(i, n int) template.HTML {
	var b builder
	b.raw(`<svg class="k" viewBox="0 0 9 9" width="9" height="9" aria-hidden="true" focusable="false"><rect class="a`,
		num(float64(Hue(i, n))), `" x=".5" y=".5" width="8" height="8"/></svg>`)
	return b.html()
}

// Marks are the round times from zero to top, at steps of 1, 2 or 5 times a
// power of ten, at most most of them after zero.
func Marks(top time.Duration, most int) []time.Duration {
	if top <= 0 || most <= 0 {
		return []time.Duration{0}
	}
	step := max(1, roundUp(float64(top)/float64(most)*0.999))
	var out []time.Duration
	for v := time.Duration(0); v <= top && len(out) <= most; v += step {
		out = append(out, v)
	}
	return out
}
