package graph

import (
	"html/template"

	"varde/coordinator/internal/verdict"
)

// Mark is what a cell, a glyph or a row shows: a verdict, or maintenance. The
// order is the rank: of several marks the largest is the worst.
type Mark uint8

// The marks. Unknown is the zero value: nobody looked, nothing is drawn.
const (
	Unknown Mark = iota
	Up
	Maintenance
	Slow
	Intermittent
	Down
)

// MarkOf is the mark of a verdict. A state that is not known to this package
// is Unknown, which claims nothing.
func MarkOf(s verdict.State) Mark {
	switch s {
	case verdict.Up:
		return Up
	case verdict.Slow:
		return Slow
	case verdict.Intermittent:
		return Intermittent
	case verdict.Down:
		return Down
	}
	return Unknown
}

// markText holds what a mark is called: in style sheets, to operators and to
// the public.
type markText struct{ class, operators, public string }

func (m Mark) text() markText {
	switch m {
	case Up:
		return markText{"up", "up", "Works"}
	case Maintenance:
		return markText{"maint", "maintenance", "Maintenance"}
	case Slow:
		return markText{"slow", "slow", "Slow"}
	case Intermittent:
		return markText{"flaky", "intermittent", "Fails at times"}
	case Down:
		return markText{"down", "down", "Unreachable"}
	}
	return markText{"unknown", "unknown", "Not measured"}
}

// String is the word that operators read, e.g. "intermittent".
func (m Mark) String() string { return m.text().operators }

// Public is the word that everybody reads, e.g. "Fails at times".
func (m Mark) Public() string { return m.text().public }

// Class is the name of the mark in style sheets: "s-" + Class colours words.
func (m Mark) Class() string { return m.text().class }

// Trouble says whether the mark stands up from the ground line because
// something was wrong with the service. Maintenance was announced and is none.
func (m Mark) Trouble() bool { return m >= Slow }

// known is the mark, or Unknown for a number that is none.
func (m Mark) known() Mark {
	if m > Down {
		return Unknown
	}
	return m
}

// Glyph is the shape of a mark, 12 px, for use beside its word. It refers to
// [Symbols], which the page must hold once.
func (m Mark) Glyph() template.HTML {
	c := m.Class()
	return template.HTML(`<svg class="g s-` + c + `" aria-hidden="true" focusable="false"><use href="#g-` + c + `"/></svg>`)
}
