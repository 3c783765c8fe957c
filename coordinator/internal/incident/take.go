package incident

import (
	"cmp"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// holder is the incident that a series is in: one that is under way, else the one in
// which it had trouble last.
func (b *Book) holder(s verdict.Series) (best *Incident, member *Member) {
	for _, i := range b.held {
		m := i.member(s)
		if m != nil && (best == nil || holds(i, m, best, member)) {
			best, member = i, m
		}
	}
	return best, member
}

// holds says whether a series is rather in one incident than in another.
func holds(i *Incident, m *Member, than *Incident, other *Member) bool {
	switch open := i.Stage != Resolved; {
	case m.Gone != other.Gone:
		return other.Gone
	case open != (than.Stage != Resolved):
		return open
	}
	return cmp.Or(m.Since.Compare(other.Since), cmp.Compare(i.ID, than.ID)) > 0
}

// stays says whether a change is one of the incident that the series is in. Its
// trouble stays there whatever becomes of it, and so does trouble that returns soon
// enough; other trouble is judged by its cause.
func (b *Book) stays(i *Incident, m *Member, c verdict.Change) bool {
	if !bad(c.To) || i.Stage != Resolved && m.Until.IsZero() {
		return true
	}
	return !b.placement.isShut(i.ID, c.At) && (i.Stage != Resolved || !c.At.After(i.Resolved.Add(b.policy.Reopen)))
}

// newMember is the series of a change as one that has trouble.
func (b *Book) newMember(c verdict.Change) Member {
	m := Member{Series: c.Series, Service: b.world.service(c.Series.Check), State: c.To, Told: c.At, Since: c.Since}
	m.worsen(b.world.checks[c.Series.Check].Kind, c)
	return m
}

// worsen keeps what is said of the worst state of a member, and of what groups its
// trouble is.
func (m *Member) worsen(kind checks.Kind, c verdict.Change) {
	group, all := groupsOf(kind, c.Evidence)
	m.Groups = unitedGroups(m.groups(), all)
	if c.To <= m.Worst {
		return
	}
	e := c.Evidence
	m.Worst, m.Phase, m.Class, m.Networks = c.To, e.Phase, e.Class, slices.Clone(e.Networks)
	m.Group, m.Counts, m.Reason = group, c.Counts, c.Reason
}

// join puts a series that has trouble into the incident whose cause it shares, or
// begins one.
func (b *Book) join(c verdict.Change) *Incident {
	m := b.newMember(c)
	i := b.cause(&m)
	if i == nil {
		return b.open(m, c.From)
	}
	if old := i.member(m.Series); old != nil {
		b.follow(i, old, c)
		return i
	}
	words := b.world.spreading(i, &m)
	i.add(m)
	if m.Since.Before(i.Started) {
		i.Started = m.Since
	}
	b.note(i, Step{At: m.Told, Kind: Spread, Series: m.Series, From: c.From, To: m.State, Words: words})
	return i
}

// open begins an incident with its first series.
func (b *Book) open(m Member, from verdict.State) *Incident {
	key := Key{
		Service: m.Service, Networks: slices.Clone(m.Networks), Group: m.Group, Start: m.Since.Truncate(time.Minute),
		Check: m.Check, Region: m.Region, Family: m.Family,
	}.free(b.isTaken)
	i := &Incident{
		ID: key.ID(), Key: key, Stage: Investigating, Impact: NoImpact, Started: m.Since, Detected: m.Told,
		Members: []Member{m}, Turns: []Turn{{At: m.Told}},
	}
	b.held = append(b.held, i)
	b.note(i, Step{At: m.Told, Kind: Opened, Series: m.Series, From: from, To: m.State, Words: b.world.opening(&m)})
	return i
}

// follow says what became of a series in its incident. Of one that is closed nothing
// is said but that it is ill again; its state is kept, lest it be taken for well when
// the incident opens again.
func (b *Book) follow(i *Incident, m *Member, c verdict.Change) {
	if m.Gone && !b.world.asks(m.Series) || !m.Gone && c.To == m.State {
		return
	}
	was, over := m.State, !m.Until.IsZero()
	m.State, m.Told, m.Gone = c.To, c.At, false
	if bad(c.To) {
		m.Until = time.Time{}
		m.worsen(b.world.checks[m.Check].Kind, c)
	} else if c.To == verdict.Up && !over {
		m.Until = c.At
	}
	b.touched[i.ID] = i
	if i.Stage == Resolved && !bad(c.To) {
		return
	}
	b.note(i, Step{
		At: c.At, Kind: followed(c.To, over), Series: m.Series, From: was, To: c.To,
		Words: b.world.following(i, m, was, over, c.Reason),
	})
}

// followed is the kind of a step of a member that is now in the given state; over says
// that its trouble was over.
func followed(now verdict.State, over bool) StepKind {
	switch {
	case now == verdict.Unknown:
		return Unmeasured
	case now == verdict.Up && !over:
		return Shrunk
	case bad(now) && over:
		return Relapsed
	}
	return Changed
}

func (b *Book) isTaken(id string) bool {
	return slices.ContainsFunc(b.held, func(i *Incident) bool { return i.ID == id }) ||
		b.policy.Taken != nil && b.policy.Taken(id)
}
