package ingest_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"

	"varde/coordinator/internal/ingest"
	"varde/probe/uplinktest"
	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

// meet makes a world with one probe and a stream of it.
func meet(t *testing.T, m *memory) (*world, *talk, func()) {
	t.Helper()
	w := newWorld(t, m)
	w.authority.add(ingest.Peer{Name: "osl-1", Region: "eu-north", Site: "oslo", ASN: 64500})
	stop := w.coordinate()
	return w, w.talk(w.dial(w.clientTLS("osl-1", "eu-north", 0))), stop
}

func TestOnlyWhatContinuesTheMarkIsKept(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMemory()
		w, k, stop := meet(t, m)
		defer stop()
		k.resume("e1")
		k.mark("e1", 0)
		k.batch("e1", 1, 5)
		k.mark("e1", 5)
		k.batch("e1", 7, 9) // a hole
		k.mark("e1", 5)
		k.batch("e1", 2, 4) // all there
		k.mark("e1", 5)
		k.batch("e1", 4, 8) // half of it there
		k.mark("e1", 8)
		k.records("e1", gap(9, 20))
		k.mark("e1", 20)
		k.records("e1", gap(15, 30)) // a gap that grew
		k.mark("e1", 30)
		k.records("e1", gap(1, 30))
		k.mark("e1", 30)
		k.batch("e2", 1, 1)
		k.mark("e2", 1)
		k.resume("e1")
		k.mark("e1", 30)
		var got []string
		for _, e := range m.kept() {
			for _, b := range e {
				got = append(got, fmt.Sprint(b.Epoch, " ", b.First(), "-", b.Last(), " ", b.Records[0].Gap != nil))
			}
		}
		want := []string{"e1 1-5 false", "e1 6-8 false", "e1 9-20 true", "e1 21-30 true", "e2 1-1 false"}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("kept (-want +got):\n%s", d)
		}
		if n := w.ingest.Probes()[0].Dropped; n != 22 {
			t.Errorf("it dropped %d, want the 22 of the gaps from 9 to 30", n)
		}
	})
}

func TestTheCertificateSaysWhoReports(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMemory()
		_, k, stop := meet(t, m)
		defer stop()
		at := time.Now().UTC()
		k.batch("e1", 1, 1)
		k.mark("e1", 1)
		b := m.kept()[0][0]
		o := b.Records[0].Observation
		if b.Probe != "osl-1" || b.Region != "eu-north" || b.Site != "oslo" || o.Probe != "osl-1" || o.Region != "eu-north" || o.Epoch != "e1" {
			t.Errorf("batch of %s in %s at %s, observation of %s in %s", b.Probe, b.Region, b.Site, o.Probe, o.Region)
		}
		if !b.Received.Equal(at) || b.Received.Location() != time.UTC {
			t.Errorf("received %s, want %s", b.Received, at)
		}
	})
}

// TestFleetIsCommittedTogether has what 20 probes send within the window become
// one message, and a full one not wait for it.
func TestFleetIsCommittedTogether(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMemory()
		m.took = 2 * time.Millisecond
		w, k, stop := meet(t, m)
		defer stop()
		talks := []*talk{k}
		for i := range 19 {
			name := fmt.Sprintf("p-%d", i)
			w.authority.add(ingest.Peer{Name: name, Region: "eu-north"})
			talks = append(talks, w.talk(w.dial(w.clientTLS(name, "eu-north", 0))))
		}
		time.Sleep(time.Second)
		begin := time.Now()
		for _, k := range talks {
			k.batch("e1", 1, 10)
		}
		for _, k := range talks {
			k.mark("e1", 10)
		}
		if took := time.Since(begin); took != 7*time.Millisecond || len(m.kept()) != 1 {
			t.Errorf("%d messages within %s, want 1 within the 5ms of the window and the 2ms of the disk", len(m.kept()), took)
		}
		begin = time.Now()
		k.batch("e1", 11, 1010)
		k.mark("e1", 1010)
		if took := time.Since(begin); took != 2*time.Millisecond {
			t.Errorf("a full batch took %s, want the 2ms of the disk", took)
		}
		begin = time.Now()
		for i, k := range talks[:3] {
			first := uint64(11)
			if i == 0 {
				first = 1011
			}
			k.batch("e1", first, first+599)
			time.Sleep(time.Microsecond)
		}
		talks[2].mark("e1", 610)
		if n := len(m.kept()); n != 5 || time.Since(begin) > 14*time.Millisecond {
			t.Errorf("%d messages within %s, want 3 more of 600 records each", n, time.Since(begin))
		}
	})
}

func TestNothingMovesWhenTheJournalFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMemory()
		w, k, stop := meet(t, m)
		defer stop()
		k.batch("e1", 1, 3)
		k.mark("e1", 3)
		m.fail = []failure{before}
		k.batch("e1", 4, 6)
		if text := k.ended(codes.Unavailable); text != "journal cannot be written now" {
			t.Errorf("the probe is told %q", text)
		}
		k = w.talk(w.dial(w.clientTLS("osl-1", "eu-north", 0)))
		k.resume("e1")
		k.mark("e1", 3)
		m.fail = []failure{behind}
		k.batch("e1", 4, 6)
		k.ended(codes.Unavailable)
		k = w.talk(w.dial(w.clientTLS("osl-1", "eu-north", 0)))
		k.resume("e1")
		k.mark("e1", 6)
		k.batch("e1", 4, 7)
		k.mark("e1", 7)
	})
}

func TestTwoStreamsNeverDouble(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMemory() // it panics when anything is doubled
		m.took = time.Millisecond
		w, a, stop := meet(t, m)
		defer stop()
		b := w.talk(w.dial(w.clientTLS("osl-1", "eu-north", 0)))
		for i := range uint64(50) {
			a.batch("e1", i*10+1, i*10+10)
			b.batch("e1", i*10+1, i*10+10)
		}
		for range 50 {
			<-a.marks
			<-b.marks
		}
		a.resume("e1")
		a.mark("e1", 500)
	})
}

func TestThirdStreamEndsTheOldest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, a, stop := meet(t, newMemory())
		defer stop()
		a.resume("e1")
		a.mark("e1", 0)
		config := w.clientTLS("osl-1", "eu-north", 0)
		b := w.talk(w.dial(config))
		b.resume("e1")
		b.mark("e1", 0)
		c := w.talk(w.dial(config))
		a.ended(codes.ResourceExhausted)
		for _, k := range []*talk{b, c} {
			k.resume("e1")
			k.mark("e1", 0)
		}
	})
}

func TestUnreadableMessagesEndTheStream(t *testing.T) {
	obs := uplinktest.Observation(1)
	obs.Check = "NOT AN ID"
	at := time.Now()
	for name, m := range map[string]*vardev1.ReportRequest{
		"empty batch":    {Kind: &vardev1.ReportRequest_Batch{Batch: &vardev1.Batch{Epoch: "e1"}}},
		"no epoch":       {Kind: &vardev1.ReportRequest_Batch{Batch: wire.BatchToProto(wire.Batch{Records: []wire.Record{{Observation: uplinktest.Observation(1)}}})}},
		"bad check":      {Kind: &vardev1.ReportRequest_Batch{Batch: wire.BatchToProto(wire.Batch{Epoch: "e1", Records: []wire.Record{{Observation: obs}}})}},
		"resume nothing": {Kind: &vardev1.ReportRequest_Resume{}},
		"no clock":       {Kind: &vardev1.ReportRequest_ClockReply{}},
		"a hole within":  {Kind: &vardev1.ReportRequest_Batch{Batch: wire.BatchToProto(wire.Batch{Epoch: "e1", Records: []wire.Record{{Observation: uplinktest.Observation(1)}, {Gap: &wire.Gap{First: 3, Last: 4, From: at, To: at}}}})}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				j := newMemory()
				w, k, stop := meet(t, j)
				defer stop()
				k.send(m)
				k.ended(codes.InvalidArgument)
				if n := w.ingest.Probes()[0].Notices; len(n) != 1 || len(j.kept()) != 0 {
					t.Errorf("notices %q and %d messages, want one and none", n, len(j.kept()))
				}
			})
		})
	}
}

