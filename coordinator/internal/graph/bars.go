package graph

import (
	"html/template"
	"math"
)

// Bars shows how often something happened in each step of a window, on a
// logarithmic height: one must be seen beside a thousand.
type Bars struct {
	Words
	Window Window
	// Counts hold one number a step.
	Counts []int
	// Most is the number that fills the height; rows that are compared share
	// it.
	Most int
	// Hollow marks failures of our own: they count as unknown.
	Hollow bool
	// Plain marks what is no failure.
	Plain bool
	// Noun is what is counted, "run" if not given.
	Noun string
	// Height in pixels, 24 if not given.
	Height float64
	// Lines are the places of annotations, in steps from the left.
	Lines []float64
}

// HTML draws the bars.
func (s Bars) HTML() template.HTML {
	if s.Height <= 0 {
		s.Height = 24
	}
	if s.Noun == "" {
		s.Noun = "run"
	}
	class := "fb"
	switch {
	case s.Hollow:
		class = "fu"
	case s.Plain:
		class = "db"
	}
	var b builder
	b.raw(lines(s.Lines, s.Height))
	for i, n := range s.Counts {
		if n <= 0 {
			continue
		}
		h := s.Height * clamp(0.2+0.8*math.Log1p(float64(n))/math.Log1p(float64(max(1, s.Most))), 0.2, 1)
		b.raw(`<rect class="`, class, `" x="`, fine(float64(i)+0.13), `" y="`, num(s.Height-h), `" width="0.74" height="`, num(h), `"><title>`)
		b.text(s.Window.Label(s.Window.Start(i)) + ": " + Count(n, s.Noun))
		b.raw(`</title></rect>`)
	}
	width := float64(max(1, len(s.Counts)))
	b.raw(`<path class="grid" d="M0 `, num(s.Height), "H", num(width), `"/>`)
	return plot(width, s.Height, s.Words, b.String())
}
