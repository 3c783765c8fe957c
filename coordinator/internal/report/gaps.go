package report

import (
	"fmt"
	"slices"
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
		if !s.Whole.Measured.Known {
			add("%s was not measured.", s.Name)
		}
	}
	return append(append(out, r.thin()...), r.minutes()...)
}

// thin says on which days too little is known, of services and regions alike together:
// where the probes of a region were away, nothing is known of any service.
func (r Report) thin() (out []string) {
	type stretch struct{ where, days string }
	services := make(map[stretch][]string)
	var order []stretch
	for _, s := range r.Services {
		if !s.Whole.Measured.Known {
			continue
		}
		for _, x := range r.thinIn(s) {
			k := stretch{r.regionNames(x.regions), x.days}
			if services[k] == nil {
				order = append(order, k)
			}
			services[k] = append(services[k], s.Name)
		}
	}
	for _, k := range order {
		out = append(out, fmt.Sprintf("%s: looked less than %s at %s on %s.", k.where, availability.FormatPercent(availability.Enough, 0), graph.List(services[k]), k.days))
	}
	return out
}

// thinDays are days of which too little was looked at in some regions.
type thinDays struct {
	regions []string
	days    string
}

// thinIn are those of a service, regions with the same days together.
func (r Report) thinIn(s Service) (out []thinDays) {
	for _, d := range s.Days {
		days := r.thinDays(d)
		i := slices.IndexFunc(out, func(x thinDays) bool { return x.days == days })
		switch {
		case days == "":
		case i < 0:
			out = append(out, thinDays{[]string{d.Region}, days})
		default:
			out[i].regions = append(out[i].regions, d.Region)
		}
	}
	return out
}

// thinDays are those of which too little was looked at, in words: "3 to 5 and 9 Oct".
// Those that were over before the coordinator was made are left out: that is said once.
func (r Report) thinDays(d Days) string {
	w := r.window()
	thin := func(i int) bool {
		return i < len(d.Tallies) && r.Began.Before(w.Start(i+1)) && !(d.Tallies[i].Coverage >= availability.Enough)
	}
	var runs []string
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
