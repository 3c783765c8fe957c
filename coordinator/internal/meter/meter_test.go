package meter

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"

	"varde/checks"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/verdict"
	"varde/proto/wire"
)

// journal is one that a test writes.
type journal struct {
	last    uint64
	entries []history.Entry
}

func (j *journal) Last() uint64 { return j.last }

func (j *journal) Follow(ctx context.Context, after uint64, fn func(history.Entry) error) error {
	for _, e := range j.entries {
		if e.Seq > after {
			if err := fn(e); err != nil {
				return err
			}
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

func target(id string, kind checks.Kind, url string) checks.Target {
	return checks.Target{ID: id, Service: "mail", Kind: kind, URL: url, Every: 30 * time.Second, Regions: []string{"north", "south"}}
}

func metered(t testing.TB, source Source, targets ...checks.Target) *Meter {
	t.Helper()
	told := verdict.Series{Check: "imap", Region: "north", Family: checks.IPv4}
	m, err := New(Options{
		Source: source,
		Verdicts: func() []history.Verdict {
			return []history.Verdict{{Series: told, State: verdict.Down, Since: time.Unix(1000, 0)}}
		},
		CertificateEnds: func() map[verdict.Series]time.Time { return map[verdict.Series]time.Time{told: time.Unix(2000, 0)} },
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Learn(targets)
	return m
}

// seen is an observation that ends now.
func seen(check string, outcome checks.Outcome, elapsed time.Duration, phases ...checks.PhaseTiming) checks.Observation {
	at := time.Now().Add(-elapsed)
	o := checks.Observation{
		Check: check, Service: "mail", Probe: "p1", Region: "north", Family: checks.IPv4, Scheduled: at, Started: at, Every: 30 * time.Second,
		Result: checks.Result{Outcome: outcome, Elapsed: elapsed, Phases: phases},
	}
	switch outcome {
	case checks.Down:
		o.Class = checks.ConnectTimeout
	case checks.Unknown:
		o.Class = checks.OwnNetwork
	}
	return o
}

// arrive is an entry of what arrives now.
func arrive(list ...checks.Observation) history.Entry {
	b := wire.Batch{Probe: "p1", Region: "north", Epoch: "e", Received: time.Now()}
	for _, o := range list {
		b.Records = append(b.Records, wire.Record{Observation: o})
	}
	return history.Entry{Seq: 1, Batches: []wire.Batch{b}}
}

// samples are the values by names and labels, as in the text format; those of
// histograms and summaries are their counts.
func samples(t *testing.T, m *Meter) map[string]float64 {
	t.Helper()
	out := map[string]float64{}
	families, err := m.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, s := range f.GetMetric() {
			var labels []string
			for _, l := range s.GetLabel() {
				labels = append(labels, l.GetName()+"="+l.GetValue())
			}
			out[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = valueOf(s)
		}
	}
	return out
}

func valueOf(s *dto.Metric) float64 {
	switch {
	case s.Counter != nil:
		return s.GetCounter().GetValue()
	case s.Gauge != nil:
		return s.GetGauge().GetValue()
	case s.Histogram != nil:
		return float64(s.GetHistogram().GetSampleCount())
	}
	return float64(s.GetSummary().GetSampleCount())
}

const (
	imapNorth = "check=imap,family=ipv4,region=north,service=mail"
	imapOf    = "check=imap,family=ipv4,instance=imap/north/ipv4,region=north,service=mail"
	webOf     = "check=web,family=ipv4,instance=web/north/ipv4,"
)

// TestWhatIsCounted takes one of everything.
func TestWhatIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := metered(t, &journal{}, target("imap", checks.IMAP, "imaps://mail.example.net"), target("web", checks.HTTPS, "https://mail.example.net"))
		time.Sleep(time.Hour)
		long := seen("imap", checks.Up, 40*time.Millisecond, checks.PhaseTiming{Name: checks.Resolve, Duration: 3 * time.Millisecond})
		long.Every = time.Hour // a probe may not claim to speak for so long
		confirming := seen("imap", checks.Down, time.Second)
		confirming.Trigger = checks.Confirm
		late := seen("imap", checks.Down, time.Second)
		late.Started, late.Scheduled = late.Started.Add(-Late-time.Second), late.Scheduled.Add(-Late-time.Second)
		elsewhere := seen("imap", checks.Down, time.Second)
		elsewhere.Region = "west"
		m.take(arrive(long, confirming, late, elsewhere, seen("pop3", checks.Down, time.Second), seen("imap", checks.Unknown, time.Second)))
		time.Sleep(time.Second)
		m.take(arrive(seen("imap", checks.Down, 2*time.Second), seen("web", checks.Up, 6*time.Millisecond,
			checks.PhaseTiming{Name: checks.Request, Duration: time.Millisecond}, checks.PhaseTiming{Name: checks.FirstByte, Duration: 5 * time.Millisecond})))
		got := samples(t, m)
		for series, want := range map[string]float64{
			"varde_check_slot_seconds_total{check=imap,family=ipv4,outcome=up,region=north,service=mail}":      30,
			"varde_check_slot_seconds_total{check=imap,family=ipv4,outcome=down,region=north,service=mail}":    30,
			"varde_check_slot_seconds_total{check=imap,family=ipv4,outcome=unknown,region=north,service=mail}": 30,
			"varde_check_failures_total{check=imap,class=connect_timeout,region=north,service=mail}":           1,
			"varde_check_failures_total{check=imap,class=own_network,region=north,service=mail}":               1,
			"varde_check_duration_seconds{check=imap,region=north,service=mail}":                               1,
			"varde_check_phase_duration_seconds{check=imap,phase=resolve,region=north,service=mail}":           1,
			"varde_observation_delay_seconds{region=north}":                                                    6,
			"varde_verdict_state{check=imap,family=ipv4,region=north,service=mail,state=down}":                 1,
			"varde_verdict_state{check=imap,family=ipv4,region=north,service=mail,state=up}":                   0,
			"varde_verdict_since_timestamp_seconds{" + imapNorth + "}":                                         1000,
			"probe_ssl_earliest_cert_expiry{" + imapOf + "}":                                                   2000,
			"probe_success{" + imapOf + "}":                                                                    0,
			"probe_duration_seconds{" + imapOf + "}":                                                           2,
			"probe_ip_protocol{" + imapOf + "}":                                                                4,
			"probe_http_ssl{" + webOf + "region=north,service=mail}":                                           1,
			"probe_http_duration_seconds{" + webOf + "phase=processing,region=north,service=mail}":             0.006,
			"probe_http_duration_seconds{" + webOf + "phase=tls,region=north,service=mail}":                    0,
			"varde_journal_newest_message_timestamp_seconds{}":                                                 float64(time.Now().Unix()),
			"varde_meter_missed_messages_total{}":                                                              0,
		} {
			if v, ok := got[series]; !ok || v != want {
				t.Errorf("%s: got %v, present %t, want %v", series, v, ok, want)
			}
		}
		for series := range got {
			if strings.Contains(series, "region=west") || strings.Contains(series, "pop3") || strings.HasPrefix(series, "probe_dns_lookup_time_seconds{"+imapOf) {
				t.Errorf("%s: nobody asked for it", series)
			}
		}
	})
}

// TestUnknownAndOldAreNeitherUpNorDown: probe_success is absent then.
func TestUnknownAndOldAreNeitherUpNorDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := metered(t, &journal{}, target("imap", checks.IMAP, "imaps://mail.example.net"))
		success := func() (v float64, ok bool) { v, ok = samples(t, m)["probe_success{"+imapOf+"}"]; return v, ok }
		m.take(arrive(seen("imap", checks.Up, time.Second)))
		if v, ok := success(); v != 1 || !ok {
			t.Errorf("up: got %v, %t", v, ok)
		}
		time.Sleep(75 * time.Second)
		if _, ok := success(); !ok {
			t.Error("gone after two intervals and a half, want it then still")
		}
		time.Sleep(time.Second)
		if v, ok := success(); ok {
			t.Errorf("after that: got %v, want none", v)
		}
		m.take(arrive(seen("imap", checks.Up, time.Second)))
		m.take(arrive(seen("imap", checks.Unknown, time.Second)))
		if v, ok := success(); ok {
			t.Errorf("unknown: got %v, want none", v)
		}
	})
}

