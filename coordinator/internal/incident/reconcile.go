package incident

import (
	"slices"
	"strings"
	"time"

	"varde/coordinator/internal/verdict"
)

// Reconcile corrects what was told by the final record, as of the time at. What the
// final record shows at the time and place of an incident that was told gives it its
// times and members as they were; the incident keeps its id and when it was told. What
// nobody was told of becomes an incident "recorded afterwards", whose Detected is
// zero. What the final record does not show stays, with a step that says so. An
// incident that is not closed has only its start corrected, since the final record
// comes later than what is told. To do it again changes nothing; drafts are left alone.
func Reconcile(w World, told, final []Incident, at time.Time) []Incident {
	names := w.atlas()
	out := make([]Incident, len(told))
	for k := range told {
		out[k] = told[k].Clone()
	}
	shown := make([][]*Incident, len(told)) // what the final record has in the place of each
	var missed []*Incident
	final = slices.SortedFunc(slices.Values(final), func(a, b Incident) int { return a.Compare(&b) })
	for k := range final {
		f := final[k].Clone()
		best := names.match(told, &f)
		if best < 0 {
			missed = append(missed, &f)
			continue
		}
		for part, has := range apart(told, best, &f) {
			shown[part] = append(shown[part], has)
		}
	}
	for k := range out {
		out[k].correct(names, shown[k], at)
	}
	for _, f := range missed {
		f.Detected, f.Final = time.Time{}, []string{f.ID}
		f.note(Step{At: at, Kind: Corrected, Words: "Recorded afterwards: nobody was told of it in time"}, Policy{}.filled().Steps)
		out = append(out, *f)
	}
	slices.SortStableFunc(out, func(a, b Incident) int { return a.Compare(&b) })
	return out
}

// match is which of those told is what the final record shows, -1 if none is: that
// which was found to be it before, else one of the same time, kind and place: that which
// began with the same group, or the oldest.
func (a *atlas) match(told []Incident, f *Incident) int {
	best := -1
	for k := range told {
		t := &told[k]
		part := t.SplitFrom != "" && slices.ContainsFunc(told, func(o Incident) bool { return o.ID == t.SplitFrom })
		if t.ID == f.ID || !part && slices.Contains(t.Final, f.ID) {
			return k
		}
		if t.Draft || part || !t.overlaps(f) || !t.sameKind(f) || !a.meets(t, f) {
			continue
		}
		if best < 0 || t.before(&told[best], f.Key.Group) {
			best = k
		}
	}
	return best
}

// overlaps says whether the troubles of two incidents are of one time.
func (i *Incident) overlaps(o *Incident) bool {
	join := Policy{}.filled().Join
	starts := func(a, b *Incident) bool {
		return a.Recovered.IsZero() || !b.Started.After(a.Recovered.Add(join))
	}
	return starts(i, o) && starts(o, i)
}

// meets says whether two incidents have a service in common, or a network of one
// provider.
func (a *atlas) meets(i, o *Incident) bool {
	ofProvider := a.services[i.Key.Service].Provider == a.services[o.Key.Service].Provider
	return i.some(func(m *Member) bool { return ofService(o, m.Service) || ofProvider && onNetwork(o, m.Networks) })
}

// apart is what the final record shows for an incident, without what a person made
// incidents of their own.
func apart(told []Incident, whole int, f *Incident) map[int]*Incident {
	out := make(map[int]*Incident, 1)
	for k := range told {
		if told[k].SplitFrom != told[whole].ID {
			continue
		}
		in := func(s verdict.Series) bool { return told[k].member(s) != nil }
		if !f.some(func(m *Member) bool { return in(m.Series) }) {
			continue
		}
		part := f.without(in)
		out[k] = &part
	}
	if len(f.Members) > 0 {
		out[whole] = f
	}
	return out
}

// without takes the series for which in holds out of an incident and returns one of
// them, with nothing of its own but what follows from its members.
func (i *Incident) without(in func(verdict.Series) bool) Incident {
	part := i.Clone()
	part.Members = slices.DeleteFunc(part.Members, func(m Member) bool { return !in(m.Series) })
	i.Members = slices.DeleteFunc(i.Members, func(m Member) bool { return in(m.Series) })
	for _, x := range []*Incident{i, &part} {
		x.Recovered, x.Started = time.Time{}, time.Time{}
		for k, m := range x.Members {
			if k == 0 || m.Since.Before(x.Started) {
				x.Started = m.Since
			}
		}
		if x.Stage == Resolved || x.isWell() {
			x.Recovered = x.lastOf(func(m *Member) time.Time { return m.Until })
		}
	}
	return part
}

