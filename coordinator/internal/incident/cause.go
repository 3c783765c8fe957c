package incident

import (
	"slices"
	"time"
)

// Placement is what people decided about where series belong: see [PlacementOf].
type Placement struct {
	// Into is the incident with which another was merged, by the id of the latter.
	Into map[string]string
	// Shut is since when an incident takes nothing new: a person said that it was a
	// false alarm, or over. What is ill afterwards is another incident, lest it be
	// hidden in one that nobody looks at.
	Shut map[string]time.Time
}

// Stands is the id of the incident that stands for another: its own where it is merged
// with none.
func (p Placement) Stands(id string) string {
	for range len(p.Into) { // a circle would have no end
		next, ok := p.Into[id]
		if !ok {
			return id
		}
		id = next
	}
	return id
}

// isShut says whether an incident, or that which stands for it, takes nothing new.
func (p Placement) isShut(id string, at time.Time) bool {
	for _, id := range []string{id, p.Stands(id)} {
		if since, ok := p.Shut[id]; ok && !at.Before(since) {
			return true
		}
	}
	return false
}

// cause is the incident of whose trouble that of a series is taken for a part, nil if
// there is none. Of several it is one that is under way, else one that began with
// the same group, else the oldest, else the first by id.
func (b *Book) cause(m *Member) (best *Incident) {
	for _, x := range b.held {
		if x.Draft || !b.world.alike(x, m) || b.placement.isShut(x.ID, m.Told) {
			continue
		}
		group := b.together(x)
		if !b.near(group, m) {
			continue
		}
		if stands := group[0]; best == nil || sooner(stands, best, m.Group) {
			best = stands
		}
	}
	return best
}

// sooner says whether an incident is chosen before another for trouble of a group.
func sooner(a, b *Incident, g Group) bool {
	if open := a.Stage != Resolved; open != (b.Stage != Resolved) {
		return open
	}
	return a.before(b, g)
}

// before says whether an incident is rather one of trouble of a group than another is:
// it began with that, else it is the older one, or the first by id.
func (i *Incident) before(o *Incident, g Group) bool {
	if same := i.Key.Group == g; same != (o.Key.Group == g) {
		return same
	}
	return i.Compare(o) < 0
}

// together are all incidents that a person merged with one, first that which stands
// for them, if the book holds it.
func (b *Book) together(x *Incident) []*Incident {
	group := []*Incident{x}
	if len(b.placement.Into) == 0 {
		return group
	}
	id := b.placement.Stands(x.ID)
	for _, o := range b.held {
		switch {
		case o == x || b.placement.Stands(o.ID) != id:
		case o.ID == id:
			group = slices.Insert(group, 0, o)
		default:
			group = append(group, o)
		}
	}
	return group
}

// alike says whether the trouble of a series is of the kind of an incident, which it
// is where they have a group of phases in common, and at the same place: of one of its
// services, or on one of its networks. What several providers rent of one network is
// not of one place: each answers for its own, and that they were hit together is said
// of both (see [AlsoSeenAt]).
func (a *atlas) alike(x *Incident, m *Member) bool {
	ofProvider := a.services[x.Key.Service].Provider == a.services[m.Service].Provider
	return slices.ContainsFunc(m.groups(), x.isOf) && (ofService(x, m.Service) || ofProvider && onNetwork(x, m.Networks))
}

func ofService(x *Incident, service string) bool {
	return x.some(func(o *Member) bool { return o.Service == service })
}

func onNetwork(x *Incident, networks []string) bool {
	return x.some(func(o *Member) bool {
		return slices.ContainsFunc(networks, func(n string) bool { return slices.Contains(o.Networks, n) })
	})
}

// near says whether the trouble of a series is of the time of some incidents that are
// one: they are under way; or their trouble ended so shortly before that it is the
// same; or trouble of one of their services returns so shortly after their end that
// they open again.
func (b *Book) near(group []*Incident, m *Member) bool {
	var recovered, resolved time.Time
	for _, x := range group {
		if x.Recovered.IsZero() {
			return true
		}
		recovered, resolved = later(recovered, x.Recovered), later(resolved, x.Resolved)
		if x.Resolved.IsZero() && ofService(x, m.Service) {
			return true
		}
	}
	if !m.Since.After(recovered.Add(b.policy.Join)) {
		return true
	}
	return !m.Told.After(resolved.Add(b.policy.Reopen)) &&
		slices.ContainsFunc(group, func(x *Incident) bool { return ofService(x, m.Service) })
}
