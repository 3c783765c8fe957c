package register

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"varde/coordinator/internal/incident"
)

// saveLocked writes the incidents that changed, and then how far the changes were
// taken. After an error all that is not on disk is still to be written, and what is on
// disk was told.
func (r *Incidents) saveLocked(ctx context.Context, through int64) error {
	touched := r.book.Touched()
	var changed []incident.Case
	var err error
	for n, i := range touched {
		e := r.cases[i.ID]
		e.Incident, e.Through = i, through
		if err = r.writeLocked(ctx, e); err != nil {
			r.book.Put(touched[n:]...)
			break
		}
		changed = append(changed, e.Case)
	}
	if len(changed) > 0 {
		r.tellLocked(changed)
	}
	if err != nil {
		return err
	}
	if r.place.Number > r.behind {
		r.behind = 0
	}
	if len(touched) == 0 {
		return nil
	}
	return r.writePlaceLocked(ctx)
}

// writePlaceLocked writes how far the changes were taken, over whatever stands there.
// Where it fails, the next change writes it, and a restart finds in the cases what they
// know.
func (r *Incidents) writePlaceLocked(ctx context.Context) error {
	revision, err := put(ctx, r.options.Store, placeKey, r.place, r.place.revision)
	if errors.Is(err, ErrConflict) { // one was written although the store answered with an error
		var old place
		if revision, err = get(ctx, r.options.Store, placeKey, &old); err == nil {
			revision, err = put(ctx, r.options.Store, placeKey, r.place, revision)
		}
	}
	if err != nil {
		return err
	}
	r.place.revision = revision
	return nil
}

// writeLocked puts a case on disk. Where it finds there another than it knows, which is
// one of its own that was written although the store answered with an error, it takes
// over what people say in that one and returns ErrConflict: what is tried again then
// works.
func (r *Incidents) writeLocked(ctx context.Context, e entry) error {
	old, ok := r.cases[e.ID]
	if ok {
		if _, err := incident.Same(&old.Incident, &e.Incident); err != nil {
			return err
		}
	}
	revision, err := put(ctx, r.options.Store, casePrefix+e.ID, e, e.revision)
	if err == nil {
		e.revision = revision
		r.cases[e.ID] = e
		return nil
	}
	if errors.Is(err, ErrConflict) {
		err = errors.Join(err, r.refreshLocked(ctx, e.ID))
	}
	return err
}

// refreshLocked takes over a case as it is on disk. What the verdicts made of it since
// is still in the book.
func (r *Incidents) refreshLocked(ctx context.Context, id string) (err error) {
	var e entry
	e.revision, err = get(ctx, r.options.Store, casePrefix+id, &e)
	switch {
	case errors.Is(err, ErrNotFound):
		delete(r.cases, id)
		return nil
	case err != nil:
		return err
	}
	r.cases[id] = e
	return nil
}

// writtenLocked lets the book know of cases that are on disk as they are. Others that
// changed are still to be written.
func (r *Incidents) writtenLocked(list ...incident.Case) {
	for _, c := range list {
		r.book.Put(c.Incident)
	}
	r.book.Put(slices.DeleteFunc(r.book.Touched(), func(i incident.Incident) bool {
		return slices.ContainsFunc(list, func(c incident.Case) bool { return c.ID == i.ID })
	})...)
}

func (r *Incidents) tellLocked(changed []incident.Case) {
	for _, c := range changed {
		last := incident.Step{}
		if n := len(c.Steps); n > 0 {
			last = c.Steps[n-1]
		}
		r.log.Info("incident changed", "incident", c.ID, "stage", string(c.Stage), "step", string(last.Kind), "words", last.Words)
	}
	r.announceLocked(changed)
}

// announceLocked says which incidents look otherwise now.
func (r *Incidents) announceLocked(changed []incident.Case) {
	wholes := slices.DeleteFunc(incident.Wholes(r.list()), func(x incident.Whole) bool {
		return !slices.ContainsFunc(changed, x.Has)
	})
	r.options.Changed(wholes)
}

// forgetLocked deletes what is over for longer than it is kept.
func (r *Incidents) forgetLocked(ctx context.Context, now time.Time) error {
	for id, e := range r.cases {
		if r.options.Keep == 0 || e.Resolved.IsZero() || now.Sub(e.Resolved) < r.options.Keep {
			continue
		}
		err := r.options.Store.Delete(ctx, casePrefix+id, e.revision)
		if errors.Is(err, ErrConflict) {
			if err = r.refreshLocked(ctx, id); err == nil {
				continue // what is on disk is looked at the next time
			}
		}
		if err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("forget incident %s: %w", id, err)
		}
		delete(r.cases, id)
	}
	return nil
}
