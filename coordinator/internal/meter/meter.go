package meter

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"varde/checks"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/verdict"
	"varde/proto/wire"
)

// Late is how long after its end an observation may arrive and still be of now: a
// probe that was cut off for less than the time in which anybody is told.
const Late = 2 * time.Minute

// Source is the journal. *journal.Journal is one behind the history's type.
type Source interface {
	// Last is the number of the newest entry.
	Last() uint64
	// Follow calls fn with every entry after a number until ctx ends, see
	// [history.Source].
	Follow(ctx context.Context, after uint64, fn func(history.Entry) error) error
}

// Options configures a Meter. All of them are required.
type Options struct {
	Source Source
	// Verdicts returns what is told now.
	Verdicts func() []history.Verdict
	// CertificateEnds returns when the first certificate ends that the servers of a
	// series present.
	CertificateEnds func() map[verdict.Series]time.Time
}

// Meter counts. Its methods may be called from many goroutines.
type Meter struct {
	options Options

	mu sync.Mutex // protects all following fields
	// checks are those of the configuration, by their ids.
	checks    map[string]checks.Target
	labels    map[verdict.Series]labels
	series    map[verdict.Series]*series
	latencies map[place]*latency
	delays    map[string]*histogram
	failures  map[failure]uint64
	// taken is when the newest entry arrived, missed how many were gone before they
	// could be counted.
	taken  time.Time
	missed uint64
}

// place is where a check is made.
type place struct{ check, region string }

// failure is a way in which runs of a check are not up in a region.
type failure struct {
	place
	class checks.Class
}

// New makes a Meter that knows no check yet.
func New(o Options) (*Meter, error) {
	if o.Source == nil || o.Verdicts == nil || o.CertificateEnds == nil {
		return nil, errors.New("meter: Source, Verdicts and CertificateEnds are required")
	}
	return &Meter{
		options: o, checks: map[string]checks.Target{}, labels: map[verdict.Series]labels{}, series: map[verdict.Series]*series{},
		latencies: map[place]*latency{}, delays: map[string]*histogram{}, failures: map[failure]uint64{},
	}, nil
}

// Learn takes the checks of a configuration. Those that are no longer among them, or
// not in that region, leave no series behind.
func (m *Meter) Learn(targets []checks.Target) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.checks = make(map[string]checks.Target, len(targets))
	for _, t := range targets {
		m.checks[t.ID] = t
	}
	m.labels = map[verdict.Series]labels{}
	maps.DeleteFunc(m.series, func(s verdict.Series, _ *series) bool { return !m.asksLocked(s.Check, s.Region) })
	maps.DeleteFunc(m.latencies, func(p place, _ *latency) bool { return !m.asksLocked(p.check, p.region) })
	maps.DeleteFunc(m.failures, func(f failure, _ uint64) bool { return !m.asksLocked(f.check, f.region) })
}

// Run counts what arrives from now on until ctx ends.
func (m *Meter) Run(ctx context.Context) error {
	err := m.options.Source.Follow(ctx, m.options.Source.Last(), func(e history.Entry) error {
		m.take(e)
		return nil
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (m *Meter) take(e history.Entry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.missed += e.Missed
	for i := range e.Batches {
		b := &e.Batches[i]
		if b.Received.After(m.taken) {
			m.taken = b.Received
		}
		for _, r := range b.Records {
			if r.IsObservation() {
				m.observeLocked(b, r.Observation)
			}
		}
	}
}

func (m *Meter) observeLocked(b *wire.Batch, o checks.Observation) {
	o, ok := history.Correct(b, o)
	if !ok || !m.asksLocked(o.Check, o.Region) {
		return
	}
	delay := max(b.Received.Sub(o.End()), 0)
	m.delayLocked(o.Region).observe(delay)
	if delay > Late || o.Trigger != checks.Scheduled {
		return
	}
	o.Every = min(max(o.Every, 0), m.checks[o.Check].Every)
	m.seriesLocked(o).take(o)
	at := place{o.Check, o.Region}
	if o.Outcome == checks.Up {
		m.latencyLocked(at).take(o)
	} else {
		m.failures[failure{at, o.Class}]++
	}
}

// asksLocked says whether a check is made in a region.
func (m *Meter) asksLocked(check, region string) bool {
	t, ok := m.checks[check]
	return ok && t.In(region)
}

func (m *Meter) seriesLocked(o checks.Observation) *series {
	key := verdict.Series{Check: o.Check, Region: o.Region, Family: o.Family}
	s := m.series[key]
	if s == nil {
		s = new(series)
		m.series[key] = s
	}
	return s
}

func (m *Meter) latencyLocked(at place) *latency {
	l := m.latencies[at]
	if l == nil {
		l = newLatency()
		m.latencies[at] = l
	}
	return l
}

func (m *Meter) delayLocked(region string) *histogram {
	h := m.delays[region]
	if h == nil {
		h = newHistogram(delayBounds())
		m.delays[region] = h
	}
	return h
}
