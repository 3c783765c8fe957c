package server

import (
	"cmp"
	"context"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/ops"
	"varde/coordinator/internal/statuspage"
	"varde/coordinator/internal/verdict"
)

// past is what was seen, as the operators' pages ask for it.
type past struct{ *Server }

var (
	_ ops.History      = past{}
	_ ops.Observations = past{}
	_ ops.Ledger       = past{}
	_ ops.Servers      = past{}
)

// window is a query for a stretch of time in steps.
func window(q history.Query, w graph.Window) history.Query {
	q.From, q.To, q.Step = w.From, w.To, w.Step
	return q
}

// tallies reads a strip.
func (s *Server) tallies(ctx context.Context, q history.Query) ([]graph.Tally, error) {
	cells, err := s.history.Strip(ctx, q)
	if err != nil {
		return nil, err
	}
	out := make([]graph.Tally, len(cells))
	for i, c := range cells {
		out[i] = tally(c)
	}
	return out, nil
}

func tally(c history.StripCell) graph.Tally {
	t := graph.Tally{
		Coverage: c.Coverage, Down: c.Time[verdict.Down],
		Intermittent: c.Time[verdict.Intermittent], Slow: c.Time[verdict.Slow],
	}
	for _, d := range c.Time {
		t.Length += d
	}
	if c.Runs > 0 {
		t.Failed = float64(c.Failed) / float64(c.Runs)
	}
	return t
}

// latency reads percentiles.
func (s *Server) latency(ctx context.Context, q history.Query) ([]graph.LatencyPoint, error) {
	l, err := s.history.Latency(ctx, q)
	return latencyPoints(l), err
}

func latencyPoints(l history.Latency) []graph.LatencyPoint {
	out := make([]graph.LatencyPoint, len(l.Points))
	for i, p := range l.Points {
		out[i] = graph.LatencyPoint{At: p.T, N: int(p.N), P50: ms(p.P50), P95: ms(p.P95), P99: ms(p.P99)}
	}
	return out
}

func ms(v float64) time.Duration { return time.Duration(v * float64(time.Millisecond)) }

func ratio(v *float64) graph.Ratio {
	if v == nil {
		return graph.Ratio{}
	}
	return graph.Ratio{Value: *v, Known: true}
}

// regionsOf are the regions in which a check is made, in the order of the
// configuration.
func (s *Server) regionsOf(t checks.Target) []string {
	var out []string
	for _, r := range s.current().Regions {
		if t.In(r.ID) {
			out = append(out, r.ID)
		}
	}
	return out
}

// recentRuns is how far back the typical duration of a run is read.
const recentRuns = 15 * time.Minute

// Matrix reads the strips of the overview.
func (p past) Matrix(ctx context.Context, w graph.Window) ([]ops.Strip, error) {
	var out []ops.Strip
	now := time.Now()
	for _, t := range p.current().Targets() {
		for _, region := range p.regionsOf(t) {
			q := history.Query{Check: t.ID, Region: region}
			strip := ops.Strip{Check: t.ID, Region: region}
			var err error
			if strip.Tallies, err = p.tallies(ctx, window(q, w)); err != nil {
				return nil, err
			}
			q.From, q.To, q.Step = now.Add(-recentRuns), now, 2*recentRuns
			points, err := p.latency(ctx, q)
			if err != nil {
				return nil, err
			}
			if n := len(points); n > 0 {
				strip.P50 = points[n-1].P50
			}
			out = append(out, strip)
		}
	}
	return out, p.failingPhases(ctx, out)
}

// failingPhases fills in where the newest failed run ended, for what is in
// trouble now.
func (p past) failingPhases(ctx context.Context, strips []ops.Strip) error {
	for _, v := range p.history.Verdicts() {
		if v.State <= verdict.Up {
			continue
		}
		for i := range strips {
			if strips[i].Check != v.Check || strips[i].Region != v.Region || strips[i].Phase != "" {
				continue
			}
			list, _, err := p.history.Observations(ctx, history.ObservationQuery{
				Check: v.Check, Region: v.Region, Outcomes: []checks.Outcome{checks.Down}, From: time.Now().Add(-time.Hour), Limit: 1,
			})
			if err != nil {
				return err
			}
			if len(list) > 0 {
				strips[i].Phase = list[0].FailedPhase
			}
		}
	}
	return nil
}

