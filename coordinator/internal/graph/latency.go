package graph

import (
	"html/template"
	"math"
	"slices"
	"time"
)

// LatencyPoint holds the percentiles of the runs that completed in one step of
// a window. A point with N = 0 is a gap.
type LatencyPoint struct {
	// At is the start of the step.
	At            time.Time
	N             int
	P50, P95, P99 time.Duration
}

// Scale is a logarithmic scale of durations, shared by all the panels that a
// reader compares.
type Scale struct{ Low, High time.Duration }

// ScaleOf is the scale that holds every point of all the given series, from a
// round number to a round number, at least one decade.
func ScaleOf(series ...[]LatencyPoint) Scale {
	low, high := math.Inf(1), 0.0
	for _, points := range series {
		for _, p := range points {
			if p.N > 0 && p.P50 > 0 {
				low = math.Min(low, float64(p.P50))
				high = math.Max(high, float64(max(p.P50, p.P95, p.P99)))
			}
		}
	}
	if high == 0 {
		return Scale{10 * time.Millisecond, time.Second}
	}
	s := Scale{Low: roundDown(low * 0.8), High: roundUp(high * 1.05)}
	if s.High < 10*s.Low {
		s.High = 10 * s.Low
	}
	return s
}

// roundDown and roundUp give the next number that is 1, 2 or 5 times a power
// of ten nanoseconds.
func roundDown(v float64) time.Duration {
	v = clamp(v, 1, 1e15)
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, k := range []float64{5, 2} {
		if k*unit <= v {
			return time.Duration(k * unit)
		}
	}
	return time.Duration(unit)
}

func roundUp(v float64) time.Duration {
	v = clamp(v, 1, 1e15)
	unit := math.Pow(10, math.Floor(math.Log10(v)))
	for _, k := range []float64{1, 2, 5} {
		if k*unit >= v {
			return time.Duration(k * unit)
		}
	}
	return time.Duration(10 * unit)
}

