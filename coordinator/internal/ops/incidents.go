package ops

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/record"
)

// Incidents is the register of incidents.
type Incidents interface {
	// Overlapping returns the incidents of which something lies in [from, to), and
	// those that are merged with one of them.
	Overlapping(ctx context.Context, from, to time.Time) (Register, error)
	// Signs says what kind of trouble an incident looks like.
	Signs(ctx context.Context, i incident.Incident) ([]incident.Sign, error)
	// Act does what a person wants and returns the id of the incident that shows it.
	Act(ctx context.Context, id string, o incident.Order) (shows string, err error)
}

// Register are some incidents with the configuration as their rules see it.
type Register struct {
	World incident.World
	Cases []incident.Case
	// AlsoSeen are the incidents of other providers that look like the same hand, by id
	// of the incident.
	AlsoSeen map[string][]Sighting
}

// Sighting is an incident of another provider. Who may not see it knows no id.
type Sighting struct {
	Incident string `json:"incident,omitempty"`
	Provider string `json:"provider"`
}

// ErrNoIncident says that there is no incident of that id.
var ErrNoIncident = errors.New("there is no such incident")

// noIncidents is the register where there is none.
type noIncidents struct{}

// Overlapping returns none.
func (noIncidents) Overlapping(context.Context, time.Time, time.Time) (Register, error) {
	return Register{}, nil
}

// Signs returns none.
func (noIncidents) Signs(context.Context, incident.Incident) ([]incident.Sign, error) {
	return nil, nil
}

// Act finds no incident.
func (noIncidents) Act(context.Context, string, incident.Order) (string, error) {
	return "", ErrNoIncident
}

// case of an id; ok is false if there is none.
func (r Register) find(id string) (c incident.Case, ok bool) {
	k := slices.IndexFunc(r.Cases, func(c incident.Case) bool { return c.ID == id })
	if k < 0 {
		return c, false
	}
	return r.Cases[k], true
}

// shown are the incidents that stand, the newest first.
func (r Register) shown() []incident.Shown {
	out := incident.Views(r.World, r.Cases)
	slices.Reverse(out)
	return out
}

// of leaves out the incidents that are not of services of one provider.
func (r Register) of(provider string) Register {
	mine := func(service string) bool {
		return slices.ContainsFunc(r.World.Services, func(s incident.Service) bool { return s.ID == service && s.Provider == provider })
	}
	r.Cases = kept(r.Cases, func(c incident.Case) bool {
		return !slices.ContainsFunc(c.Services(), func(s string) bool { return !mine(s) })
	})
	seen := make(map[string][]Sighting, len(r.AlsoSeen))
	for id, list := range r.AlsoSeen {
		for _, s := range list {
			seen[id] = append(seen[id], Sighting{Provider: s.Provider})
		}
	}
	r.AlsoSeen = seen
	return r
}

// incidentJSON is an incident as /api/v1/incidents publishes it.
type incidentJSON struct {
	record.Shown
	More *incidentMoreJSON
}

// incidentMoreJSON is what /api/v1/incidents/{id} says beside.
type incidentMoreJSON struct {
	Key        incident.Key      `json:"key"`
	Members    []incident.Member `json:"members"`
	Lines      []incident.Line   `json:"lines"`
	Signs      []incident.Sign   `json:"signs"`
	AlsoSeenAt []Sighting        `json:"also_seen_at"`
	Edits      incident.Edits    `json:"edits"`
}

// MarshalJSON writes an incident alone, or with what is said beside.
func (i incidentJSON) MarshalJSON() ([]byte, error) {
	if i.More == nil {
		return json.Marshal(i.Shown)
	}
	return json.Marshal(struct {
		record.Shown
		incidentMoreJSON
	}{i.Shown, *i.More})
}

func jsonOf(i incident.Shown) incidentJSON { return incidentJSON{Shown: record.OfShown(i)} }

// incidentsFor is how far back incidents are listed where nobody says.
const incidentsFor = 90 * 24 * time.Hour

func (s *Server) apiIncidents(w http.ResponseWriter, r *http.Request) {
	q := ask(r.URL.Query())
	q.only("from", "to")
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		from, to := q.time("from", now.At.Add(-incidentsFor)), q.time("to", now.At.Add(time.Second))
		if q.err == nil && !from.Before(to) {
			q.fail("from is not before to")
		}
		if q.err != nil {
			apiError(w, http.StatusBadRequest, q.err.Error())
			return nil
		}
		found, err := s.incidents.Overlapping(ctx, from, to)
		if err != nil {
			return fmt.Errorf("read incidents: %w", err)
		}
		out := []incidentJSON{}
		for _, i := range found.shown() {
			out = append(out, jsonOf(i))
		}
		s.answer(w, out)
		return nil
	})
}

