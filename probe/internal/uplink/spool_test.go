package uplink_test

import (
	"log/slog"
	"testing"
	"time"

	"varde/checks"
	"varde/probe/internal/spool"
	"varde/probe/internal/uplink"
)

var _ uplink.Spool = (*spool.Spool)(nil)

// TestWithTheRealSpool has a probe restart twice and its coordinator come and
// go: everything that was spooled arrives once and in order, the oldest life
// first, and the spool is empty after that.
func TestWithTheRealSpool(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		w, k := newWorld(t), newKeeper()
		total := map[string]uint64{}
		for _, epoch := range []string{"e1", "e2", "e3"} {
			s, err := spool.Open(spool.Options{Dir: dir, Epoch: epoch, NoSync: true, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			o := w.options()
			o.Spool = s
			u, err := uplink.New(o)
			if err != nil {
				t.Fatal(err)
			}
			end := start(t, u)
			for i := range 300 {
				var stop func()
				if epoch != "e1" && i%60 == 30 {
					stop = w.serve(first, k)
				}
				for range 3 {
					spoolOne(t, s, epoch, total)
				}
				pass(time.Second)
				if stop != nil {
					pass(40 * time.Second)
					stop()
				}
			}
			if epoch == "e3" {
				defer w.serve(first, k)()
				pass(time.Minute)
				if n := s.Stats().Records; n != 0 {
					t.Errorf("%d records are left in the spool", n)
				}
			}
			end()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
		got, order := map[string]uint64{}, ""
		for _, b := range k.kept {
			if b.First() != got[b.Epoch]+1 || b.Epoch < order {
				t.Errorf("batch %s %d-%d after %d and %s", b.Epoch, b.First(), b.Last(), got[b.Epoch], order)
			}
			got[b.Epoch], order = b.Last(), b.Epoch
		}
		for epoch, n := range total {
			if got[epoch] != n {
				t.Errorf("%d records of %s arrived, %d were spooled", got[epoch], epoch, n)
			}
		}
	})
}

// TestSetBackToASnapshot has a machine be set back to what it was some time ago,
// with its memory: the coordinator knows more than it has sent, and perhaps more
// than it has. All that it sees from then on arrives.
func TestSetBackToASnapshot(t *testing.T) {
	for _, mark := range []uint64{40, 100, 460} {
		dir := t.TempDir()
		bubble(t, func(t *testing.T) {
			w, k := newWorld(t), newKeeper()
			s, err := spool.Open(spool.Options{Dir: dir, Epoch: "e1", NoSync: true, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			total := map[string]uint64{}
			for range 100 {
				spoolOne(t, s, "e1", total)
			}
			k.marks["e1"] = mark
			o := w.options()
			o.Spool = s
			u, err := uplink.New(o)
			if err != nil {
				t.Fatal(err)
			}
			end := start(t, u)
			defer w.serve(first, k)()
			pass(time.Minute)
			renewed := s.Epoch()
			for range 360 {
				spoolOne(t, s, renewed, total)
				pass(30 * time.Second)
			}
			if got := k.mark(renewed); renewed == "e1" || got != 460 || s.Stats().Records != 0 || s.Stats().Dropped != 0 {
				t.Errorf("mark %d: %d of %s arrived, want 100 and 360; %+v", mark, got, renewed, s.Stats())
			}
			end()
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func spoolOne(t *testing.T, s *spool.Spool, epoch string, total map[string]uint64) {
	t.Helper()
	at := time.Now()
	o, err := s.Append(checks.Observation{
		Check: "imap", Service: "imap", Family: checks.IPv4, Scheduled: at, Started: at, Every: 30 * time.Second,
		Result: checks.Result{Outcome: checks.Up},
	})
	if err != nil || o.Epoch != epoch {
		t.Errorf("spool: epoch %s, %v", o.Epoch, err)
	}
	total[epoch] = o.Seq
}
