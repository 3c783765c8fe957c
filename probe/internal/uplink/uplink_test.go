package uplink_test

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/probe/internal/uplink"
	"varde/probe/uplinktest"
	vardev1 "varde/proto/varde/v1"
)

func TestBatchesBySizeAndAge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		stop := w.serve(first, k)
		defer stop()
		w.spool.Add("e1", 2300) // waits already: goes at once, in full batches
		begin := time.Now()
		u, end := w.run()
		pass(10 * time.Second)
		w.spool.Add("e1", 1)
		pass(60 * time.Millisecond)
		w.spool.Add("e1", 1) // rides with the one before
		pass(10 * time.Second)
		end()
		want := []string{"e1 1-1000", "e1 1001-2000", "e1 2001-2300", "e1 2301-2302"}
		if d := cmp.Diff(want, k.sizes()); d != "" {
			t.Errorf("batches (-want +got):\n%s", d)
		}
		var at []time.Duration
		for _, a := range k.at {
			at = append(at, a.Sub(begin))
		}
		if !slices.Equal(at, []time.Duration{0, 0, 0, 10*time.Second + 100*time.Millisecond}) {
			t.Errorf("they came after %v", at)
		}
		if w.spool.Acked("e1") != 2302 || !u.Status().LastAck.Equal(begin.Add(10*time.Second+100*time.Millisecond)) {
			t.Errorf("acknowledged through %d at %s", w.spool.Acked("e1"), u.Status().LastAck)
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
		w.spool.Add("e1", 100)
		_, end := w.run()
		pass(10 * time.Second)
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
		k.answer = func(*keeper, string, uint64) (uint64, bool) { return 0, false } // is lost
		stop := w.serve(first, k)
		w.spool.Add("e1", 40)
		_, end := w.run()
		pass(time.Second)
		stop()
		k.answer = nil
		w.spool.Add("e1", 60)
		stop = w.serve(first, k)
		pass(5 * time.Second)
		stop()
		k.marks["e1"] = 70 // restored from a backup
		w.spool.Add("e1", 10)
		stop = w.serve(first, k)
		pass(5 * time.Second)
		end()
		stop()
		if d := cmp.Diff([]string{"e1 1-40", "e1 41-100", "e1 71-100", "e1 101-110"}, k.sizes()); d != "" {
			t.Errorf("batches (-want +got):\n%s", d)
		}
		if k.kept[2].Records[0].Gap == nil {
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
		w.spool.Add("e1", 100)
		u, end := w.run()
		pass(time.Second)
		if k.mark("e1") != 100 || w.spool.Acked("e1") != 100 || !u.Status().Connected || len(w.dials) != 1 {
			t.Errorf("mark %d, acknowledged %d, %+v, %d connections", k.mark("e1"), w.spool.Acked("e1"), u.Status(), len(w.dials))
		}
		end()
	})
}

func TestOldEpochsFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		w.spool = uplinktest.NewSpool("e1", "e2", "e3")
		k.marks["e2"] = 5 // all of it is there
		stop := w.serve(first, k)
		defer stop()
		w.batch = 20
		w.spool.Add("e1", 50)
		w.spool.Add("e2", 5)
		w.spool.Add("e3", 7)
		_, end := w.run()
		pass(time.Second)
		w.spool.Add("e3", 1)
		end()
		want := []string{"e1 1-20", "e1 21-40", "e1 41-50", "e3 1-7", "e3 8-8"}
		if d := cmp.Diff(want, k.sizes()); d != "" {
			t.Errorf("batches (-want +got):\n%s", d)
		}
		if w.spool.Acked("e2") != 5 {
			t.Errorf("old epoch acknowledged through %d, want 5", w.spool.Acked("e2"))
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
		pass(40 * time.Second)
		u.StateChanged()
		pass(10 * time.Second)
		k.plans <- &vardev1.SignedPlan{Plan: []byte("one")}
		pass(time.Second)
		w.changed.Lock()
		w.planErr = errors.New("not signed")
		w.changed.Unlock()
		k.plans <- &vardev1.SignedPlan{Plan: []byte("two")}
		pass(10 * time.Second)
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
		w.spool.Add("e1", 5000)
		begin := time.Now()
		_, end := w.run()
		pass(time.Second)
		if len(k.clocks) != 8 || !k.clocks[0].Equal(begin) || !k.clocks[7].Equal(begin) {
			t.Errorf("clock was told as %v, want 8 times %s", k.clocks, begin)
		}
		end()
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
				pass(time.Minute)
				k.mu.Lock()
				if c.silent {
					k.answer = func(*keeper, string, uint64) (uint64, bool) { return 0, false }
				}
				k.mu.Unlock()
				w.spool.Add("e1", 3007)
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
		w.spool.Fail(errors.New("disk is gone"))
		u, end := w.run()
		pass(time.Millisecond)
		if s := u.Status(); s.Connected || s.LastError != "report: read spool: disk is gone" {
			t.Errorf("status %+v", s)
		}
		end()
	})
}

