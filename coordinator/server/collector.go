package server

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"varde/coordinator/internal/history"
	"varde/coordinator/internal/ingest"
	"varde/proto/wire"
)

// facts are what is so at the moment of a scrape.
type facts struct {
	version  string
	ready    bool
	plan     wire.PlanNumber
	probes   []ingest.Probe
	ends     map[string]time.Time
	verdicts []history.Verdict
	services map[string]string
	newest   map[string]time.Time
	history  history.Stats
	// last is the newest message of the journal; messages and bytes are what it
	// keeps, unknown while it cannot be read.
	last, messages, bytes uint64
	sized                 bool
	// room is what the disk has free, if that is known.
	room      uint64
	roomKnown bool
	// loaded is when the configuration in force was read, reload what was wrong
	// with it when it was last read again.
	loaded time.Time
	reload error
	// certificates is the first end of what each check's servers present.
	certificates map[string]time.Time
}

// collector tells Prometheus what is so at the moment of a scrape. What is gone,
// a probe that was removed or a check that left the configuration, leaves no
// series behind.
type collector struct {
	server  *Server
	metrics []metric
}

var _ prometheus.Collector = (*collector)(nil)

// registerMetrics fills the registry with what does not register itself.
func (s *Server) registerMetrics() {
	s.metrics.MustRegister(
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&collector{s, metrics()},
	)
}

// metricsHandler answers a scrape.
func (s *Server) metricsHandler() http.Handler {
	return promhttp.HandlerFor(s.metrics, promhttp.HandlerOpts{})
}

// Describe names every metric.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range c.metrics {
		out <- m.desc
	}
}

// scrapeTimeout is below Prometheus's own, so that what can be read is told.
const scrapeTimeout = 5 * time.Second

// Collect reads every metric.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	f := c.server.facts(ctx)
	for _, m := range c.metrics {
		m.read(f, func(value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(m.desc, m.kind, value, labels...)
		})
	}
}

// facts reads them. What cannot be read now is left out, and ready is false.
func (s *Server) facts(ctx context.Context) facts {
	config, newest := s.current(), s.history.NewestObservation()
	f := facts{
		version: s.opts.Version, ready: s.ready(ctx) == nil, probes: s.ingest.Probes(), ends: map[string]time.Time{},
		verdicts: s.history.Verdicts(), services: servicesOf(config), newest: map[string]time.Time{}, last: s.journal.Last(),
	}
	for _, r := range config.Regions {
		f.newest[r.ID] = newest[r.ID]
	}
	for _, e := range s.authority.Roster() {
		f.ends[e.Name] = e.NotAfter
	}
	if p, ok := s.plans.Current(); ok {
		f.plan = p.Number
	}
	var err error
	f.history, _ = s.history.Stats(ctx) // what it could not read is zero
	f.messages, f.bytes, err = s.journal.Size(ctx)
	f.sized = err == nil
	f.room, err = s.journal.Free()
	f.roomKnown = err == nil
	f.loaded, f.reload = s.lastReload()
	f.certificates = s.firstEnds(ctx)
	return f
}
