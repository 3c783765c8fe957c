package ops

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"varde/coordinator/internal/graph"
)

// filter is what an operator wants to see of the matrix, and how. It is all in the
// address of the page, so that what is seen can be kept and sent to others.
type filter struct {
	// text holds words of which every one must occur.
	text string
	// states are those of which one must hold; none for all.
	states []string
	// region, service and provider are ids; empty for all.
	region, service, provider string
	// group is what the rows stand together by, sort what comes first.
	group, sort string
}

// maxText is the longest text to look for, in characters.
const maxText = 200

// partial is the state of a cell in which not all address families are in trouble.
const partial = "partial"

// states are the words that a filter knows, the worst first.
func states() []string {
	return []string{graph.Down.String(), partial, graph.Intermittent.String(), graph.Slow.String(), graph.Unknown.String(), graph.Up.String()}
}

// troubleStates are those of which an operator should know.
func troubleStates() []string {
	return []string{graph.Down.String(), graph.Intermittent.String(), graph.Slow.String(), graph.Unknown.String()}
}

// groupings are the ways to put rows together, the usual one first.
func groupings() []string { return []string{"service", "region", "kind", "state", "none"} }

// orders are the ways to sort, the usual one first: trouble, and of that what is
// worst; the name; what changed last.
func orders() []string { return []string{"worst", "name", "since"} }

// usualFilter is what is shown where nobody chose.
func usualFilter() filter { return filter{group: groupings()[0], sort: orders()[0]} }

// filter reads what an operator wants to see of the overview.
func (q *question) filter() filter {
	q.only("q", "state", "region", "service", "provider", "group", "sort")
	f := usualFilter()
	f.text = strings.TrimSpace(q.values.Get("q"))
	if n := utf8.RuneCountInString(f.text); n > maxText {
		q.fail("q has %d characters, expected at most %d", n, maxText)
	}
	for _, word := range strings.FieldsFunc(q.values.Get("state"), separates) {
		if !slices.Contains(states(), word) {
			q.fail("state %q, expected one or several of %s, with commas", word, strings.Join(states(), ", "))
		}
		f.states = add(f.states, word)
	}
	f.region, f.service, f.provider = q.id("region"), q.id("service"), q.id("provider")
	f.group = cmp.Or(q.oneOf("group", groupings()), f.group)
	f.sort = cmp.Or(q.oneOf("sort", orders()), f.sort)
	return f
}

// separates says whether a character stands between two words.
func separates(r rune) bool { return r == ' ' || r == ',' }

// configured refuses to look for what there is not: an empty page would look as if all
// were well there.
func (q *question) configured(n Now, f filter) {
	for _, x := range []struct {
		name, id string
		all      []string
	}{
		{"region", f.region, idsOf(n.Regions, func(r Region) string { return r.ID })},
		{"service", f.service, idsOf(n.Services, func(s Service) string { return s.ID })},
		{"provider", f.provider, n.providers()},
	} {
		if x.id != "" && !slices.Contains(x.all, x.id) {
			q.fail("%s %q is not configured, expected %s", x.name, x.id, anyOf(x.all))
		}
	}
}

func idsOf[T any](list []T, id func(T) string) []string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = id(x)
	}
	return out
}

// maxNamed is how many names an error lists.
const maxNamed = 20

// anyOf lists what could have been asked for.
func anyOf(names []string) string {
	switch {
	case len(names) == 0:
		return "none: there are none"
	case len(names) > maxNamed:
		return "one of " + strings.Join(names[:maxNamed], ", ") + " and " + graph.Count(len(names)-maxNamed, "other")
	}
	return "one of " + strings.Join(names, ", ")
}

// providers are the ids of those whose services are watched, in order of the
// configuration; none where there is one provider.
func (n Now) providers() []string {
	var out []string
	for _, s := range n.Services {
		if s.Provider != "" {
			out = add(out, s.Provider)
		}
	}
	return out
}

