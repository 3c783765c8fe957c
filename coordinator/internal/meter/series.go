package meter

import (
	"time"

	"varde/checks"
)

// outcomes is how many there are.
const outcomes = int(checks.Down) + 1

// series is what is counted of one check, region and family.
type series struct {
	// slots are the times that scheduled observations speak for, by outcome.
	slots [outcomes]time.Duration
	// newest is the scheduled observation that ended last.
	newest checks.Observation
}

func (s *series) take(o checks.Observation) {
	s.slots[o.Outcome] += o.Every
	if o.End().Before(s.newest.End()) {
		return
	}
	// What the server showed is kept in one place, and that is not here.
	o.TLS, o.Presented, o.Detail = nil, nil, ""
	s.newest = o
}

// speaks says whether the newest observation is of now: not older than two intervals
// and a half, in which every probe of a region has looked twice.
func (s *series) speaks(now time.Time, every time.Duration) bool {
	return now.Sub(s.newest.End()) <= 5*every/2
}

// latency is how long runs took that were up.
type latency struct {
	total  *histogram
	phases map[checks.Phase]*spent
}

// spent is how often something was done, and how long all of it took.
type spent struct {
	count uint64
	time  time.Duration
}

func newLatency() *latency {
	return &latency{newHistogram(runBounds()), map[checks.Phase]*spent{}}
}

func (l *latency) take(o checks.Observation) {
	l.total.observe(o.Elapsed)
	for _, p := range o.Phases {
		s := l.phases[p.Name]
		if s == nil {
			s = new(spent)
			l.phases[p.Name] = s
		}
		s.count++
		s.time += p.Duration
	}
}

// runBounds are the buckets of whole runs: 1 ms is a server next door, 30 s longer than
// anybody waits.
func runBounds() []float64 {
	return []float64{.001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 2, 5, 10, 30}
}

// delayBounds are the buckets of delays: a second is a probe that reports, [Late] is
// among them.
func delayBounds() []float64 {
	return []float64{.1, .5, 1, 2, 5, 10, 30, 60, Late.Seconds(), 600, 3600, 6 * 3600, 24 * 3600}
}

// histogram counts durations by upper bounds in seconds.
type histogram struct {
	bounds []float64
	// counts are those at most each bound and above the one before.
	counts []uint64
	spent
}

func newHistogram(bounds []float64) *histogram {
	return &histogram{bounds: bounds, counts: make([]uint64, len(bounds))}
}

func (h *histogram) observe(d time.Duration) {
	h.count++
	h.time += d
	for i, bound := range h.bounds {
		if d.Seconds() <= bound {
			h.counts[i]++
			return
		}
	}
}
