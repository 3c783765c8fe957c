package uplink_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"varde/checks/checktest"
	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

type reportServer = grpc.BidiStreamingServer[vardev1.ReportRequest, vardev1.ReportResponse]

// since returns when the connections were tried.
func (w *world) since(begin time.Time) []string {
	w.changed.Lock()
	defer w.changed.Unlock()
	var out []string
	for _, d := range w.dials {
		out = append(out, d.Sub(begin).String())
	}
	return out
}

func TestPausesBetweenAttempts(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		begin := time.Now()
		u, end := w.run()
		pass(93 * time.Second)
		want := []string{"0s", "500ms", "1.5s", "3.5s", "7.5s", "15.5s", "31.5s", "1m1.5s", "1m31.5s"}
		if got := w.since(begin); !slices.Equal(got, want) {
			t.Errorf("refused, it tried after %v, want %v", got, want)
		}
		if s := u.Status(); s.Connected || s.Coordinator != first || !strings.HasSuffix(s.LastError, "connection refused") || !s.Since.Equal(begin) {
			t.Errorf("status %+v", s)
		}
		// A connection that does not last a minute leaves the pauses long.
		k := newKeeper()
		stop := w.serve(first, k)
		pass(30*time.Second + 30*time.Second)
		w.dials = nil
		begin = time.Now()
		stop()
		pass(31 * time.Second)
		if got := w.since(begin); !slices.Equal(got, []string{"30s"}) {
			t.Errorf("after half a minute's connection it tried after %v, want 30s", got)
		}
		// One that does makes them short.
		stop = w.serve(first, k)
		pass(30*time.Second + time.Minute)
		if s := u.Status(); !s.Connected {
			t.Fatalf("status %+v", s)
		}
		w.dials = nil
		begin = time.Now()
		stop()
		pass(4 * time.Second)
		if got := w.since(begin); !slices.Equal(got, []string{"500ms", "1.5s", "3.5s"}) {
			t.Errorf("after a minute's connection it tried after %v, want 500ms first", got)
		}
		end()
	})
}

// TestNextCoordinator: whatever is wrong with the first, the second gets it.
func TestNextCoordinator(t *testing.T) {
	for name, c := range map[string]struct {
		within time.Duration
		err    string
		first  func(w *world) (stop func())
	}{
		"it is down": {0, "connection refused", func(*world) func() { return func() {} }},
		"it does not answer": {10 * time.Second, "no answer within 10s", func(w *world) func() {
			w.net.Rule(func(_, to netip.AddrPort, _ string) checktest.Effect {
				if to.String() == first {
					return checktest.Drop
				}
				return checktest.Pass
			})
			return func() {}
		}},
		"it accepts and is silent": {10 * time.Second, "no TLS handshake within 10s", func(w *world) func() {
			l := w.listen(first)
			return func() { l.Close() }
		}},
		"it acknowledges nothing": {30 * time.Second, "acknowledges nothing within 30s", func(w *world) func() {
			k := newKeeper()
			k.answer = func(*keeper, string, uint64) (uint64, bool) { return 0, false }
			return w.serve(first, k)
		}},
		"it answers nothing at all": {30 * time.Second, "acknowledges nothing within 30s", func(w *world) func() {
			k := newKeeper()
			k.began = silence
			return w.serve(first, k)
		}},
		"it refuses": {0, "coordinator refuses: removed", func(w *world) func() {
			k := newKeeper()
			k.began = func(reportServer) error { return status.Error(codes.PermissionDenied, "removed") }
			return w.serve(first, k)
		}},
		"it is somebody else": {0, "certificate signed by unknown authority", func(w *world) func() {
			return serve(w.t, w.listen(first), checktest.NewCA().Certificate(wire.CoordinatorName), newKeeper())
		}},
		"it goes by another name": {0, "not coordinator", func(w *world) func() {
			return serve(w.t, w.listen(first), w.ca.Certificate("mallory"), newKeeper())
		}},
		"it makes no progress": {0, "does not take what follows its mark: e1 0", func(w *world) func() {
			k := newKeeper()
			k.answer = func(*keeper, string, uint64) (uint64, bool) { return 0, true }
			return w.serve(first, k)
		}},
		"it talks nonsense": {0, "mark of epoch \"e9\", expected e1", func(w *world) func() {
			k := newKeeper()
			k.began = func(s reportServer) error {
				_ = s.Send(&vardev1.ReportResponse{Kind: &vardev1.ReportResponse_Mark{Mark: &vardev1.Mark{Epoch: "e9"}}})
				return silence(s)
			}
			return w.serve(first, k)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				w.addresses = []string{first, second}
				w.spool.Add("e1", 3)
				stop := c.first(w)
				defer stop()
				good := newKeeper()
				defer w.serve(second, good)()
				begin := time.Now()
				u, end := w.run()
				if c.within > 0 {
					pass(c.within - time.Nanosecond)
					if good.mark("e1") != 0 {
						t.Errorf("the first was left before %s", c.within)
					}
				}
				pass(2 * time.Nanosecond)
				if good.mark("e1") != 3 || !u.Status().Connected || u.Status().Coordinator != second {
					t.Errorf("after %s: mark %d, %+v", time.Since(begin), good.mark("e1"), u.Status())
				}
				if s := u.Status(); !strings.HasSuffix(s.LastError, c.err) && !strings.Contains(s.LastError, c.err) {
					t.Errorf("the first was left with %q, want %q", s.LastError, c.err)
				}
				end()
			})
		})
	}
}

// TestRefusedCertificate: in TLS 1.3 the server's no comes after our handshake.
func TestRefusedCertificate(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		l := w.listen(first)
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				refuse(c, w.ca.Certificate(wire.CoordinatorName))
			}
		}()
		u, end := w.run()
		pass(time.Second)
		if s := u.Status(); s.LastError != "remote error: tls: bad certificate" {
			t.Errorf("status %+v", s)
		}
		end()
		l.Close()
	})
}

// TestDeadLine cuts the line without a word while nothing is to be said.
func TestDeadLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		stop := w.serve(first, k)
		u, end := w.run()
		pass(15 * time.Second)
		w.net.Rule(func(_, _ netip.AddrPort, _ string) checktest.Effect { return checktest.Drop })
		pass(30 * time.Second)
		if u.Status().Connected {
			t.Errorf("a dead line was not noticed within 30s: %+v", u.Status())
		}
		w.net.Rule(nil)
		end()
		stop()
	})
}