// TestARestartCountsNothingTwice: what the journal holds already is not read again.
func TestARestartCountsNothingTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{last: 7}
		for seq := range uint64(9) {
			e := arrive(seen("imap", checks.Up, time.Second))
			e.Seq, e.Missed = seq+1, seq/8
			j.entries = append(j.entries, e)
		}
		m := metered(t, j, target("imap", checks.IMAP, "imaps://mail.example.net"))
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- m.Run(ctx) }()
		synctest.Wait()
		stop()
		if err := <-done; err != nil {
			t.Errorf("ended with %v", err)
		}
		got := samples(t, m)
		if v := got["varde_check_duration_seconds{check=imap,region=north,service=mail}"]; v != 2 {
			t.Errorf("got %v runs, want the two after the seventh entry", v)
		}
		if v := got["varde_meter_missed_messages_total{}"]; v != 1 {
			t.Errorf("got %v missed, want 1", v)
		}
	})
}

// TestWhatIsGoneLeavesNothing: a check that leaves the configuration, or a region.
func TestWhatIsGoneLeavesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		imap := target("imap", checks.IMAP, "imaps://mail.example.net")
		m := metered(t, &journal{}, imap, target("web", checks.HTTPS, "https://mail.example.net"))
		m.take(arrive(seen("imap", checks.Down, time.Second), seen("web", checks.Up, time.Second), seen("imap", checks.Up, time.Second)))
		imap.Regions = []string{"south"}
		m.Learn([]checks.Target{imap})
		for series := range samples(t, m) {
			if !strings.HasPrefix(series, "varde_observation_") && !strings.HasSuffix(series, "{}") {
				t.Errorf("%s is left", series)
			}
		}
	})
}

