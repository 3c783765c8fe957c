package ops

import (
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/verdict"
)

// verdicts are those that keep says.
func (n Now) verdicts(keep func(Verdict) bool) []Verdict {
	var out []Verdict
	for _, v := range n.Verdicts {
		if keep(v) {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b Verdict) int { return a.Compare(b.Series) })
	return out
}

// worst is several series shown as one.
type worst struct {
	state verdict.State
	// since is when the first of those in this state came into it.
	since time.Time
	// reason holds one of each cause.
	reason   string
	counts   verdict.Counts
	families []checks.Family
	// mixed says that not all series are in this state.
	mixed bool
}

// worstOf shows the worst of several series, which are at least one.
func worstOf(series []Verdict) worst {
	var w worst
	for _, v := range series {
		w.state = max(w.state, v.State)
	}
	for _, v := range series {
		if v.State != w.state {
			w.mixed = true
			continue
		}
		if w.since.IsZero() || !v.Since.IsZero() && v.Since.Before(w.since) {
			w.since = v.Since
		}
		if len(w.families) == 0 {
			w.counts = v.Counts
		}
		w.reason = join(w.reason, v.Reason)
		if !slices.Contains(w.families, v.Family) {
			w.families = append(w.families, v.Family)
		}
	}
	return w
}

// word is what operators read of a state in which checks are: mail that takes long
// is late.
func (n Now) word(state verdict.State, ids ...string) string {
	trip := func(id string) bool { return n.checkOf(id).Kind == checks.RoundTrip }
	if state == verdict.Slow && !slices.ContainsFunc(ids, func(id string) bool { return !trip(id) }) {
		return "late"
	}
	return state.String()
}

// mark is what the pages show.
func (w worst) mark() graph.Mark { return graph.MarkOf(w.state) }

func familyWords(families []checks.Family) string {
	words := make([]string, len(families))
	for i, f := range families {
		words[i] = f.Name()
	}
	return graph.List(words)
}

// cell is one check in one region.
type cell struct {
	check   checks.Target
	service Service
	region  Region
	worst   worst
	strip   Strip
}

// cells are all checks in all the regions that run them, in the order of the
// configuration.
func (n Now) cells(strips []Strip) []cell {
	series := make(map[place][]Verdict)
	for _, v := range n.Verdicts {
		series[place{v.Check, v.Region}] = append(series[place{v.Check, v.Region}], v)
	}
	drawn := make(map[place]Strip, len(strips))
	for _, s := range strips {
		drawn[place{s.Check, s.Region}] = s
	}
	var out []cell
	for _, c := range n.Checks {
		service := n.serviceOf(c.Service)
		for _, r := range n.Regions {
			if v := series[place{c.ID, r.ID}]; len(v) > 0 {
				slices.SortFunc(v, func(a, b Verdict) int { return a.Compare(b.Series) })
				out = append(out, cell{c, service, r, worstOf(v), drawn[place{c.ID, r.ID}]})
			}
		}
	}
	return out
}

// place is one check in one region.
type place struct{ check, region string }

func (n Now) serviceOf(id string) Service {
	i := slices.IndexFunc(n.Services, func(s Service) bool { return s.ID == id })
	if i < 0 {
		return Service{ID: id, Name: id}
	}
	return n.Services[i]
}

// has says whether a check is configured.
func (n Now) has(check string) bool { return n.checkOf(check).ID != "" }

// checkOf is a configured check; the zero value if there is none of that id.
func (n Now) checkOf(id string) checks.Target {
	i := slices.IndexFunc(n.Checks, func(c checks.Target) bool { return c.ID == id })
	if i < 0 {
		return checks.Target{}
	}
	return n.Checks[i]
}

func (n Now) regionName(id string) string {
	i := slices.IndexFunc(n.Regions, func(r Region) bool { return r.ID == id })
	if i < 0 {
		return id
	}
	return n.Regions[i].Name
}

// pad makes cells of tallies, one for each step of the window.
func pad(w graph.Window, tallies []graph.Tally) []graph.Cell {
	out := make([]graph.Cell, w.Cells())
	for i := range out {
		if i >= len(tallies) {
			break
		}
		when := ""
		if tallies[i].Mark() > graph.Up { // what is quiet has nothing to tell
			when = w.Label(w.Start(i)) + ": "
		}
		out[i] = tallies[i].Cell(when)
	}
	return out
}
