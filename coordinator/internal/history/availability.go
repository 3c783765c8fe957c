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

// Availability answers how well a check or a service could be reached.
type Availability struct {
	Number
	Points []AvailabilityPoint `json:"points"`
}

// Number is availability with what it rests on.
type Number struct {
	// Availability is up / (up + down), from 0 to 1, for all regions the mean by
	// weight; nil when nothing is known.
	Availability *float64 `json:"availability"`
	// Low and High bound the ratio with 95 % (Wilson), nil when nothing is known.
	Low  *float64 `json:"low"`
	High *float64 `json:"high"`
	// Coverage is the share of the minutes in which we really looked.
	Coverage float64 `json:"coverage"`
	// UpS, DownS and UnknownS are sums of slots in seconds. A slot that should have
	// been and has no observation is unknown.
	UpS      float64 `json:"up_s"`
	DownS    float64 `json:"down_s"`
	UnknownS float64 `json:"unknown_s"`
	// Runs are the scheduled runs that were up or down, Failed those that were
	// down.
	Runs   uint64 `json:"runs"`
	Failed uint64 `json:"failed"`
}

// AvailabilityPoint is the number of one step; T is its start.
type AvailabilityPoint struct {
	T time.Time `json:"t"`
	Number
}

// Availability adds up the slots of the query's checks. In a region the seconds of
// all its probes, and of all checks and families of a service, are added; over
// several regions the ratio is their mean by weight. Points of which nothing is
// known are left out.
func (s *Store) Availability(ctx context.Context, q Query) (Availability, error) {
	w, err := s.window(q, time.Now(), time.Minute)
	if err != nil {
		return Availability{}, err
	}
	whole, steps := newTally(s.options.Config()), make(map[time.Time]*tally)
	err = s.tally(ctx, q, w, latencies|failures, func(region string, at time.Time, t cell.Total) {
		whole.add(region, t)
		step := at.Truncate(w.step)
		if steps[step] == nil {
			steps[step] = newTally(whole.config)
		}
		steps[step].add(region, t)
	})
	if err != nil {
		return Availability{}, err
	}
	out := Availability{Number: whole.number(), Points: []AvailabilityPoint{}}
	for _, at := range slices.SortedFunc(maps.Keys(steps), time.Time.Compare) {
		if n := steps[at].number(); n.Availability != nil {
			out.Points = append(out.Points, AvailabilityPoint{at, n})
		}
	}
	return out, nil
}

// tally reads all targets of a query.
func (s *Store) tally(ctx context.Context, q Query, w window, want parts, fn func(region string, at time.Time, t cell.Total)) error {
	targets, err := s.targets(q)
	if err != nil {
		return err
	}
	for _, t := range targets {
		err := s.read(ctx, t, w, want, func(at time.Time, total cell.Total) { fn(t.Region, at, total) })
		if err != nil {
			return err
		}
	}
	return nil
}

// tally adds totals up by region.
type tally struct {
	config  *Config
	regions map[string]*share
}

// share is what a tally keeps of one region.
type share struct {
	availability.Sums
	coverage     availability.Coverage
	runs, failed uint64
}

func newTally(c *Config) *tally { return &tally{config: c, regions: make(map[string]*share)} }

func (t *tally) add(region string, total cell.Total) {
	r := t.regions[region]
	if r == nil {
		r = new(share)
		t.regions[region] = r
	}
	r.Sums = r.Merge(total.Sums)
	r.coverage = r.coverage.Merge(total.Coverage)
	failed := total.Failures.Count(checks.Down)
	r.runs += total.Latency.Count() + failed
	r.failed += failed
}

func (t *tally) number() Number {
	var n Number
	weights := 0.0
	var regions []availability.Region
	for _, id := range slices.Sorted(maps.Keys(t.regions)) {
		r := t.regions[id]
		weights += t.config.weight(id)
		regions = append(regions, availability.Region{Weight: t.config.weight(id), Sums: r.Sums, Coverage: r.coverage})
		n.UpS += r.Up.Seconds()
		n.DownS += r.Down.Seconds()
		n.UnknownS += r.Unknown.Seconds()
		n.Runs += r.runs
		n.Failed += r.failed
	}
	for i := range regions {
		if weights == 0 { // none has any: they are equal
			regions[i].Weight = 1
		}
	}
	ratio, coverage, ok := availability.Overall(regions)
	n.Coverage = coverage
	if ok {
		low, high := availability.Wilson(ratio, float64(n.Runs), availability.Z95)
		n.Availability, n.Low, n.High = &ratio, &low, &high
	}
	return n
}
