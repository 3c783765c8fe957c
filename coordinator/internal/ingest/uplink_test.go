package ingest_test

import (
	"context"
	"maps"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"varde/checks/checktest"
	"varde/coordinator/internal/ingest"
	"varde/coordinator/internal/journal"
	"varde/coordinator/internal/presence"
	"varde/probe/uplinktest"
	"varde/proto/wire"
)

func TestTenMinutesWithoutCoordinator(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		j := openJournal(t, dir)
		w := newWorld(t, j)
		stop := w.coordinate()
		probes := []*probe{w.probe("osl-1", "eu-north", "e1"), w.probe("nyc-1", "us-east", "e1"), w.probe("syd-1", "oceania", "e1")}
		observe := func(seconds int) {
			for range seconds {
				time.Sleep(time.Second)
				for _, p := range probes {
					p.spool.Add(p.spool.Current(), 2)
				}
			}
		}
		observe(120)
		stop()
		if err := j.Close(); err != nil {
			t.Fatal(err)
		}
		observe(600)
		if d := probes[0].spool.Depth(); d < 1200 || d > 1202 {
			t.Errorf("%d records wait after ten minutes, want 1200", d)
		}
		j = openJournal(t, dir)
		w.journal = j
		stop = w.coordinate()
		observe(120)
		time.Sleep(time.Second)
		for _, p := range probes {
			if d := p.spool.Depth(); d != 0 {
				t.Errorf("%s still has %d records in its spool", p.name, d)
			}
			p.stop()
		}
		stop()
		want := map[wire.Source]uint64{{Probe: "osl-1", Epoch: "e1"}: 1680, {Probe: "nyc-1", Epoch: "e1"}: 1680, {Probe: "syd-1", Epoch: "e1"}: 1680}
		if got := whole(t, j); !maps.Equal(got, want) {
			t.Errorf("journal holds %v, want %v", got, want)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestObservationIsOnDiskWithinAgeAndWindow(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		j := openJournal(t, dir)
		w := newWorld(t, j)
		stop := w.coordinate()
		p := w.probe("osl-1", "eu-north", "e1")
		time.Sleep(time.Minute)
		begin := time.Now()
		p.spool.Add(p.spool.Current(), 1)
		var took time.Duration
		done := make(chan error)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			done <- j.Follow(ctx, 0, func(journal.Entry) error { took = time.Since(begin); cancel(); return nil })
		}()
		<-done
		if took != 105*time.Millisecond {
			t.Errorf("it took %s, want 100ms for the batch and 5ms for the commit", took)
		}
		p.stop()
		stop()
		j.Close()
	})
}

// deadly has the coordinator's machine die after an append and before the mark
// is sent.
type deadly struct {
	*journal.Journal
	die func()
	// every n-th append is the last.
	every, n atomic.Int64
}

func (d *deadly) Append(ctx context.Context, b []wire.Batch) (uint64, error) {
	seq, err := d.Journal.Append(ctx, b)
	if every := d.every.Load(); every > 0 && d.n.Add(1)%every == 0 {
		d.die()
	}
	return seq, err
}

func TestCoordinatorDiesBetweenAppendAndMark(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		j := openJournal(t, dir)
		d := &deadly{Journal: j}
		w := newWorld(t, d)
		d.die, w.crashes = w.host.Crash, true
		p := w.probe("osl-1", "eu-north", "e1")
		d.every.Store(3)
		for range 10 {
			stop := w.coordinate()
			for range 15 {
				time.Sleep(time.Second)
				p.spool.Add(p.spool.Current(), 40)
			}
			stop()
		}
		d.every.Store(0)
		stop := w.coordinate()
		time.Sleep(time.Minute)
		p.stop()
		stop()
		if got := whole(t, j); got[wire.Source{Probe: "osl-1", Epoch: "e1"}] != 6000 || len(got) != 1 || p.spool.Depth() != 0 {
			t.Errorf("journal holds %v, spool %d, want 6000 and 0", got, p.spool.Depth())
		}
		if d.n.Load() < 10 {
			t.Errorf("only %d appends, so nothing died", d.n.Load())
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestOldEpochGoesFirst(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		j := openJournal(t, dir)
		w := newWorld(t, j)
		p := w.probe("osl-1", "eu-north", "e1")
		p.spool.Add(p.spool.Current(), 2500)
		time.Sleep(time.Minute)
		p.stop()
		p.spool.Restart("e2")
		p.spool.Add(p.spool.Current(), 10)
		p.start(w, "eu-north")
		stop := w.coordinate()
		time.Sleep(time.Minute)
		p.spool.Add(p.spool.Current(), 1)
		p.stop() // hands over what is there
		stop()
		var order []string
		_, last := j.Bounds()
		err := j.Read(t.Context(), 1, last, func(e journal.Entry) error {
			for _, b := range e.Batches {
				order = append(order, b.Epoch)
			}
			return nil
		})
		if err != nil || len(order) < 4 || order[0] != "e1" || order[2] != "e1" || order[len(order)-1] != "e2" {
			t.Errorf("epochs in order %v, %v, want e1 first", order, err)
		}
		want := map[wire.Source]uint64{{Probe: "osl-1", Epoch: "e1"}: 2500, {Probe: "osl-1", Epoch: "e2"}: 11}
		if got := whole(t, j); !maps.Equal(got, want) {
			t.Errorf("journal holds %v, want %v", got, want)
		}
		j.Close()
	})
}

