package report

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/page"
)

//go:embed report.html
var reportHTML string

//go:embed report.css
var reportCSS string

// html is the page.
func (r Report) html() ([]byte, error) {
	t, err := template.New("report").Funcs(template.FuncMap{"moment": moment}).Parse(reportHTML)
	if err != nil {
		return nil, fmt.Errorf("write report of %s: %w", r.Month, err)
	}
	shell, err := page.NewShell(page.NewSheet(reportCSS), true)
	if err != nil {
		return nil, fmt.Errorf("write report of %s: %w", r.Month, err)
	}
	var body bytes.Buffer
	if err := t.Execute(&body, r.view()); err != nil {
		return nil, fmt.Errorf("write report of %s: %w", r.Month, err)
	}
	return shell.HTML(page.Document{Title: r.title(), Body: template.HTML(body.String())})
}

func (r Report) title() string {
	words := "Availability in " + r.Month.Name()
	if r.Provider.Name != "" {
		words += ", " + r.Provider.Name
	}
	return words
}

// view is what the page shows.
type view struct {
	Mast, Word      template.HTML
	Title, Month    string
	Headline, Rest  string
	Gaps            []string
	Legend          []legendView
	Axis            template.HTML
	Services        []serviceView
	Incidents       []incidentView
	MoreIncidents   int
	Private         bool
	Author, Written string
}

type legendView struct {
	Key  template.HTML
	Text string
}

func (r Report) view() view {
	w := r.window()
	v := view{
		Mast: graph.Mast(false, 26, "mast", ""), Word: graph.Wordmark(), Title: r.title(), Month: r.Month.Name(), Headline: r.Headline(), Gaps: r.Gaps(),
		Axis: w.Axis(w.Label(w.From), ""), Private: !r.Public, Author: r.Coordinator, Written: moment(r.Written),
	}
	if r.Version != "" {
		v.Author += ", varde " + r.Version
	}
	for _, m := range []graph.Mark{graph.Up, graph.Slow, graph.Intermittent, graph.Down, graph.Unknown} {
		v.Legend = append(v.Legend, legendView{graph.Key(m), m.Public()})
	}
	for i, s := range r.Services {
		v.Services = append(v.Services, r.serviceView(i, s))
	}
	for _, i := range r.Incidents {
		v.Incidents = append(v.Incidents, r.incidentView(i))
	}
	if most := len(v.Incidents); most > maxIncidents {
		v.Incidents, v.MoreIncidents = v.Incidents[:maxIncidents], most-maxIncidents
	}
	v.Rest = graph.Count(len(r.Services), "service") + " from " + graph.Count(len(r.Regions), "region") + ", " + graph.Count(len(r.Incidents), "incident") +
		". All times are UTC."
	return v
}

// maxIncidents is how many the page tells of; JSON holds all.
const maxIncidents = 100

// incidentView is one incident of the month.
type incidentView struct {
	ID, Title, Summary string
	When, Lasted       string
	Where, Services    string
	Impact             string
	Labels             []string
	Signs              []string
}

func (r Report) incidentView(i Incident) incidentView {
	v := incidentView{
		ID: i.ID, Title: i.Title, Summary: i.Summary, When: moment(i.Started), Lasted: graph.Span(i.Lasted(r.Written)),
		Where: r.regionNames(i.Regions), Impact: string(i.Impact), Signs: i.Signs,
	}
	var services []string
	for _, id := range i.Services {
		services = append(services, r.serviceName(id))
	}
	v.Services = graph.List(services)
	if i.Recovered.IsZero() && i.Resolved.IsZero() {
		v.Lasted += ", not over when this was written"
	}
	v.Labels = labels(i)
	return v
}

// labels are what must be known of an incident before it is taken at its word.
func labels(i Incident) (out []string) {
	if i.FalseAlarm != nil {
		out = append(out, "false alarm")
	}
	if i.Draft {
		out = append(out, "draft")
	}
	if i.Detected.IsZero() {
		out = append(out, "recorded afterwards")
	}
	if !i.Public {
		out = append(out, "not public")
	}
	if i.Intermittent {
		out = append(out, "came and went")
	}
	return out
}
