package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/graph"
)

// Gaps are sentences on what is missing in the report; none if nothing is.
func (r Report) Gaps() []string {
	out := []string{}
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if !r.Over() {
		add("%s is not over: these are the numbers up to %s.", r.Month.Name(), moment(r.Written))
	}
	if r.Began.After(r.Month.From()) {
		add("This coordinator was made on %s: nothing from before was measured by it.", moment(r.Began))
	}
	if r.FinalUntil.IsZero() && len(r.Services) > 0 {
		add("No verdict of the month is final: what arrives late can change all of it.")
	} else if r.FinalUntil.Before(r.to()) {
		add("Verdicts are final up to %s: what arrives late can change what is later.", moment(r.FinalUntil))
	}
	for _, s := range r.Services {
		out = append(out, r.gapsOf(s)...)
	}
	return append(out, r.minutes()...)
}

// gapsOf says on which days too little is known of a service.
func (r Report) gapsOf(s Service) (out []string) {
	if !s.Whole.Measured.Known {
		return []string{s.Name + " was not measured."}
	}
	for _, d := range s.Days {
		if days := r.thinDays(d); days != "" {
			out = append(out, fmt.Sprintf("%s, %s: looked less than %s on %s.", s.Name, r.regionName(d.Region), availability.FormatPercent(availability.Enough, 0), days))
		}
	}
	return out
}

// thinDays are those of which too little was looked at, in words: "3 to 5 and 9 Oct".
func (r Report) thinDays(d Days) string {
	var runs []string
	thin := func(i int) bool { return i < len(d.Tallies) && !(d.Tallies[i].Coverage >= availability.Enough) }
	for i := 0; i < len(d.Tallies); i++ {
		if !thin(i) {
			continue
		}
		first := i
		for thin(i + 1) {
			i++
		}
		words := strconv.Itoa(first + 1)
		if first < i {
			words += " to " + strconv.Itoa(i+1)
		}
		runs = append(runs, words)
	}
	if len(runs) == 0 {
		return ""
	}
	return graph.List(runs) + r.Month.From().Format(" Jan")
}

// minutes says since when there are worst windows, where that is not all of the month.
func (r Report) minutes() []string {
	var since time.Time
	for _, s := range r.Services {
		if s.MinutesFrom.After(since) {
			since = s.MinutesFrom
		}
	}
	switch {
	case !since.After(r.Month.From()):
		return nil
	case !since.Before(r.to()):
		return []string{"There are no worst windows: the minutes of the month are not kept any more."}
	}
	return []string{"Worst windows are of the time since " + moment(since) + ": older minutes are not kept any more."}
}

// moment is a time to the minute, with its day.
func moment(t time.Time) string { return t.UTC().Format("2 Jan 2006, 15:04 UTC") }

// Headline says what became of the month in one sentence.
func (r Report) Headline() string {
	words := r.objectives().Words(r.regionNames)
	if r.Over() || strings.HasPrefix(words, "No ") {
		return words
	}
	return strings.TrimSuffix(words, ".") + " so far."
}
