package evidence

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

var errCrash = errors.New("crash")

// disk is all that outlives a keeper: a journal, an archive and a store in memory.
type disk struct {
	mu      sync.Mutex // protects all following fields
	entries []journal.Entry
	stored  []time.Time
	moved   chan struct{}
	kept    map[part][][]wire.Batch
	values  map[string][]byte
	// writes counts; from the one numbered crash on, 1 at first, all fail. That one is
	// done nevertheless if torn.
	writes, crash int
	torn          bool
}

func newDisk() *disk {
	return &disk{moved: make(chan struct{}), kept: map[part][][]wire.Batch{}, values: map[string][]byte{}}
}

// write does what do does, unless the process has crashed.
func (d *disk) write(do func()) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.writes++
	if d.crash > 0 && d.writes >= d.crash {
		if d.torn && d.writes == d.crash {
			do()
		}
		return errCrash
	}
	do()
	return nil
}

func (d *disk) append(batches ...wire.Batch) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.entries = append(d.entries, journal.Entry{Seq: uint64(len(d.entries) + 1), Batches: batches})
	d.stored = append(d.stored, time.Now())
	close(d.moved)
	d.moved = make(chan struct{})
}

func (d *disk) Follow(ctx context.Context, after uint64, fn func(journal.Entry) error) error {
	for {
		d.mu.Lock()
		fresh, moved := d.entries[after:], d.moved
		d.mu.Unlock()
		for _, e := range fresh {
			if err := fn(e); err != nil {
				return err
			}
			after = e.Seq
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-moved:
		}
	}
}

func (d *disk) Read(_ context.Context, from, to uint64, fn func(journal.Entry) error) error {
	d.mu.Lock()
	list := d.entries[from-1 : to]
	d.mu.Unlock()
	for _, e := range list {
		if err := fn(e); err != nil {
			return err
		}
	}
	return nil
}

func (d *disk) At(_ context.Context, t time.Time) (uint64, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at, _ := slices.BinarySearchFunc(d.stored, t, time.Time.Compare)
	return uint64(at + 1), nil
}

func (d *disk) Last() uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return uint64(len(d.entries))
}

func (d *disk) Expire(context.Context) error { return nil }

func (d *disk) Keep(_ context.Context, incident string, minute time.Time, batches []wire.Batch) error {
	return d.write(func() {
		p := part{incident, minute}
		d.kept[p] = append(d.kept[p], batches)
	})
}

// archived is the disk's archive as it is read.
type archived struct{ *disk }

func (a archived) Minutes(_ context.Context, incident string) ([]time.Time, error) {
	var out []time.Time
	for _, p := range slices.SortedFunc(maps.Keys(a.kept), part.compare) {
		if p.incident == incident {
			out = append(out, p.minute)
		}
	}
	return out, nil
}

func (a archived) Read(_ context.Context, incident string, minute time.Time, fn func([]wire.Batch) error) error {
	for _, batches := range a.kept[part{incident, minute}] {
		// As it will be read from a disk: a batch with a hole is none.
		data, err := wire.MarshalEntry(batches)
		if err != nil {
			return err
		}
		if batches, err = wire.UnmarshalEntry(data); err != nil {
			return err
		}
		if err := fn(batches); err != nil {
			return err
		}
	}
	return nil
}

// shelf is the disk's store.
type shelf struct{ *disk }

func (s shelf) Get(_ context.Context, key string) ([]byte, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[key]
	if !ok {
		return nil, 0, journal.ErrNotFound
	}
	return v, 1, nil
}

func (s shelf) Put(_ context.Context, key string, value []byte, _ uint64) (uint64, error) {
	return 1, s.write(func() { s.values[key] = value })
}

func (s shelf) Delete(_ context.Context, key string, _ uint64) error {
	return s.write(func() { delete(s.values, key) })
}

func (s shelf) Keys(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.values)), nil
}

// world is a disk, what is wanted, and the keeper that runs.
type world struct {
	*disk
	mu    sync.Mutex // protects wants
	wants []Want
	seq   map[string]uint64
	began time.Time
}

func newWorld() *world { return &world{disk: newDisk(), seq: map[string]uint64{}, began: time.Now()} }

func (w *world) want(list ...Want) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wants = list
}

func (w *world) wanted() []Want {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.wants
}

// at is so long after the world began.
func (w *world) at(after time.Duration) time.Time { return w.began.Add(after) }

// run runs a keeper until stop is called.
func (w *world) run(t *testing.T) (stop func()) {
	t.Helper()
	k, err := NewKeeper(Options{
		Journal: w.disk, Archive: w.disk, Store: shelf{w.disk}, Wants: w.wanted, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- k.Run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

// seen is an observation of a check that ended at the given time, from a probe whose
// clock is as far off as its batch says.
func (w *world) seen(probe, check string, end time.Time, offset time.Duration) wire.Batch {
	w.seq[probe]++
	b := wire.Batch{
		Epoch: "e1", Received: time.Now(), ClockKnown: true, ClockOffset: offset,
		Records: []wire.Record{{Observation: checks.Observation{
			Check: check, Service: "imap", Family: checks.IPv4, Seq: w.seq[probe], Plan: 3, Every: time.Minute,
			Scheduled: end.Add(offset - time.Second), Started: end.Add(offset - time.Second),
			Result: checks.Result{Outcome: checks.Up, Address: "192.0.2.25:993", Elapsed: time.Second},
		}}},
	}
	b.Attribute(probe, "eu-north", "osl")
	return b
}

// readAll reads what is kept of a want, one line each.
func (w *world) readAll(t *testing.T, of Want) []string {
	t.Helper()
	var out []string
	for s, err := range Read(t.Context(), archived{w.disk}, of) {
		if err != nil {
			t.Fatal(err)
		}
		what := s.Observation.Check
		if s.Gap != nil {
			what = fmt.Sprintf("gap to %d", s.Gap.Last)
		}
		out = append(out, fmt.Sprintf("%v %s %d %s", s.at().Sub(w.began), s.Batch.Probe, s.seq(), what))
	}
	return out
}
