package graph

import (
	"html"
	"html/template"
	"math"
	"strconv"
	"strings"
)

// Words are what a picture says to those who cannot see it.
type Words struct {
	// ID is unique in the page; the ids of title and description are made of
	// it. Letters, digits, hyphens and underscores.
	ID string
	// Title names the picture, Desc states the finding.
	Title, Desc string
}

// builder writes fragments. It exists so that every number and every text
// passes the same two doors.
type builder struct{ strings.Builder }

// raw writes what this package wrote itself.
func (b *builder) raw(parts ...string) {
	for _, p := range parts {
		b.WriteString(p)
	}
}

// text writes what somebody else wrote.
func (b *builder) text(s string) { b.WriteString(escape(s)) }

func (b *builder) html() template.HTML { return template.HTML(b.String()) }

// escape makes s fit for the text and the attributes of HTML and XML. What
// XML 1.0 (section 2.2) forbids becomes U+FFFD.
func escape(s string) string {
	return html.EscapeString(strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n', r == '\r', r >= 0x20 && r <= 0xD7FF,
			r >= 0xE000 && r <= 0xFFFD, r >= 0x10000 && r <= 0x10FFFF:
			return r
		}
		return '�'
	}, strings.ToValidUTF8(s, "�")))
}

// num writes a coordinate with one decimal: a tenth of a pixel is finer than
// any screen, and fewer digits are fewer bytes.
func num(v float64) string { return decimals(v, 1) }

// fine writes a coordinate with two decimals, for units that are wide.
func fine(v float64) string { return decimals(v, 2) }

func decimals(v float64, places int) string {
	s := strconv.FormatFloat(clamp(v, -1e6, 1e6), 'f', places, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	if s == "-0" {
		return "0"
	}
	return s
}

// clamp brings v into [lo, hi]; what is not a number becomes lo or, where
// zero lies between them, zero.
func clamp(v, lo, hi float64) float64 {
	if math.IsNaN(v) {
		v = 0
	}
	return max(lo, min(hi, v))
}

// plot is a picture without words: width units across and height units (and
// pixels) high, stretched to its column.
func plot(width, height float64, w Words, body string) template.HTML {
	var b builder
	id := escape(w.ID)
	b.raw(`<svg class="plot" viewBox="0 0 `, num(width), " ", num(height), `" height="`, num(height),
		`" preserveAspectRatio="none" role="img" aria-labelledby="`, id, `-t" aria-describedby="`, id, `-d"><title id="`, id, `-t">`)
	b.text(w.Title)
	b.raw(`</title><desc id="`, id, `-d">`)
	b.text(w.Desc)
	b.raw(`</desc>`, body, `</svg>`)
	return b.html()
}
