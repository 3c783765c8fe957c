package graph

import (
	"html/template"
	"math"
)

// Ridge is the line of hills over the columns of regions: one beacon a region,
// lit where something is wrong.
type Ridge struct {
	Regions []Beacon
	// First is the part of the width, 0 to 1, that the names of the services
	// take before the columns of the regions begin.
	First float64
}

// Beacon is one region on the ridge.
type Beacon struct {
	Name string
	Lit  bool
}

// The size of the ridge, in units across and pixels down.
const (
	ridgeHeight = 110
	ridgeFoot   = 104
	// A beacon stands over the middle of the glyphs below it, which is 7 units
	// right of where its column begins.
	glyphMiddle = 7
	// On a narrow screen the same glyph is a larger part of the width.
	glyphMiddleNarrow = 24
)

// The heights of the summits, and of those behind them; a longer ridge repeats
// them.
func summit(i int) float64 {
	return []float64{60, 42, 66, 50, 44, 63, 47, 58}[i%8]
}

func farSummit(i int) spot {
	return []spot{{-0.54, 64}, {-0.44, 56}, {0.5, 50}, {-0.4, 62}, {0.46, 54}}[i%5]
}

// HTML draws the ridge.
func (r Ridge) HTML() template.HTML {
	var b builder
	b.raw(`<div class="ridge" role="img" aria-label="`)
	b.text(r.words())
	b.raw(`">`)
	r.draw(&b, "wide", clamp(r.First, 0, 0.9)*1000+glyphMiddle, (1-clamp(r.First, 0, 0.9))*1000)
	r.draw(&b, "narrow", glyphMiddleNarrow, 1000)
	b.raw(`</div>`)
	return b.html()
}

func (r Ridge) words() string {
	var lit []string
	for _, b := range r.Regions {
		if b.Lit {
			lit = append(lit, b.Name)
		}
	}
	if len(lit) == 0 {
		return "One beacon a region, none lit."
	}
	return "One beacon a region. Lit, because something is wrong there: " + List(lit) + "."
}

func (r Ridge) draw(b *builder, class string, first, width float64) {
	n := len(r.Regions)
	spacing := width / float64(max(1, n))
	var near, far []spot
	for i := range n {
		x := first + float64(i)*spacing
		near = append(near, spot{x, summit(i)})
		off := farSummit(i)
		far = append(far, spot{x + off.x*min(spacing, 240), off.y})
	}
	front, back := hills(near, 4, ridgeFoot), hills(far, 11, ridgeFoot-8)
	closing := "L1060 " + num(ridgeFoot+6) + "L-60 " + num(ridgeFoot+6) + "Z"
	b.raw(`<svg class="plot hills `, class, `" viewBox="0 0 1000 110" preserveAspectRatio="none" aria-hidden="true" focusable="false">`,
		`<path d="`, back, closing, `" fill="url(#mist)" opacity=".55"/><path d="`, front, closing, `" fill="url(#mist)"/>`,
		`<path d="`, front, `" fill="none" stroke="var(--rule-2)" stroke-width="1.1"/></svg>`)
	b.raw(`<svg class="beacons `, class, `" aria-hidden="true" focusable="false"><g transform="translate(-16 0)">`)
	for i, s := range near {
		tower(b, s, r.Regions[i].Lit)
	}
	b.raw(`</g></svg>`)
}

// tower draws one beacon with its foot on the summit.
func tower(b *builder, s spot, lit bool) {
	b.raw(`<svg x="`, percent(s.x/1000), `" y="`, num(s.y-37), `" width="32" height="37" viewBox="0 -4 26 30">`)
	if lit {
		b.raw(`<path class="lit-flame" d="M13.4-3c.6 3.2 4.2 5 4.2 9.2a4.6 4.6 0 0 1-9.2 0c0-2.2 1.2-3.3 1.8-5 .9.6 1.4 1.5 1.5 2.5C13 2.2 13.7-.2 13.4-3Z"/>`,
			`<path d="M13.1 9.8a2 2 0 0 1-2-2c0-1.4 1.3-2 1.9-3.5.9 1.1 2.1 2.1 2.1 3.5a2 2 0 0 1-2 2Z" fill="var(--paper)" opacity=".6"/>`)
	}
	b.raw(`<path class="mark-stroke" d="M8.3 25.5 13 12.6l4.7 12.9M9.9 21h6.2M11.4 17h3.2" stroke-width="1.5"/></svg>`)
}

// hills is the path of a ridge over the given summits, weathered a little,
// always in the same way.
func hills(summits []spot, seed uint64, foot float64) string {
	w := weather{seed}
	knots := []spot{{-60, foot - 4}}
	for i, s := range summits {
		knots = append(knots, s)
		if i+1 < len(summits) {
			next := summits[i+1].x
			knots = append(knots, spot{s.x + (next-s.x)*(0.42+0.18*w.next()), foot - 6 - 10*w.next()})
		}
	}
	knots = append(knots, spot{1060, foot - 6})
	var b builder
	b.raw("M")
	for k := 0; k+1 < len(knots); k++ {
		slope(&b, &w, k, knots[k], knots[k+1])
	}
	last := knots[len(knots)-1]
	b.raw(num(last.x), " ", num(last.y))
	return b.String()
}

// slope draws the line from one knot to the next, the second one left out.
func slope(b *builder, w *weather, k int, from, to spot) {
	n := max(2, int((to.x-from.x)/7))
	for j := range n {
		t := float64(j) / float64(n)
		ease := math.Pow(t, 1.55)
		if to.y > from.y {
			ease = 1 - math.Pow(1-t, 1.55)
		}
		noise := 0.55*(w.next()+w.next()+w.next()-1.5)*2 + 2.1*math.Sin(t*9+float64(k)*2.1)
		rough := math.Sin(math.Pi*t) * noise
		b.raw(num(from.x+(to.x-from.x)*t), " ", num(from.y+(to.y-from.y)*ease+rough), "L")
	}
}

// weather gives numbers from 0 to 1 that look like chance and never change
// (splitmix64, Steele et al. 2014).
type weather struct{ state uint64 }

func (w *weather) next() float64 {
	w.state += 0x9E3779B97F4A7C15
	z := w.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	z ^= z >> 31
	return float64(z>>11) / (1 << 53)
}
