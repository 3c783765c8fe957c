package register

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"time"

	"varde/coordinator/internal/incident"
)

const (
	// aroundFinal is how far before and after an incident others of its cause may lie:
	// as long as it can open again, and as far back as a change can have begun.
	aroundFinal = 75 * time.Minute
	// firstFinal is how far back the final record is looked at after a start: longer
	// than late data can come.
	firstFinal = 8 * 24 * time.Hour
)

// correctLocked brings the incidents in line with what the final record says since it
// was written anew. It begins at a time at which nothing was ill.
func (r *Incidents) correctLocked(ctx context.Context, now time.Time) error {
	if r.judged.IsZero() {
		return nil
	}
	until, err := r.options.Verdicts.FinalUntil(ctx)
	if err != nil {
		return fmt.Errorf("read final verdicts: %w", err)
	}
	from := r.quietLocked(r.judged)
	changes, err := r.options.Verdicts.Final(ctx, from, until)
	if err != nil {
		return fmt.Errorf("read final verdicts: %w", err)
	}
	var told []incident.Incident
	for _, c := range r.list() {
		if c.Started.Before(until) && (c.Resolved.IsZero() || !c.Resolved.Before(from)) {
			told = append(told, c.Incident)
		}
	}
	final := incident.Derive(*r.world, incident.Policy{Taken: r.unrelated(told)}, changes, until)
	if err := r.adoptLocked(ctx, incident.Reconcile(*r.world, told, final, now)); err != nil {
		return err
	}
	r.judged = time.Time{}
	return nil
}

// quietLocked is a time not after the given one at which no incident was under way, nor
// could one have been joined.
func (r *Incidents) quietLocked(at time.Time) time.Time {
	for moved := true; moved; {
		moved = false
		for _, e := range r.cases {
			over := e.Resolved
			if (over.IsZero() || over.Add(aroundFinal).After(at)) && e.Started.Add(-aroundFinal).Before(at) {
				at, moved = e.Started.Add(-aroundFinal), true
			}
		}
	}
	return at
}

// unrelated says whether an id is that of a case that is none of the given ones: what
// the final record shows may have the id of what was told, and of nothing else.
func (r *Incidents) unrelated(told []incident.Incident) func(id string) bool {
	return func(id string) bool {
		return r.taken(id) && !slices.ContainsFunc(told, func(i incident.Incident) bool { return i.ID == id })
	}
}

// adoptLocked writes what was corrected, and lets the book know.
func (r *Incidents) adoptLocked(ctx context.Context, list []incident.Incident) error {
	var changed []incident.Case
	var err error
	for _, i := range list {
		e := r.cases[i.ID]
		if reflect.DeepEqual(e.Incident, i) {
			continue
		}
		e.Incident = i
		if err = r.writeLocked(ctx, e); err != nil {
			break
		}
		changed = append(changed, e.Case)
	}
	r.writtenLocked(changed...)
	if len(changed) > 0 {
		r.tellLocked(changed)
	}
	return err
}
