package history

import (
	"context"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

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
	// Low and High bound the ratio with 95 %, nil when nothing is known: Wilson's interval for
	// as many independent runs as the runs come to, see availability.Clustering.
	Low  *float64 `json:"low"`
	High *float64 `json:"high"`
	// WithoutMaintenance is the ratio of the time that was not announced maintenance, nil
	// when nothing is known of it.
	WithoutMaintenance *float64 `json:"without_maintenance"`
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
	// Effective is to how many independent runs they come.
	Effective float64 `json:"effective_runs"`
}

// AvailabilityPoint is the number of one step; T is its start.
type AvailabilityPoint struct {
	T time.Time `json:"t"`
	Number
}

// Availability adds up the slots of the query's checks. In a region the seconds of
// all its probes, and of all checks and families of a service, are added; over
// several regions the ratio is their mean by weight. Points of which nothing is known
// are left out; how failures cluster is found once, from the whole window.
func (s *Store) Availability(ctx context.Context, q Query) (Availability, error) {
	w, err := s.window(q, time.Now(), time.Minute)
	if err != nil {
		return Availability{}, err
	}
	w, plan := s.planned(q, w)
	whole, steps := newTally(plan), make(map[time.Time]*tally)
	err = s.tally(ctx, q, w, failures, func(region string, at time.Time, t cell.Total) {
		whole.add(region, at, t)
		step := at.Truncate(plan.step)
		if steps[step] == nil {
			steps[step] = newTally(plan)
		}
		steps[step].add(region, at, t)
	})
	if err != nil {
		return Availability{}, err
	}
	rho := availability.Clustering(whole.shares(measured))
	out := Availability{Number: whole.number(rho), Points: []AvailabilityPoint{}}
	for _, at := range slices.SortedFunc(maps.Keys(steps), time.Time.Compare) {
		if n := steps[at].number(rho); n.Availability != nil {
			out.Points = append(out.Points, AvailabilityPoint{at, n})
		}
	}
	return out, nil
}

// tally reads all targets of a query, some at once, and calls fn in their order.
func (s *Store) tally(ctx context.Context, q Query, w window, want parts, fn func(region string, at time.Time, t cell.Total)) error {
	targets, err := s.targets(q)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(targets, atOnce) {
		var read [atOnce][]point
		g, ctx := errgroup.WithContext(ctx)
		for i, t := range some {
			g.Go(func() error {
				return s.read(ctx, t, w, want, func(at time.Time, total cell.Total) { read[i] = append(read[i], point{at, total}) })
			})
		}
		if err := g.Wait(); err != nil {
			return err
		}
		for i, t := range some {
			for _, p := range read[i] {
				fn(t.Region, p.at, p.total)
			}
		}
	}
	return nil
}

// atOnce is how many targets of a query are read at once: half of the connections, so that
// two queries do not wait for one another.
const atOnce = readers / 2

// point is the total of a stretch of time that begins at a time.
type point struct {
	at    time.Time
	total cell.Total
}