// TestUnreadableStateEndsNothing: what a probe has seen is taken whatever it says
// of itself.
func TestUnreadableStateEndsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		state  wire.ProbeState
		notice string
	}{
		"no state":     {wire.ProbeState{}, "epoch: "},
		"long version": {wire.ProbeState{Epoch: "e1", Version: strings.Repeat("v", 65)}, "version: "},
		"evil version": {wire.ProbeState{Epoch: "e1", Version: "\x1b[2J"}, "version: "},
		"evil peers":   {wire.ProbeState{Epoch: "e1", Peers: []string{"<script>"}}, "peers[0]: "},
		"evil address": {wire.ProbeState{Epoch: "e1", MeshAddress: "localhost:1"}, "mesh_address: "},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w, k, stop := meet(t, newMemory())
				defer stop()
				k.state(c.state)
				k.batch("e1", 1, 1)
				k.mark("e1", 1)
				n := w.ingest.Probes()[0].Notices
				if len(n) != 1 || !strings.HasPrefix(n[0], "what it says of itself cannot be read: "+c.notice) {
					t.Errorf("notices %q, want that its %s cannot be read", n, c.notice)
				}
			})
		})
	}
}

func TestUnknownKindsArePassedOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, k, stop := meet(t, newMemory())
		defer stop()
		k.send(&vardev1.ReportRequest{})
		k.batch("e1", 1, 1)
		k.mark("e1", 1)
	})
}

// TestDeafProbeHoldsUpNobody has one probe send and not read.
func TestDeafProbeHoldsUpNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMemory()
		w, k, stop := meet(t, m)
		defer stop()
		w.authority.add(ingest.Peer{Name: "deaf-1", Region: "eu-north"})
		s, err := vardev1.NewFleetServiceClient(w.dial(w.clientTLS("deaf-1", "eu-north", 0))).Report(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for s.Send(&vardev1.ReportRequest{Kind: &vardev1.ReportRequest_Resume{Resume: &vardev1.Resume{Epoch: "e1"}}}) == nil {
			}
		}()
		time.Sleep(time.Minute) // by now it is stuck
		begin := time.Now()
		k.batch("e1", 1, 10)
		k.mark("e1", 10)
		if took := time.Since(begin); took != 5*time.Millisecond {
			t.Errorf("another probe waited %s, want 5ms", took)
		}
	})
}

func TestStopAnswersWhatIsUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMemory()
		m.took = time.Second
		_, k, stop := meet(t, m)
		k.batch("e1", 1, 10)
		time.Sleep(100 * time.Millisecond)
		begin := time.Now()
		stopped := make(chan struct{})
		go func() { stop(); close(stopped) }()
		k.mark("e1", 10)
		k.ended(codes.Unavailable)
		<-stopped
		if took := time.Since(begin); took != 905*time.Millisecond {
			t.Errorf("stopping took %s, want the 905ms of the append under way", took)
		}
	})
}

func TestMetrics(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := prometheus.NewRegistry()
		m := newMemory()
		w := newWorld(t, m)
		w.registry = r
		w.authority.add(ingest.Peer{Name: "osl-1", Region: "eu-north"})
		stop := w.coordinate()
		k := w.talk(w.dial(w.clientTLS("osl-1", "eu-north", 0)))
		k.batch("e1", 1, 10)
		k.mark("e1", 10)
		k.batch("e1", 6, 12)
		k.mark("e1", 12)
		k.records("e1", gap(13, 20))
		k.mark("e1", 20)
		k.batch("e1", 50, 51)
		k.mark("e1", 20)
		m.fail = []failure{before}
		k.batch("e1", 21, 21)
		k.ended(codes.Unavailable)
		stop()
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]float64{}
		for _, f := range families {
			for _, m := range f.GetMetric() {
				name := f.GetName()
				for _, l := range m.GetLabel() {
					name += " " + l.GetValue()
				}
				got[name] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
			}
		}
		want := map[string]float64{
			"varde_ingest_records_total accepted": 12, "varde_ingest_records_total duplicate": 5, "varde_ingest_records_total dropped": 8,
			"varde_ingest_refused_total hole": 1, "varde_ingest_refused_total journal": 1,
			"varde_ingest_append_seconds ok": 3, "varde_ingest_append_seconds error": 1, "varde_ingest_streams report": 0,
			"varde_ingest_queue_batches": 0,
		}
		// What did not happen is 0 from the start: the first time has a rate.
		for _, cause := range []string{"before_joining", "internal", "state", "stranger", "unknown_check", "unknown_message"} {
			want["varde_ingest_refused_total "+cause] = 0
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("metrics (-want +got):\n%s", d)
		}
	})
}
