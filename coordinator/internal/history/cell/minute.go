package cell

import (
	"maps"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
)

// Minute is what one minute holds: the pieces of slots that lie in it, and the
// scheduled runs whose slots begin in it.
type Minute struct {
	availability.Minute
	// Latency is the elapsed time of the runs that were up.
	Latency  Sketch
	Failures Failures
}

// Piece adds the part of a slot that lies in the minute.
func (m *Minute) Piece(probe string, outcome checks.Outcome, d time.Duration) {
	m.Minute = m.Add(probe, outcome, d)
}

// Run counts a run whose slot begins in the minute.
func (m *Minute) Run(r checks.Result) {
	if r.Outcome == checks.Up {
		m.Latency.Add(r.Elapsed)
		return
	}
	m.Failures.Add(Failure{r.Outcome, r.Class}, 1)
}

// Merge takes everything that o holds, which is of other probes.
func (m *Minute) Merge(o *Minute) {
	m.Minute = m.Union(o.Minute)
	m.Latency.Merge(o.Latency)
	m.Failures.Merge(o.Failures)
}

// Phases are the durations of the phases of runs that were up.
type Phases map[checks.Phase]*Sketch

// Run adds the phases of a run if it was up: only a run that completed says how
// long each of its phases takes.
func (p *Phases) Run(r checks.Result) {
	if r.Outcome != checks.Up {
		return
	}
	for _, t := range r.Phases {
		if s := p.sketch(t.Name); s != nil {
			s.Add(t.Duration)
		}
	}
}

// Merge takes everything that o holds.
func (p *Phases) Merge(o Phases) {
	for _, name := range o.sorted() {
		if s := p.sketch(name); s != nil {
			s.Merge(*o[name])
		}
	}
}

func (p *Phases) sketch(name checks.Phase) *Sketch {
	if *p == nil {
		*p = make(Phases)
	}
	s := (*p)[name]
	if s == nil && len(*p) < maxNames {
		s = new(Sketch)
		(*p)[name] = s
	}
	return s
}

func (p Phases) sorted() []checks.Phase { return slices.Sorted(maps.Keys(p)) }
