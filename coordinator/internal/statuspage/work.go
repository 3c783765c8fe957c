package statuspage

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/page"
)

// Work is maintenance that a person announced.
type Work struct {
	ID, Title string
	// Services are the ids of those that it is about; Regions restricts it, none means all.
	Services, Regions []string
	// From and To are its ends, [From, To); of work that ended early To is when it did.
	From, To time.Time
	// Announced is when it was, Cancelled when it was taken back, zero if it was not.
	Announced, Cancelled time.Time
}

// workStage is how far announced work is, as Statuspage names it.
type workStage string

const (
	workScheduled  workStage = "scheduled"
	workInProgress workStage = "in_progress"
	workCompleted  workStage = "completed"
)

func (w Work) stage(at time.Time) workStage {
	switch {
	case !w.Cancelled.IsZero() || !at.Before(w.To):
		return workCompleted
	case at.Before(w.From):
		return workScheduled
	}
	return workInProgress
}

// calledOff says that the work was taken back before it began.
func (w Work) calledOff() bool { return !w.Cancelled.IsZero() && !w.Cancelled.After(w.From) }

// workStep is one change of announced work, with what is said of it.
type workStep struct {
	at    time.Time
	stage workStage
	text  string
}

// steps are what became of the work up to a time, in order.
func (w Work) steps(at time.Time) []workStep {
	out := []workStep{{w.Announced, workScheduled, w.Title}}
	begun := w.From
	if w.Announced.After(begun) { // what was announced late is not told before it was
		begun = w.Announced
	}
	if !w.calledOff() && !begun.After(at) {
		out = append(out, workStep{begun, workInProgress, "The announced work has begun."})
	}
	switch {
	case w.calledOff():
		out = append(out, workStep{w.Cancelled, workCompleted, "Called off before it began."})
	case !w.Cancelled.IsZero():
		out = append(out, workStep{w.Cancelled, workCompleted, "Ended earlier than announced."})
	case !w.To.After(at):
		out = append(out, workStep{w.To, workCompleted, "The announced time is over."})
	}
	return out
}

// updated is when the work last changed.
func (w Work) updated(at time.Time) time.Time {
	steps := w.steps(at)
	return steps[len(steps)-1].at
}

// workOf is the announced work that a page shows: that on its services, what begins last
// first.
func workOf(p Page, list []Work) []Work {
	var out []Work
	for _, w := range list {
		w.Services = slices.DeleteFunc(slices.Clone(w.Services), func(id string) bool { return !slices.Contains(p.Services, id) })
		if len(w.Services) > 0 {
			out = append(out, w)
		}
	}
	slices.SortStableFunc(out, func(a, b Work) int { return b.From.Compare(a.From) })
	return out
}

// workView is announced work on a page.
type workView struct {
	ID, Title, Link, Line, Where string
	Steps                        []workStepView
}

type workStepView struct {
	Time stamp
	Text string
}

func (s scene) workView(w Work) workView {
	v := workView{ID: w.ID, Title: w.Title, Link: "/maintenance/" + w.ID, Where: s.where(w)}
	span := " from " + moment(w.From, s.at) + " to " + moment(w.To, s.at)
	switch {
	case w.calledOff():
		v.Line = "Called off. It was announced" + span + "."
	case w.stage(s.at) == workScheduled:
		v.Line = "Planned" + span + ", begins in " + graph.Span(w.From.Sub(s.at)) + "."
	case w.stage(s.at) == workInProgress:
		v.Line = "Under way" + span + "."
	default:
		v.Line = "Over. It was" + span + "."
	}
	for _, x := range slices.Backward(w.steps(s.at)) {
		v.Steps = append(v.Steps, workStepView{stamp{Machine: x.at.UTC().Format(time.RFC3339), Text: moment(x.at, s.at)}, x.text})
	}
	return v
}