func (s *Server) apiIncident(w http.ResponseWriter, r *http.Request) {
	s.withIncident(w, r, func(ctx context.Context, _ Now, one oneIncident) error {
		signs, err := s.incidents.Signs(ctx, one.Together())
		if err != nil {
			return fmt.Errorf("read signs of %s: %w", one.ID, err)
		}
		out := jsonOf(one.shown)
		out.More = &incidentMoreJSON{
			Key: one.Key, Members: list(one.shown.Members), Signs: list(signs), AlsoSeenAt: list(one.register.AlsoSeen[one.ID]), Edits: one.Edits, Lines: list(one.shown.Lines),
		}
		s.answer(w, out)
		return nil
	})
}

// oneIncident is an incident with what is shown of it.
type oneIncident struct {
	incident.Whole
	shown    incident.Shown
	register Register
}

// withIncident reads the incident of the path and hands it on.
func (s *Server) withIncident(w http.ResponseWriter, r *http.Request, use func(context.Context, Now, oneIncident) error) {
	id := r.PathValue("id")
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		found, err := s.incidents.Overlapping(ctx, time.Time{}, now.At.Add(time.Second))
		if err != nil {
			return fmt.Errorf("read incidents: %w", err)
		}
		c, ok := found.find(id)
		if !ok {
			s.refuse(w, r, http.StatusNotFound, fmt.Sprintf("incident %q does not exist", id))
			return nil
		}
		whole, _ := incident.WholeOf(found.Cases, id)
		if whole.ID != id { // a part is asked for by its own id to be taken out again
			whole = incident.Whole{Case: c}
		}
		return use(ctx, now, oneIncident{whole, incident.View(found.World, c, whole.Parts...), found})
	})
}

// incidentsView is what the list of incidents shows.
type incidentsView struct {
	Bar         bar
	Headline    string
	Range       string
	Ranges      []rangeView
	Open, Ended []incidentLine
}

// incidentLine is one incident of a list.
type incidentLine struct {
	ID, Title, Summary string
	Class              string
	Stage, Impact      string
	Started            stamp
	Lasted             string
	Where              string
	Notes              []string
}

// incidentSpans are the ranges of the list.
func incidentSpans() []span {
	const day = 24 * time.Hour
	return []span{{name: "30d", words: "30 days", length: 30 * day}, {name: "90d", words: "90 days", length: 90 * day}, {name: "1y", words: "1 year", length: 365 * day}}
}

func (s *Server) incidentsPage(w http.ResponseWriter, r *http.Request) {
	name, all := r.URL.Query().Get("range"), incidentSpans()
	k := slices.IndexFunc(all, func(s span) bool { return s.name == name })
	if name == "" {
		k = 0
	}
	if k < 0 {
		s.refuse(w, r, http.StatusBadRequest, fmt.Sprintf("range %q, expected one of 30d, 90d, 1y", name))
		return
	}
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		found, err := s.incidents.Overlapping(ctx, now.At.Add(-all[k].length), now.At.Add(time.Second))
		if err != nil {
			return fmt.Errorf("read incidents: %w", err)
		}
		v := incidentsView{Bar: s.bar(now, "Incidents"), Range: all[k].words}
		for _, x := range all {
			v.Ranges = append(v.Ranges, rangeView{x.name, x.name == all[k].name})
		}
		for _, i := range found.shown() {
			if line := now.incidentLine(i); i.Stage == incident.Resolved {
				v.Ended = append(v.Ended, line)
			} else {
				v.Open = append(v.Open, line)
			}
		}
		v.Headline = "No incident is under way."
		if n := len(v.Open); n > 0 {
			v.Headline = graph.Count(n, "incident") + " under way."
		}
		s.show(w, r, http.StatusOK, "incidents.html", "varde: incidents", v)
		return nil
	})
}

func (n Now) incidentLine(i incident.Shown) incidentLine {
	var regions []string
	for _, id := range i.Regions {
		regions = append(regions, n.regionName(id))
	}
	return incidentLine{
		ID: i.ID, Title: i.Title, Summary: i.Summary, Class: impactClass(i.Impact), Stage: string(i.Stage), Impact: string(i.Impact),
		Started: stamp{stampOf(i.Started, "").Machine, when(i.Started, n.At)}, Lasted: graph.Span(i.Lasted(n.At)), Where: graph.List(regions),
		Notes: incidentNotes(i),
	}
}

// incidentNotes are what is special about an incident.
func incidentNotes(i incident.Shown) []string {
	var out []string
	for _, x := range []struct {
		is    bool
		words string
	}{
		{i.FalseAlarm != nil, "false alarm"},
		{i.Draft, "draft"},
		{i.Detected.IsZero(), "recorded afterwards"},
		{i.Intermittent, "comes and goes"},
		{!i.Public, "private"},
		{len(i.Merged) > 0, "with " + graph.Count(len(i.Merged), "other") + " merged into it"},
	} {
		if x.is {
			out = append(out, x.words)
		}
	}
	return out
}

// impactClass is the colour of an impact.
func impactClass(i incident.Impact) string {
	switch i {
	case incident.CriticalImpact, incident.MajorImpact:
		return graph.Down.Class()
	case incident.MinorImpact:
		return graph.Intermittent.Class()
	}
	return graph.Unknown.Class()
}
