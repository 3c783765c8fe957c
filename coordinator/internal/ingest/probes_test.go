package ingest_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/ingest"
	"varde/coordinator/internal/presence"
	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

func TestProbesAreListed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMemory()
		before := time.Now().Add(-time.Hour).UTC()
		m.heard = map[string]time.Time{"syd-1": before}
		w, k, stop := meet(t, m)
		defer stop()
		w.authority.add(ingest.Peer{Name: "syd-1", Region: "oceania"})
		w.authority.add(ingest.Peer{Name: "nyc-1", Region: "us-east", Site: "queens", ASN: 64501})
		state := wire.ProbeState{
			Epoch: "e1", Version: "0.1.0", Plan: wire.PlanNumber{Generation: 1, Revision: 7}, Spool: 12,
			MeshAddress: "192.0.2.10:7946", Peers: []string{"osl-1", "osl-2"}, Qualified: wire.Disqualified, Reason: "controls fail",
			Relay: "osl-2", Faults: []wire.Fault{wire.FaultNAT}, Counts: wire.Counts{Runs: 7, Dropped: 2},
		}
		time.Sleep(time.Minute)
		k.state(state)
		time.Sleep(time.Second)
		seen := time.Now().Add(-time.Second).UTC()
		want := []ingest.Probe{
			{Name: "nyc-1", Region: "us-east", Site: "queens", ASN: 64501},
			{
				Name: "osl-1", Region: "eu-north", Site: "oslo", ASN: 64500, State: presence.Connected, LastSeen: seen,
				Version: "0.1.0", Epoch: "e1", Plan: state.Plan, Spool: 12, MeshAddress: "192.0.2.10:7946",
				Peers: state.Peers, Qualified: wire.Disqualified, Reason: "controls fail",
				Relay: "osl-2", Faults: state.Faults, Counts: state.Counts,
				QualifiedSince: seen, RelayedSince: seen,
			},
			{Name: "syd-1", Region: "oceania", LastSeen: before},
		}
		if d := cmp.Diff(want, w.ingest.Probes()); d != "" {
			t.Errorf("probes (-want +got):\n%s", d)
		}
		for _, q := range []wire.Qualification{wire.Qualified, wire.NotJudged} {
			state.Qualified = q
			k.state(state)
			time.Sleep(time.Second)
			if got := w.ingest.Probes()[1].Qualified; got != q {
				t.Errorf("after it said %d: got %d", q, got)
			}
		}
		seen = seen.Add(2 * time.Second)
		if err := k.stream.CloseSend(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if p := w.ingest.Probes()[1]; p.State != presence.Silent || !p.LastSeen.Equal(seen) || p.Version != "0.1.0" {
			t.Errorf("after it went: %+v", p)
		}
	})
}

// TestProbesSaySinceWhen: what a probe repeats is so since it said it first, and
// its losses are told anew when there are more, in this life or the next, but not
// when it says for the first time how many it ever had.
func TestProbesSaySinceWhen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k, stop := meet(t, newMemory())
		defer stop()
		begin := time.Now()
		for i, c := range []struct {
			state                    wire.ProbeState
			qualified, relayed, lost int
		}{
			{wire.ProbeState{Epoch: "e1", Qualified: wire.Qualified, Counts: wire.Counts{Dropped: 4}}, 0, 0, -1},
			{wire.ProbeState{Epoch: "e1", Qualified: wire.Disqualified, Reason: "0 of 3", Counts: wire.Counts{Dropped: 4}}, 1, 0, -1},
			{wire.ProbeState{Epoch: "e1", Qualified: wire.Disqualified, Reason: "1 of 3", Relay: "osl-2", Counts: wire.Counts{Dropped: 4}}, 1, 2, -1},
			{wire.ProbeState{Epoch: "e1", Qualified: wire.Disqualified, Relay: "osl-2", Counts: wire.Counts{Dropped: 9}}, 1, 2, 3},
			{wire.ProbeState{Epoch: "e1", Qualified: wire.Disqualified, Relay: "osl-2", Counts: wire.Counts{Dropped: 9}}, 1, 2, 3},
			{wire.ProbeState{Epoch: "e2", Qualified: wire.Disqualified, Relay: "osl-3", Counts: wire.Counts{Dropped: 1}}, 1, 5, 5},
		} {
			time.Sleep(time.Until(begin.Add(time.Duration(i) * time.Minute)))
			k.state(c.state)
			time.Sleep(time.Nanosecond)
			p := w.ingest.Probes()[0]
			for name, x := range map[string]struct {
				got  time.Time
				want int
			}{"qualified": {p.QualifiedSince, c.qualified}, "relayed": {p.RelayedSince, c.relayed}, "lost": {p.LostAt, c.lost}} {
				if x.want < 0 && !x.got.IsZero() || x.want >= 0 && x.got.Sub(begin).Truncate(time.Minute) != time.Duration(x.want)*time.Minute {
					t.Errorf("%d: %s at %s, want minute %d", i, name, x.got.Sub(begin), x.want)
				}
			}
		}
	})
}

