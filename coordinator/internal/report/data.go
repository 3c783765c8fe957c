package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/record"
)

// reportJSON is the report as an object.
type reportJSON struct {
	Month       Month     `json:"month"`
	From        time.Time `json:"from"`
	To          time.Time `json:"to"`
	Over        bool      `json:"over"`
	Final       bool      `json:"final"`
	Written     time.Time `json:"written_at"`
	Coordinator string    `json:"coordinator"`
	Version     string    `json:"version"`
	// Provider is null where the report is about the services of all.
	Provider *Provider `json:"provider"`
	// Public says that what only operators see is left out.
	Public    bool           `json:"public"`
	Headline  string         `json:"headline"`
	Gaps      []string       `json:"gaps"`
	Services  []serviceJSON  `json:"services"`
	Incidents []incidentJSON `json:"incidents"`
}

type serviceJSON struct {
	Name string `json:"name"`
	// Kept is null where nothing was promised.
	Kept *availability.Kept `json:"kept"`
	record.Numbers
	Days []daysJSON `json:"days"`
}

// daysJSON are the days as a region saw them, from the first of the month on.
type daysJSON struct {
	Region string    `json:"region"`
	Days   []dayJSON `json:"days"`
}

// dayJSON is one day: the worst verdict in it, and how long there was which trouble.
type dayJSON struct {
	Worst         string  `json:"worst"`
	Coverage      float64 `json:"coverage"`
	DownS         float64 `json:"down_s"`
	IntermittentS float64 `json:"intermittent_s"`
	SlowS         float64 `json:"slow_s"`
}

type incidentJSON struct {
	record.Shown
	Signs []string `json:"signs"`
}

func (r Report) json() ([]byte, error) {
	out := reportJSON{
		Month: r.Month, From: r.Month.From(), To: r.to().UTC(), Over: r.Over(), Final: r.Final(), Written: r.Written.UTC(),
		Coordinator: r.Coordinator, Version: r.Version, Public: r.Public, Headline: r.Headline(), Gaps: r.Gaps(),
		Services: []serviceJSON{}, Incidents: []incidentJSON{},
	}
	if r.Provider.ID != "" {
		out.Provider = &r.Provider
	}
	for _, s := range r.Services {
		one := serviceJSON{Name: s.Name, Numbers: record.OfNumbers(s.ID, s.Objective, s.Numbers, s.Mail), Days: []daysJSON{}}
		if s.Objective > 0 {
			one.Kept = new(s.Whole.Kept())
		}
		for _, d := range s.Days {
			one.Days = append(one.Days, d.json())
		}
		out.Services = append(out.Services, one)
	}
	for _, i := range r.Incidents {
		out.Incidents = append(out.Incidents, incidentJSON{record.OfShown(i.Shown), append([]string{}, i.Signs...)})
	}
	b, err := json.MarshalIndent(out, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write report of %s: %w", r.Month, err)
	}
	return append(b, '\n'), nil
}

func (d Days) json() daysJSON {
	out := daysJSON{d.Region, []dayJSON{}}
	for _, t := range d.Tallies {
		out.Days = append(out.Days, dayJSON{
			t.Mark().String(), t.Coverage, t.Down.Seconds(), t.Intermittent.Seconds(), t.Slow.Seconds(),
		})
	}
	return out
}

// row is one line of the table.
type row struct {
	r      Report
	s      Service
	region string
	availability.Figures
}

// column is one column of the table: its name, and what stands in it; nothing where that
// is not known.
type column struct {
	name string
	of   func(row) string
}

// columns are those of the table. Shares are from 0 to 1, times in seconds.
func columns() []column {
	estimate := func(of func(availability.Estimate) float64) func(row) string {
		return func(x row) string { return known(x.Measured.Known, of(x.Measured)) }
	}
	budget := func(of func(availability.Budget) time.Duration) func(row) string {
		return func(x row) string {
			if x.Budget == nil {
				return ""
			}
			return number(of(*x.Budget).Seconds())
		}
	}
	return []column{
		{"month", func(x row) string { return x.r.Month.String() }},
		{"service", func(x row) string { return x.s.ID }},
		{"region", func(x row) string { return x.region }},
		{"objective", func(x row) string { return known(x.s.Objective > 0, x.s.Objective) }},
		{"kept", func(x row) string { return x.kept() }},
		{"availability", estimate(func(e availability.Estimate) float64 { return e.Ratio })},
		{"low", estimate(func(e availability.Estimate) float64 { return e.Low })},
		{"high", estimate(func(e availability.Estimate) float64 { return e.High })},
		{"coverage", func(x row) string { return number(x.Measured.Coverage) }},
		{"label", func(x row) string { return x.Measured.Label() }},
		{"without_maintenance", func(x row) string { return known(x.Counted.Known, x.Counted.Ratio) }},
		{"maintenance_s", func(x row) string { return number(x.Maintenance.Seconds()) }},
		{"runs", func(x row) string { return strconv.FormatUint(x.Measured.Runs, 10) }},
		{"failed", func(x row) string { return strconv.FormatUint(x.Measured.Failed, 10) }},
		{"budget_allowed_s", budget(func(b availability.Budget) time.Duration { return b.Allowed })},
		{"budget_used_s", budget(func(b availability.Budget) time.Duration { return b.Used })},
		{"worst_hour", func(x row) string { return x.worst(time.Hour) }},
		{"worst_day", func(x row) string { return x.worst(24 * time.Hour) }},
		{"statuspage_compatible", func(x row) string {
			if x.Statuspage == nil {
				return ""
			}
			return number(*x.Statuspage)
		}},
	}
}

func (x row) kept() string {
	if x.s.Objective <= 0 {
		return ""
	}
	return string(x.Kept())
}

// worst is how much of the worst window of a length was up.
func (x row) worst(length time.Duration) string {
	for _, w := range x.Curve {
		if w.Length == length {
			return known(w.Known, w.Ratio)
		}
	}
	return ""
}

func known(is bool, v float64) string {
	if !is {
		return ""
	}
	return number(v)
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// csv has a line for all regions of each service, with no region in it, and one for each.
func (r Report) csv() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.UseCRLF = true // RFC 4180, section 2
	var lines [][]string
	all := columns()
	write := func(of func(column) string) {
		line := make([]string, len(all))
		for i, c := range all {
			line[i] = of(c)
		}
		lines = append(lines, line)
	}
	write(func(c column) string { return c.name })
	for _, s := range r.Services {
		write(func(c column) string { return c.of(row{r, s, "", s.Whole}) })
		for _, region := range s.Regions {
			write(func(c column) string { return c.of(row{r, s, region.Region, region.Figures}) })
		}
	}
	if err := w.WriteAll(lines); err != nil {
		return nil, fmt.Errorf("write report of %s: %w", r.Month, err)
	}
	return b.Bytes(), nil
}
