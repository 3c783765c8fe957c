package incident

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"varde/coordinator/internal/verdict"
)

// Case is an incident with both of its parts: what the machine says and what people
// say.
type Case struct {
	Incident
	Edits Edits `json:"edits,omitzero"`
}

// PlacementOf is where people put what is ill: the side of [Edits] that a [Book] needs
// to know. A book is given it anew whenever edits changed.
func PlacementOf(cases []Case) Placement {
	p := Placement{Into: make(map[string]string), Shut: make(map[string]time.Time)}
	for _, c := range cases {
		if c.Edits.MergedInto != nil {
			p.Into[c.ID] = c.Edits.MergedInto.Text
		}
		for _, m := range []*Mark{c.Edits.Resolved, c.Edits.FalseAlarm} {
			if m == nil {
				continue
			}
			if since, ok := p.Shut[c.ID]; !ok || m.At.Before(since) {
				p.Shut[c.ID] = m.At
			}
		}
	}
	return p
}

// Merge makes one case a part of another, which stands for both from then on: it shows
// the members and the steps of both, and takes what is like either. The machine goes
// on to write each of them, so that taking it back loses nothing.
func Merge(m Mark, part, into Case) (Edits, error) {
	if part.ID == into.ID {
		return part.Edits, fmt.Errorf("merge: got %s twice, expected two incidents", part.ID)
	}
	if to := into.Edits.MergedInto; to != nil {
		return part.Edits, fmt.Errorf("merge: got %s, which is merged into %s, expected one that stands", into.ID, to.Text)
	}
	m.Text = into.ID
	return part.Edits.mark(Merging, m, func(e *Edits) **Mark { return &e.MergedInto })
}

// Split makes some of the series of a case an incident of their own, which goes on by
// itself. Give both to the book ([Book.Put]) and keep both.
func Split(w World, m Mark, c Case, series ...verdict.Series) (rest, part Case, err error) {
	if err := c.Edits.allows(m); err != nil {
		return c, part, err
	}
	for _, s := range series {
		if c.member(s) == nil {
			return c, part, fmt.Errorf("split: got %s, expected series of incident %s", s, c.ID)
		}
	}
	in := func(s verdict.Series) bool { return slices.Contains(series, s) }
	if n := len(c.Members); len(series) == 0 || !c.some(func(m *Member) bool { return !in(m.Series) }) {
		return c, part, fmt.Errorf("split: got %d of %d series, expected some and not all", len(series), n)
	}
	names := w.atlas()
	rest = Case{Incident: c.Clone(), Edits: c.Edits}
	part = Case{Incident: rest.without(in), Edits: Edits{Public: c.Edits.Public}}
	part.own(names, &rest.Incident)
	rest.restage(m, part.ID+" was split from it: "+names.places(part.Members))
	part.restage(m, "Split from "+rest.ID)
	m.Text = part.ID
	rest.Edits = rest.Edits.did(Splitting, m)
	m.Text = rest.ID
	part.Edits = part.Edits.did(Splitting, m)
	return rest, part, nil
}

// own makes an incident of a part that was taken out of another.
func (i *Incident) own(names *atlas, from *Incident) {
	first := i.Members[0]
	for _, m := range i.Members {
		if m.Since.Before(first.Since) {
			first = m
		}
	}
	i.Key = Key{
		Service: first.Service, Networks: slices.Clone(first.Networks), Group: first.Group, Start: first.Since.Truncate(time.Minute),
		Check: first.Check, Region: first.Region, Family: first.Family,
	}.free(func(id string) bool { return id == from.ID || id == from.SplitFrom })
	i.ID, i.SplitFrom = i.Key.ID(), cmp.Or(from.SplitFrom, from.ID)
	i.Steps = slices.DeleteFunc(i.Steps, func(s Step) bool { return i.member(s.Series) == nil })
	i.Omitted, i.Final = nil, nil
	worst := i.Clone()
	for k := range worst.Members {
		worst.Members[k].State = worst.Members[k].Worst
	}
	i.Impact = names.impact(&worst)
}

// restage brings the stage of one part of an incident to what its members are, and
// says what a person did.
func (i *Incident) restage(by Mark, words string) {
	switch {
	case i.Stage == Resolved:
	case i.Recovered.IsZero():
		i.Stage = Investigating
	default:
		i.Stage = Monitoring
	}
	i.note(Step{At: by.At.UTC(), Kind: Parted, Words: words + ", by " + by.By}, Policy{}.filled().Steps)
}

// places names the series of some members.
func (a *atlas) places(members []Member) string {
	out := make([]string, len(members))
	for k, m := range members {
		out[k] = a.place(m.Series)
	}
	return strings.Join(out, ", ")
}