// correct gives an incident what the final record shows in its place.
func (i *Incident) correct(names *atlas, shown []*Incident, at time.Time) {
	most := Policy{}.filled().Steps
	if len(shown) == 0 {
		if i.Stage == Resolved && !i.Draft && !i.Unshown {
			i.Unshown = true
			i.note(Step{At: at, Kind: Corrected, Words: "The final record does not show it: what came in later says that it was none, or a part of another"}, most)
		}
		return
	}
	was := i.Clone()
	i.Unshown = false
	i.adopt(shown)
	if words := names.differs(i, &was); words != "" {
		i.note(Step{At: at, Kind: Corrected, Words: "The final record: " + words}, most)
	}
}

// adopt takes times and members over.
func (i *Incident) adopt(shown []*Incident) {
	var recovered, resolved, started time.Time
	var ids []string
	var members []Member
	open := i.Stage != Resolved
	for k, f := range shown {
		ids = append(ids, f.ID)
		if k == 0 || f.Started.Before(started) {
			started = f.Started
		}
		open = open || f.Resolved.IsZero()
		recovered, resolved = later(recovered, f.Recovered), later(resolved, f.Resolved)
		i.Intermittent = i.Intermittent || f.Intermittent
		i.Impact = worse(i.Impact, f.Impact)
		members = united(members, f.Members)
	}
	slices.Sort(ids)
	i.Started, i.Final = started, ids
	if !open {
		i.Recovered, i.Resolved, i.Members = recovered, resolved, members
	}
}

// united are the members of two lists, of each series one.
func united(a, b []Member) []Member {
	out := slices.Clone(a)
	for _, m := range b {
		k := slices.IndexFunc(out, func(o Member) bool { return o.Series == m.Series })
		if k < 0 {
			out = append(out, m)
			continue
		}
		out[k] = unite(out[k], m)
	}
	slices.SortFunc(out, func(a, b Member) int { return a.Compare(b.Series) })
	return out
}

// unite makes one member of two of one series: what was told last holds now, and what
// is said of its worst is of the worse one.
func unite(a, b Member) Member {
	if b.Told.Before(a.Told) {
		a, b = b, a
	}
	out := b
	if a.Worst >= b.Worst {
		out = a
		out.State, out.Told, out.Until, out.Gone = b.State, b.Told, b.Until, b.Gone
	}
	out.Since, out.Groups = a.Since, unitedGroups(a.groups(), b.groups())
	if b.Since.Before(a.Since) {
		out.Since = b.Since
	}
	return out
}

// remark is how far a time must be off to be worth a word: what is told is later than
// what is final by the way of the observations.
const remark = 10 * time.Second

// differs says what an incident has become of what it was, as far as people would see
// it; nothing if they would not.
func (a *atlas) differs(i, was *Incident) string {
	var words []string
	if off(i.Started, was.Started) {
		words = append(words, "it began on "+moment(i.Started)+", not on "+moment(was.Started))
	}
	if off(i.Recovered, was.Recovered) {
		words = append(words, "it was over on "+moment(i.Recovered)+", not on "+moment(was.Recovered))
	}
	if more := a.lacking(i.Members, was.Members); len(more) > 0 {
		words = append(words, "also in trouble: "+list(more))
	}
	if less := a.lacking(was.Members, i.Members); len(less) > 0 {
		words = append(words, "not in trouble: "+list(less))
	}
	if was.Unshown {
		words = append(words, "it does show it")
	}
	return strings.Join(words, "; ")
}

func off(a, b time.Time) bool { return a.Sub(b).Abs() >= remark }

// lacking names the series of one list that another does not have.
func (a *atlas) lacking(list, other []Member) []string {
	var out []string
	for _, m := range list {
		if !slices.ContainsFunc(other, func(o Member) bool { return o.Series == m.Series }) {
			out = append(out, a.place(m.Series))
		}
	}
	return out
}
