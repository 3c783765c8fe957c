package uplink_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"varde/checks/checktest"
	"varde/probe/internal/uplink"
	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

type reportServer = grpc.BidiStreamingServer[vardev1.ReportRequest, vardev1.ReportResponse]

func TestBatchesBySizeAndAge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		stop := w.serve(first, k)
		defer stop()
		w.spool.add("e1", 2300) // waits already: goes at once, in full batches
		begin := time.Now()
		u, end := w.run()
		time.Sleep(10 * time.Second)
		w.spool.add("e1", 1)
		time.Sleep(300 * time.Millisecond)
		w.spool.add("e1", 1) // rides with the one before
		time.Sleep(10 * time.Second)
		end()
		want := []string{"e1 1-1000", "e1 1001-2000", "e1 2001-2300", "e1 2301-2302"}
		if d := cmp.Diff(want, k.sizes()); d != "" {
			t.Errorf("batches (-want +got):\n%s", d)
		}
		var at []time.Duration
		for _, a := range k.at {
			at = append(at, a.Sub(begin))
		}
		if !slices.Equal(at, []time.Duration{0, 0, 0, 10*time.Second + 500*time.Millisecond}) {
			t.Errorf("they came after %v", at)
		}
		if w.spool.through("e1") != 2302 || !u.Status().LastAck.Equal(begin.Add(10*time.Second+500*time.Millisecond)) {
			t.Errorf("acknowledged through %d at %s", w.spool.through("e1"), u.Status().LastAck)
		}
	})
}

func TestWindowIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		k.answer = func(*keeper, string, uint64) (uint64, bool) { return 0, false }
		stop := w.serve(first, k)
		defer stop()
		w.batch = 10
		w.spool.add("e1", 100)
		_, end := w.run()
		time.Sleep(10 * time.Second)
		if got := len(k.sizes()); got != 4 {
			t.Errorf("%d batches without an answer, want 4", got)
		}
		end()
	})
}

// TestResumesWhereTheMarkIs: the coordinator may know more or less than the
// probe thinks.
func TestResumesWhereTheMarkIs(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		k.marks["e1"] = 40 // acknowledged, and the answer was lost
		stop := w.serve(first, k)
		w.spool.add("e1", 100)
		_, end := w.run()
		time.Sleep(time.Second)
		stop()
		k.marks["e1"] = 70 // restored from a backup
		w.spool.add("e1", 10)
		stop = w.serve(first, k)
		time.Sleep(5 * time.Second)
		end()
		stop()
		if d := cmp.Diff([]string{"e1 41-100", "e1 71-100", "e1 101-110"}, k.sizes()); d != "" {
			t.Errorf("batches (-want +got):\n%s", d)
		}
		if k.kept[1].Records[0].Gap == nil {
			t.Error("what the coordinator has lost was not sent as a gap")
		}
	})
}

func TestGoesBackToTheMark(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		refused := 0
		k.answer = func(k *keeper, epoch string, mark uint64) (uint64, bool) {
			if mark == 30 && refused < 1 { // loses the third batch
				refused++
				k.marks[epoch], k.kept = 20, k.kept[:2]
			}
			return k.marks[epoch], true
		}
		stop := w.serve(first, k)
		defer stop()
		w.batch = 10
		w.spool.add("e1", 100)
		u, end := w.run()
		time.Sleep(time.Second)
		if k.mark("e1") != 100 || w.spool.through("e1") != 100 || !u.Status().Connected || len(w.dials) != 1 {
			t.Errorf("mark %d, acknowledged %d, %+v, %d connections", k.mark("e1"), w.spool.through("e1"), u.Status(), len(w.dials))
		}
		end()
	})
}

func TestOldEpochsFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		w.spool = newMemory("e1", "e2", "e3")
		k.marks["e2"] = 5 // all of it is there
		stop := w.serve(first, k)
		defer stop()
		w.batch = 20
		w.spool.add("e1", 50)
		w.spool.add("e2", 5)
		w.spool.add("e3", 7)
		_, end := w.run()
		time.Sleep(time.Second)
		w.spool.add("e3", 1)
		end()
		want := []string{"e1 1-20", "e1 21-40", "e1 41-50", "e3 1-7", "e3 8-8"}
		if d := cmp.Diff(want, k.sizes()); d != "" {
			t.Errorf("batches (-want +got):\n%s", d)
		}
		if w.spool.through("e2") != 5 {
			t.Errorf("old epoch acknowledged through %d, want 5", w.spool.through("e2"))
		}
	})
}