func TestRemovedProbeIsCutOffAtOnce(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		j := openJournal(t, dir)
		w := newWorld(t, j)
		stop := w.coordinate()
		p, other := w.probe("osl-1", "eu-north", "e1"), w.probe("osl-2", "eu-north", "e1")
		time.Sleep(time.Minute)
		p.spool.Add(p.spool.Current(), 1)
		time.Sleep(time.Second)
		if !p.Status().Connected {
			t.Fatal("not connected")
		}
		w.authority.remove("osl-1")
		time.Sleep(time.Nanosecond)
		if s := p.Status(); s.Connected || s.LastError != "coordinator refuses: this probe was removed" {
			t.Errorf("status after the removal: %+v", s)
		}
		p.spool.Add(p.spool.Current(), 5)
		time.Sleep(10 * time.Minute)
		if got := whole(t, j)[wire.Source{Probe: "osl-1", Epoch: "e1"}]; got != 1 {
			t.Errorf("%d records of the removed probe, want the 1 from before", got)
		}
		if !other.Status().Connected || len(w.ingest.Probes()) != 1 {
			t.Errorf("the other probe: %+v, probes: %v", other.Status(), w.ingest.Probes())
		}
		p.stop()
		other.stop()
		stop()
		j.Close()
	})
}

// TestSilentNetwork lets the line go dead without a word, both ways.
func TestSilentNetwork(t *testing.T) {
	dir := t.TempDir()
	bubble(t, func(t *testing.T) {
		j := openJournal(t, dir)
		w := newWorld(t, j)
		stop := w.coordinate()
		p := w.probe("osl-1", "eu-north", "e1")
		time.Sleep(time.Minute)
		w.net.Rule(func(from, to netip.AddrPort, _ string) checktest.Effect { return checktest.Drop })
		p.spool.Add(p.spool.Current(), 1)
		time.Sleep(31 * time.Second)
		if p.Status().Connected {
			t.Errorf("a dead line was not noticed: %+v", p.Status())
		}
		if s := w.ingest.Probes()[0]; s.State != presence.Silent || s.LastSeen.IsZero() {
			t.Errorf("coordinator holds it for %s, last seen %s", s.State, s.LastSeen)
		}
		p.spool.Add(p.spool.Current(), 1)
		time.Sleep(5 * time.Minute)
		w.net.Rule(nil)
		time.Sleep(time.Minute)
		if d := p.spool.Depth(); d != 0 || !p.Status().Connected {
			t.Errorf("after the line came back: %d records wait, %+v", d, p.Status())
		}
		p.stop()
		stop()
		if got := whole(t, j)[wire.Source{Probe: "osl-1", Epoch: "e1"}]; got != 2 {
			t.Errorf("%d records, want 2", got)
		}
		j.Close()
	})
}

// TestLoopback is one run over real sockets, a real clock and a real disk.
func TestLoopback(t *testing.T) {
	j := openJournal(t, t.TempDir())
	w := newWorld(t, j)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop := w.serve(l)
	w.authority.add(ingest.Peer{Name: "osl-1", Region: "eu-north"})
	p := &probe{name: "osl-1", spool: uplinktest.NewSpool("e1"), host: w.net.Host(netip.MustParseAddr("203.0.113.9"))}
	p.spool.Add("e1", 1500)
	p.run(w, "eu-north", l.Addr().String(), nil)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_ = j.Follow(ctx, 0, func(e journal.Entry) error { // until all is there, or for ten seconds
		if e.Batches[len(e.Batches)-1].Last() == 1500 {
			cancel()
		}
		return nil
	})
	p.stop() // hears the last mark
	stop()
	if n := whole(t, j)[wire.Source{Probe: "osl-1", Epoch: "e1"}]; n != 1500 || p.spool.Depth() != 0 {
		t.Errorf("journal holds %d, spool %d, want 1500 and 0", n, p.spool.Depth())
	}
	if err := j.Close(); err != nil {
		t.Error(err)
	}
}
