package incident

import (
	"maps"
	"slices"
	"time"

	"varde/coordinator/internal/verdict"
)

// Step is one thing that happened in an incident.
type Step struct {
	At   time.Time `json:"at"`
	Kind StepKind  `json:"kind"`
	// Series is that which changed; its zero value where the whole incident did.
	Series verdict.Series `json:"series,omitzero"`
	// From and To are the states of that series.
	From verdict.State `json:"from,omitempty"`
	To   verdict.State `json:"to,omitempty"`
	// Words say it for people.
	Words string `json:"words"`
}

// StepKind is what happened.
type StepKind string

// The steps of one series.
const (
	// Opened is the first of an incident.
	Opened StepKind = "opened"
	// Spread: it has trouble too.
	Spread StepKind = "spread"
	// Changed: its trouble is worse or less than before, or measured again.
	Changed StepKind = "changed"
	// Shrunk: it is well again.
	Shrunk StepKind = "shrunk"
	// Relapsed: it has trouble again after it was well.
	Relapsed StepKind = "relapsed"
	// Unmeasured: nobody knows how it is.
	Unmeasured StepKind = "unmeasured"
	// Left: its check is no longer asked.
	Left StepKind = "left"
)

// The steps of a whole incident.
const (
	Recovery StepKind = "recovered"
	Flapped  StepKind = "intermittent"
	Closed   StepKind = "resolved"
	Reopened StepKind = "reopened"
	// Corrected: the final record says otherwise.
	Corrected StepKind = "corrected"
	// Parted: a person made some of its series an incident of their own.
	Parted StepKind = "parted"
)

// Omitted are steps that were left out: how many of each kind between two times.
type Omitted struct {
	From  time.Time        `json:"from"`
	To    time.Time        `json:"to"`
	Kinds map[StepKind]int `json:"kinds"`
}

func (o *Omitted) clone() *Omitted {
	if o == nil {
		return nil
	}
	out := *o
	out.Kinds = maps.Clone(o.Kinds)
	return &out
}

// note adds a step. The first half of those allowed are kept, since they say how it
// began, and the last ones; the one between them that is the oldest is left out and
// counted.
func (i *Incident) note(s Step, most int) {
	i.Steps = append(i.Steps, s)
	if len(i.Steps) <= most {
		return
	}
	out := i.Steps[most/2]
	i.Steps = slices.Delete(i.Steps, most/2, most/2+1)
	if i.Omitted == nil {
		i.Omitted = &Omitted{From: out.At, Kinds: make(map[StepKind]int)}
	}
	i.Omitted.To = out.At
	i.Omitted.Kinds[out.Kind]++
}
