package graph

import (
	"html/template"
	"math"
)

// Strip is a row of cells, oldest first: a calm ground line where all is well;
// trouble stands up from it; nothing at all where nobody looked.
type Strip struct {
	Words
	Cells []Cell
	// Height in pixels, 24 if not given.
	Height float64
	// Ground is the height of the ground line in pixels, a quarter of Height
	// if not given.
	Ground float64
	// Gap is the part of a cell's width left free beside it, 0 to 0.5. With a
	// gap every cell is a mark of its own; without one, equal neighbours are
	// one mark.
	Gap float64
	// Lines are the places of annotations, in cells from the left.
	Lines []float64
}

// groundShare is the height of the ground line where none is given.
const groundShare = 0.24

// rise is the height of a mark as a part of the strip: steep at the small end,
// with a floor, so that two bad minutes of a day can still be seen.
func rise(c Cell) float64 {
	h := 0.42 + 0.58*math.Pow(clamp(c.Share, 0, 1), 0.42)
	switch c.Mark {
	case Slow:
		return h * 0.72
	case Maintenance:
		return h * 0.6
	}
	return h
}

// HTML draws the strip.
func (s Strip) HTML() template.HTML {
	if s.Height <= 0 {
		s.Height = 24
	}
	if s.Ground <= 0 {
		s.Ground = s.Height * groundShare
	}
	return plot(float64(max(1, len(s.Cells))), s.Height, s.Words, lines(s.Lines, s.Height)+s.body())
}

// body is what stands in the picture, one unit of width a cell.
func (s Strip) body() string {
	s.Gap = clamp(s.Gap, 0, 0.5)
	p := stripPen{Strip: s}
	for i, c := range s.Cells {
		p.cell(i, c)
	}
	p.flush(len(s.Cells))
	var b builder
	if p.quiet.Len() > 0 {
		b.raw(`<path class="f-up" d="`, p.quiet.String(), `"/>`)
	}
	if p.thin.Len() > 0 {
		b.raw(`<path class="f-thin" d="`, p.thin.String(), `"/>`)
	}
	for _, m := range p.marks {
		p.draw(&b, m)
	}
	return b.String()
}

// stripPen collects the paths and marks of a strip.
type stripPen struct {
	Strip
	quiet, thin builder
	marks       []stripMark
	// open is the start of a run of quiet cells that is not yet drawn.
	open    int
	running bool
}

// stripMark is trouble in one or several neighbouring cells.
type stripMark struct {
	mark     Mark
	from, to int
	height   float64
	title    string
}

func (p *stripPen) cell(i int, c Cell) {
	switch cover := clamp(c.Coverage, 0, 1); {
	case c.Mark.known() == Unknown || cover == 0:
		p.flush(i)
	case c.Mark > Up:
		p.flush(i)
		p.mark(i, c)
	case cover < gapBelow:
		p.flush(i)
	case cover < thinBelow:
		p.flush(i)
		p.box(&p.thin, float64(i), float64(i+1), p.Ground/2)
	case p.Gap > 0:
		p.box(&p.quiet, float64(i), float64(i+1), p.Ground)
	case !p.running:
		p.open, p.running = i, true
	}
}

func (p *stripPen) mark(i int, c Cell) {
	h := p.Height * rise(c)
	if n := len(p.marks); n > 0 && p.Gap == 0 {
		last := &p.marks[n-1]
		if last.to == i && last.mark == c.Mark && math.Abs(last.height-h) < 0.01 && last.title == c.Title {
			last.to = i + 1
			return
		}
	}
	p.marks = append(p.marks, stripMark{c.Mark, i, i + 1, h, c.Title})
}

// flush draws the run of quiet cells that ends before cell i.
func (p *stripPen) flush(i int) {
	if p.running {
		p.box(&p.quiet, float64(p.open), float64(i), p.Ground)
		p.running = false
	}
}

// box adds a box on the ground to a path.
func (p *stripPen) box(b *builder, x0, x1, height float64) {
	x0, x1 = x0+p.Gap/2, x1-p.Gap/2
	b.raw("M", fine(x0), " ", num(p.Height-height), "H", fine(x1), "V", num(p.Height), "H", fine(x0), "Z")
}

func (p *stripPen) draw(b *builder, m stripMark) {
	x0, x1 := float64(m.from)+p.Gap/2, float64(m.to)-p.Gap/2
	rect := func(class string, height float64) {
		b.raw(`<rect class="`, class, `" x="`, fine(x0), `" y="`, num(p.Height-height),
			`" width="`, fine(x1-x0), `" height="`, num(height), `"`)
		if p.Gap == 0 { // neighbours must not show a seam
			b.raw(` shape-rendering="crispEdges"`)
		}
	}
	if m.mark == Intermittent { // bands need a foot to stand on
		rect("f-foot", p.Ground)
		b.raw("/>")
	}
	rect("f-"+m.mark.Class(), m.height)
	if m.title == "" {
		b.raw("/>")
		return
	}
	b.raw("><title>")
	b.text(m.title)
	b.raw("</title></rect>")
}

// lines are the dotted lines of annotations, a little longer than the picture
// is high.
func lines(at []float64, height float64) string {
	if len(at) == 0 {
		return ""
	}
	var b builder
	b.raw(`<path class="vline" d="`)
	for _, x := range at {
		b.raw("M", fine(x), " -7V", num(height+7))
	}
	b.raw(`"/>`)
	return b.String()
}

// Key is the mark of a cell drawn small, for the legend beside a word.
func Key(m Mark) template.HTML {
	var b builder
	b.raw(`<svg class="key" viewBox="0 0 10 18" width="10" height="18" aria-hidden="true" focusable="false">`)
	switch m {
	case Unknown:
		b.raw(`<path class="f-up" d="M-2 13.7H1V18H-2ZM9 13.7H12V18H9Z"/>`)
	case Up:
		b.raw(`<path class="f-up" d="M2 13.7H8V18H2Z"/>`)
	default:
		h := 18 * rise(Cell{Mark: m, Share: 0.7})
		b.raw(`<rect class="f-`, m.Class(), `" x="2" y="`, num(18-h), `" width="6" height="`, num(h), `"/>`)
	}
	b.raw(`</svg>`)
	return b.html()
}