// Typical is the median of each percentile over all points that hold runs.
func Typical(points []LatencyPoint) (LatencyPoint, bool) {
	var p50, p95, p99 []time.Duration
	n := 0
	for _, p := range points {
		if p.N > 0 {
			n += p.N
			p50, p95, p99 = append(p50, p.P50), append(p95, p.P95), append(p99, p.P99)
		}
	}
	if n == 0 {
		return LatencyPoint{}, false
	}
	return LatencyPoint{N: n, P50: median(p50), P95: median(p95), P99: median(p99)}, true
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// y is where d lies in a panel of the given height; zero is the top.
func (s Scale) y(d time.Duration, height float64) float64 {
	if s.Low <= 0 || s.High <= s.Low {
		return height
	}
	v := clamp(float64(d), float64(s.Low), float64(s.High))
	return height - height*math.Log(v/float64(s.Low))/math.Log(float64(s.High)/float64(s.Low))
}

// marks are the round times at which the scale has a line: powers of ten, or
// steps of 2 and 5 where fewer than two of these fall inside.
func (s Scale) marks() []time.Duration {
	for _, ks := range [][]time.Duration{{1}, {1, 2, 5}} {
		var out []time.Duration
		for unit := time.Microsecond; unit < s.High && unit < 1e14; unit *= 10 {
			for _, k := range ks {
				if v := k * unit; float64(v) > 1.2*float64(s.Low) && float64(v) < 0.9*float64(s.High) {
					out = append(out, v)
				}
			}
		}
		if len(out) >= 2 {
			return out
		}
	}
	return nil
}

// words are those beside the lines of the scale.
func (s Scale) words(height float64, marks []time.Duration, write func(time.Duration) string) string {
	var b builder
	b.raw(`<svg class="yl" height="`, num(height), `" aria-hidden="true" focusable="false">`)
	for _, v := range marks {
		b.raw(`<text x="100%" y="`, num(s.y(v, height)), `">`, write(v), `</text>`)
	}
	b.raw(`</svg>`)
	return b.String()
}

// Panel is one region's latency on a logarithmic scale: p50 strong, p95 thin,
// p99 dotted, the smoke between them filled.
type Panel struct {
	Words
	Window Window
	Points []LatencyPoint
	Scale  Scale
	// Height in pixels, 88 if not given.
	Height float64
	// Silent are the spans in which we looked and no run completed. They are
	// washed, and the words of Note stand in the last one.
	Silent []Window
	Note   []string
	// Room is the part of the width, 0 to 1, that Note needs; where the span is
	// narrower it is left out, and the wash speaks alone.
	Room float64
	// Lines are the times of annotations.
	Lines []time.Time
}

// panelWidth is the width of a panel in units; it only sets how fine the
// places are.
const panelWidth = 1000

// HTML draws the panel with the words of its scale; it stands in an element
// of the class "pl" of its own.
func (p Panel) HTML() template.HTML {
	if p.Height <= 0 {
		p.Height = 88
	}
	var b builder
	b.raw(`<div class="pl">`, string(plot(panelWidth, p.Height, p.Words, p.body())))
	b.raw(p.Scale.words(p.Height, p.Scale.marks(), Round))
	if n := len(p.Silent); n > 0 {
		b.raw(note(p.Window, p.Silent[n-1], p.Height, p.Room, p.Note))
	}
	b.raw(`</div>`)
	return b.html()
}

func (p Panel) body() string {
	var b builder
	b.raw(wash(p.Window, p.Silent, p.Height), lines(p.Window.Places(p.Lines, panelWidth), p.Height))
	b.raw(`<path class="grid" d="`)
	for _, v := range p.Scale.marks() {
		b.raw("M0 ", num(p.Scale.y(v, p.Height)), "H", num(panelWidth))
	}
	b.raw("M0 ", num(p.Height), "H", num(panelWidth), `"/>`)
	for _, s := range segments(p.Points, p.Window.Step) {
		p.segment(&b, s)
	}
	return b.String()
}

// segment draws neighbouring points.
func (p Panel) segment(b *builder, points []LatencyPoint) {
	p50 := p.line(points, func(q LatencyPoint) time.Duration { return q.P50 })
	p95 := p.line(points, func(q LatencyPoint) time.Duration { return max(q.P50, q.P95) })
	p99 := p.line(points, func(q LatencyPoint) time.Duration { return max(q.P50, q.P95, q.P99) })
	b.raw(`<path class="smoke2" d="M`, p99.forth, "L", p95.back, `Z"/><path class="smoke" d="M`, p95.forth, "L", p50.back, `Z"/>`)
	b.raw(`<path class="p99" d="M`, p99.forth, `"/><path class="p95" d="M`, p95.forth, `"/><path class="p50" d="M`, p50.forth, `"/>`)
}

// polyline is a line from left to right and the same from right to left.
type polyline struct{ forth, back string }

func (p Panel) line(points []LatencyPoint, value func(LatencyPoint) time.Duration) polyline {
	spots := make([]spot, 0, len(points)+1)
	for _, q := range points {
		spots = append(spots, spot{p.Window.x(q.At.Add(p.Window.Step / 2)), p.Scale.y(value(q), p.Height)})
	}
	if len(spots) == 1 { // a step alone is as wide as it is long
		half := p.Window.x(points[0].At.Add(p.Window.Step)) - spots[0].x
		spots = []spot{{spots[0].x - half, spots[0].y}, {spots[0].x + half, spots[0].y}}
	}
	return join(spots)
}

// spot is a place in a picture.
type spot struct{ x, y float64 }

func join(spots []spot) polyline {
	var forth, back builder
	for i, s := range spots {
		if i > 0 {
			forth.raw("L")
		}
		forth.raw(num(s.x), " ", num(s.y))
		r := spots[len(spots)-1-i]
		if i > 0 {
			back.raw("L")
		}
		back.raw(num(r.x), " ", num(r.y))
	}
	return polyline{forth.String(), back.String()}
}

// x is the place of t in units of a panel.
func (w Window) x(t time.Time) float64 { return clamp(w.place(t), 0, 1) * panelWidth }

// segments cuts the points where one is missing: no line crosses a gap.
func segments(points []LatencyPoint, step time.Duration) [][]LatencyPoint {
	var out [][]LatencyPoint
	var last time.Time
	for _, p := range points {
		if p.N <= 0 {
			continue
		}
		if n := len(out); n > 0 && p.At.Sub(last) <= step*3/2 && p.At.After(last) {
			out[n-1] = append(out[n-1], p)
		} else {
			out = append(out, []LatencyPoint{p})
		}
		last = p.At
	}
	return out
}
