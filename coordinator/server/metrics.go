package server

import (
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"varde/coordinator/internal/history"
	"varde/coordinator/internal/ingest"
	"varde/coordinator/internal/meter"
	"varde/coordinator/internal/presence"
	"varde/proto/wire"
)

// metric is one name for Prometheus, and what it is read from.
type metric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(f facts, tell tell)
}

// tell gives the value of one series.
type tell func(value float64, labels ...string)

func define(kind prometheus.ValueType, name, help string, labels []string, read func(facts, tell)) metric {
	return metric{prometheus.NewDesc(name, help, labels, nil), kind, read}
}

func gauge(name, help string, labels []string, read func(facts, tell)) metric {
	return define(prometheus.GaugeValue, name, help, labels, read)
}

func counter(name, help string, labels []string, read func(facts, tell)) metric {
	return define(prometheus.CounterValue, name, help, labels, read)
}

// timestamp is a gauge of an instant; what is zero has no series.
func timestamp(name, help string, labels []string, read func(f facts, tell func(t time.Time, labels ...string))) metric {
	return gauge(name, help, labels, func(f facts, tell tell) {
		read(f, func(t time.Time, labels ...string) {
			if !t.IsZero() {
				tell(float64(t.UnixMicro())/1e6, labels...)
			}
		})
	})
}

// metrics are all of them.
func metrics() []metric {
	var all []metric
	for _, some := range [][]metric{
		ownMetrics(), serviceMetrics(), incidentMetrics(), mailMetrics(), regionMetrics(), probeMetrics(), countMetrics(), journalMetrics(), historyMetrics(), mirrorMetrics(),
	} {
		all = append(all, some...)
	}
	return all
}

func ownMetrics() []metric {
	return []metric{
		gauge("varde_build_info", "Always 1; the labels say which program runs.", []string{"version", "goversion"},
			func(f facts, tell tell) { tell(1, f.version, runtime.Version()) }),
		gauge("varde_ready", "Whether the journal keeps what probes send, and the history can be read.", nil,
			func(f facts, tell tell) { tell(meter.Truth(f.ready)) }),
		gauge("varde_plan_revision", "Revision of the newest plan.", nil,
			func(f facts, tell tell) { tell(float64(f.plan.Revision)) }),
		timestamp("varde_check_certificate_expiry_timestamp_seconds", "When the first certificate ends that the servers of a check present.", []string{"check", "service"},
			func(f facts, tell func(time.Time, ...string)) {
				for check, end := range f.reckoned.ends {
					tell(end, check, f.services[check])
				}
			}),
		gauge("varde_data_free_bytes", "Bytes that are free on the disk of the data folder.", nil,
			func(f facts, tell tell) {
				if f.roomKnown {
					tell(float64(f.room))
				}
			}),
		gauge("varde_config_last_reload_successful", "Whether the configuration was put in force when it was last read.", nil,
			func(f facts, tell tell) { tell(meter.Truth(f.reload == nil)) }),
		timestamp("varde_config_last_reload_success_timestamp_seconds", "When the configuration in force was read.", nil,
			func(f facts, tell func(time.Time, ...string)) { tell(f.loaded) }),
		gauge("varde_stream_readers", "Who reads the stream of events now.", nil,
			func(f facts, tell tell) { tell(float64(f.readers)) }),
		counter("varde_stream_dropped_readers_total", "Readers of the stream of events that were let go because they were too slow.", nil,
			func(f facts, tell tell) { tell(float64(f.dropped)) }),
		timestamp("varde_numbers_timestamp_seconds", "When the numbers, mails and certificates were read that are told here.", nil,
			func(f facts, tell func(time.Time, ...string)) { tell(f.reckoned.at) }),
	}
}

// ofProbes is what is read of each probe; ok is false where it is not known.
func ofProbes(read func(f facts, p ingest.Probe) (value float64, ok bool)) func(facts, tell) {
	return func(f facts, tell tell) {
		for _, p := range f.probes {
			if v, ok := read(f, p); ok {
				tell(v, p.Name, p.Region)
			}
		}
	}
}

// saidOf is what each probe says of itself, known once it has said it.
func saidOf(read func(p ingest.Probe) uint64) func(facts, tell) {
	return ofProbes(func(_ facts, p ingest.Probe) (float64, bool) { return float64(read(p)), p.Epoch != "" })
}

