package incident

import (
	"cmp"
	"slices"
	"time"
)

// Shown is an incident as people see it.
type Shown struct {
	ID      string `json:"id"`
	Title   string `json:"title"`
	Summary string `json:"summary"`
	Stage   Stage  `json:"status"`
	// Started, Detected, Recovered and Resolved are those of the incident; of one that
	// a person resolved or called a false alarm, Resolved is when they did, if it was
	// not over by then.
	Started      time.Time `json:"started_at"`
	Detected     time.Time `json:"detected_at,omitzero"`
	Recovered    time.Time `json:"recovered_at,omitzero"`
	Resolved     time.Time `json:"resolved_at,omitzero"`
	Intermittent bool      `json:"intermittent"`
	Draft        bool      `json:"draft"`
	Impact       Impact    `json:"impact"`
	// Public says whether everyone sees it: what a person said, else whether it was
	// told in time and is no draft.
	Public     bool  `json:"public"`
	FalseAlarm *Mark `json:"false_alarm,omitempty"`
	// Merged are the ids of the incidents that are a part of it.
	Merged   []string `json:"merged,omitempty"`
	Services []string `json:"services"`
	Regions  []string `json:"regions"`
	Members  []Member `json:"members"`
	// Lines are what happened and what people noted, in order.
	Lines []Line `json:"lines"`
}

// Lasted is for how long it was ill, up to now if it still is.
func (s Shown) Lasted(now time.Time) time.Duration {
	end := now
	if !s.Recovered.IsZero() {
		end = s.Recovered
	}
	if !s.Resolved.IsZero() && s.Resolved.Before(end) {
		end = s.Resolved // a person said so before it was measured
	}
	return end.Sub(s.Started)
}

// Line is one line of the account of an incident: a step, or a note by somebody.
type Line struct {
	At    time.Time `json:"at"`
	Kind  StepKind  `json:"kind,omitempty"`
	By    string    `json:"by,omitempty"`
	Words string    `json:"words"`
}

// Views are the incidents that stand, the oldest first, each with those that are
// merged into it.
func Views(w World, cases []Case) []Shown {
	var out []Shown
	for _, x := range Wholes(cases) {
		out = append(out, View(w, x.Case, x.Parts...))
	}
	slices.SortFunc(out, func(a, b Shown) int { return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.ID, b.ID)) })
	return out
}

// View is what is shown of a case with those that are merged into it. What a person
// said stands over what the machine says.
func View(w World, c Case, merged ...Case) Shown {
	all, e := Whole{c, merged}.Together(), c.Edits
	lines := c.lines()
	var ids []string
	for _, part := range merged {
		ids = append(ids, part.ID)
		lines = append(lines, part.lines()...)
	}
	slices.Sort(ids)
	slices.SortStableFunc(lines, func(a, b Line) int { return a.At.Compare(b.At) })
	s := Shown{
		ID: c.ID, Title: cmp.Or(e.Title, Title(w, all)), Summary: cmp.Or(e.Summary, Summary(w, all)), Stage: all.Stage,
		Started: all.Started, Detected: all.Detected, Recovered: all.Recovered, Resolved: all.Resolved,
		Intermittent: all.Intermittent, Draft: all.Draft, Impact: all.Impact, Public: !all.Draft && !all.Detected.IsZero(),
		FalseAlarm: e.FalseAlarm, Merged: ids, Services: all.Services(), Regions: all.Regions(), Members: all.Members, Lines: lines,
	}
	if e.Public != nil {
		s.Public = *e.Public
	}
	s.stage(e)
	return s
}

// stage is what people said of it.
func (s *Shown) stage(e Edits) {
	if e.Identified != nil && s.Stage == Investigating {
		s.Stage = Identified
	}
	for _, m := range []*Mark{e.Resolved, e.FalseAlarm} {
		if m != nil && (s.Resolved.IsZero() || m.At.Before(s.Resolved)) {
			s.Stage, s.Resolved = Resolved, m.At
		}
	}
}

// lines are the steps of a case and the notes of people.
func (c *Case) lines() []Line {
	out := make([]Line, 0, len(c.Steps)+len(c.Edits.Notes))
	for _, s := range c.Steps {
		out = append(out, Line{At: s.At, Kind: s.Kind, Words: s.Words})
	}
	for _, n := range c.Edits.Notes {
		out = append(out, Line{At: n.At, By: n.By, Words: n.Text})
	}
	return out
}
