// Package waterfall draws the result of one attempt for a terminal: a headline,
// one bar for each phase where it lay in time, and what went wrong in plain
// words.
//
// It is pure: equal results give equal bytes.
package waterfall

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"varde/checks"
)

// Attempt is what is drawn.
type Attempt struct {
	// URL is what was asked, as the person wrote it.
	URL    string
	Family checks.Family
	// At is when it began.
	At     time.Time
	Result checks.Result
}

// Style is how it is drawn.
type Style struct {
	// Bars is the width of the bars in characters, 40 if not given.
	Bars int
	// Colour marks outcomes with ANSI colours.
	Colour bool
}

// The colours, as SGR parameters (ECMA-48 8.3.117).
const (
	bold   = "1"
	faint  = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

const defaultBars = 40

// Draw returns the attempt as lines of text, the last one ended too.
func Draw(a Attempt, s Style) string {
	if s.Bars <= 0 {
		s.Bars = defaultBars
	}
	var b strings.Builder
	b.WriteString(s.headline(a) + "\n")
	s.phases(&b, a.Result)
	s.trouble(&b, a.Result)
	s.presented(&b, a)
	return b.String()
}

// headline says what was asked and how it went.
func (s Style) headline(a Attempt) string {
	words := []string{s.paint(bold, a.URL), a.Family.String()}
	if a.Result.Address != "" {
		words = append(words, a.Result.Address)
	}
	verb := " in "
	if a.Result.Outcome != checks.Up {
		verb = " after "
	}
	outcome := a.Result.Outcome.String() + verb + short(a.Result.Elapsed)
	return strings.Join(append(words, s.paint(outcomeColor(a.Result.Outcome), outcome)), "  ")
}

func outcomeColor(o checks.Outcome) string {
	switch o {
	case checks.Up:
		return green
	case checks.Down:
		return red
	}
	return yellow
}

// phases draws one line for each phase. A bar begins where its phase began.
func (s Style) phases(b *strings.Builder, r checks.Result) {
	var total, began time.Duration
	for _, p := range r.Phases {
		total += p.Duration
	}
	for i, p := range r.Phases {
		colour, mark := cyan, ""
		if r.FailedPhase != "" && i == len(r.Phases)-1 {
			colour, mark = outcomeColor(r.Outcome), " ✗"
		}
		indent, bar := place(began, p.Duration, total, s.Bars)
		line := fmt.Sprintf("  %-10s %10s  %s%s%s", p.Name, exact(p.Duration),
			strings.Repeat(" ", indent), s.paint(colour, bar), s.paint(colour, mark))
		b.WriteString(strings.TrimRight(line, " ") + "\n")
		began += p.Duration
	}
}

// place lays a phase on a scale of so many characters: how far it is indented
// and its bar, at least one eighth of a character and never beyond the end.
func place(began, took, total time.Duration, width int) (indent int, bar string) {
	if total <= 0 {
		return 0, "▏"
	}
	at := func(d time.Duration) int { return int(float64(d) / float64(total) * float64(8*width)) } // in eighths
	indent = min(at(began)/8, width-1)
	eighths := max(at(began+took)-8*indent, 1)
	bar = strings.Repeat("█", eighths/8)
	if rest := eighths % 8; rest > 0 {
		bar += string([]rune("▏▎▍▌▋▊▉")[rest-1])
	}
	return indent, bar
}

// trouble says in plain words what went wrong, and whether it counts.
func (s Style) trouble(b *strings.Builder, r checks.Result) {
	if r.Class == "" {
		if r.Detail != "" {
			fmt.Fprintf(b, "  %s\n", s.paint(faint, r.Detail))
		}
		return
	}
	where := ""
	if r.FailedPhase != "" {
		where = string(r.FailedPhase) + ": "
	}
	fmt.Fprintf(b, "  %s %s%s (%s)\n", s.paint(outcomeColor(r.Outcome), "✗"), where, Meaning(r.Class), r.Class)
	if r.Detail != "" {
		for _, line := range wrap(r.Detail, 76) {
			fmt.Fprintf(b, "    %s\n", s.paint(faint, line))
		}
	}
}

func (s Style) paint(colour, text string) string {
	if !s.Colour || text == "" {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// short is a duration as a person says it: 0.4 ms, 83 ms, 5.02 s.
func short(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return exact(d)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", checks.Milliseconds(d))
	}
	return fmt.Sprintf("%.2f s", d.Seconds())
}

// exact is a duration as it is measured.
func exact(d time.Duration) string { return fmt.Sprintf("%.1f ms", checks.Milliseconds(d)) }

// wrap breaks words into lines of at most width characters; a longer word
// stands alone.
func wrap(words string, width int) []string {
	var lines []string
	for _, word := range strings.Fields(words) {
		last := len(lines) - 1
		if last >= 0 && utf8.RuneCountInString(lines[last])+1+utf8.RuneCountInString(word) <= width {
			lines[last] += " " + word
			continue
		}
		lines = append(lines, word)
	}
	return lines
}
