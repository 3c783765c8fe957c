package graph

import (
	_ "embed"
	"time"
	"unicode/utf8"
)

//go:embed standalone.css
var standaloneCSS string

// Standalone is a graph for other people's pages: one SVG document with its
// words inside, a fixed ratio and its own palette, dark scheme included.
type Standalone struct {
	// Title names the service, Span the window ("last 24 hours"), Source who
	// says so.
	Title, Span, Source string
	Window              Window
	// At is when it was drawn.
	At   time.Time
	Rows []StandaloneRow
}

// StandaloneRow is one region.
type StandaloneRow struct {
	Name     string
	Mark     Mark
	Cells    []Cell
	Uptime   Ratio
	Coverage float64
	Points   []LatencyPoint
}

// The layout of a stand-alone graph, in units.
const (
	aloneWidth  = 760
	aloneLeft   = 172
	aloneRight  = 620
	aloneHead   = 62
	aloneRow    = 74
	aloneFoot   = 54
	aloneStrip  = 24
	aloneSpark  = 26
	aloneMargin = 20
	// aloneName is the longest name, in characters, that has room.
	aloneName = 22
)

// StandaloneStyle is the style sheet inside the document, for a
// Content-Security-Policy that names it.
func StandaloneStyle() string { return paletteCSS + marksCSS + standaloneCSS }

// StandaloneHeight is the height, in units, of a graph with so many rows; its
// width is 760.
func StandaloneHeight(rows int) int { return aloneHead + rows*aloneRow + aloneFoot }

// SVG draws the document. It is aloneWidth wide and as high as its rows ask.
func (s Standalone) SVG() []byte {
	height := float64(StandaloneHeight(len(s.Rows)))
	var b builder
	b.raw(`<svg xmlns="http://www.w3.org/2000/svg" width="`, num(aloneWidth), `" height="`, num(height),
		`" viewBox="0 0 `, num(aloneWidth), " ", num(height), `" role="img" aria-labelledby="t" aria-describedby="d"><title id="t">`)
	b.text(s.Title + ", " + s.Span)
	b.raw(`</title><desc id="d">`)
	b.text(s.describe())
	b.raw(`</desc><style>`, StandaloneStyle(), `</style>`, alonePatterns)
	b.raw(`<rect class="paper" x=".5" y=".5" width="`, num(aloneWidth-1), `" height="`, num(height-1), `" rx="6"/>`)
	b.word("h", aloneMargin, 34, clip(s.Title, 48))
	b.word("m e", aloneWidth-aloneMargin, 34, s.Span)
	scale := ScaleOf(s.points()...)
	for i, r := range s.Rows {
		s.row(&b, r, float64(aloneHead+i*aloneRow), scale)
	}
	s.axis(&b, height-aloneFoot+4)
	b.word("m", aloneMargin, height-16, clip(s.Source, 60))
	b.word("m e", aloneWidth-aloneMargin, height-16, s.At.UTC().Format("2 Jan 2006, 15:04 MST"))
	b.raw("</svg>\n")
	return []byte(b.String())
}

// alonePatterns are the patterns that the marks refer to.
const alonePatterns = `<defs>` +
	`<pattern id="p-flaky" width="6" height="5" patternUnits="userSpaceOnUse"><rect width="6" height="3" fill="var(--flaky)"/></pattern>` +
	`<pattern id="p-maint" width="6" height="3" patternUnits="userSpaceOnUse"><rect width="6" height="1" fill="var(--maint)"/></pattern></defs>`

func (s Standalone) describe() string {
	out := ""
	for i, r := range s.Rows {
		if i > 0 {
			out += " "
		}
		out += r.Name + ": " + r.Uptime.Percent(2) + ", " + Looked(r.Coverage) + ". " + Describe(r.Cells, "cell")
	}
	return out
}

func (s Standalone) points() [][]LatencyPoint {
	out := make([][]LatencyPoint, len(s.Rows))
	for i, r := range s.Rows {
		out[i] = r.Points
	}
	return out
}

func (s Standalone) row(b *builder, r StandaloneRow, top float64, scale Scale) {
	b.raw(`<path class="rule" d="M`, num(aloneMargin), " ", num(top), "H", num(aloneWidth-aloneMargin), `"/>`)
	b.word("v", aloneMargin, top+26, clip(r.Name, aloneName))
	b.word("m", aloneMargin, top+44, r.Mark.Public())
	b.nested(aloneLeft, top+10, aloneRight-aloneLeft, aloneStrip, float64(max(1, len(r.Cells))),
		Strip{Cells: r.Cells, Height: aloneStrip, Ground: 5, Gap: gapOf(len(r.Cells))}.body())
	panel := Panel{Window: s.Window, Points: r.Points, Scale: scale, Height: aloneSpark}
	b.nested(aloneLeft, top+40, aloneRight-aloneLeft, aloneSpark, panelWidth, panel.spark())
	b.word("v e", aloneWidth-aloneMargin, top+26, r.Uptime.Percent(2))
	b.word("m e", aloneWidth-aloneMargin, top+44, Looked(r.Coverage))
	if p, ok := newest(r.Points); ok {
		b.word("m e", aloneWidth-aloneMargin, top+61, "p50 "+Latency(p.P50))
	}
}

// gapOf leaves room between cells that are wide enough to be counted.
func gapOf(cells int) float64 {
	if cells <= 100 {
		return 0.26
	}
	return 0
}

// spark is a panel without its scale: p50, and the smoke up to p95.
func (p Panel) spark() string {
	var b builder
	for _, points := range segments(p.Points, p.Window.Step) {
		p50 := p.line(points, func(q LatencyPoint) time.Duration { return q.P50 })
		p95 := p.line(points, func(q LatencyPoint) time.Duration { return max(q.P50, q.P95) })
		b.raw(`<path class="smoke" d="M`, p95.forth, "L", p50.back, `Z"/><path class="p50" d="M`, p50.forth, `"/>`)
	}
	return b.String()
}

func (s Standalone) axis(b *builder, y float64) {
	for _, t := range s.Window.Ticks(usualTicks) {
		b.word("t", aloneLeft+t.Place*(aloneRight-aloneLeft), y+8, t.Text)
	}
}

// word writes text at a place.
func (b *builder) word(class string, x, y float64, s string) {
	if s == "" {
		return
	}
	b.raw(`<text class="`, class, `" x="`, num(x), `" y="`, num(y), `">`)
	b.text(s)
	b.raw(`</text>`)
}

// nested draws a picture that stretches inside one that does not.
func (b *builder) nested(x, y, width, height, units float64, body string) {
	b.raw(`<svg class="plot" x="`, num(x), `" y="`, num(y), `" width="`, num(width), `" height="`, num(height),
		`" viewBox="0 0 `, num(units), " ", num(height), `" preserveAspectRatio="none">`, body, `</svg>`)
}

// newest is the last point that holds runs.
func newest(points []LatencyPoint) (LatencyPoint, bool) {
	for i := len(points) - 1; i >= 0; i-- {
		if points[i].N > 0 {
			return points[i], true
		}
	}
	return LatencyPoint{}, false
}

// clip shortens s to at most most characters.
func clip(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