func TestAddressesAreRecordedOnceAMinute(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k, stop := meet(t, newMemory())
		defer stop()
		at := func() string {
			time.Sleep(time.Nanosecond)
			w.authority.mu.Lock()
			defer w.authority.mu.Unlock()
			return w.authority.mesh["osl-1"]
		}
		say := func(addresses ...string) {
			addresses = append(addresses, "")
			k.state(wire.ProbeState{Epoch: "e1", MeshAddress: addresses[0], PeerAddress: addresses[1]})
		}
		say("")
		if a := at(); a != "" {
			t.Errorf("recorded %q without an address", a)
		}
		w.authority.meshErr = errors.New("store is away")
		say("192.0.2.1:7946")
		if a := at(); a != "" {
			t.Errorf("recorded %q although that failed", a)
		}
		w.authority.meshErr = nil
		time.Sleep(61 * time.Second)
		say("192.0.2.1:7946")
		if a := at(); a != "192.0.2.1:7946" {
			t.Errorf("recorded %q, want what failed before", a)
		}
		say("192.0.2.2:7946")
		if a := at(); a != "192.0.2.1:7946" {
			t.Errorf("recorded %q, want no second change within a minute", a)
		}
		time.Sleep(61 * time.Second)
		say("192.0.2.2:7946")
		if a := at(); a != "192.0.2.2:7946" {
			t.Errorf("recorded %q after a minute", a)
		}
		say("")
		if a := at(); a != "192.0.2.2:7946" {
			t.Errorf("recorded %q, want a mesh that starts to change nothing", a)
		}
		time.Sleep(61 * time.Second)
		say("192.0.2.2:7946", "192.0.2.2:7947")
		if a := at(); a != "192.0.2.2:7946 192.0.2.2:7947" {
			t.Errorf("recorded %q, want the peer listener too", a)
		}
		time.Sleep(61 * time.Second)
		say("192.0.2.2:7946")
		if a := at(); a != "192.0.2.2:7946" {
			t.Errorf("recorded %q, want no peer listener any more", a)
		}
	})
}

func TestCloneIsNoticed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, a, stop := meet(t, newMemory())
		defer stop()
		notices := func() []string { return w.ingest.Probes()[0].Notices }
		a.state(wire.ProbeState{Epoch: "e1"})
		time.Sleep(time.Minute)
		b := w.talk(w.dial(w.clientTLS("osl-1", "eu-north", 0)))
		b.state(wire.ProbeState{Epoch: "e2"})
		time.Sleep(4 * time.Second)
		a.state(wire.ProbeState{Epoch: "e1"}) // the last words of a program that is replaced
		time.Sleep(time.Nanosecond)
		if n := notices(); n != nil {
			t.Errorf("notices during a handover: %q", n)
		}
		time.Sleep(2 * time.Second)
		a.batch("e1", 1, 1)
		a.mark("e1", 1)
		b.batch("e2", 1, 1)
		b.mark("e2", 1)
		want := []string{"cloned probe: e1 and e2 report at the same time with one certificate"}
		if d := cmp.Diff(want, notices()); d != "" {
			t.Errorf("notices (-want +got):\n%s", d)
		}
		time.Sleep(11 * time.Minute)
		if n := notices(); n != nil {
			t.Errorf("notices ten minutes after the last word of the clone: %q", n)
		}
	})
}