// TestSamplesAreConsistent holds names, types and help to Prometheus's conventions, and
// samples to those that a registry would let pass: none twice.
func TestSamplesAreConsistent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := metered(t, &journal{}, target("imap", checks.IMAP, "imaps://mail.example.net"), target("web", checks.HTTPS, "https://mail.example.net"))
		m.take(arrive(seen("imap", checks.Down, time.Second), seen("web", checks.Up, time.Second, checks.PhaseTiming{Name: checks.Resolve}), seen("imap", checks.Up, time.Second)))
		families, err := prometheus.Gatherers{m}.Gather()
		if err != nil {
			t.Fatal(err)
		}
		problems, err := promlint.NewWithMetricFamilies(families).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("promlint: %v, %v", problems, err)
		}
		for _, f := range families {
			for _, s := range f.GetMetric() {
				if !slices.IsSortedFunc(s.GetLabel(), func(a, b *dto.LabelPair) int { return strings.Compare(a.GetName(), b.GetName()) }) {
					t.Errorf("%s: labels are not in order: %v", f.GetName(), s)
				}
			}
		}
	})
}

// TestHistogram: a bucket holds what is at most its bound.
func TestHistogram(t *testing.T) {
	h := newHistogram([]float64{1, 2})
	for _, d := range []time.Duration{time.Second, 1001 * time.Millisecond, 2 * time.Second, 3 * time.Second} {
		h.observe(d)
	}
	if !slices.Equal(h.counts, []uint64{1, 2}) || h.count != 4 || h.time != 7001*time.Millisecond {
		t.Errorf("got %v, %d, %s", h.counts, h.count, h.time)
	}
}