// address is where the page shows this filter. What is usual is left out.
func (f filter) address() string {
	v := url.Values{}
	usual := usualFilter()
	for _, x := range []struct{ name, value, usual string }{
		{"q", f.text, ""},
		{"state", strings.Join(f.states, ","), ""},
		{"region", f.region, ""},
		{"service", f.service, ""},
		{"provider", f.provider, ""},
		{"group", f.group, usual.group},
		{"sort", f.sort, usual.sort},
	} {
		if x.value != x.usual {
			v.Set(x.name, x.value)
		}
	}
	if len(v) == 0 {
		return "/"
	}
	// Commas may stand in a query as they are (RFC 3986, section 3.4), and can be read.
	return "/?" + strings.ReplaceAll(v.Encode(), "%2C", ",")
}

// cleared is the same order of the rows without a choice among them.
func (f filter) cleared() filter { return filter{group: f.group, sort: f.sort} }

// chooses says whether anything may be left out.
func (f filter) chooses() bool { return f.address() != f.cleared().address() }

// toggled is the filter with a state more, or less.
func (f filter) toggled(state string) filter {
	f.states = slices.Clone(f.states)
	if i := slices.Index(f.states, state); i >= 0 {
		f.states = slices.Delete(f.states, i, i+1)
		return f
	}
	f.states = append(f.states, state)
	return f
}

// isIn says whether a cell is in one of the states that a filter names.
func (c cell) isIn(states []string) bool {
	mark := c.worst.mark()
	return slices.Contains(states, mark.String()) || c.worst.mixed && mark.Trouble() && slices.Contains(states, partial)
}

// haystack is what the filter box looks into.
func (c cell) haystack() string {
	return strings.ToLower(strings.Join([]string{
		c.check.ID, string(c.check.Kind), c.check.URL, c.service.ID, c.service.Name, c.service.Provider, c.region.ID, c.region.Name,
		c.worst.mark().String(), c.worst.reason, "phase:" + string(c.strip.Phase),
	}, " "))
}

// has says whether all words occur in what is said of the cell.
func (c cell) has(words []string) bool {
	if len(words) == 0 {
		return true
	}
	hay := c.haystack()
	return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(hay, w) })
}

// tally counts, for every choice that can be made, the cells that it would show with
// all other choices as they are.
type tally struct {
	all                                 int
	states, regions, services, provider map[string]int
}

// sift returns the cells that the filter keeps, and what other choices would.
func (f filter) sift(cells []cell) (kept []cell, t tally) {
	t = tally{states: map[string]int{}, regions: map[string]int{}, services: map[string]int{}, provider: map[string]int{}}
	words := strings.FieldsFunc(strings.ToLower(f.text), separates)
	for _, c := range cells {
		if !c.has(words) {
			continue
		}
		state := len(f.states) == 0 || c.isIn(f.states)
		region := f.region == "" || f.region == c.region.ID
		service := f.service == "" || f.service == c.service.ID
		provider := f.provider == "" || f.provider == c.service.Provider
		if region && service && provider {
			t.all++
			for _, s := range states() {
				if c.isIn([]string{s}) {
					t.states[s]++
				}
			}
		}
		if state && service && provider {
			t.regions[c.region.ID]++
		}
		if state && region && provider {
			t.services[c.service.ID]++
		}
		if state && region && service {
			t.provider[c.service.Provider]++
		}
		if state && region && service && provider {
			kept = append(kept, c)
		}
	}
	return kept, t
}

// remainder says what is shown of how much. That trouble is left out is always said.
func remainder(cells, kept []cell) (words, hidden string) {
	shown, all, sick := map[string]bool{}, map[string]bool{}, map[string]bool{}
	seen := make(map[place]bool, len(kept))
	for _, c := range kept {
		shown[c.check.ID], seen[place{c.check.ID, c.region.ID}] = true, true
	}
	for _, c := range cells {
		all[c.check.ID] = true
		if _, ill := ailmentOf(c); ill && !seen[place{c.check.ID, c.region.ID}] {
			sick[c.check.ID] = true
		}
	}
	words = graph.Count(len(all), "check") + ", " + graph.Count(len(cells), "verdict")
	if len(kept) < len(cells) {
		words = graph.Thousands(len(shown)) + " of " + graph.Count(len(all), "check") + ", " + graph.Thousands(len(kept)) + " of " + graph.Count(len(cells), "verdict")
	}
	if n := len(sick); n > 0 {
		hidden = "trouble of " + graph.Count(n, "check") + " is hidden"
	}
	return words, hidden
}
