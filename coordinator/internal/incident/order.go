package incident

import (
	"fmt"

	"varde/coordinator/internal/verdict"
)

// Order is what a person wants done with an incident.
type Order struct {
	Mark
	Deed Deed `json:"deed"`
	// Back takes a deed of the kind back, as [Edits.Unmark] does.
	Back bool `json:"back,omitempty"`
	// Title and Summary are for Rewording, Public for Publishing, Into for Merging and
	// Series for Splitting.
	Title   string           `json:"title,omitempty"`
	Summary string           `json:"summary,omitempty"`
	Public  bool             `json:"public,omitempty"`
	Into    string           `json:"into,omitempty"`
	Series  []verdict.Series `json:"series,omitempty"`
}

// Apply returns the edits with the order done. What needs a second incident is not done
// here: [Merge] and [Split].
func (e Edits) Apply(o Order) (Edits, error) {
	if o.Back {
		return e.Unmark(o.Mark, o.Deed)
	}
	switch o.Deed {
	case Noting:
		return e.Note(o.Mark)
	case Rewording:
		return e.Reword(o.Mark, o.Title, o.Summary)
	case Identifying:
		return e.Identify(o.Mark)
	case Resolving:
		return e.Resolve(o.Mark)
	case CallingFalse:
		return e.MarkFalse(o.Mark)
	case Publishing:
		return e.Publish(o.Mark, o.Public)
	}
	return e, fmt.Errorf("got the deed %q, expected note, reword, identify, resolve, false_alarm, publish, merge or split", o.Deed)
}
