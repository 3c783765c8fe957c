package waterfall

import (
	"fmt"
	"strings"
	"time"

	"varde/checks"
)

// Line returns the attempt as one line of text: when it began, how it went, and
// its phases or what went wrong.
func Line(a Attempt, s Style) string {
	r := a.Result
	words := []string{
		a.At.UTC().Format(time.TimeOnly), s.paint(outcomeColor(r.Outcome), fmt.Sprintf("%-7s", r.Outcome)),
		fmt.Sprintf("%8s", short(r.Elapsed)), a.URL, a.Family.String(),
	}
	if r.Class == "" {
		return strings.Join(append(words, s.paint(faint, phases(r))), "  ") + "\n"
	}
	trouble := string(r.Class)
	if r.FailedPhase != "" {
		trouble += " in " + string(r.FailedPhase)
	}
	if r.Detail != "" {
		trouble += ": " + r.Detail
	}
	return strings.Join(append(words, trouble), "  ") + "\n"
}

// phases lists the phases with their milliseconds.
func phases(r checks.Result) string {
	var words []string
	for _, p := range r.Phases {
		words = append(words, fmt.Sprintf("%s %.0f", p.Name, checks.Milliseconds(p.Duration)))
	}
	return strings.Join(words, " · ")
}
