package history

import (
	"context"
	"maps"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/history/cell"
)

// Latency answers how long runs took that were up.
type Latency struct {
	Points []LatencyPoint `json:"points"`
}

// LatencyPoint are quantiles of one step, within 1 %; T is its start, N the number
// of runs. Confirmations are not among them.
type LatencyPoint struct {
	T   time.Time `json:"t"`
	N   uint64    `json:"n"`
	P50 float64   `json:"p50_ms"`
	P95 float64   `json:"p95_ms"`
	P99 float64   `json:"p99_ms"`
}

// phaseStep is the finest step for a single phase.
const phaseStep = 15 * time.Minute

// Latency gathers the durations of the query's checks over all its regions and
// families. Steps without a run are left out. For a phase a step is at least a
// quarter of an hour.
func (s *Store) Latency(ctx context.Context, q Query) (Latency, error) {
	finest, want := time.Minute, latencies
	if q.Phase != "" {
		finest, want = phaseStep, phases
	}
	w, err := s.window(q, time.Now(), finest)
	if err != nil {
		return Latency{}, err
	}
	steps := make(map[time.Time]*cell.Sketch)
	err = s.tally(ctx, q, w, want, func(_ string, at time.Time, t cell.Total) {
		sketch := &t.Latency
		if q.Phase != "" {
			sketch = t.Phases[checks.Phase(q.Phase)]
		}
		if sketch == nil || sketch.Count() == 0 {
			return
		}
		step := at.Truncate(w.step)
		if steps[step] == nil {
			steps[step] = new(cell.Sketch)
		}
		steps[step].Merge(*sketch)
	})
	if err != nil {
		return Latency{}, err
	}
	out := Latency{Points: []LatencyPoint{}}
	for _, at := range slices.SortedFunc(maps.Keys(steps), time.Time.Compare) {
		out.Points = append(out.Points, latencyPoint(at, steps[at]))
	}
	return out, nil
}

func latencyPoint(at time.Time, s *cell.Sketch) LatencyPoint {
	quantile := func(q float64) float64 {
		d, _ := s.Quantile(q)
		return checks.Milliseconds(d)
	}
	return LatencyPoint{T: at, N: s.Count(), P50: quantile(0.5), P95: quantile(0.95), P99: quantile(0.99)}
}

// FailureCount is how many scheduled runs of one step were not up in one way; T is
// the start of the step.
type FailureCount struct {
	T       time.Time      `json:"t"`
	Region  string         `json:"region"`
	Outcome checks.Outcome `json:"outcome"`
	Class   checks.Class   `json:"class"`
	N       uint64         `json:"n"`
}

// Failures counts the failures of the query's checks by step (a quarter of an hour
// if none is given), region and class, in that order.
func (s *Store) Failures(ctx context.Context, q Query) ([]FailureCount, error) {
	if q.Step == 0 {
		q.Step = 15 * time.Minute
	}
	w, err := s.window(q, time.Now(), time.Minute)
	if err != nil {
		return nil, err
	}
	counts := make(map[FailureCount]uint64)
	err = s.tally(ctx, q, w, failures, func(region string, at time.Time, t cell.Total) {
		for f, n := range t.Failures {
			counts[FailureCount{T: at.Truncate(w.step), Region: region, Outcome: f.Outcome, Class: f.Class}] += n
		}
	})
	if err != nil {
		return nil, err
	}
	out := make([]FailureCount, 0, len(counts))
	for c, n := range counts {
		c.N = n
		out = append(out, c)
	}
	slices.SortFunc(out, compareCounts)
	return out, nil
}
