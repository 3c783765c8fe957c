package ops

import (
	"html/template"
	"time"

	"varde/coordinator/internal/graph"
)

// windowView is one line of what was announced.
type windowView struct {
	Glyph                     template.HTML
	What, Where, Title, State string
	From, To                  stamp
}

// maxWindows is how many lines the overview shows.
const maxWindows = 8

// windowViews are the windows in order of their beginning, and how many are left out.
func (n Now) windowViews() (views []windowView, more int) {
	for _, w := range n.Windows {
		if len(views) == maxWindows {
			return views, len(n.Windows) - maxWindows
		}
		views = append(views, n.windowView(w))
	}
	return views, 0
}

func (n Now) windowView(w Window) windowView {
	v := windowView{
		What: "Watch", Title: w.Title, Where: n.servicesAndRegions(w),
		From: n.edge(w.From), To: n.edge(w.To),
	}
	if w.Kind == "maintenance" {
		v.What, v.Glyph = "Maintenance", graph.Maintenance.Glyph()
	}
	v.State = "in force for another " + graph.Span(w.To.Sub(n.At))
	if n.At.Before(w.From) {
		v.State = "begins in " + graph.Span(w.From.Sub(n.At))
	}
	return v
}

// servicesAndRegions names what a window is about.
func (n Now) servicesAndRegions(w Window) string {
	var services, regions []string
	for _, id := range w.Services {
		services = append(services, n.serviceOf(id).Name)
	}
	for _, id := range w.Regions {
		regions = append(regions, n.regionName(id))
	}
	if len(regions) == 0 {
		return graph.List(services)
	}
	return graph.List(services) + " in " + graph.List(regions)
}

// edge is when a window begins or ends, with its day unless that is today.
func (n Now) edge(t time.Time) stamp {
	if t.UTC().Format(time.DateOnly) == n.At.UTC().Format(time.DateOnly) {
		return stampOf(t, "15:04 UTC")
	}
	return stampOf(t, "2 Jan 15:04 UTC")
}