func probeMetrics() []metric {
	labels := []string{"probe", "region"}
	return []metric{
		gauge("varde_probe_connected", "Whether a probe of the roster reports now.", labels,
			ofProbes(func(_ facts, p ingest.Probe) (float64, bool) { return meter.Truth(p.State == presence.Connected), true })),
		gauge("varde_probe_qualified", "Whether a probe that reports now holds itself fit to judge; absent while it has not judged itself.", labels,
			ofProbes(func(_ facts, p ingest.Probe) (float64, bool) {
				return meter.Truth(p.Qualified == wire.Qualified), p.State == presence.Connected && p.Qualified != wire.NotJudged
			})),
		gauge("varde_probe_relayed", "Whether a probe that reports now does so through another one.", labels,
			ofProbes(func(_ facts, p ingest.Probe) (float64, bool) {
				return meter.Truth(p.Relay != ""), p.State == presence.Connected && p.Epoch != ""
			})),
		gauge("varde_probe_faults", "Faults of its host or network that a probe sees; its page says which.", labels,
			saidOf(func(p ingest.Probe) uint64 { return uint64(len(p.Faults)) })),
		gauge("varde_probe_clock_offset_seconds", "How far the clock of a probe is ahead of ours.", labels,
			ofProbes(func(_ facts, p ingest.Probe) (float64, bool) { return p.ClockOffset.Seconds(), p.ClockKnown })),
		gauge("varde_probe_spool_records", "Records that wait on a probe, as it said last.", labels,
			saidOf(func(p ingest.Probe) uint64 { return p.Spool })),
		counter("varde_probe_gap_records_total", "Records of a probe that are kept as gaps: its spool lost them, or they were not believed.", labels,
			ofProbes(func(_ facts, p ingest.Probe) (float64, bool) { return float64(p.Dropped), true })),
		gauge("varde_probe_plan_revision", "Revision of the plan that a probe runs, as it said last.", labels,
			saidOf(func(p ingest.Probe) uint64 { return p.Plan.Revision })),
		gauge("varde_probe_notices", "How many things are odd about a probe; its page says which.", labels,
			ofProbes(func(_ facts, p ingest.Probe) (float64, bool) { return float64(len(p.Notices)), true })),
		timestamp("varde_probe_last_seen_timestamp_seconds", "When something last came from a probe.", labels,
			func(f facts, tell func(time.Time, ...string)) {
				for _, p := range f.probes {
					tell(p.LastSeen, p.Name, p.Region)
				}
			}),
		timestamp("varde_probe_certificate_expiry_timestamp_seconds", "When the certificate of a probe ends.", labels,
			func(f facts, tell func(time.Time, ...string)) {
				for _, p := range f.probes {
					tell(f.ends[p.Name], p.Name, p.Region)
				}
			}),
	}
}

// countMetrics are what each probe counts. They begin at zero with every life of
// its program, as those of any program do; until it has said them they are absent.
func countMetrics() []metric {
	var all []metric
	for i, c := range (wire.Counts{}).List() {
		all = append(all, counter("varde_probe_"+c.Name+"_total", "Since the program of a probe started: "+c.Meaning+".", []string{"probe", "region"},
			saidOf(func(p ingest.Probe) uint64 { return p.Counts.List()[i].N })))
	}
	return all
}

// journalReaders are the parts that follow the journal.
func (f facts) journalReaders() map[string]history.Place {
	return map[string]history.Place{"told": f.history.Told, "rollup": f.history.Rolled}
}

func journalMetrics() []metric {
	ofSize := func(read func(facts) uint64) func(facts, tell) {
		return func(f facts, tell tell) {
			if f.sized {
				tell(float64(read(f)))
			}
		}
	}
	return []metric{
		gauge("varde_journal_messages", "Messages that the journal keeps.", nil, ofSize(func(f facts) uint64 { return f.messages })),
		gauge("varde_journal_bytes", "Bytes that the messages of the journal take.", nil, ofSize(func(f facts) uint64 { return f.bytes })),
		gauge("varde_journal_max_bytes", "Bytes above which the journal drops its oldest messages; absent where nothing bounds it.", nil,
			func(f facts, tell tell) {
				if f.most > 0 {
					tell(float64(f.most))
				}
			}),
		timestamp("varde_journal_oldest_message_timestamp_seconds", "When the oldest message of the journal arrived.", nil,
			func(f facts, tell func(time.Time, ...string)) { tell(f.oldest) }),
		gauge("varde_journal_reader_lag_messages", "Messages of the journal that a reader has not taken yet.", []string{"reader"},
			func(f facts, tell tell) {
				for name, place := range f.journalReaders() {
					tell(float64(max(f.last, place.Seq)-place.Seq), name)
				}
			}),
		timestamp("varde_journal_reader_message_timestamp_seconds", "When the newest message arrived that a reader has taken.", []string{"reader"},
			func(f facts, tell func(time.Time, ...string)) {
				for name, place := range f.journalReaders() {
					tell(place.Received, name)
				}
			}),
	}
}

func historyMetrics() []metric {
	return []metric{
		counter("varde_history_commits_total", "Transactions of the history that are on disk.", nil,
			func(f facts, tell tell) { tell(float64(f.history.Commits)) }),
		counter("varde_history_failures_total", "How often a part of the history failed and tried again.", []string{"part"},
			func(f facts, tell tell) {
				for part, n := range f.history.Failures {
					tell(float64(n), part)
				}
			}),
		counter("varde_history_missed_messages_total", "Messages of the journal that were gone before a reader could take them.", []string{"reader"},
			func(f facts, tell tell) {
				for reader, n := range f.history.Missed {
					tell(float64(n), reader)
				}
			}),
		counter("varde_history_ignored_observations_total", "Observations left out because their times make no sense or nobody configured their check.", nil,
			func(f facts, tell tell) { tell(float64(f.history.Ignored)) }),
		timestamp("varde_history_final_timestamp_seconds", "The time up to which verdicts are final.", nil,
			func(f facts, tell func(time.Time, ...string)) { tell(f.history.Final) }),
	}
}
