package graph

import "math"

// Badge is a small sign for other people's pages: a shape, a name and a word.
type Badge struct {
	Label, Message string
	Mark           Mark
}

// The layout of a badge, in pixels.
const (
	badgeHeight = 22
	badgeText   = 25
	badgeSpace  = 7
	badgeFont   = 11.5
	badgeChars  = 60
)

// BadgeStyle is the style sheet inside the document, for a
// Content-Security-Policy that names it.
func BadgeStyle() string {
	return paletteCSS + `text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; font-size: 11.5px }`
}

// SVG draws the badge with its own palette. The widths of words are set, so
// that every font fits.
func (d Badge) SVG() []byte {
	label, message := clip(d.Label, badgeChars), clip(d.Message, badgeChars)
	wide, rest := textWidth(label)*1.06, textWidth(message)
	width := math.Ceil(badgeText + wide + badgeSpace + rest + 9)
	var b builder
	b.raw(`<svg xmlns="http://www.w3.org/2000/svg" width="`, num(width), `" height="`, num(badgeHeight), `" viewBox="0 0 `,
		num(width), " ", num(badgeHeight), `" role="img" aria-labelledby="t"><title id="t">`)
	b.text(label + ": " + message)
	b.raw(`</title><style>`, BadgeStyle(), `</style><rect x=".5" y=".5" width="`, num(width-1), `" height="21" rx="4" fill="var(--raised)" stroke="var(--rule-2)"/>`)
	b.raw(`<g transform="translate(7 5)" fill="none">`, badgeShape(d.Mark), `</g>`)
	b.raw(`<text x="25" y="15" font-weight="600" fill="var(--ink)" textLength="`, num(wide), `" lengthAdjust="spacingAndGlyphs">`)
	b.text(label)
	b.raw(`</text><text x="`, num(badgeText+wide+badgeSpace), `" y="15" fill="`, inkOf(d.Mark), `" textLength="`, num(rest), `" lengthAdjust="spacingAndGlyphs">`)
	b.text(message)
	b.raw("</text></svg>\n")
	return []byte(b.String())
}

// inkOf is the colour of words about a mark.
func inkOf(m Mark) string {
	if m == Unknown {
		return "var(--ink-2)"
	}
	return "var(--" + m.Class() + "-ink)"
}

// badgeShape is the glyph of a mark without a reference to symbols, which a
// document of its own does not have.
func badgeShape(m Mark) string {
	ink := inkOf(m)
	switch m {
	case Up:
		return `<circle cx="6" cy="6" r="3.6" fill="` + ink + `"/>`
	case Slow:
		return `<circle cx="6" cy="6" r="4.5" stroke="` + ink + `" stroke-width="1.5"/><path d="M6 3.2V6l2 1.4" stroke="` + ink + `" stroke-width="1.5" stroke-linecap="round"/>`
	case Intermittent:
		return `<path d="M.9 8.6 4 3.2l4 5.6 3.1-5.4" stroke="` + ink + `" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/>`
	case Down:
		return `<rect x=".5" y=".5" width="11" height="11" rx="2" fill="` + ink + `"/><path d="m3.6 3.6 4.8 4.8m0-4.8L3.6 8.4" stroke="var(--raised)" stroke-width="1.7" stroke-linecap="round"/>`
	case Maintenance:
		return `<circle cx="6" cy="6" r="4.6" stroke="` + ink + `" stroke-width="1.4"/><path d="M4.7 4v4M7.3 4v4" stroke="` + ink + `" stroke-width="1.5"/>`
	}
	return `<circle cx="6" cy="6" r="4.4" stroke="` + ink + `" stroke-width="1.4" stroke-dasharray="2 1.6"/>`
}

// textWidth guesses how wide s is at the size of a badge.
func textWidth(s string) float64 {
	var em float64
	for _, r := range s {
		switch {
		case r == ' ' || r == 'i' || r == 'l' || r == 'j' || r == 'I' || r == '.' || r == ',' || r == ':':
			em += 0.29
		case r == 'f' || r == 't' || r == 'r':
			em += 0.37
		case r == 'm' || r == 'w' || r == 'M' || r == 'W' || r > 0x2E80:
			em += 0.88
		case r >= 'A' && r <= 'Z':
			em += 0.66
		default:
			em += 0.56
		}
	}
	return math.Ceil(em * badgeFont)
}