// where says what the work is about: "Webmail, in Oceania".
func (s scene) where(w Work) string {
	var services, regions []string
	for _, x := range s.services {
		if slices.Contains(w.Services, x.ID) {
			services = append(services, x.Name)
		}
	}
	for _, r := range s.regions {
		if slices.Contains(w.Regions, r.ID) {
			regions = append(regions, r.Name)
		}
	}
	if len(w.Regions) == 0 || len(regions) == 0 {
		return graph.List(services)
	}
	return graph.List(services) + ", in " + graph.List(regions)
}

// ahead is work that is under way or planned, what begins first first.
func (s scene) ahead() []workView {
	var out []workView
	for _, w := range slices.Backward(s.work) {
		if w.stage(s.at) != workCompleted {
			out = append(out, s.workView(w))
		}
	}
	return out
}

// done is work that is over or was called off, the newest first.
func (s scene) done() []workView {
	var out []workView
	for _, w := range s.work {
		if w.stage(s.at) == workCompleted {
			out = append(out, s.workView(w))
		}
	}
	return out
}

// workPage is what the page of one announced work shows.
type workPage struct {
	frame
	workView
}

// maintenance sends the page of announced work.
func (s *Site) maintenance(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	is := func(x Work) bool { return x.ID == id }
	s.sendKnown(w, r, "/maintenance/"+id, func(sc scene) bool { return slices.ContainsFunc(sc.work, is) }, func(_ context.Context, sc scene) (*page.Entity, error) {
		i := slices.IndexFunc(sc.work, is)
		if i < 0 {
			return nil, fmt.Errorf("work %s is announced no more", id)
		}
		v := workPage{sc.frame(), sc.workView(sc.work[i])}
		return s.views.entity("maintenance.html", sc.page.Title+": "+v.Title, v.Line, v)
	})
}

// scheduled is announced work as Statuspage publishes it, in the stages that are wanted.
func (s scene) scheduled(components []apiComponent, stages ...workStage) []apiIncident {
	out := []apiIncident{}
	for _, w := range s.work {
		if len(out) < maxAPIIncidents && slices.Contains(stages, w.stage(s.at)) {
			out = append(out, s.apiWork(w, components))
		}
	}
	return out
}

func (s scene) apiWork(w Work, components []apiComponent) apiIncident {
	id := apiID(s.page.ID + "/maintenance/" + w.ID)
	out := apiIncident{
		ID: id, Name: w.Title, Status: string(w.stage(s.at)), Impact: "maintenance", CreatedAt: apiTime(w.Announced), UpdatedAt: apiTime(w.updated(s.at)),
		StartedAt: apiTime(w.From), PageID: apiID(s.page.ID), Updates: []apiUpdate{}, Components: []apiComponent{},
		ScheduledFor: given(w.From), Until: given(w.To), Shortlink: s.link("/maintenance/" + w.ID),
	}
	if w.stage(s.at) == workCompleted {
		out.ResolvedAt = given(w.updated(s.at))
	}
	for _, c := range components {
		if s.covers(w, c) {
			out.Components = append(out.Components, c)
		}
	}
	for _, x := range slices.Backward(w.steps(s.at)) {
		out.Updates = append(out.Updates, apiUpdate{
			ID: apiID(s.page.ID + "/maintenance/" + w.ID + "/" + string(x.stage)), Status: string(x.stage), Body: x.text, IncidentID: id,
			CreatedAt: apiTime(x.at), UpdatedAt: apiTime(x.at), DisplayAt: apiTime(x.at), Affected: []apiAffected{}, Deliver: true,
		})
	}
	return out
}

// covers says whether work is about a component.
func (s scene) covers(w Work, c apiComponent) bool {
	for _, service := range w.Services {
		for _, r := range s.regions {
			if (len(w.Regions) == 0 || slices.Contains(w.Regions, r.ID)) && c.ID == apiID(s.page.ID+"/"+service+"/"+r.ID) {
				return true
			}
		}
	}
	return false
}

// link is the address of a path of the page, empty if the page has none.
func (s scene) link(path string) string {
	if s.page.URL == "" {
		return ""
	}
	return strings.TrimSuffix(s.page.URL, "/") + path
}