func TestStateIsSaidEveryHalfMinuteAndOnChange(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		k.plans = make(chan *vardev1.SignedPlan)
		stop := w.serve(first, k)
		defer stop()
		begin := time.Now()
		u, end := w.run()
		time.Sleep(40 * time.Second)
		u.StateChanged()
		time.Sleep(10 * time.Second)
		k.plans <- &vardev1.SignedPlan{Plan: []byte("one")}
		time.Sleep(time.Second)
		w.changed.Lock()
		w.planErr = errors.New("not signed")
		w.changed.Unlock()
		k.plans <- &vardev1.SignedPlan{Plan: []byte("two")}
		time.Sleep(10 * time.Second)
		var at []string
		for _, s := range k.states {
			at = append(at, s.Sub(begin).String())
		}
		if !slices.Equal(at, []string{"0s", "30s", "40s", "50s", "1m0s"}) {
			t.Errorf("states came after %v", at)
		}
		if !slices.Equal(w.plans, []string{"one", "two"}) || !u.Status().Connected {
			t.Errorf("plans %q, %+v", w.plans, u.Status())
		}
		end()
	})
}

func TestClockIsAnsweredAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		k.answer = func(*keeper, string, uint64) (uint64, bool) { return 0, false } // the window is full
		k.began = func(s reportServer) error {
			for id := range uint64(8) {
				if err := s.Send(&vardev1.ReportResponse{Kind: &vardev1.ReportResponse_ClockQuery{ClockQuery: &vardev1.ClockQuery{Id: id}}}); err != nil {
					return err
				}
			}
			return nil
		}
		stop := w.serve(first, k)
		defer stop()
		w.spool.add("e1", 5000)
		begin := time.Now()
		_, end := w.run()
		time.Sleep(time.Second)
		if len(k.clocks) != 8 || !k.clocks[0].Equal(begin) || !k.clocks[7].Equal(begin) {
			t.Errorf("clock was told as %v, want 8 times %s", k.clocks, begin)
		}
		end()
	})
}

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
		time.Sleep(93 * time.Second)
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
		time.Sleep(30*time.Second + 30*time.Second)
		w.dials = nil
		begin = time.Now()
		stop()
		time.Sleep(31 * time.Second)
		if got := w.since(begin); !slices.Equal(got, []string{"30s"}) {
			t.Errorf("after half a minute's connection it tried after %v, want 30s", got)
		}
		// One that does makes them short.
		stop = w.serve(first, k)
		time.Sleep(30*time.Second + time.Minute)
		if s := u.Status(); !s.Connected {
			t.Fatalf("status %+v", s)
		}
		w.dials = nil
		begin = time.Now()
		stop()
		time.Sleep(4 * time.Second)
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
			k.began = func(s reportServer) error { <-s.Context().Done(); return nil }
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
				<-s.Context().Done()
				return nil
			}
			return w.serve(first, k)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w := newWorld(t)
				w.addresses = []string{first, second}
				w.spool.add("e1", 3)
				stop := c.first(w)
				defer stop()
				good := newKeeper()
				defer w.serve(second, good)()
				begin := time.Now()
				u, end := w.run()
				if c.within > 0 {
					time.Sleep(c.within - time.Nanosecond)
					if good.mark("e1") != 0 {
						t.Errorf("the first was left before %s", c.within)
					}
				}
				time.Sleep(2 * time.Nanosecond)
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
		time.Sleep(time.Second)
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
		time.Sleep(15 * time.Second)
		w.net.Rule(func(_, _ netip.AddrPort, _ string) checktest.Effect { return checktest.Drop })
		time.Sleep(30 * time.Second)
		if u.Status().Connected {
			t.Errorf("a dead line was not noticed within 30s: %+v", u.Status())
		}
		w.net.Rule(nil)
		end()
		stop()
	})
}

func TestStopHandsOver(t *testing.T) {
	for name, c := range map[string]struct {
		serve   bool
		silent  bool
		want    uint64
		atLeast time.Duration
		atMost  time.Duration
	}{
		"to one that answers":        {true, false, 3007, 0, 0},
		"to one that is silent":      {true, true, 3007, 2 * time.Second, 2 * time.Second},
		"to nobody where there's no": {false, false, 0, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				w, k := newWorld(t), newKeeper()
				if c.serve {
					defer w.serve(first, k)()
				}
				_, end := w.run()
				time.Sleep(time.Minute)
				k.mu.Lock()
				if c.silent {
					k.answer = func(*keeper, string, uint64) (uint64, bool) { return 0, false }
				}
				k.mu.Unlock()
				w.spool.add("e1", 3007)
				begin := time.Now()
				end()
				if took := time.Since(begin); took < c.atLeast || took > c.atMost || k.mark("e1") != c.want {
					t.Errorf("it took %s and handed over %d, want %s and %d", took, k.mark("e1"), c.atMost, c.want)
				}
			})
		})
	}
}

func TestSpoolErrorsEndTheSession(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		defer w.serve(first, newKeeper())()
		w.spool.err = errors.New("disk is gone")
		u, end := w.run()
		time.Sleep(time.Millisecond)
		if s := u.Status(); s.Connected || s.LastError != "report: read spool: disk is gone" {
			t.Errorf("status %+v", s)
		}
		end()
	})
}

func TestNoAddress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.addresses = nil
		u, end := w.run()
		time.Sleep(time.Second)
		if s := u.Status(); s.LastError != "no address of a coordinator is known" {
			t.Errorf("status %+v", s)
		}
		end()
		if _, err := uplink.New(uplink.Options{}); err == nil {
			t.Error("empty options: no error")
		}
	})
}
