package register

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
)

// Change is a change of verdict with the number of its record. Numbers grow.
type Change struct {
	Number int64
	verdict.Change
}

// Verdicts are the records that incidents are made of.
type Verdicts interface {
	// Told returns the changes that were told, in order, after the given number, at
	// most limit of them.
	Told(ctx context.Context, after int64, limit int) ([]Change, error)
	// ToldUntil is the time up to which Told holds every change.
	ToldUntil() time.Time
	// Final returns the changes of the final record in [from, to), in order.
	Final(ctx context.Context, from, to time.Time) ([]verdict.Change, error)
	// FinalUntil is the time up to which there is a final record; zero if there is none.
	FinalUntil(ctx context.Context) (time.Time, error)
	// Notices are what is to be said beside the verdicts.
	Notices() []verdict.Notice
}

// IncidentOptions configures Incidents.
type IncidentOptions struct {
	// Store keeps them. Required.
	Store Store
	// Verdicts are what they are made of. Required.
	Verdicts Verdicts
	// World returns the configuration as the rules see it, the same pointer until it
	// changes. Required.
	World func() *incident.World
	// Keep is for how long an incident that is over is kept; for ever if zero.
	Keep time.Duration
	// Changed is called with every incident that stands and is new or changed, or of
	// which a part is, after it is on disk, and must not block for long. It may be nil.
	Changed func([]incident.Whole)
	// Logger is required.
	Logger *slog.Logger
}

// Incidents are the incidents of a fleet, with what people say of them: they follow
// the verdicts that are told, are corrected by the final record, and every change is on
// disk before anybody sees it. Its methods may be called from many goroutines.
type Incidents struct {
	options IncidentOptions
	log     *slog.Logger
	wake    chan struct{}

	mu sync.Mutex // protects all following fields; held while something changes
	// book holds those that are under way; world is that which it knows.
	book  *incident.Book
	world *incident.World
	cases map[string]entry
	place place
	// behind is the number up to which a case may know more than place says: a crash
	// came between the two.
	behind int64
	// judged is the earliest time from which the final record was written anew.
	judged time.Time
}

// entry is a case with its revision in the store.
type entry struct {
	incident.Case
	// Through is the number of the newest change that was taken when it was written.
	Through  int64 `json:"through"`
	revision uint64
}

// place is how far the changes were taken.
type place struct {
	Number   int64 `json:"number"`
	revision uint64
}

// The keys of the store.
const (
	casePrefix = "incident."
	placeKey   = "incidents"
)

// OpenIncidents reads what is kept. A value that is damaged is an error that names it:
// nothing that somebody wrote is left out in silence.
func OpenIncidents(ctx context.Context, o IncidentOptions) (*Incidents, error) {
	if o.Store == nil || o.Verdicts == nil || o.World == nil || o.Logger == nil {
		return nil, errors.New("open incidents: Store, Verdicts, World and Logger are required")
	}
	if o.Changed == nil {
		o.Changed = func([]incident.Whole) {}
	}
	r := &Incidents{options: o, log: o.Logger, wake: make(chan struct{}, 1), cases: make(map[string]entry)}
	if err := r.load(ctx); err != nil {
		return nil, fmt.Errorf("open incidents: %w", err)
	}
	r.world = o.World()
	r.book = incident.New(*r.world, incident.Policy{Taken: r.taken})
	var held []incident.Incident
	for _, e := range r.cases {
		held = append(held, e.Incident)
		r.behind = max(r.behind, e.Through)
	}
	r.book.Restore(held)
	r.book.Place(incident.PlacementOf(r.list()))
	r.judged = time.Now().Add(-firstFinal)
	return r, nil
}

