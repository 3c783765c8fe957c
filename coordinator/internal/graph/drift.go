package graph

import (
	"html/template"
	"math"
	"strconv"
	"time"
)

// DriftPoint is how far a clock was off in one step of a window: the ends of what was
// measured.
type DriftPoint struct {
	At        time.Time
	Low, High time.Duration
}

// Drift shows how far a clock was off, fast above the line and slow below it, on one
// linear scale to both sides. A step that was not measured is a gap.
type Drift struct {
	Words
	Window Window
	Points []DriftPoint
	// Limit is how far it may be off; where the scale reaches so far, lines show it.
	Limit time.Duration
	// Height in pixels, 64 if not given.
	Height float64
	// Lines are the times of annotations.
	Lines []time.Time
}

// leastDrift is the least that the scale reaches to either side: a clock that keeps time
// to the millisecond must look so.
const leastDrift = 10 * time.Millisecond

// Reach is how far the scale goes to either side.
func (d Drift) Reach() time.Duration {
	far := float64(leastDrift)
	for _, p := range d.Points {
		far = max(far, math.Abs(float64(p.Low)), math.Abs(float64(p.High)))
	}
	return roundUp(far)
}

// HTML draws the bars with the words of their scale; it stands in an element of the
// class "pl" of its own.
func (d Drift) HTML() template.HTML {
	if d.Height <= 0 {
		d.Height = 64
	}
	reach := d.Reach()
	y := func(v time.Duration) float64 { return d.Height/2 - d.Height/2*clamp(float64(v)/float64(reach), -1, 1) }
	var b builder
	b.raw(lines(d.Window.Places(d.Lines, panelWidth), d.Height))
	b.raw(`<path class="grid" d="M0 `, num(d.Height/2), "H", num(panelWidth), `"/>`)
	if d.Limit > 0 && d.Limit <= reach {
		b.raw(`<path class="goal" d="M0 `, num(y(d.Limit)), "H", num(panelWidth), "M0 ", num(y(-d.Limit)), "H", num(panelWidth), `"/>`)
	}
	for _, p := range d.Points {
		from, to := d.Window.x(p.At), d.Window.x(p.At.Add(d.Window.Step))
		top, bottom := y(p.High), y(p.Low)
		if bottom-top < 3 { // also a point is seen
			middle := clamp((top+bottom)/2, 1.5, d.Height-1.5)
			top, bottom = middle-1.5, middle+1.5
		}
		class := "wk"
		if d.Limit > 0 && max(-p.Low, p.High) > d.Limit {
			class = "wd"
		}
		b.raw(`<rect class="`, class, `" x="`, num(from), `" y="`, num(top), `" width="`, num(max(1, to-from)), `" height="`, num(bottom-top), `"><title>`)
		b.text(d.Window.Label(p.At) + ": " + p.words())
		b.raw(`</title></rect>`)
	}
	var out builder
	out.raw(`<div class="pl">`, string(plot(panelWidth, d.Height, d.Words, b.String())))
	out.raw(`<svg class="yl" height="`, num(d.Height), `" aria-hidden="true" focusable="false"><text x="100%" y="10">+`, Round(reach),
		`</text><text x="100%" y="`, num(d.Height-2), `">-`, Round(reach), `</text></svg></div>`)
	return out.html()
}

// words say from where to where the clock was.
func (p DriftPoint) words() string {
	if p.Low == p.High {
		return Offset(p.Low)
	}
	return Offset(p.Low) + " to " + Offset(p.High)
}

// Offset writes how far a clock is off: "+4 ms", "-1.2 s".
func Offset(d time.Duration) string {
	d, sign := d.Round(time.Millisecond), "+"
	if d < 0 {
		d, sign = -d, "-"
	}
	if d < time.Second {
		return sign + strconv.Itoa(int(d/time.Millisecond)) + " ms"
	}
	return sign + Latency(d)
}
