package evidence

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
)

// Bounds of what is remembered of observations while they pass by. What is beyond them
// is counted, and stands in the observations themselves.
const (
	maxKinds  = 2000
	maxEpochs = 500
	maxRuns   = 100
)

// account is what observations add up to.
type account struct {
	window      graph.Window
	first, last time.Time
	runs        counts
	// places are the pairs of a check and a region, kinds the ways in which runs were
	// not up there.
	places map[site]*pace
	kinds  map[kind]*failures
	// beyond is how many runs are of a kind that was one too many.
	beyond int
	probes map[string]*reporter
	servers
}

// counts are runs by outcome.
type counts struct {
	Up      int `json:"up"`
	Down    int `json:"down"`
	Unknown int `json:"unknown"`
}

func (c *counts) add(o checks.Outcome) {
	switch o {
	case checks.Up:
		c.Up++
	case checks.Down:
		c.Down++
	default:
		c.Unknown++
	}
}

func (c counts) all() int { return c.Up + c.Down + c.Unknown }

// site is a check as it is seen from a region.
type site struct{ check, region string }

func (s site) compare(o site) int {
	return cmp.Or(cmp.Compare(s.check, o.check), cmp.Compare(s.region, o.region))
}

// kind is a way in which runs of a check from a region were not up.
type kind struct {
	site
	phase   checks.Phase
	class   checks.Class
	outcome checks.Outcome
}

func (k kind) compare(o kind) int {
	return cmp.Or(k.site.compare(o.site), cmp.Compare(k.phase, o.phase), cmp.Compare(k.class, o.class), cmp.Compare(k.outcome, o.outcome))
}

// failures are the runs of one kind.
type failures struct {
	n           int
	first, last time.Time
	probes      map[string]struct{}
	// cells are how many fell into each step of the window.
	cells map[int]int
}

func newAccount(w graph.Window) *account {
	return &account{
		window: w, places: make(map[site]*pace), kinds: make(map[kind]*failures),
		probes: make(map[string]*reporter), servers: newServers(),
	}
}

// take adds one thing that was seen.
func (a *account) take(s Seen) {
	r := a.probes[s.Batch.Probe]
	if r == nil {
		r = &reporter{name: s.Batch.Probe, region: s.Batch.Region, site: s.Batch.Site, epochs: make(map[string]*life)}
		a.probes[s.Batch.Probe] = r
	}
	r.take(s)
	if s.Gap != nil {
		return
	}
	o := &s.Observation
	if a.first.IsZero() {
		a.first = o.End()
	}
	a.last = o.End()
	a.runs.add(o.Outcome)
	a.servers.take(o)
	at := site{o.Check, o.Region}
	p := a.places[at]
	if p == nil {
		p = &pace{}
		a.places[at] = p
	}
	p.take(a.window, o)
	if o.Outcome != checks.Up {
		a.fail(at, o)
	}
}

func (a *account) fail(at site, o *checks.Observation) {
	k := kind{at, o.FailedPhase, o.Class, o.Outcome}
	f := a.kinds[k]
	if f == nil {
		if len(a.kinds) >= maxKinds {
			a.beyond++
			return
		}
		f = &failures{first: o.End(), probes: make(map[string]struct{}), cells: make(map[int]int)}
		a.kinds[k] = f
	}
	f.n++
	f.last = o.End()
	f.probes[o.Probe] = struct{}{}
	f.cells[cellOf(a.window, o.End())]++
}

// close says that nothing comes any more.
func (a *account) close() {
	for _, p := range a.places {
		p.close(a.window)
	}
}

// failed are the kinds of failures, those of one place together, the most frequent
// first there.
func (a *account) failed() []kind {
	return slices.SortedFunc(maps.Keys(a.kinds), func(x, y kind) int {
		return cmp.Or(x.site.compare(y.site), cmp.Compare(a.kinds[y].n, a.kinds[x].n), x.compare(y))
	})
}

// cellOf is the step of a window in which a time lies.
func cellOf(w graph.Window, t time.Time) int { return int(t.Sub(w.From) / w.Step) }

// pace is how long the runs of a check took that were up, as seen from a region. They
// come in order of time.
type pace struct {
	runs   counts
	points []graph.LatencyPoint
	// cell is the step under way, took what its runs took.
	cell int
	took []time.Duration
}

func (p *pace) take(w graph.Window, o *checks.Observation) {
	p.runs.add(o.Outcome)
	if cell := cellOf(w, o.End()); cell != p.cell {
		p.close(w)
		p.cell = cell
	}
	if o.Outcome == checks.Up {
		p.took = append(p.took, o.Elapsed)
	}
}

// close ends the step under way.
func (p *pace) close(w graph.Window) {
	n := len(p.took)
	if n == 0 {
		return
	}
	slices.Sort(p.took)
	at := func(q float64) time.Duration { return p.took[min(n-1, int(q*float64(n)))] }
	p.points = append(p.points, graph.LatencyPoint{At: w.Start(p.cell), N: n, P50: at(0.5), P95: at(0.95), P99: at(0.99)})
	p.took = p.took[:0]
}