// TestAckThatCannotBeNoted is one line in the log and ends nothing.
func TestAckThatCannotBeNoted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		defer w.serve(first, k)()
		var log strings.Builder
		o := w.options()
		o.Spool = forgetful{w.spool}
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
		u, err := uplink.New(o)
		if err != nil {
			t.Fatal(err)
		}
		end := start(t, u)
		for range 10 {
			w.spool.Add("e1", 5)
			pass(time.Second)
		}
		if got := k.mark("e1"); got != 50 || !u.Status().Connected || len(w.dials) != 1 {
			t.Errorf("mark %d, %+v, %d connections, want 50 by one", got, u.Status(), len(w.dials))
		}
		end()
		if got := log.String(); strings.Count(got, "acknowledgement is not noted") != 1 {
			t.Errorf("logged\n%s\nwant one line about it", got)
		}
	})
}

// forgetful is a spool whose mark cannot be written.
type forgetful struct{ *uplinktest.Spool }

// Ack fails.
func (forgetful) Ack(string, uint64) error { return errors.New("write mark: read-only file system") }

func TestNoAddress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWorld(t)
		w.addresses = nil
		u, end := w.run()
		pass(time.Second)
		if s := u.Status(); s.LastError != "no address of a coordinator is known" {
			t.Errorf("status %+v", s)
		}
		end()
		if _, err := uplink.New(uplink.Options{}); err == nil {
			t.Error("empty options: no error")
		}
	})
}

// TestTwinIsSuspected: a machine that was copied while it ran is in the same
// epoch as its copy, until it learns of it. What the copy sent is not what was
// spooled here meanwhile.
func TestTwinIsSuspected(t *testing.T) {
	for mark, want := range map[uint64]bool{0: false, 3: false, 5: false, 6: true, 8: true, 60: true} {
		bubble(t, func(t *testing.T) {
			w, k := newWorld(t), newKeeper()
			stop := w.serve(first, k)
			w.spool.Add("e1", 5)
			var log strings.Builder
			o := w.options()
			o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
			u, err := uplink.New(o)
			if err != nil {
				t.Fatal(err)
			}
			end := start(t, u)
			pass(time.Second)
			stop()
			k.marks["e1"] = mark
			w.spool.Add("e1", 3)
			defer w.serve(first, k)()
			pass(10 * time.Second)
			end()
			current := map[bool]string{false: "e1", true: "e1-renewed"}[want]
			if got := strings.Contains(log.String(), "another reports as this one"); got != want || w.spool.Current() != current {
				t.Errorf("5 records were sent, 3 spooled, and the mark is %d: suspected %v, want %v, goes on in %s: %s", mark, got, want, w.spool.Current(), log.String())
			}
			if got := k.mark(current); got != map[bool]uint64{false: 8, true: 3}[want] || w.spool.Depth() != 0 {
				t.Errorf("the mark was %d: %d of %s arrived, %d wait", mark, got, current, w.spool.Depth())
			}
		})
	}
}

// TestTwinsAtOnce: of two copies that report side by side the one that is behind
// goes on in a new epoch, with all that the other has not sent.
func TestTwinsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		defer w.serve(first, k)()
		_, end := w.run()
		for range 10 {
			w.spool.Add("e1", 5)
			pass(time.Second)
		}
		k.mu.Lock()
		k.marks["e1"] = 55 // what the other has sent
		k.mu.Unlock()
		for range 10 {
			w.spool.Add(w.spool.Current(), 4)
			pass(time.Second)
		}
		end()
		if got := k.mark("e1-renewed"); w.spool.Current() != "e1-renewed" || got != 40 || k.mark("e1") != 55 {
			t.Errorf("%d of %s arrived, want the 40 that were spooled after", got, w.spool.Current())
		}
	})
}

// TestRestartIsNoTwin: an older epoch, of which the coordinator has more than it was
// able to say, is handed over to its end, nothing of it twice.
func TestRestartIsNoTwin(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		w.spool = uplinktest.NewSpool("e1", "e2")
		k.marks["e1"] = 40
		defer w.serve(first, k)()
		w.spool.Add("e1", 100)
		_, end := w.run()
		pass(time.Second)
		w.spool.Add("e2", 5)
		end()
		if d := cmp.Diff([]string{"e1 41-100", "e2 1-5"}, k.sizes()); d != "" || w.spool.Current() != "e2" {
			t.Errorf("went on in %s, batches (-want +got):\n%s", w.spool.Current(), d)
		}
	})
}
