package ops

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
)

// incidentView is what the page of one incident shows.
type incidentView struct {
	Bar        bar
	PageToken  string
	ID         string
	Line       incidentLine
	Detected   string
	Recovered  string
	Resolved   string
	Standing   string
	FalseAlarm string
	Signs      []incident.Sign
	AlsoSeen   []Sighting
	Merged     []string
	Timeline   []timelineView
	Axis       template.HTML
	Members    []memberView
	Lines      []lineView
	Edits      incident.Edits
	Identified bool
	// Others are the incidents with which it may be merged.
	Others []incidentLine
	// Undo are the deeds that can be taken back.
	Undo []undoView
	Key  string
}

type timelineView struct {
	Check   string
	Regions []timelineRegion
}

type timelineRegion struct {
	Name, State string
	Glyph       template.HTML
	Strip       template.HTML
	Phase, Why  string
}

type memberView struct {
	Series, Check, Where, State, Class string
	Glyph                              template.HTML
	Since, Until                       string
	Phase, Reason                      string
}

type lineView struct {
	Time      stamp
	Kind, By  string
	Words     string
	FromHuman bool
}

type undoView struct{ Deed, Words string }

func (s *Server) incidentPage(w http.ResponseWriter, r *http.Request) {
	s.withIncident(w, r, func(ctx context.Context, now Now, one oneIncident) error {
		if to := one.Edits.MergedInto; to != nil {
			http.Redirect(w, r, "/incident/"+to.Text, http.StatusSeeOther)
			return nil
		}
		v, err := s.incidentOf(ctx, now, one)
		if err != nil {
			return err
		}
		s.show(w, r, http.StatusOK, "incident.html", "varde: "+one.shown.Title, v)
		return nil
	})
}

func (s *Server) incidentOf(ctx context.Context, now Now, one oneIncident) (incidentView, error) {
	i := one.shown
	v := incidentView{
		Bar: s.bar(now, "Incidents"), PageToken: s.gate.pageToken(), ID: i.ID, Line: now.incidentLine(i), AlsoSeen: one.register.AlsoSeen[i.ID], Merged: i.Merged,
		Detected: now.moment(i.Detected), Recovered: now.moment(i.Recovered), Resolved: now.moment(i.Resolved),
		Edits: one.Edits, Identified: one.Edits.Identified != nil, Undo: undoable(one.Edits), Key: keyWords(one.Key),
	}
	if i.FalseAlarm != nil {
		v.FalseAlarm = i.FalseAlarm.Text + " (" + i.FalseAlarm.By + ")"
	}
	var err error
	if v.Signs, err = s.incidents.Signs(ctx, one.Together()); err != nil {
		return v, fmt.Errorf("read signs of %s: %w", i.ID, err)
	}
	w := aroundIncident(i, now.At)
	if v.Timeline, err = s.timeline(ctx, now, i, w); err != nil {
		return v, err
	}
	v.Axis = w.Axis("", "")
	for _, m := range i.Members {
		v.Members = append(v.Members, now.memberView(m))
	}
	for _, l := range slices.Backward(i.Lines) {
		v.Lines = append(v.Lines, lineView{stamp{stampOf(l.At, "").Machine, when(l.At, now.At)}, string(l.Kind), l.By, l.Words, l.By != ""})
	}
	for _, o := range one.register.shown() {
		if o.ID != i.ID {
			v.Others = append(v.Others, now.incidentLine(o))
		}
	}
	v.Others = v.Others[:min(len(v.Others), maxOthers)]
	return v, nil
}

// maxOthers is how many incidents a merge is offered with, the newest of them.
const maxOthers = 50

// moment is a time on the page of an incident, empty for none.
func (n Now) moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return when(t, n.At) + " UTC"
}

// keyWords say by what series are taken for part of an incident.
func keyWords(k incident.Key) string {
	words := fmt.Sprintf("%s of %s", k.Group, k.Service)
	if len(k.Networks) > 0 {
		words += " or on " + strings.Join(k.Networks, ", ")
	}
	return words + ", since " + k.Start.UTC().Format("2006-01-02 15:04 UTC")
}

// aroundIncident is the window of the timeline: the incident and some time on both
// sides, in steps that can be told apart.
func aroundIncident(i incident.Shown, now time.Time) graph.Window {
	end := now
	if !i.Resolved.IsZero() {
		end = i.Resolved
	}
	length := end.Sub(i.Started)
	step := time.Minute
	for _, s := range []struct{ over, step time.Duration }{{3 * time.Hour, 5 * time.Minute}, {24 * time.Hour, 30 * time.Minute}, {7 * 24 * time.Hour, 2 * time.Hour}, {60 * 24 * time.Hour, 24 * time.Hour}} {
		if length > s.over {
			step = s.step
		}
	}
	lead := max(10*step, length/10).Truncate(step)
	from, to := i.Started.UTC().Add(-lead).Truncate(step), end.UTC().Add(lead).Truncate(step)
	if to.After(now) {
		to = now.UTC().Truncate(step).Add(step)
	}
	return graph.Window{From: from, To: to, Step: step}
}

