package incident

import (
	"slices"
	"time"

	"varde/coordinator/internal/verdict"
)

// settle brings the stage of an incident to what its members are, after all changes
// of an instant.
func (b *Book) settle(i *Incident, at time.Time) {
	ill, well := i.isIll(), i.isWell()
	if i.Draft || i.Stage == Resolved && !ill {
		return
	}
	switch {
	case well:
		b.recovered(i, at)
	case i.Stage == Resolved:
		words := "Open again, " + lasting(at.Sub(i.Resolved)) + " after it was closed"
		i.Stage, i.Recovered, i.Resolved = Investigating, time.Time{}, time.Time{}
		b.note(i, Step{At: at, Kind: Reopened, Words: words})
	default:
		i.Stage, i.Recovered = Investigating, time.Time{}
	}
	if ill {
		b.turn(i, Turn{At: at})
	}
	if i.some(func(m *Member) bool { return m.State == verdict.Intermittent }) {
		i.Intermittent = true
	}
	if impact := b.world.impact(i); impact.rank() > i.Impact.rank() {
		i.Impact, b.touched[i.ID] = impact, i
	}
}

// recovered says that all is well, if it was not.
func (b *Book) recovered(i *Incident, at time.Time) {
	i.Recovered = i.lastOf(func(m *Member) time.Time { return m.Until })
	if i.Stage == Monitoring {
		return
	}
	i.Stage = Monitoring
	b.turn(i, Turn{At: at, Well: true})
	due, _ := b.due(i)
	b.note(i, Step{At: at, Kind: Recovery, Words: "All of it is well again; it is closed if that lasts until " + clock(due)})
}

// turn remembers that all of an incident is well, or something ill, if the contrary
// held before. Many of them in a short time are a trouble that comes and goes.
func (b *Book) turn(i *Incident, t Turn) {
	n := len(i.Turns)
	if n > 0 && i.Turns[n-1].Well == t.Well {
		return
	}
	i.Turns = append(i.Turns, t)
	i.Turns = slices.Delete(i.Turns, 0, max(0, n-b.policy.Turns))
	if b.flaps(i) && !i.Intermittent {
		i.Intermittent = true
		b.note(i, Step{At: t.At, Kind: Flapped, Words: "It comes and goes, so it is not closed until it has been well for " + lasting(b.policy.Calm)})
	}
}

// flaps says whether the last turns of an incident are more than it has by itself.
func (b *Book) flaps(i *Incident) bool {
	n := len(i.Turns) - 1 - b.policy.Turns
	return n >= 0 && i.Turns[len(i.Turns)-1].At.Sub(i.Turns[n].At) <= b.policy.TurnsWithin
}

// due is when an incident is closed if it stays as it is.
func (b *Book) due(i *Incident) (at time.Time, ok bool) {
	if i.Stage != Monitoring {
		return at, false
	}
	at = b.rested(i).Add(b.hold(i))
	if b.flaps(i) {
		at = later(at, i.Turns[len(i.Turns)-1].At.Add(b.policy.Calm))
	}
	return at, true
}

// rested is since when all of an incident that is Monitoring has been known to be well.
func (b *Book) rested(i *Incident) time.Time {
	if i.Draft {
		return i.Recovered
	}
	return i.lastOf(func(m *Member) time.Time { return m.Told })
}

// hold is for how long all of an incident must be well before it is closed.
func (b *Book) hold(i *Incident) time.Duration {
	every := time.Duration(0)
	if i.Draft {
		every = b.world.checks[i.Key.Check].Every
	}
	for k := range i.Members {
		if m := &i.Members[k]; !m.Gone {
			every = max(every, b.world.checks[m.Check].Every)
		}
	}
	return max(b.policy.Hold, time.Duration(b.policy.Intervals)*every)
}

// advance does what is due by a time: it closes incidents, and forgets those that are
// long over.
func (b *Book) advance(at time.Time) {
	for _, i := range b.held {
		if due, ok := b.due(i); ok && !due.After(at) {
			b.close(i, due)
		}
	}
	var gone []*Incident
	for _, i := range b.held {
		if leaves, ok := b.leaves(i); ok && !leaves.After(at) {
			gone = append(gone, i)
			b.left(i)
		}
	}
	b.held = slices.DeleteFunc(b.held, func(i *Incident) bool { return slices.Contains(gone, i) })
}

// close says that an incident is over.
func (b *Book) close(i *Incident, at time.Time) {
	i.Stage, i.Resolved = Resolved, at
	words := "Closed: all of it has been well for " + lasting(at.Sub(b.rested(i)))
	switch {
	case i.Draft:
		words = "Closed: it has not been seen for " + lasting(at.Sub(i.Recovered))
	case !i.some(func(m *Member) bool { return !m.Gone }):
		words = "Closed: nobody looks at any of it any more"
	}
	b.note(i, Step{At: at, Kind: Closed, Words: words})
}

// leaves is when an incident that is closed is forgotten: together with those with
// which a person merged it, since what is like any of them joins the one that stands.
func (b *Book) leaves(i *Incident) (at time.Time, ok bool) {
	for _, x := range b.together(i) {
		if x.Stage != Resolved {
			return at, false
		}
		at = later(at, x.Resolved)
	}
	return at.Add(b.policy.Recall), true
}
