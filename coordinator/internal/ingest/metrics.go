package ingest

import (
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"varde/proto/wire"
)

// metrics counts what came in and what became of it.
type metrics struct {
	records *prometheus.CounterVec
	refusal *prometheus.CounterVec
	commits *prometheus.HistogramVec
	streams *prometheus.GaugeVec
	queue   prometheus.GaugeFunc
}

// newMetrics makes them; queue says how many batches wait.
func newMetrics(queue func() int) *metrics {
	m := &metrics{
		records: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "varde_ingest_records_total",
			Help: "Records that probes sent: accepted (on disk), duplicate (were there already), dropped (kept as a gap: lost by the probe or not believed).",
		}, []string{"result"}),
		refusal: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "varde_ingest_refused_total",
			Help: "Calls, messages and observations refused, by cause.",
		}, []string{"cause"}),
		commits: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "varde_ingest_append_seconds",
			Help:    "Time for the journal to have a group of batches on disk.",
			Buckets: []float64{.001, .002, .004, .008, .016, .032, .064, .125, .25, .5, 1, 2, 5, 10, 30},
		}, []string{"result"}),
		streams: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "varde_ingest_streams",
			Help: "Open streams, by kind.",
		}, []string{"kind"}),
		queue: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "varde_ingest_queue_batches",
			Help: fmt.Sprintf("Batches that wait for the commit under way; at %d the streams wait too.", queued),
		}, func() float64 { return float64(queue()) }),
	}
	// What is there from the start has a rate from the first time that it happens.
	for _, result := range []string{"accepted", "duplicate", "dropped"} {
		m.records.WithLabelValues(result)
	}
	for _, cause := range []string{"before_joining", "hole", "internal", "journal", "state", "stranger", "unknown_check", "unknown_message"} {
		m.refusal.WithLabelValues(cause)
	}
	return m
}

// register adds the metrics to r, which may be nil.
func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{m.records, m.refusal, m.commits, m.streams, m.queue} {
		if err := r.Register(c); err != nil {
			return err
		}
	}
	return nil
}

func (m *metrics) refused(cause string) { m.refusedMany(cause, 1) }

func (m *metrics) refusedMany(cause string, n int) {
	m.refusal.WithLabelValues(cause).Add(float64(n))
}

func (m *metrics) duplicates(n int) { m.records.WithLabelValues("duplicate").Add(float64(n)) }

func (m *metrics) appended(batches []wire.Batch, took time.Duration, err error) {
	if err != nil {
		m.commits.WithLabelValues("error").Observe(took.Seconds())
		m.refused("journal")
		return
	}
	m.commits.WithLabelValues("ok").Observe(took.Seconds())
	for _, b := range batches {
		for _, r := range b.Records {
			if r.Gap != nil {
				m.records.WithLabelValues("dropped").Add(float64(r.Gap.Last - r.Gap.First + 1))
			} else {
				m.records.WithLabelValues("accepted").Inc()
			}
		}
	}
}