// Began is when the oldest observation of a check was made that is kept.
func (p past) Began(ctx context.Context, check string) (time.Time, error) {
	return p.history.Began(ctx, check)
}

// Last returns the last verdict of a series that was not unknown.
func (p past) Last(ctx context.Context, s verdict.Series, before time.Time) (verdict.State, time.Time, error) {
	return p.lastKnown(ctx, s, before)
}

// Check reads what each region saw of one check.
func (p past) Check(ctx context.Context, q ops.CheckQuery) (ops.CheckHistory, error) {
	i := slices.IndexFunc(p.current().Targets(), func(t checks.Target) bool { return t.ID == q.Check })
	if i < 0 {
		return ops.CheckHistory{}, nil
	}
	t := p.current().Targets()[i]
	var out ops.CheckHistory
	for _, region := range p.regionsOf(t) {
		if q.Region != "" && q.Region != region {
			continue
		}
		r, err := p.checkRegion(ctx, window(history.Query{Check: t.ID, Region: region, Family: q.Family, Probe: q.Probe}, q.Window))
		if err != nil {
			return out, err
		}
		out.Regions = append(out.Regions, r)
	}
	for _, w := range p.announcedIn(q.Window.From, q.Window.To) {
		if slices.Contains(w.Services, t.Service) && (q.Region == "" || len(w.Regions) == 0 || slices.Contains(w.Regions, q.Region)) {
			out.Windows = append(out.Windows, w)
		}
	}
	var err error
	out.Classes, err = p.classes(ctx, q)
	return out, err
}

func (p past) checkRegion(ctx context.Context, q history.Query) (ops.CheckRegion, error) {
	r := ops.CheckRegion{Region: q.Region}
	var err error
	if r.Tallies, err = p.tallies(ctx, q); err != nil {
		return r, err
	}
	a, l, err := p.history.AvailabilityAndLatency(ctx, q)
	if err != nil {
		return r, err
	}
	r.Uptime, r.Coverage, r.Latency = ratio(a.Availability), a.Coverage, latencyPoints(l)
	r.Phases, r.Medians, err = p.medians(ctx, q)
	r.Medians = spread(r.Medians, r.Latency)
	return r, err
}

// spread gives every step in which runs completed the medians of the longer step
// that it lies in: phases are kept by the quarter of an hour, latencies by the
// minute. Both are in the order of time.
func spread(medians []graph.StackPoint, latency []graph.LatencyPoint) []graph.StackPoint {
	out := make([]graph.StackPoint, 0, len(latency))
	i := 0
	for _, l := range latency {
		for i+1 < len(medians) && !medians[i+1].At.After(l.At) {
			i++
		}
		if i < len(medians) && !medians[i].At.After(l.At) {
			out = append(out, graph.StackPoint{At: l.At, Medians: medians[i].Medians})
		}
	}
	return out
}

// medians reads the median of each phase that ran, step by step.
func (p past) medians(ctx context.Context, q history.Query) ([]checks.Phase, []graph.StackPoint, error) {
	all, err := p.history.Phases(ctx, q)
	if err != nil {
		return nil, nil, err
	}
	var phases []checks.Phase
	byTime := map[time.Time][]time.Duration{}
	for _, phase := range checks.Phases() {
		points := latencyPoints(all[phase])
		if len(points) == 0 {
			continue
		}
		phases = append(phases, phase)
		for _, point := range points {
			values := byTime[point.At]
			values = append(values, make([]time.Duration, len(phases)-1-len(values))...) // did not run in that step
			byTime[point.At] = append(values, point.P50)
		}
	}
	out := make([]graph.StackPoint, 0, len(byTime))
	for at, values := range byTime {
		values = append(values, make([]time.Duration, len(phases)-len(values))...)
		out = append(out, graph.StackPoint{At: at, Medians: values})
	}
	slices.SortFunc(out, func(a, b graph.StackPoint) int { return a.At.Compare(b.At) })
	return phases, out, nil
}

