package spool

import (
	"log/slog"
	"os"
	"runtime"
	"sync"
	"testing"

	"varde/checks"
	"varde/proto/wire"
)

// Who appends while a write is under way shares the next one.
func TestGroupCommit(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), Epoch: "e1", MaxBytes: 1 << 20, NoSync: true})
	slow := &slowDisk{disk: s.disk, entered: make(chan struct{}), leave: make(chan struct{})}
	s.disk = slow
	var wg sync.WaitGroup
	appendOne := func(i int) {
		if _, err := s.Append(observation(i)); err != nil {
			t.Error(err)
		}
	}
	wg.Go(func() { appendOne(1) })
	<-slow.entered // the first write is under way
	for i := range 99 {
		wg.Go(func() { appendOne(i + 2) })
	}
	for waiting := 0; waiting < 99; runtime.Gosched() {
		s.mu.Lock()
		waiting = len(s.batch.items)
		s.mu.Unlock()
	}
	if got := s.Stats().Records; got != 0 {
		t.Errorf("%d records handed out before they were on disk", got)
	}
	close(slow.leave)
	go func() {
		for range slow.entered {
		}
	}()
	wg.Wait()
	close(slow.entered)
	if slow.syncs != 2 {
		t.Errorf("100 appends took %d syncs, want 2", slow.syncs)
	}
	if got := show(drain(t, s, "e1", 0)); got != numbers(1, 100) {
		t.Errorf("got %s", got)
	}
}

type slowDisk struct {
	disk
	entered, leave chan struct{}
	syncs          int
}

func (d *slowDisk) sync(f *os.File) error {
	d.syncs++
	d.entered <- struct{}{}
	<-d.leave
	return d.disk.sync(f)
}

// Many append while one reads and acknowledges: everything arrives once, in
// order.
func TestAppendersAndReader(t *testing.T) {
	s := openWith(t, Options{Dir: t.TempDir(), Epoch: "e1", MaxBytes: 1 << 20, NoSync: true})
	const writers, each = 8, 300
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range each {
				if _, err := s.Append(observation(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	var after uint64
	for after < writers*each {
		<-s.Ready()
		for {
			recs, err := s.Next("e1", after, 50)
			if err != nil {
				t.Fatal(err)
			}
			if len(recs) == 0 {
				break
			}
			for _, r := range recs {
				if r.Gap != nil || r.First() != after+1 {
					t.Fatalf("got %s after %d", show([]wire.Record{r}), after)
				}
				after++
			}
			if err := s.Ack("e1", after); err != nil {
				t.Fatal(err)
			}
		}
	}
	wg.Wait()
	if st := s.Stats(); st.Records != 0 || st.Dropped != 0 {
		t.Errorf("stats %+v", st)
	}
}

func record(o checks.Observation) wire.Record { return wire.Record{Observation: o} }

func BenchmarkAppend(b *testing.B) {
	for _, bench := range []struct {
		name    string
		writers int
		nosync  bool
	}{{"fsync/1", 1, false}, {"fsync/64", 64, false}, {"nosync/1", 1, true}, {"nosync/64", 64, true}} {
		b.Run(bench.name, func(b *testing.B) {
			s, err := Open(Options{Dir: b.TempDir(), Epoch: "e1", NoSync: bench.nosync, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			b.SetParallelism(bench.writers / runtime.GOMAXPROCS(0))
			if bench.writers == 1 {
				b.SetParallelism(1)
			}
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := s.Append(observation(1)); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
