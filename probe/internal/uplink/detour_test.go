package uplink_test

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"varde/checks/checktest"
	"varde/probe/internal/uplink"
)

// relay is a peer that passes connections on as they are.
func (w *world) relay(name string, at byte) (host *checktest.Host, asked *atomic.Int64) {
	host, asked = w.net.Host(netip.AddrFrom4([4]byte{203, 0, 113, at})), new(atomic.Int64)
	w.relays = append(w.relays, uplink.Relay{Name: name, Dial: func(ctx context.Context, address string) (net.Conn, error) {
		asked.Add(1)
		return host.DialContext(ctx, "tcp", address)
	}})
	return host, asked
}

// cut drops everything between a host and the coordinators, in both directions.
func (w *world) cut(hosts ...*checktest.Host) {
	w.net.Rule(func(from, to netip.AddrPort, _ string) checktest.Effect {
		for _, h := range hosts {
			if a := h.Addrs()[0]; from.Addr() == a || to.Addr() == a {
				return checktest.Drop
			}
		}
		return checktest.Pass
	})
}

// observe adds a record a second.
func (w *world) observe(seconds int) {
	for range seconds {
		pass(time.Second)
		w.spool.Add("e1", 1)
	}
}

// expectWhole wants n records in order, each of them once.
func (k *keeper) expectWhole(t *testing.T, n uint64) {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	next := uint64(1)
	for _, b := range k.kept {
		if b.First() != next {
			t.Errorf("a batch begins with %d, want %d", b.First(), next)
		}
		next = b.Last() + 1
	}
	if next != n+1 {
		t.Errorf("%d records came, want %d", next-1, n)
	}
}

// TestDetour: when the line goes dead, records come through a peer within half a
// minute, and by themselves again within half a minute of its return.
func TestDetour(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		defer w.serve(first, k)()
		_, asked := w.relay("nyc-1", 101)
		changes := 0
		o := w.options()
		o.Changed = func() { changes++ }
		u, err := uplink.New(o)
		if err != nil {
			t.Fatal(err)
		}
		end := start(t, u)
		w.observe(60)
		if s := u.Status(); !s.Connected || s.Relay != "" || asked.Load() != 0 || changes != 1 {
			t.Errorf("before the cut: %+v, %d times asked, %d changes", s, asked.Load(), changes)
		}
		w.cut(w.probe)
		begin := time.Now()
		w.observe(19)
		if s := u.Status(); asked.Load() != 0 {
			t.Errorf("asked a peer after 19s: %+v", s)
		}
		w.observe(5)
		if got := k.mark("e1"); got < 82 || !u.Status().Connected || u.Status().Relay != "nyc-1" || u.Status().Relayed != 1 {
			t.Errorf("%s after the cut %d records are there of 84, %+v", time.Since(begin), got, u.Status())
		}
		w.observe(600)
		w.net.Rule(nil)
		w.observe(42) // an attempt that was on its way when the line came back, and the next
		if s := u.Status(); !s.Connected || s.Relay != "" || asked.Load() != 1 {
			t.Errorf("after the cut: %+v, %d times asked", s, asked.Load())
		}
		end()
		k.expectWhole(t, 726)
		if got := slices.Compact(k.relays); !slices.Equal(got, []string{"", "nyc-1", ""}) {
			t.Errorf("said to come by %q, want by itself, nyc-1, by itself", got)
		}
		if changes != 6 {
			t.Errorf("%d changes, want 6", changes)
		}
	})
}

// TestDetourFromTheStart: a probe that starts while it is cut off.
func TestDetourFromTheStart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		w.addresses = []string{first, second}
		defer w.serve(second, k)()
		w.relay("nyc-1", 101)
		w.cut(w.probe)
		u, end := w.run()
		w.observe(19)
		if u.Status().Connected {
			t.Error("connected within 19s")
		}
		w.observe(12) // the first coordinator answers nobody
		if s := u.Status(); s.Relay != "nyc-1" || s.Coordinator != second || k.mark("e1") < 29 {
			t.Errorf("after 31s: %+v with %d records", s, k.mark("e1"))
		}
		end()
		k.expectWhole(t, 31)
	})
}

// TestRelayDies in the middle: another takes its place.
func TestRelayDies(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		defer w.serve(first, k)()
		nyc, _ := w.relay("nyc-1", 101)
		_, syd := w.relay("syd-1", 102)
		u, end := w.run()
		w.observe(30)
		w.cut(w.probe)
		w.observe(60)
		if got := u.Status().Relay; got != "nyc-1" {
			t.Errorf("goes through %q, want nyc-1", got)
		}
		nyc.Crash()
		w.cut(w.probe, nyc)
		w.observe(15)
		if s := u.Status(); s.Relay != "syd-1" || s.Relayed != 2 || syd.Load() != 1 || k.mark("e1") < 103 {
			t.Errorf("%+v with %d records, want syd-1 and 104", s, k.mark("e1"))
		}
		end()
		k.expectWhole(t, 105)
	})
}

