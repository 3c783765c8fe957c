package statuspage

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"varde/coordinator/internal/bulletin"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/page"
)

// Bulletin is what the public is told of an incident.
type Bulletin = bulletin.Bulletin

// told are the bulletins of a page that everyone sees, the newest first.
func told(p Page, list []Bulletin) []Bulletin {
	var out []Bulletin
	for _, b := range list {
		if b.Page == p.ID && !b.Told.IsZero() {
			out = append(out, b)
		}
	}
	slices.SortStableFunc(out, func(a, b Bulletin) int { return b.Started.Compare(a.Started) })
	return out
}

// bulletinView is one incident with what was said of it, the newest first.
type bulletinView struct {
	ID, Title, Link, Line string
	Open                  bool
	Updates               []updateView
	// Language is that of the title and the updates.
	Language string
}

// updateView is one thing that was said; By is a person, or empty.
type updateView struct {
	Time          stamp
	Stage, By     string
	Text, Edited  string
	Mast          template.HTML
	ByMeasurement bool
}

// pastView is one incident that is over, as a line of a list.
type pastView struct{ Title, Link, When, Language string }

// stageWords are the words of a stage.
func stageWords(s incident.Stage) string {
	return map[incident.Stage]string{
		incident.Investigating: "Investigating", incident.Identified: "Cause identified",
		incident.Monitoring: "Works again, being watched", incident.Resolved: "Over",
	}[s]
}

// bulletin draws one of them.
func (s scene) bulletin(b Bulletin) bulletinView {
	v := bulletinView{ID: b.Incident, Title: b.Title, Link: "/incident/" + b.Incident, Open: b.Open(), Language: s.page.Language}
	v.Line = stageWords(b.Stage) + ". Since " + moment(b.Started, s.at) + ", " + graph.Span(s.at.Sub(b.Started)) + "."
	switch {
	case b.Withdrawn != nil:
		v.Line = "Withdrawn. It was told at " + moment(b.Told, s.at) + "."
	case !b.Open():
		v.Line = "Over. From " + moment(b.Started, s.at) + " to " + moment(b.Resolved, s.at) + "."
	}
	for _, u := range slices.Backward(b.Updates) {
		x := updateView{Time: stamp{Machine: u.At.UTC().Format(time.RFC3339), Text: moment(u.At, s.at)}, Stage: stageWords(u.Stage), By: u.By, Text: u.Text}
		if x.ByMeasurement = u.By == ""; x.ByMeasurement {
			x.Mast = graph.Mast(true, 14, "", "")
		}
		if !u.Edited.IsZero() {
			x.Edited = moment(u.Edited, s.at)
		}
		v.Updates = append(v.Updates, x)
	}
	return v
}

// open are the incidents that go on.
func (s scene) open() []bulletinView {
	var out []bulletinView
	for _, b := range s.told {
		if b.Open() {
			out = append(out, s.bulletin(b))
		}
	}
	return out
}

// recent is how far back the front page lists what is over.
const recent = 15 * 24 * time.Hour

// past are the incidents that were over after a time.
func (s scene) past(after time.Time) []pastView {
	var out []pastView
	for _, b := range s.told {
		if b.Open() || b.Updated().Before(after) {
			continue
		}
		when := b.Started.UTC().Format("2 Jan 2006, 15:04") + " UTC, " + graph.Span(b.Resolved.Sub(b.Started))
		if b.Withdrawn != nil {
			when = b.Started.UTC().Format("2 Jan 2006, 15:04") + " UTC, withdrawn"
		}
		out = append(out, pastView{b.Title, "/incident/" + b.Incident, when, s.page.Language})
	}
	return out
}

// incidentPage is what the page of one incident shows.
type incidentPage struct {
	frame
	bulletinView
}

// historyPage lists all that were told.
type historyPage struct {
	frame
	Open        []bulletinView
	Past        []pastView
	Ahead, Done []workView
}

// incident sends the page of one incident. One that the page does not tell of does not exist
// for readers.
func (s *Site) incident(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	is := func(b Bulletin) bool { return b.Incident == id }
	s.sendKnown(w, r, "/incident/"+id, func(sc scene) bool { return slices.ContainsFunc(sc.told, is) }, func(_ context.Context, sc scene) (*page.Entity, error) {
		i := slices.IndexFunc(sc.told, is)
		if i < 0 {
			return nil, fmt.Errorf("incident %s is told of no more", id)
		}
		v := incidentPage{sc.frame(), sc.bulletin(sc.told[i])}
		return s.views.entity("incident.html", sc.page.Title+": "+v.Title, v.Line, v)
	})
}

// incidents sends the list of all that was told.
func (s *Site) incidents(w http.ResponseWriter, r *http.Request) {
	s.send(w, r, "/history", func(_ context.Context, sc scene) (*page.Entity, error) {
		v := historyPage{sc.frame(), sc.open(), sc.past(time.Time{}), sc.ahead(), sc.done()}
		return s.views.entity("history.html", sc.page.Title+": incidents and maintenance", "", v)
	})
}
