package register

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
)

// Do does what a person wants and returns the incident that shows it: the one that
// stands after a merge, the new one after a split. An error changes nothing.
func (r *Incidents) Do(ctx context.Context, id string, o incident.Order) (incident.Case, error) {
	switch {
	case o.Deed == incident.Splitting:
		return r.split(ctx, o.Mark, id, o.Series...)
	case o.Deed == incident.Merging && !o.Back:
		if _, err := r.merge(ctx, o.Mark, id, o.Into); err != nil {
			return incident.Case{}, err
		}
		return r.Case(o.Into)
	}
	return r.edit(ctx, id, func(c incident.Case) (incident.Edits, error) { return c.Edits.Apply(o) })
}

// edit changes what people say of an incident. The change gets the case as it is.
func (r *Incidents) edit(ctx context.Context, id string, change func(incident.Case) (incident.Edits, error)) (incident.Case, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c, err := r.editLocked(ctx, id, change)
	if errors.Is(err, ErrConflict) { // it is as it is on disk now
		return r.editLocked(ctx, id, change)
	}
	return c, err
}

func (r *Incidents) editLocked(ctx context.Context, id string, change func(incident.Case) (incident.Edits, error)) (incident.Case, error) {
	e, ok := r.cases[id]
	if !ok {
		return incident.Case{}, fmt.Errorf("incident %q: %w", id, ErrNoIncident)
	}
	edits, err := change(e.Case)
	if err != nil {
		return incident.Case{}, fmt.Errorf("incident %s: %w", id, err)
	}
	e.Edits = edits
	if err := r.writeLocked(ctx, e); err != nil {
		return incident.Case{}, err
	}
	r.editedLocked(e.Case)
	return e.Case, nil
}

// merge makes one incident a part of another.
func (r *Incidents) merge(ctx context.Context, by incident.Mark, part, into string) (incident.Case, error) {
	return r.edit(ctx, part, func(c incident.Case) (incident.Edits, error) {
		other, ok := r.cases[into]
		if !ok {
			return c.Edits, fmt.Errorf("merge: incident %q: %w", into, ErrNoIncident)
		}
		return incident.Merge(by, c, other.Case)
	})
}

// split makes some series of an incident one of their own, and returns it. Where a
// crash or an error comes between the two that are written, the series are in both.
func (r *Incidents) split(ctx context.Context, by incident.Mark, id string, series ...verdict.Series) (incident.Case, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.cases[id]
	if !ok {
		return incident.Case{}, fmt.Errorf("incident %q: %w", id, ErrNoIncident)
	}
	rest, part, err := incident.Split(*r.world, by, e.Case, series...)
	if err != nil {
		return incident.Case{}, fmt.Errorf("incident %s: %w", id, err)
	}
	if r.taken(part.ID) {
		return incident.Case{}, fmt.Errorf("incident %s: split: there is an incident %s already", id, part.ID)
	}
	var written []incident.Case
	for _, c := range []incident.Case{part, rest} {
		old := r.cases[c.ID]
		if err = r.writeLocked(ctx, entry{Case: c, Through: e.Through, revision: old.revision}); err != nil {
			break
		}
		written = append(written, c)
	}
	r.writtenLocked(written...)
	r.editedLocked(written...)
	if err != nil {
		return incident.Case{}, err
	}
	return part, nil
}

// editedLocked tells everybody of what people did.
func (r *Incidents) editedLocked(changed ...incident.Case) {
	r.book.Place(incident.PlacementOf(r.list()))
	for _, c := range changed {
		if n := len(c.Edits.Log); n > 0 {
			act := c.Edits.Log[n-1]
			r.log.Info("incident edited", "incident", c.ID, "did", string(act.Did), "by", act.By, "back", act.Back)
		}
	}
	r.announceLocked(changed)
}

// Overlapping returns the cases of which something lies in [from, to), and those that
// are merged with one of them, the oldest first.
func (r *Incidents) Overlapping(from, to time.Time) []incident.Case {
	var out []incident.Case
	for _, x := range incident.Wholes(r.All()) {
		cases := append([]incident.Case{x.Case}, x.Parts...)
		if slices.ContainsFunc(cases, func(c incident.Case) bool {
			return c.Started.Before(to) && (c.Resolved.IsZero() || c.Resolved.After(from))
		}) {
			out = append(out, cases...)
		}
	}
	slices.SortFunc(out, func(a, b incident.Case) int { return a.Compare(&b.Incident) })
	return out
}
