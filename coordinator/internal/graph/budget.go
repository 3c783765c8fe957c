package graph

import "html/template"

// Budget shows how much of what an objective allows is used: it fills from the left, and
// where more was used than is allowed it is full and footed.
type Budget struct {
	Words
	// Used is the share of the budget that is used; more than 1 if it is overdrawn.
	Used float64
	// Height in pixels, 12 if not given.
	Height float64
}

// HTML draws the bar.
func (u Budget) HTML() template.HTML {
	if !(u.Height > 0) {
		u.Height = 12
	}
	var b builder
	class := "bu"
	if u.Used > 1 {
		class = "bo"
	}
	if width := panelWidth * clamp(u.Used, 0, 1); width > 0 {
		b.raw(`<rect class="`, class, `" x="0" y="0" width="`, num(max(width, 2)), `" height="`, num(u.Height), `"/>`)
	}
	b.raw(`<rect class="bx" x="0" y="0" width="`, num(panelWidth), `" height="`, num(u.Height), `"/>`)
	if u.Used > 1 { // also without colour it is no budget that is just used up
		b.raw(`<path class="bf" d="M0 `, num(u.Height), "H", num(panelWidth), `"/>`)
	}
	return plot(panelWidth, u.Height, u.Words, b.String())
}
