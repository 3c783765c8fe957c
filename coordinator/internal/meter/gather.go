package meter

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

var _ prometheus.Gatherer = (*Meter)(nil)

// Gather reads every metric. There is never an error.
func (m *Meter) Gather() ([]*dto.MetricFamily, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out sheet
	m.verdictsLocked(&out)
	m.slotsLocked(&out)
	m.newestLocked(&out, time.Now())
	m.certificatesLocked(&out)
	m.latenciesLocked(&out)
	m.failuresLocked(&out)
	m.arrivalsLocked(&out)
	return out.filled(), nil
}

// ofSeriesLocked are the labels of a series.
func (m *Meter) ofSeriesLocked(s verdict.Series) labels {
	l, known := m.labels[s]
	if !known {
		l = m.ofPlace(place{s.Check, s.Region}).with(pair("family", s.Family.String()))
		m.labels[s] = l
	}
	return l
}

func (m *Meter) ofPlace(p place) labels {
	return labels{pair("check", p.check), pair("region", p.region), pair("service", m.checks[p.check].Service)}
}

// ofInstanceLocked are the labels by which the dashboards of blackbox_exporter choose.
func (m *Meter) ofInstanceLocked(s verdict.Series) labels {
	return m.ofSeriesLocked(s).with(pair("instance", s.String()))
}

func (m *Meter) verdictsLocked(out *sheet) {
	state := out.gauge("varde_verdict_state", "What is told of a series: 1 for the state that holds, 0 for the others.")
	since := out.gauge("varde_verdict_since_timestamp_seconds", "When the state that holds of a series began.")
	var states []*dto.LabelPair
	for s := range verdict.State(verdict.States) {
		states = append(states, pair("state", s.String()))
	}
	for _, v := range m.options.Verdicts() {
		if !m.asksLocked(v.Check, v.Region) {
			continue
		}
		l := m.ofSeriesLocked(v.Series)
		for s, name := range states {
			state.tell(l.with(name), Truth(verdict.State(s) == v.State))
		}
		since.at(l, v.Since)
	}
}

func (m *Meter) slotsLocked(out *sheet) {
	f := out.counter("varde_check_slot_seconds_total", "Seconds for which the scheduled observations speak that arrived in time, by outcome; of all probes together.")
	var names [outcomes]*dto.LabelPair
	for o := range names {
		names[o] = pair("outcome", checks.Outcome(o).String())
	}
	for key, s := range m.sortedLocked() {
		for o, spoken := range s.slots {
			f.tell(m.ofSeriesLocked(key).with(names[o]), spoken.Seconds())
		}
	}
}

// sortedLocked are the series in their order.
func (m *Meter) sortedLocked() func(func(verdict.Series, *series) bool) {
	keys := slices.SortedFunc(maps.Keys(m.series), func(a, b verdict.Series) int {
		return cmp.Or(cmp.Compare(a.Check, b.Check), cmp.Compare(a.Region, b.Region), cmp.Compare(a.Family, b.Family))
	})
	return func(yield func(verdict.Series, *series) bool) {
		for _, key := range keys {
			if !yield(key, m.series[key]) {
				return
			}
		}
	}
}

func (m *Meter) certificatesLocked(out *sheet) {
	f := out.gauge("probe_ssl_earliest_cert_expiry", "When the first certificate ends that the servers of a series present.")
	for s, end := range m.options.CertificateEnds() {
		if m.asksLocked(s.Check, s.Region) {
			f.at(m.ofInstanceLocked(s), end)
		}
	}
}

func (m *Meter) latenciesLocked(out *sheet) {
	run := out.family(dto.MetricType_HISTOGRAM, "varde_check_duration_seconds", "How long scheduled runs took that were up.")
	phase := out.family(dto.MetricType_SUMMARY, "varde_check_phase_duration_seconds", "How long the phases of scheduled runs took that were up.")
	for at, l := range m.latencies {
		where := m.ofPlace(at)
		run.spread(where, l.total)
		for name, s := range l.phases {
			phase.sum(where.with(pair("phase", string(name))), *s)
		}
	}
}

func (m *Meter) failuresLocked(out *sheet) {
	f := out.counter("varde_check_failures_total", "Scheduled runs that were down or unknown, by class.")
	for x, n := range m.failures {
		f.tell(m.ofPlace(x.place).with(pair("class", string(x.class))), float64(n))
	}
}

func (m *Meter) arrivalsLocked(out *sheet) {
	delay := out.family(dto.MetricType_HISTOGRAM, "varde_observation_delay_seconds", "Time from the end of an observation to its arrival; those above 120 s are counted here alone.")
	for region, h := range m.delays {
		delay.spread(labels{pair("region", region)}, h)
	}
	out.gauge("varde_journal_newest_message_timestamp_seconds", "When the newest message of the journal arrived.").at(nil, m.taken)
	out.counter("varde_meter_missed_messages_total", "Messages of the journal that were gone before they could be counted for Prometheus.").tell(nil, float64(m.missed))
}
