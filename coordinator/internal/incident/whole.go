package incident

import (
	"slices"
	"time"
)

// Whole is a case that stands for itself, with those that people merged into it.
type Whole struct {
	Case
	Parts []Case
}

// Wholes are the cases that stand, in their order, each with its parts. A part whose
// whole is not among the cases stands for itself.
func Wholes(cases []Case) []Whole {
	p, known := PlacementOf(cases), make(map[string]bool, len(cases))
	for _, c := range cases {
		known[c.ID] = true
	}
	parts := make(map[string][]Case)
	apart := func(c Case) bool { id := p.Stands(c.ID); return id == c.ID || !known[id] }
	for _, c := range cases {
		if !apart(c) {
			id := p.Stands(c.ID)
			parts[id] = append(parts[id], c)
		}
	}
	var out []Whole
	for _, c := range cases {
		if apart(c) {
			out = append(out, Whole{c, parts[c.ID]})
		}
	}
	return out
}

// WholeOf is that to which the case of an id belongs; ok is false if there is none.
func WholeOf(cases []Case, id string) (x Whole, ok bool) {
	all := Wholes(cases)
	k := slices.IndexFunc(all, func(x Whole) bool { return x.Has(Case{Incident: Incident{ID: id}}) })
	if k < 0 {
		return x, false
	}
	return all[k], true
}

// Has says whether a case is the one that stands, or a part of it.
func (x Whole) Has(c Case) bool {
	return x.ID == c.ID || slices.ContainsFunc(x.Parts, func(o Case) bool { return o.ID == c.ID })
}

// Together is the incident that all of it is.
func (x Whole) Together() Incident {
	all := x.Clone()
	for _, part := range x.Parts {
		all.unite(&part.Incident)
	}
	return all
}

// unite takes another incident into this one: it began with the first and is over with
// the last of both.
func (i *Incident) unite(o *Incident) {
	if o.Started.Before(i.Started) {
		i.Started = o.Started
	}
	if i.Detected.IsZero() || !o.Detected.IsZero() && o.Detected.Before(i.Detected) {
		i.Detected = o.Detected
	}
	i.Stage = firstStage(i.Stage, o.Stage)
	if i.Recovered = later(i.Recovered, o.Recovered); i.Stage == Investigating {
		i.Recovered = time.Time{}
	}
	if i.Resolved = later(i.Resolved, o.Resolved); i.Stage != Resolved {
		i.Resolved = time.Time{}
	}
	i.Intermittent, i.Impact = i.Intermittent || o.Intermittent, worse(i.Impact, o.Impact)
	i.Members = united(i.Members, o.Members)
}

// firstStage is the stage of the two that comes first: one is only as far as all of it.
func firstStage(a, b Stage) Stage {
	for _, s := range []Stage{Investigating, Monitoring} {
		if a == s || b == s {
			return s
		}
	}
	return Resolved
}
