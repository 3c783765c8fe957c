package server

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	dto "github.com/prometheus/client_model/go"

	"varde/coordinator/internal/config"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/ingest"
	"varde/coordinator/internal/mirror"
	"varde/coordinator/internal/register"
	"varde/proto/wire"
)

// facts are what is so at the moment of a scrape.
type facts struct {
	version  string
	ready    bool
	plan     wire.PlanNumber
	probes   []ingest.Probe
	ends     map[string]time.Time
	services map[string]string
	config   config.Config
	newest   map[string]time.Time
	history  history.Stats
	// last is the newest message of the journal; messages and bytes are what it
	// keeps, unknown while it cannot be read.
	last, messages, bytes uint64
	sized                 bool
	// oldest is when the oldest message arrived, most what all may take; zero for no bound.
	oldest time.Time
	most   int64
	// readers are those of the stream of events, dropped those that were too slow.
	readers int
	dropped uint64
	// room is what the disk has free, if that is known.
	room      uint64
	roomKnown bool
	// loaded is when the configuration in force was read, reload what was wrong
	// with it when it was last read again.
	loaded time.Time
	reload error
	// reckoned is what was read beside the scrapes, incidents are those that are open,
	// windows those that people announced and that are in force.
	reckoned  reckoned
	incidents []incident.Shown
	windows   []register.Window
	mirrors   []mirror.State
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
		s.timings, &collector{s, metrics()},
	)
}

// metricsHandler answers a scrape.
func (s *Server) metricsHandler() http.Handler {
	return promhttp.HandlerFor(gatherers{s.metrics, s.meter}, promhttp.HandlerOpts{})
}

// gatherers gather side by side: prometheus.Gatherers would sort and compare all that
// a large fleet has. No two of them have a metric of the same name.
type gatherers []prometheus.Gatherer

var _ prometheus.Gatherer = gatherers{}

// Gather returns what each of them has.
func (g gatherers) Gather() (all []*dto.MetricFamily, err error) {
	for _, one := range g {
		some, failed := one.Gather()
		all, err = append(all, some...), errors.Join(err, failed)
	}
	return all, err
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
		services: servicesOf(config), config: config, newest: map[string]time.Time{}, last: s.journal.Last(),
		reckoned: s.reckoning.read(), incidents: s.unresolved(), windows: s.windows.Active(time.Now()), most: s.opts.Config.Retention.JournalMax,
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
	f.oldest, _ = s.journal.Oldest(ctx) // zero while it cannot be read
	f.room, err = s.journal.Free()
	f.roomKnown = err == nil
	f.loaded, f.reload = s.lastReload()
	f.readers, f.dropped = s.ops.Readers()
	f.mirrors = s.mirrors.States()
	return f
}
