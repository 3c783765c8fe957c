package ops

import (
	"cmp"
	"html/template"
	"slices"

	"varde/coordinator/internal/graph"
)

// chip is a state that can be chosen, beside others.
type chip struct {
	Glyph   template.HTML
	Word    string
	Count   int
	Link    string
	Current bool
}

// chips count the states and lead to each, and back.
func (f filter) chips(t tally) []chip {
	all := f
	all.states = nil
	out := []chip{{Word: "all", Count: t.all, Link: all.address(), Current: len(f.states) == 0}}
	for _, s := range states() {
		c := chip{Word: s, Count: t.states[s], Link: f.toggled(s).address(), Current: slices.Contains(f.states, s)}
		for m := graph.Unknown; m <= graph.Down; m++ {
			if m.String() == s {
				c.Glyph = m.Glyph()
			}
		}
		if s == partial && c.Count == 0 && !c.Current {
			continue // most fleets never see one
		}
		out = append(out, c)
	}
	return out
}

// pick is one thing of which one can be chosen.
type pick struct {
	Name, Word string
	Options    []option
}

type option struct {
	Value, Text string
	Current     bool
}

// picks are what can be chosen beside the states, each with its number of verdicts,
// and how the rows stand.
func (n Now) picks(f filter, t tally) []pick {
	region, service, provider := pick{Name: "region", Word: "Region"}, pick{Name: "service", Word: "Service"}, pick{Name: "provider", Word: "Provider"}
	for _, r := range n.Regions {
		region.add(r.ID, r.Name, t.regions[r.ID], f.region)
	}
	for _, s := range n.Services {
		service.add(s.ID, s.Name, t.services[s.ID], f.service)
	}
	for _, id := range n.providers() {
		provider.add(id, id, t.provider[id], f.provider)
	}
	out := slices.DeleteFunc([]pick{region, service, provider}, func(p pick) bool { return len(p.Options) < 2 && !p.chosen() })
	for i := range out {
		out[i].Options = append([]option{{"", "all", !out[i].chosen()}}, out[i].Options...)
	}
	return append(out, ways("group", "Group by", f.group, groupings()), ways("sort", "First", f.sort, orders()))
}

func (p *pick) add(id, name string, count int, chosen string) {
	p.Options = append(p.Options, option{id, name + " (" + graph.Thousands(count) + ")", id == chosen})
}

func (p *pick) chosen() bool {
	return slices.ContainsFunc(p.Options, func(o option) bool { return o.Current })
}

// ways are the ways in which rows can stand.
func ways(name, word, chosen string, all []string) pick {
	p := pick{Name: name, Word: word}
	texts := map[string]string{"worst": "trouble", "name": "name", "since": "latest change"}
	for _, w := range all {
		p.Options = append(p.Options, option{w, cmp.Or(texts[w], w), w == chosen})
	}
	return p
}
