package ops

import (
	"slices"

	"varde/checks"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/verdict"
)

// troubleView is what is wrong in one region in one way.
type troubleView struct {
	ID, Class, Title, Reason string
	Elsewhere                string
	Since                    string
	Checks                   []string
	Families, Probes, Phase  string
}

// maxTroubles is how many the overview shows at most; the matrix has all.
const maxTroubles = 6

// troubles are the cells in trouble, those of one region and state together,
// the worst and widest first.
func (n Now) troubles(cells []cell) []troubleView {
	groups := map[[2]string][]cell{}
	var keys [][2]string
	for _, c := range cells {
		if !c.worst.mark().Trouble() {
			continue
		}
		k := [2]string{c.worst.state.String(), c.region.ID}
		if groups[k] == nil {
			keys = append(keys, k)
		}
		groups[k] = append(groups[k], c)
	}
	slices.SortStableFunc(keys, func(a, b [2]string) int {
		x, y := groups[a], groups[b]
		if d := int(y[0].worst.state) - int(x[0].worst.state); d != 0 {
			return d
		}
		return len(y) - len(x)
	})
	var out []troubleView
	for _, k := range keys[:min(maxTroubles, len(keys))] {
		out = append(out, n.trouble(groups[k], cells))
	}
	return out
}

func (n Now) trouble(group, all []cell) troubleView {
	first := group[0]
	v := troubleView{
		ID: "t_" + first.worst.state.String() + "_" + first.region.ID, Class: first.worst.mark().Class(),
		Reason: first.worst.reason, Elsewhere: elsewhere(group, all), Phase: string(first.strip.Phase),
	}
	var services []string
	var families []checks.Family
	since, counts := first.worst.since, first.worst.counts
	for _, c := range group {
		v.Checks = append(v.Checks, c.check.ID)
		if !slices.Contains(services, c.service.Name) {
			services = append(services, c.service.Name)
		}
		for _, f := range c.worst.families {
			if !slices.Contains(families, f) {
				families = append(families, f)
			}
		}
		if c.worst.since.Before(since) {
			since = c.worst.since
		}
		if c.worst.counts.Down > counts.Down {
			counts = c.worst.counts
		}
	}
	v.Title = first.region.Name + ": " + graph.List(services) + " " + first.worst.state.String()
	v.Families = familyWords(families)
	if total := counts.Up + counts.Down; counts.Down > 0 {
		v.Probes = graph.Thousands(counts.Down) + " of " + graph.Count(total, "probe") + " fail"
	}
	if !since.IsZero() {
		v.Since = when(since, n.At) + " UTC, " + graph.Span(n.At.Sub(since)) + " ago"
	}
	return v
}

// elsewhere says where the same checks are up.
func elsewhere(group, all []cell) string {
	var fine, bad []string
	for _, c := range all {
		if !slices.ContainsFunc(group, func(g cell) bool { return g.check.ID == c.check.ID }) || c.region.ID == group[0].region.ID {
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