// maxTimelines is how many checks of an incident are drawn.
const maxTimelines = 12

// timeline draws each check of the incident in all regions that make it: those that are
// well say as much as those that are not.
func (s *Server) timeline(ctx context.Context, now Now, i incident.Shown, w graph.Window) ([]timelineView, error) {
	var ids []string
	for _, m := range i.Members {
		ids = add(ids, m.Check)
	}
	var out []timelineView
	for k, id := range ids[:min(len(ids), maxTimelines)] {
		h, err := s.history.Check(ctx, CheckQuery{Check: id, Window: w})
		if err != nil {
			return nil, fmt.Errorf("read history of %s: %w", id, err)
		}
		v := timelineView{Check: id}
		for _, region := range now.Regions {
			at := slices.IndexFunc(h.Regions, func(r CheckRegion) bool { return r.Region == region.ID })
			if at >= 0 {
				v.Regions = append(v.Regions, now.timelineRegion(i, id, region, h.Regions[at], w, fmt.Sprintf("t_%d_%d", k, len(v.Regions))))
			}
		}
		out = append(out, v)
	}
	return out, nil
}

func (n Now) timelineRegion(i incident.Shown, check string, region Region, h CheckRegion, w graph.Window, id string) timelineRegion {
	cells := pad(w, h.Tallies)
	v := timelineRegion{Name: region.Name, State: "well", Strip: graph.Strip{
		Words: graph.Words{ID: id, Title: check + " in " + region.Name, Desc: graph.Describe(cells, "step")},
		Cells: cells, Height: 20, Ground: 4,
	}.HTML()}
	mark := graph.Up
	for _, m := range i.Members {
		if m.Check == check && m.Region == region.ID && graph.MarkOf(m.Worst) >= mark {
			mark = graph.MarkOf(m.Worst)
			v.State, v.Phase, v.Why = m.Worst.String(), string(m.Phase), string(m.Class)
		}
	}
	v.Glyph = mark.Glyph()
	return v
}

func (n Now) memberView(m incident.Member) memberView {
	mark := graph.MarkOf(m.State)
	v := memberView{
		Series: m.String(), Check: m.Check, Where: n.regionName(m.Region) + ", " + m.Family.Name(), State: m.State.String(),
		Class: mark.Class(), Glyph: mark.Glyph(), Since: when(m.Since, n.At), Until: "goes on", Phase: string(m.Phase), Reason: m.Reason,
	}
	switch {
	case m.Gone:
		v.Until = "no longer asked"
	case !m.Until.IsZero():
		v.Until = when(m.Until, n.At)
	}
	return v
}

// undoable are the deeds of people that can be taken back.
func undoable(e incident.Edits) []undoView {
	var out []undoView
	for _, x := range []struct {
		is    bool
		deed  incident.Deed
		words string
	}{
		{len(e.Notes) > 0, incident.Noting, "Remove the last note"},
		{e.Title != "" || e.Summary != "", incident.Rewording, "Use the measured words again"},
		{e.Identified != nil, incident.Identifying, "The cause is not known after all"},
		{e.Resolved != nil, incident.Resolving, "It is not over after all"},
		{e.FalseAlarm != nil, incident.CallingFalse, "It was no false alarm"},
		{e.Public != nil, incident.Publishing, "Leave it to the policy whether it is public"},
	} {
		if x.is {
			out = append(out, undoView{string(x.deed), x.words})
		}
	}
	return out
}

// actOn does what a form of the page of an incident asks for.
func (s *Server) actOn(w http.ResponseWriter, r *http.Request) {
	o, err := orderOf(r)
	if err != nil {
		s.refuse(w, r, http.StatusBadRequest, err.Error())
		return
	}
	s.withIncident(w, r, func(ctx context.Context, _ Now, one oneIncident) error {
		if o.Into != "" {
			if _, ok := one.register.find(o.Into); !ok {
				s.refuse(w, r, http.StatusBadRequest, fmt.Sprintf("incident %q does not exist, expected one to merge with", o.Into))
				return nil
			}
		}
		shows, err := s.incidents.Act(ctx, one.ID, o)
		if err != nil {
			s.refuse(w, r, http.StatusBadRequest, err.Error())
			return nil
		}
		http.Redirect(w, r, "/incident/"+shows, http.StatusSeeOther)
		return nil
	})
}

// orderOf reads a form.
func orderOf(r *http.Request) (incident.Order, error) {
	field := func(name string) string {
		return strings.TrimSpace(strings.ReplaceAll(r.PostFormValue(name), "\r\n", "\n"))
	}
	o := incident.Order{
		Mark: incident.Mark{At: time.Now().UTC(), By: field("by"), Text: field("text")}, Deed: incident.Deed(field("deed")), Back: field("back") != "",
		Title: field("title"), Summary: field("summary"), Into: field("into"), Public: field("public") == "yes",
	}
	for _, text := range r.PostForm["series"] {
		series, err := verdict.ParseSeries(text)
		if err != nil {
			return o, err
		}
		o.Series = append(o.Series, series)
	}
	return o, nil
}
