package history

import (
	"maps"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/history/cell"
)

// tallyPlan is by what totals are added up.
type tallyPlan struct {
	config *Config
	// step is the width of the points, block that of the times in which failures come
	// together.
	step, block time.Duration
	// windows is the maintenance of each region that has any.
	windows map[string]availability.Windows
}

// planned says how a query is added up, and returns the window as it is read for that: in
// units that cross no edge of maintenance and no block.
func (s *Store) planned(q Query, w window) (window, tallyPlan) {
	config, unit := s.options.Config(), s.unit(w.from, w.now)
	p := tallyPlan{config: config, step: w.step, block: max(blockLength(w.to.Sub(w.from)), unit), windows: make(map[string]availability.Windows)}
	service := q.Service
	if k, ok := config.check(q.Check); ok {
		service = k.Service
	}
	announced := availability.Windows(s.options.Maintenance(service, w.from, w.to))
	for _, r := range config.Regions {
		mine := announced.In(r.ID, unit)
		if len(mine) == 0 {
			continue
		}
		p.windows[r.ID] = mine
		for _, x := range mine {
			w.edges = append(w.edges, x.From, x.To)
		}
	}
	w.step = common(w.step, p.block)
	return w, p
}

// blockLength is the length of the blocks of a window. A window of days is read by the
// hour and one of weeks by the day, so that it takes no longer to read, and has blocks enough.
func blockLength(window time.Duration) time.Duration {
	switch {
	case window >= 24*day:
		return day
	case window >= day:
		return time.Hour
	}
	return availability.BlockLength
}

// common is the longest duration of which both are multiples.
func common(a, b time.Duration) time.Duration {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}

// measured is everything, counted what was not maintenance.
const (
	measured = iota
	counted
	kindsOfTime
)

// tally adds totals up by region.
type tally struct {
	plan    tallyPlan
	regions map[string]*[kindsOfTime]*availability.Account
}

func newTally(p tallyPlan) *tally {
	return &tally{plan: p, regions: make(map[string]*[kindsOfTime]*availability.Account)}
}

func (t *tally) add(region string, at time.Time, total cell.Total) {
	r := t.regions[region]
	if r == nil {
		r = t.plan.accounts(region)
		t.regions[region] = r
	}
	seen := cellOf(total)
	r[measured].Add(at, seen)
	if r[counted] != r[measured] && !t.plan.windows[region].Covers(at) {
		r[counted].Add(at, seen)
	}
}

// accounts are those of a region, empty: one for both kinds of time where there is no
// maintenance.
func (p tallyPlan) accounts(region string) *[kindsOfTime]*availability.Account {
	all := availability.NewAccount(p.block)
	if len(p.windows[region]) == 0 {
		return &[kindsOfTime]*availability.Account{all, all}
	}
	return &[kindsOfTime]*availability.Account{all, availability.NewAccount(p.block)}
}

// join adds what another tally of the same plan has.
func (t *tally) join(o *tally) {
	for region, from := range o.regions {
		to := t.regions[region]
		if to == nil {
			to = t.plan.accounts(region)
			t.regions[region] = to
		}
		to[measured].Join(from[measured])
		if to[counted] != to[measured] {
			to[counted].Join(from[counted])
		}
	}
}

// cellOf is what a total says of availability.
func cellOf(t cell.Total) availability.Cell {
	failed := t.Failures.Count(checks.Down)
	return availability.Cell{Sums: t.Sums, Coverage: t.Coverage, Runs: t.Completed + failed, Failed: failed}
}

// shares are the regions with their weights, in order of their ids.
func (t *tally) shares(kind int) []availability.Share {
	var out []availability.Share
	for _, id := range slices.Sorted(maps.Keys(t.regions)) {
		out = append(out, availability.Share{Weight: t.plan.config.weight(id), Account: t.regions[id][kind]})
	}
	return out
}

// number is what the tally comes to, where failures cluster as rho says.
func (t *tally) number(rho float64) Number {
	e := availability.Estimated(t.shares(measured), rho)
	n := Number{
		Coverage: e.Coverage, UpS: e.Up.Seconds(), DownS: e.Down.Seconds(), UnknownS: e.Unknown.Seconds(),
		Runs: e.Runs, Failed: e.Failed, Effective: e.Effective,
	}
	if e.Known {
		n.Availability, n.Low, n.High = &e.Ratio, &e.Low, &e.High
	}
	if c := availability.Estimated(t.shares(counted), rho); c.Known {
		n.WithoutMaintenance = &c.Ratio
	}
	return n
}

// tallies are the sums of a window by step.
type tallies struct {
	plan  tallyPlan
	steps map[time.Time]*tally
}

func newTallies(p tallyPlan) *tallies { return &tallies{p, make(map[time.Time]*tally)} }

func (t *tallies) step(at time.Time) *tally {
	if t.steps[at] == nil {
		t.steps[at] = newTally(t.plan)
	}
	return t.steps[at]
}

func (t *tallies) add(region string, at time.Time, total cell.Total) {
	t.step(at.Truncate(t.plan.step)).add(region, at, total)
}

func (t *tallies) join(o *tallies) {
	for at, step := range o.steps {
		t.step(at).join(step)
	}
}

// availability is what the steps come to, each and together.
func (t *tallies) availability() Availability {
	whole := newTally(t.plan)
	for _, step := range t.steps {
		whole.join(step)
	}
	rho := availability.Clustering(whole.shares(measured))
	out := Availability{Number: whole.number(rho), Points: []AvailabilityPoint{}}
	for _, at := range slices.SortedFunc(maps.Keys(t.steps), time.Time.Compare) {
		if n := t.steps[at].number(rho); n.Availability != nil {
			out.Points = append(out.Points, AvailabilityPoint{at, n})
		}
	}
	return out
}
