package incident

import (
	"maps"
	"slices"
	"time"

	"varde/coordinator/internal/verdict"
)

// Book holds the incidents that are under way and those that ended so lately that
// they may open again. It is not safe for use from several goroutines.
type Book struct {
	world     *atlas
	policy    Policy
	placement Placement
	held      []*Incident
	// pending are the changes of one instant, until it is over or somebody reads: in
	// which order they come is chance.
	pending []verdict.Change
	touched map[string]*Incident
	// left is told of every incident that is forgotten.
	left func(*Incident)
}

// New returns a book without incidents.
func New(w World, p Policy) *Book {
	return &Book{world: w.atlas(), policy: p.filled(), touched: make(map[string]*Incident), left: func(*Incident) {}}
}

// Restore begins with incidents that were kept, in the place of all that the book
// holds. Those that are long over are forgotten again. Call SetWorld afterwards if
// the configuration may have changed.
func (b *Book) Restore(list []Incident) {
	b.held, b.pending = nil, nil
	clear(b.touched)
	b.Put(list...)
	clear(b.touched)
}

// Put takes over what somebody else made of incidents, by hand ([Split]) or from the
// final record ([Reconcile]): each in the place of that with its id, or as a new one.
func (b *Book) Put(list ...Incident) {
	b.flush()
	for _, i := range list {
		i = i.Clone()
		slices.SortFunc(i.Members, func(a, b Member) int { return a.Compare(b.Series) })
		b.held = append(slices.DeleteFunc(b.held, func(h *Incident) bool { return h.ID == i.ID }), &i)
		b.touched[i.ID] = &i
	}
}

// Place says what people decided. It holds for what is observed from then on.
func (b *Book) Place(p Placement) {
	b.flush()
	b.placement = p
}

// Observe tells of a change of verdict. What falls due before it is done first.
func (b *Book) Observe(c verdict.Change) {
	c.At = c.At.Round(0).UTC()
	if c.Since = c.Since.Round(0).UTC(); c.Since.IsZero() || c.Since.After(c.At) {
		c.Since = c.At
	}
	if len(b.pending) > 0 && !b.pending[0].At.Equal(c.At) {
		b.flush()
	}
	b.pending = append(b.pending, c)
}

// Advance tells the time: everything that is due by then is done, dated to the
// instant at which it fell due.
func (b *Book) Advance(at time.Time) {
	if len(b.pending) > 0 && b.pending[0].At.Before(at) {
		b.flush()
	}
	b.advance(at)
}

// Next is when the next thing falls due if nothing is observed before; ok is false
// when nothing does.
func (b *Book) Next() (at time.Time, ok bool) {
	b.flush()
	for _, i := range b.held {
		due, due1 := b.due(i)
		if leaves, leaves1 := b.leaves(i); leaves1 {
			due, due1 = leaves, true
		}
		if due1 && (!ok || due.Before(at)) {
			at, ok = due, true
		}
	}
	return at, ok
}

// Incidents are all that the book holds, the oldest first.
func (b *Book) Incidents() []Incident {
	b.flush()
	return cloned(b.held)
}

// Touched are the incidents that changed since it was last called, the oldest first.
func (b *Book) Touched() []Incident {
	b.flush()
	out := cloned(slices.Collect(maps.Values(b.touched)))
	clear(b.touched)
	return out
}

func cloned(list []*Incident) []Incident {
	out := make([]Incident, len(list))
	for k, i := range list {
		out[k] = i.Clone()
	}
	slices.SortFunc(out, func(a, b Incident) int { return a.Compare(&b) })
	return out
}

// SetWorld replaces the configuration. Series whose check or region is no longer in
// it have left their incidents.
func (b *Book) SetWorld(at time.Time, w World) {
	at = at.Round(0).UTC()
	b.flush()
	b.advance(at)
	b.world = w.atlas()
	for _, i := range b.held {
		for k := range i.Members {
			if m := &i.Members[k]; !m.Gone && !b.world.asks(m.Series) {
				b.part(i, m, at)
			}
		}
		b.settle(i, at)
	}
}

// part ends the trouble of a series that is no longer asked.
func (b *Book) part(i *Incident, m *Member, at time.Time) {
	m.Gone, m.Told = true, at
	b.touched[i.ID] = i
	if m.Until.IsZero() {
		m.Until = at
	}
	if i.Stage == Resolved {
		return // what became of it afterwards is no part of it
	}
	b.note(i, Step{
		At: at, Kind: Left, Series: m.Series, From: m.State, To: m.State,
		Words: b.world.place(m.Series) + " is no longer in the configuration: nobody looks at it any more",
	})
}

// note adds a step to an incident.
func (b *Book) note(i *Incident, s Step) {
	i.note(s, b.policy.Steps)
	b.touched[i.ID] = i
}

// flush takes the changes of the instant that is pending, by series.
func (b *Book) flush() {
	if len(b.pending) == 0 {
		return
	}
	changes, at := b.pending, b.pending[0].At
	b.pending = nil
	b.advance(at)
	slices.SortStableFunc(changes, func(x, y verdict.Change) int { return x.Series.Compare(y.Series) })
	var hit []*Incident
	for _, c := range changes {
		hit = append(hit, b.take(c)...)
	}
	for k, i := range hit {
		if !slices.Contains(hit[:k], i) {
			b.settle(i, at)
		}
	}
}

// take puts a change where it belongs and returns the incidents that it concerns: that
// which the series is in and, if its trouble has another cause now, that which it was
// in.
func (b *Book) take(c verdict.Change) []*Incident {
	i, m := b.holder(c.Series)
	switch {
	case i != nil && b.stays(i, m, c):
		b.follow(i, m, c)
		return []*Incident{i}
	case !bad(c.To):
		return nil
	}
	to := b.join(c)
	if i == nil || i == to {
		return []*Incident{to}
	}
	m.Gone, b.touched[i.ID] = true, i
	return []*Incident{to, i}
}
