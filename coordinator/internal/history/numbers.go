package history

import (
	"context"
	"maps"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/history/cell"
)

// NumbersQuery chooses what is said of a service.
type NumbersQuery struct {
	Service string
	// From and To bound the window, as in Query.
	From, To time.Time
	// Objective is the share of the time that was promised, from 0 to 1; zero for none.
	Objective float64
	// Curve asks for the worst windows, for which every minute is read.
	Curve bool
}

// Numbers says how well a service could be reached, and how that was found. They are read
// from minutes, hours or days, and are the same however that is done.
func (s *Store) Numbers(ctx context.Context, nq NumbersQuery) (availability.Numbers, error) {
	q := Query{Service: nq.Service, From: nq.From, To: nq.To, Step: day}
	w, err := s.window(q, time.Now(), time.Minute)
	if err != nil {
		return availability.Numbers{}, err
	}
	targets, err := s.targets(q)
	if err != nil {
		return availability.Numbers{}, err
	}
	r := reckoning{s: s, q: q, targets: targets, window: w, objective: nq.Objective, figures: make(map[string]*availability.Figures)}
	for _, region := range append(r.regions(), "") {
		r.figures[region] = new(availability.Figures)
	}
	out := availability.Numbers{
		From: w.from, To: w.to, MinutesFrom: s.minutesFrom(w.now),
		Maintenance: s.options.Maintenance(nq.Service, w.from, w.to),
	}
	if out.Families, err = r.estimates(ctx); err != nil {
		return availability.Numbers{}, err
	}
	if err := r.statuspage(ctx); err != nil {
		return availability.Numbers{}, err
	}
	if nq.Objective > 0 {
		if err := r.burns(ctx); err != nil {
			return availability.Numbers{}, err
		}
	}
	if nq.Curve {
		if err := r.curves(ctx, later(w.from, out.MinutesFrom)); err != nil {
			return availability.Numbers{}, err
		}
	}
	out.Whole = *r.figures[""]
	for _, region := range r.regions() {
		out.Regions = append(out.Regions, availability.RegionFigures{Region: region, Figures: *r.figures[region]})
	}
	return out, nil
}

// minutesFrom is the first minute of which minutes are kept for certain.
func (s *Store) minutesFrom(now time.Time) time.Time {
	return ceil(now.Add(-s.options.Retention.Minutes), time.Minute)
}

// reckoning makes the figures of one service.
type reckoning struct {
	s         *Store
	q         Query
	targets   []target
	window    window
	objective float64
	// figures are those of every region, and of all under the empty id.
	figures map[string]*availability.Figures
}

// regions are the ids of those in which the service is asked, in order.
func (r *reckoning) regions() []string {
	var out []string
	for _, t := range r.targets {
		out = append(out, t.Region)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// each reads all targets.
func (r *reckoning) each(ctx context.Context, w window, want parts, fn func(t target, at time.Time, total cell.Total)) error {
	for _, t := range r.targets {
		if err := r.s.read(ctx, t, w, want, func(at time.Time, total cell.Total) { fn(t, at, total) }); err != nil {
			return err
		}
	}
	return nil
}

// estimates finds the ratios with and without maintenance and the budget, and returns those
// of the families.
func (r *reckoning) estimates(ctx context.Context) ([]availability.FamilyFigures, error) {
	w, plan := r.s.planned(r.q, r.window)
	whole, families := newTally(plan), make(map[checks.Family]*tally)
	err := r.each(ctx, w, failures, func(t target, at time.Time, total cell.Total) {
		whole.add(t.Region, at, total)
		if t.Family == checks.NoFamily {
			return
		}
		if families[t.Family] == nil {
			families[t.Family] = newTally(plan)
		}
		families[t.Family].add(t.Region, at, total)
	})
	if err != nil {
		return nil, err
	}
	shares := [kindsOfTime][]availability.Share{whole.shares(measured), whole.shares(counted)}
	for i, region := range r.regions() {
		r.settle(region, plan, shares[measured][i:i+1], shares[counted][i:i+1])
	}
	r.settle("", plan, shares[measured], shares[counted])
	var out []availability.FamilyFigures
	for _, f := range slices.Sorted(maps.Keys(families)) {
		out = append(out, availability.FamilyFigures{Family: f, Estimate: availability.Measured(families[f].shares(measured))})
	}
	return out, nil
}

// settle fills in what the shares of a region, or of all, come to.
func (r *reckoning) settle(region string, plan tallyPlan, all, less []availability.Share) {
	f := r.figures[region]
	f.Measured, f.Counted = availability.Measured(all), availability.Measured(less)
	end := earlier(r.window.to, r.window.now)
	f.Maintenance = plan.maintenance(region, r.regions(), r.window.from, end)
	if r.objective > 0 && f.Counted.Known {
		f.Budget = new(availability.BudgetOf(r.objective, f.Counted.Out, end.Sub(r.window.from)-f.Maintenance))
	}
}

// maintenance is how much of [from, to) was maintenance in a region, or in the mean of all
// by weight.
func (p tallyPlan) maintenance(region string, all []string, from, to time.Time) time.Duration {
	if region != "" {
		return p.windows[region].Length(from, to)
	}
	var regions []availability.Region
	for _, id := range all {
		// As a ratio it has the mean that every ratio has.
		took := p.windows[id].Length(from, to)
		regions = append(regions, availability.Region{Weight: p.config.weight(id), Sums: availability.Sums{Up: took, Down: to.Sub(from) - took}})
	}
	share, _, _ := availability.Overall(regions)
	return time.Duration(share * float64(to.Sub(from))).Round(time.Second)
}

// burns finds how fast the budget is used at the end of the window.
func (r *reckoning) burns(ctx context.Context) error {
	rules := availability.BurnRules()
	w := r.window
	w.from = later(w.to.Add(-rules[len(rules)-1].Long), r.s.minutesFrom(w.now))
	if !w.from.Before(w.to) {
		return nil
	}
	w, plan := r.s.planned(r.q, w)
	lengths := make(map[time.Duration]*tally)
	for _, rule := range rules {
		for _, length := range []time.Duration{rule.Long, rule.Short} {
			if start := w.to.Add(-length); !start.Before(w.from) {
				w.edges = append(w.edges, start)
				lengths[length] = newTally(plan)
			}
		}
	}
	err := r.each(ctx, w, 0, func(t target, at time.Time, total cell.Total) {
		for length, tally := range lengths {
			if !at.Before(w.to.Add(-length)) {
				tally.add(t.Region, at, total)
			}
		}
	})
	if err != nil {
		return err
	}
	for i, region := range append(r.regions(), "") {
		of := func(length time.Duration) (e availability.Estimate) {
			if t := lengths[length]; t != nil {
				shares := t.shares(counted)
				if region != "" {
					shares = shares[i : i+1]
				}
				e = availability.Estimated(shares, 0)
			}
			return e
		}
		for _, rule := range rules {
			f := r.figures[region]
			f.Burns = append(f.Burns, availability.BurnOf(rule, r.objective, of(rule.Long), of(rule.Short)))
		}
	}
	return nil
}