// TestRelayIsBack: who could not help at first is asked again when the one that did
// for long is gone.
func TestRelayIsBack(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		defer w.serve(first, k)()
		nyc, _ := w.relay("nyc-1", 101)
		syd, _ := w.relay("syd-1", 102)
		u, end := w.run()
		w.observe(30)
		w.cut(w.probe, nyc)
		w.observe(180)
		if got := u.Status().Relay; got != "syd-1" {
			t.Errorf("goes through %q, want syd-1", got)
		}
		syd.Crash()
		w.cut(w.probe, syd)
		w.observe(15)
		if s := u.Status(); s.Relay != "nyc-1" || k.mark("e1") < 223 {
			t.Errorf("%+v with %d records, want nyc-1 and 224", s, k.mark("e1"))
		}
		end()
		k.expectWhole(t, 225)
	})
}

// TestNoPeerHelps: records wait in the spool, peers are asked twice a minute at
// most, and the direct way as ever.
func TestNoPeerHelps(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		stop := w.serve(first, k)
		_, nyc := w.relay("nyc-1", 101)
		_, syd := w.relay("syd-1", 102)
		u, end := w.run()
		w.observe(60)
		stop() // for everybody
		w.observe(20 + 300)
		if n, m := nyc.Load(), syd.Load(); n < 5 || n > 11 || m != n {
			t.Errorf("peers were asked %d and %d times in five minutes, want 5 to 11", n, m)
		}
		if s := u.Status(); s.Connected || !strings.HasSuffix(s.LastError, "connection refused") {
			t.Errorf("status %+v", s)
		}
		stop = w.serve(first, k)
		w.observe(62)
		end()
		stop()
		k.expectWhole(t, 442)
	})
}

// TestCoordinatorIsBackBeforeTheDetour: nobody else is needed then.
func TestCoordinatorIsBackBeforeTheDetour(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		stop := w.serve(first, k)
		_, asked := w.relay("nyc-1", 101)
		u, end := w.run()
		w.observe(120)
		stop()
		pass(16 * time.Second) // between the attempts after 15.5s and 31.5s
		stop = w.serve(first, k)
		w.observe(60)
		if s := u.Status(); asked.Load() != 0 || !s.Connected || s.Relay != "" {
			t.Errorf("%+v, asked %d times", s, asked.Load())
		}
		end()
		stop()
		k.expectWhole(t, 180)
	})
}

// TestRefusalIsNoReasonForADetour: every way leads to the same no.
func TestRefusalIsNoReasonForADetour(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		k.began = func(reportServer) error { return status.Error(codes.PermissionDenied, "removed") }
		defer w.serve(first, k)()
		_, asked := w.relay("nyc-1", 101)
		u, end := w.run()
		pass(5 * time.Minute)
		if s := u.Status(); asked.Load() != 0 || s.LastError != "coordinator refuses: removed" {
			t.Errorf("asked %d times, %+v", asked.Load(), s)
		}
		end()
	})
}

// TestWayBackMustAnswer: a handshake alone is no way back.
func TestWayBackMustAnswer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		defer w.serve(first, k)()
		relay, asked := w.relay("nyc-1", 101)
		u, end := w.run()
		w.observe(30)
		w.cut(w.probe)
		w.observe(30)
		mute := true
		k.began = func(s reportServer) error {
			if from, ok := grpcFrom(s); mute && ok && from != relay.Addrs()[0] {
				return silence(s)
			}
			return nil
		}
		w.net.Rule(nil)
		w.observe(300)
		if s := u.Status(); s.Relay != "nyc-1" || asked.Load() != 1 {
			t.Errorf("%+v, asked %d times, want to have stayed with nyc-1", s, asked.Load())
		}
		mute = false
		w.observe(45)
		if s := u.Status(); !s.Connected || s.Relay != "" {
			t.Errorf("%+v, want the direct way", s)
		}
		end()
		k.expectWhole(t, 405)
	})
}

// TestRenewalThroughAPeer: who is cut off for long needs its next certificate too.
func TestRenewalThroughAPeer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		defer w.serve(first, k)()
		k.renew = renewed
		w.relay("nyc-1", 101)
		w.cut(w.probe)
		u, err := uplink.New(w.options())
		if err != nil {
			t.Fatal(err)
		}
		if chain, err := u.Renew(t.Context(), []byte("request")); err != nil || string(chain[0]) != "request" {
			t.Errorf("got %q, %v", chain, err)
		}
	})
}