// classes counts the failures of a check by class, the most frequent first.
func (p past) classes(ctx context.Context, q ops.CheckQuery) ([]ops.ClassHistory, error) {
	w := q.Window
	counts, err := p.history.Failures(ctx, window(history.Query{Check: q.Check, Region: q.Region, Family: q.Family, Probe: q.Probe}, w))
	if err != nil {
		return nil, err
	}
	byClass, total := map[checks.Class]*ops.ClassHistory{}, map[checks.Class]uint64{}
	for _, f := range counts {
		h := byClass[f.Class]
		if h == nil {
			h = &ops.ClassHistory{Class: f.Class, Counts: make([]int, w.Cells())}
			byClass[f.Class] = h
		}
		if i := int(f.T.Sub(w.From) / w.Step); i >= 0 && i < len(h.Counts) {
			h.Counts[i] += int(f.N)
		}
		if !slices.Contains(h.Regions, f.Region) {
			h.Regions = append(h.Regions, f.Region)
		}
		total[f.Class] += f.N
	}
	out := make([]ops.ClassHistory, 0, len(byClass))
	for _, h := range byClass {
		out = append(out, *h)
	}
	slices.SortFunc(out, func(a, b ops.ClassHistory) int {
		return cmp.Or(cmp.Compare(total[b.Class], total[a.Class]), cmp.Compare(a.Class, b.Class))
	})
	return out, nil
}

// Availability reads the numbers of a service or a check.
func (p past) Availability(ctx context.Context, q ops.AvailabilityQuery) (ops.Availability, error) {
	a, err := p.history.Availability(ctx, history.Query{
		Check: q.Check, Service: q.Service, Region: q.Region, From: q.From, To: q.To, Step: q.Step,
	})
	if err != nil {
		return ops.Availability{}, err
	}
	out := ops.Availability{Sums: sums(a.Number)}
	if q.Step > 0 {
		for _, point := range a.Points {
			out.Points = append(out.Points, ops.AvailabilityPoint{At: point.T, Sums: sums(point.Number)})
		}
	}
	return out, nil
}

func sums(n history.Number) ops.Sums {
	out := ops.Sums{
		Ratio: ratio(n.Availability), Coverage: n.Coverage,
		Up: seconds(n.UpS), Down: seconds(n.DownS), Unknown: seconds(n.UnknownS),
	}
	if n.Availability != nil {
		out.Low, out.High = *n.Low, *n.High
	}
	out.WithoutMaintenance = ratio(n.WithoutMaintenance)
	return out
}

// Numbers reads all that is said of a service.
func (p past) Numbers(ctx context.Context, q ops.NumbersQuery) (availability.Numbers, error) {
	return p.history.Numbers(ctx, history.NumbersQuery(q))
}

func seconds(v float64) time.Duration { return time.Duration(v * float64(time.Second)) }

// Latency reads the percentiles of a check.
func (p past) Latency(ctx context.Context, q ops.LatencyQuery) ([]graph.LatencyPoint, error) {
	return p.latency(ctx, history.Query{
		Check: q.Check, Region: q.Region, Phase: string(q.Phase), From: q.From, To: q.To, Step: q.Step,
	})
}

// publicHistory reads what each region saw of one service.
func (s *Server) publicHistory(ctx context.Context, service string, w graph.Window) ([]statuspage.RegionHistory, error) {
	var out []statuspage.RegionHistory
	c := s.current()
	for _, r := range c.Regions {
		if len(checksOf(c, service, r.ID)) == 0 {
			continue
		}
		q := window(history.Query{Service: service, Region: r.ID}, w)
		h := statuspage.RegionHistory{Region: r.ID}
		var err error
		if h.Tallies, err = s.tallies(ctx, q); err != nil {
			return nil, err
		}
		a, l, err := s.history.AvailabilityAndLatency(ctx, q)
		if err != nil {
			return nil, err
		}
		h.Uptime, h.Coverage, h.Latency = ratio(a.Availability), a.Coverage, latencyPoints(l)
		out = append(out, h)
	}
	return out, nil
}

// Probe reads how a probe was.
func (p past) Probe(ctx context.Context, probe string, w graph.Window) (ops.ProbeHistory, error) {
	pulses, err := p.history.Pulses(ctx, probe, w.From, w.To, w.Step)
	if err != nil {
		return ops.ProbeHistory{}, err
	}
	var out ops.ProbeHistory
	for _, x := range pulses {
		out.Pulses = append(out.Pulses, ops.Pulse{
			At: x.At, Runs: int(x.Runs), Down: int(x.Down), OwnNetwork: int(x.OwnNetwork), OwnLate: int(x.OwnLate), OwnError: int(x.OwnError),
			Waited: x.Waited, ClockLow: x.ClockLow, ClockHigh: x.ClockHigh, ClockKnown: x.ClockKnown,
		})
	}
	out.Starts, err = p.history.Starts(ctx, probe, w.From, w.To)
	return out, err
}