func (r *Incidents) load(ctx context.Context) error {
	keys, err := r.options.Store.Keys(ctx)
	if err != nil {
		return err
	}
	for _, key := range keys {
		switch {
		case key == placeKey:
			r.place.revision, err = get(ctx, r.options.Store, key, &r.place)
		case strings.HasPrefix(key, casePrefix):
			var e entry
			e.revision, err = get(ctx, r.options.Store, key, &e)
			r.cases[e.ID] = e
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// taken says whether an id is that of an incident that is kept. The book asks while
// the lock is held.
func (r *Incidents) taken(id string) bool {
	_, ok := r.cases[id]
	return ok
}

// list are all cases, the oldest first.
func (r *Incidents) list() []incident.Case {
	out := make([]incident.Case, 0, len(r.cases))
	for e := range maps.Values(r.cases) {
		out = append(out, e.Case)
	}
	slices.SortFunc(out, func(a, b incident.Case) int { return a.Compare(&b.Incident) })
	return out
}

// All returns every case that is kept, the oldest first.
func (r *Incidents) All() []incident.Case {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.list()
}

// ErrNoIncident says that there is no incident of that id.
var ErrNoIncident = errors.New("there is no such incident")

// Case returns one case; ErrNoIncident if there is none of that id.
func (r *Incidents) Case(id string) (incident.Case, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e, ok := r.cases[id]
	if !ok {
		return incident.Case{}, fmt.Errorf("incident %q: %w", id, ErrNoIncident)
	}
	return e.Case, nil
}

// Told says that there may be changes to take.
func (r *Incidents) Told() {
	select {
	case r.wake <- struct{}{}:
	default: // somebody has said so
	}
}

// Judged says that the final record was written anew from a time on.
func (r *Incidents) Judged(from time.Time) {
	r.mu.Lock()
	if r.judged.IsZero() || from.Before(r.judged) {
		r.judged = from
	}
	r.mu.Unlock()
	r.Told()
}

const (
	// lookEvery is how often time is let pass while nothing is told.
	lookEvery = time.Second
	// atOnce is how many changes are taken before what they made is written.
	atOnce = 500
)

// Run follows the verdicts until ctx ends. What goes wrong is logged and tried again.
func (r *Incidents) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		if err := r.step(ctx); err != nil && ctx.Err() == nil {
			r.log.Error("incidents failed, will try again", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-r.wake:
		}
	}
}

// step takes what was told since the last one, lets time pass, and corrects what the
// final record says otherwise.
func (r *Incidents) step(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	until := r.options.Verdicts.ToldUntil()
	for {
		changes, err := r.options.Verdicts.Told(ctx, r.place.Number, atOnce)
		if err != nil {
			return fmt.Errorf("read told verdicts: %w", err)
		}
		for _, c := range changes {
			r.takeLocked(c)
		}
		if len(changes) < atOnce {
			break
		}
		if err := r.saveLocked(ctx, changes[len(changes)-1].Number); err != nil {
			return err
		}
	}
	return r.passLocked(ctx, until)
}

// takeLocked gives the book a change, unless it knew of it before a crash.
func (r *Incidents) takeLocked(c Change) {
	r.place.Number = c.Number
	if c.Number <= r.behind && r.knowsLocked(c) {
		return
	}
	if w := r.options.World(); w != r.world {
		r.world = w
		r.book.SetWorld(c.At, *w)
	}
	r.book.Observe(c.Change)
}

// knowsLocked says whether a change was taken into a case that was written after it.
func (r *Incidents) knowsLocked(c Change) bool {
	for _, e := range r.cases {
		if e.Through < c.Number {
			continue
		}
		if slices.ContainsFunc(e.Members, func(m incident.Member) bool { return m.Series == c.Series && !m.Told.Before(c.At) }) {
			return true
		}
	}
	return false
}

// passLocked lets time pass and writes what became of it.
func (r *Incidents) passLocked(ctx context.Context, until time.Time) error {
	if until.IsZero() {
		return nil
	}
	if w := r.options.World(); w != r.world {
		r.world = w
		r.book.SetWorld(until, *w)
	}
	r.book.Notice(until, r.options.Verdicts.Notices())
	r.book.Advance(until)
	if err := r.saveLocked(ctx, r.place.Number); err != nil {
		return err
	}
	if err := r.correctLocked(ctx, until); err != nil {
		return err
	}
	return r.forgetLocked(ctx, until)
}