// answer replies to a clock query that took ping, with a clock that is ahead.
func (k *talk) answer(ping, pong, ahead time.Duration) {
	k.t.Helper()
	q := <-k.clocks
	time.Sleep(ping)
	at := time.Now().Add(ahead)
	time.Sleep(pong)
	k.send(&vardev1.ReportRequest{Kind: &vardev1.ReportRequest_ClockReply{ClockReply: wire.ClockReplyToProto(q.GetId(), at)}})
}

func TestClockOffsetIsMeasured(t *testing.T) {
	bubble(t, func(t *testing.T) {
		m := newMemory()
		w, k, stop := meet(t, m)
		defer stop()
		offset := func() time.Duration {
			time.Sleep(time.Nanosecond)
			p := w.ingest.Probes()[0]
			if !p.ClockKnown {
				return -1
			}
			return p.ClockOffset
		}
		last := func() wire.Batch { e := m.kept(); return e[len(e)-1][0] }
		k.batch("e1", 1, 1)
		k.mark("e1", 1)
		if o := offset(); o != -1 || last().ClockKnown {
			t.Errorf("offset %s before any answer", o)
		}
		const ahead = 42 * time.Second
		k.answer(25*time.Millisecond-1, 30*time.Millisecond, ahead) // the question is 5ms and 1ns old
		if o := offset(); o != ahead {
			t.Errorf("offset %s after one exchange, want %s", o, ahead)
		}
		// Of the next seven, three were held up on one way: the median is not.
		for i := range 7 {
			pong := 30 * time.Millisecond
			if i < 3 {
				pong = 2 * time.Second
			}
			k.answer(30*time.Millisecond, pong, ahead)
		}
		if o := offset(); o != ahead {
			t.Errorf("offset %s after eight, want %s", o, ahead)
		}
		k.batch("e1", 2, 2)
		k.mark("e1", 2)
		if b := last(); !b.ClockKnown || b.ClockOffset != ahead {
			t.Errorf("batch with offset %s, want %s", b.ClockOffset, ahead)
		}
		if n := w.ingest.Probes()[0].Notices; !cmp.Equal(n, []string{"its clock is 42s ahead: its observations count as unknown"}) {
			t.Errorf("notices %q", n)
		}
		if len(k.clocks) != 0 {
			t.Error("a ninth question came at once")
		}
		// Then one a minute: after five of them the new time has the majority.
		begin := time.Now()
		for i := range 5 {
			k.answer(0, 0, -time.Second)
			if got := time.Since(begin).Truncate(time.Minute); got != time.Duration(i)*time.Minute {
				t.Errorf("question %d came after %s", i, time.Since(begin))
			}
		}
		if o := offset(); o != -time.Second {
			t.Errorf("offset %s after the clock was set, want -1s", o)
		}
		// An exchange of more than five seconds says nothing.
		for range 8 {
			k.answer(3*time.Second, 3*time.Second, time.Hour)
		}
		if o := offset(); o != -time.Second {
			t.Errorf("offset %s after slow answers, want -1s", o)
		}
	})
}

// TestProbeIsToldWhereItIsSeen: it may have another address than it knows.
func TestProbeIsToldWhereItIsSeen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		_, k, stop := meet(t, newMemory())
		defer stop()
		if q := <-k.clocks; !strings.HasPrefix(q.GetSeenFrom(), "203.0.113.") {
			t.Errorf("is seen from %q, want the address of the client", q.GetSeenFrom())
		}
	})
}

func TestClockIgnoresWhatWasNotAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k, stop := meet(t, newMemory())
		defer stop()
		q := <-k.clocks
		for _, id := range []uint64{q.GetId() + 1, q.GetId(), q.GetId(), 0} {
			at := time.Now()
			if id != q.GetId() {
				at = at.Add(time.Hour)
			}
			k.send(&vardev1.ReportRequest{Kind: &vardev1.ReportRequest_ClockReply{ClockReply: wire.ClockReplyToProto(id, at)}})
		}
		time.Sleep(time.Nanosecond)
		if p := w.ingest.Probes()[0]; p.ClockOffset != 0 || !p.ClockKnown {
			t.Errorf("offset %s, %v, want 0 from the one answer", p.ClockOffset, p.ClockKnown)
		}
	})
}
