package history

import (
	"context"
	"time"

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
	sums, err := gather(ctx, s, q, w, failures, func() *tallies { return newTallies(plan) })
	if err != nil {
		return Availability{}, err
	}
	return sums.availability(), nil
}

// AvailabilityAndLatency answers both of one reading, which is most of what either takes.
func (s *Store) AvailabilityAndLatency(ctx context.Context, q Query) (Availability, Latency, error) {
	w, err := s.window(q, time.Now(), time.Minute)
	if err != nil {
		return Availability{}, Latency{}, err
	}
	step := w.step
	w, plan := s.planned(q, w)
	both, err := gather(ctx, s, q, w, failures|latencies, func() *tallied { return &tallied{newTallies(plan), newDurations(step)} })
	if err != nil {
		return Availability{}, Latency{}, err
	}
	return both.sums.availability(), both.runs.latency(""), nil
}

// tallied are the sums and the durations of one reading.
type tallied struct {
	sums *tallies
	runs *durations
}

func (t *tallied) add(region string, at time.Time, total cell.Total) {
	t.sums.add(region, at, total)
	t.runs.add(region, at, total)
}

func (t *tallied) join(o *tallied) {
	t.sums.join(o.sums)
	t.runs.join(o.runs)
}
