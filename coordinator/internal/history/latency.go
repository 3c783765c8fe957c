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
	if q.Phase != "" {
		all, err := s.Phases(ctx, q)
		return Latency{append([]LatencyPoint{}, all[checks.Phase(q.Phase)].Points...)}, err
	}
	w, err := s.window(q, time.Now(), time.Minute)
	if err != nil {
		return Latency{}, err
	}
	runs, err := gather(ctx, s, q, w, latencies, func() *durations { return newDurations(w.step) })
	if err != nil {
		return Latency{}, err
	}
	return runs.latency(""), nil
}

// Phases gathers the durations of each phase that ran, or of the one that the query names,
// as Latency does those of runs. A step is at least a quarter of an hour.
func (s *Store) Phases(ctx context.Context, q Query) (map[checks.Phase]Latency, error) {
	w, err := s.window(q, time.Now(), phaseStep)
	if err != nil {
		return nil, err
	}
	runs, err := gather(ctx, s, q, w, phases, func() *phaseDurations { return &phaseDurations{newDurations(w.step), checks.Phase(q.Phase)} })
	if err != nil {
		return nil, err
	}
	out := make(map[checks.Phase]Latency)
	for phase := range runs.steps {
		out[phase] = runs.latency(phase)
	}
	return out, nil
}

// durations are those of runs, or of their phases, by step.
type durations struct {
	step time.Duration
	// steps are by phase, of whole runs under none.
	steps map[checks.Phase]map[time.Time]*cell.Sketch
}

func newDurations(step time.Duration) *durations {
	return &durations{step, make(map[checks.Phase]map[time.Time]*cell.Sketch)}
}

func (d *durations) add(_ string, at time.Time, t cell.Total) {
	d.merge("", at.Truncate(d.step), &t.Latency)
}

func (d *durations) merge(phase checks.Phase, step time.Time, s *cell.Sketch) {
	if s.Count() == 0 {
		return
	}
	steps := d.steps[phase]
	if steps == nil {
		steps = make(map[time.Time]*cell.Sketch)
		d.steps[phase] = steps
	}
	if steps[step] == nil {
		steps[step] = new(cell.Sketch)
	}
	steps[step].Merge(*s)
}

func (d *durations) join(o *durations) {
	for phase, steps := range o.steps {
		for at, s := range steps {
			d.merge(phase, at, s)
		}
	}
}

// latency are the quantiles of a phase, or of whole runs.
func (d *durations) latency(phase checks.Phase) Latency {
	out := Latency{Points: []LatencyPoint{}}
	for _, at := range slices.SortedFunc(maps.Keys(d.steps[phase]), time.Time.Compare) {
		out.Points = append(out.Points, latencyPoint(at, d.steps[phase][at]))
	}
	return out
}

// phaseDurations are those of phases, of all or of only one.
type phaseDurations struct {
	*durations
	only checks.Phase
}

func (d *phaseDurations) add(_ string, at time.Time, t cell.Total) {
	for phase, s := range t.Phases {
		if d.only == "" || d.only == phase {
			d.merge(phase, at.Truncate(d.step), s)
		}
	}
}

func (d *phaseDurations) join(o *phaseDurations) { d.durations.join(o.durations) }

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
	counts, err := gather(ctx, s, q, w, failures, func() *failureCounts { return &failureCounts{w.step, make(map[FailureCount]uint64)} })
	if err != nil {
		return nil, err
	}
	out := make([]FailureCount, 0, len(counts.n))
	for c, n := range counts.n {
		c.N = n
		out = append(out, c)
	}
	slices.SortFunc(out, compareCounts)
	return out, nil
}

// failureCounts are the failures of a window, by all but their number.
type failureCounts struct {
	step time.Duration
	n    map[FailureCount]uint64
}

func (c *failureCounts) add(region string, at time.Time, t cell.Total) {
	for _, f := range t.Failures {
		c.n[FailureCount{T: at.Truncate(c.step), Region: region, Outcome: f.Outcome, Class: f.Class}] += f.N
	}
}

func (c *failureCounts) join(o *failureCounts) {
	for key, n := range o.n {
		c.n[key] += n
	}
}
