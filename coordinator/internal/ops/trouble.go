package ops

import (
	"cmp"
	"fmt"
	"slices"

	"varde/checks"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/verdict"
)

// troubleView is what is wrong in one region for one cause.
type troubleView struct {
	ID, Class, Title, Reason string
	Elsewhere                string
	Since                    string
	Checks                   []string
	// Links lead to the incidents that it is part of and to the numbers of its services.
	Links                   []linkView
	Families, Probes, Phase string
}

// maxTroubles is how many the overview shows at most; the matrix has all.
const maxTroubles = 6

// ailment is what the cells of one trouble have in common. What keeps probes
// from telling is one trouble in all regions.
type ailment struct {
	state  verdict.State
	region string
	cause  string
	phase  checks.Phase
}

// ailmentOf is what is wrong with a cell; nothing if ok is false.
func ailmentOf(c cell) (a ailment, ok bool) {
	a = ailment{c.worst.state, c.region.ID, cause(c.worst.reason), c.strip.Phase}
	if c.worst.mark() != graph.Unknown {
		return a, c.worst.mark().Trouble()
	}
	a.phase = ""
	if _, class := cannotTell(c.worst.reason); class != "" {
		a.region, a.cause = "", string(class)
	}
	return a, c.worst.reason != ""
}

// troubles are the cells of which an operator should know, those with the same
// ailment together, the worst and widest first, and how many are left out.
func (b board) troubles(cells []cell) (views []troubleView, more int) {
	groups := map[ailment][]cell{}
	var keys []ailment
	for _, c := range cells {
		k, ok := ailmentOf(c)
		if !ok {
			continue
		}
		if groups[k] == nil {
			keys = append(keys, k)
		}
		groups[k] = append(groups[k], c)
	}
	slices.SortStableFunc(keys, func(a, b ailment) int {
		return cmp.Or(cmp.Compare(b.state, a.state), cmp.Compare(len(groups[b]), len(groups[a])))
	})
	for i, k := range keys[:min(maxTroubles, len(keys))] {
		v := b.now.trouble(groups[k], cells)
		v.ID, v.Links = fmt.Sprintf("t_%d", i), b.incidentsOf(groups[k])
		for _, c := range groups[k] {
			v.Links = add(v.Links, linkView{"/numbers/" + c.service.ID, "numbers of " + c.service.Name})
		}
		views = append(views, v)
	}
	return views, max(0, len(keys)-maxTroubles)
}

// add puts a name into a list that does not hold it.
func add[T comparable](list []T, name T) []T {
	if slices.Contains(list, name) {
		return list
	}
	return append(list, name)
}

func (n Now) trouble(group, all []cell) troubleView {
	first := group[0]
	v := troubleView{Class: first.worst.mark().Class(), Reason: first.worst.reason, Elsewhere: elsewhere(group, all)}
	if first.worst.mark().Trouble() {
		v.Phase = string(first.strip.Phase)
	}
	var services, regions []string
	var families []checks.Family
	since, counts := first.worst.since, first.worst.counts
	for _, c := range group {
		v.Checks, services, regions = add(v.Checks, c.check.ID), add(services, c.service.Name), add(regions, c.region.Name)
		for _, f := range c.worst.families {
			families = add(families, f)
		}
		if c.worst.since.Before(since) {
			since = c.worst.since
		}
		if c.worst.counts.Down > counts.Down {
			counts = c.worst.counts
		}
	}
	v.Title = graph.List(regions) + ": " + graph.List(services) + " " + n.word(first.worst.state, v.Checks...)
	if words, class := cannotTell(first.worst.reason); class != "" && first.worst.state == verdict.Unknown {
		v.Title = fmt.Sprintf("%s: %s (%s) in %s", graph.List(services), words, class, graph.List(regions))
	}
	v.Families, v.Probes = familyWords(families), counted(counts)
	if !since.IsZero() {
		v.Since = when(since, n.At) + " UTC, " + graph.Span(n.At.Sub(since)) + " ago"
	}
	return v
}

// counted says how many probes see the trouble, or cannot tell.
func counted(c verdict.Counts) string {
	switch total := c.Up + c.Down; {
	case c.Down > 0:
		return graph.Thousands(c.Down) + " of " + graph.Count(total, "probe") + " fail"
	case c.Unknown > 0:
		return graph.Thousands(c.Unknown) + " of " + graph.Count(total+c.Unknown, "probe") + " cannot tell"
	}
	return ""
}

// elsewhere says where the same checks are up.
func elsewhere(group, all []cell) string {
	var fine, bad []string
	for _, c := range all {
		if !slices.ContainsFunc(group, func(g cell) bool { return g.check.ID == c.check.ID }) ||
			slices.ContainsFunc(group, func(g cell) bool { return g.region.ID == c.region.ID }) {
			continue
		}
		if c.worst.state == verdict.Up {
			fine = append(fine, c.region.Name)
		} else {
			bad = append(bad, c.region.Name)
		}
	}
	fine = slices.DeleteFunc(fine, func(r string) bool { return slices.Contains(bad, r) })
	slices.Sort(fine)
	if fine = slices.Compact(fine); len(fine) == 0 {
		return ""
	}
	return "The same is up in " + graph.List(fine) + "."
}
