package history

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// reader is a part that makes something of the journal. Its methods are called
// from one goroutine at a time.
type reader interface {
	// reload forgets what is not on disk and returns the place to go on from.
	reload() (after uint64, err error)
	// apply takes one entry.
	apply(e Entry) error
	// tick is called every second; caught says that the journal holds nothing
	// which was not applied.
	tick(now time.Time, caught bool) error
	// flush writes what was made of the entries so far.
	flush() error
	// place is the last entry applied.
	place() uint64
}

// How a reader that met an error (a full disk, most likely) tries again.
const (
	firstRetry = time.Second
	maxRetry   = time.Minute
)

// run feeds a reader until ctx ends. What goes wrong is logged and tried again
// from what is on disk; the journal waits.
func (s *Store) run(ctx context.Context, name string, r reader) error {
	retry := firstRetry
	for ctx.Err() == nil {
		began := time.Now()
		err := s.feed(ctx, name, r)
		if ctx.Err() != nil {
			return err
		}
		if errors.Is(err, errAgain) {
			continue
		}
		if time.Since(began) > maxRetry {
			retry = firstRetry
		}
		s.health.fail(name, err)
		s.log.Error("history reader failed, will try again", "reader", name, "retry_s", retry.Seconds(), "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(retry):
		}
		retry = min(2*retry, maxRetry)
	}
	return nil
}

// feed follows the journal and ticks until ctx ends or something fails. When ctx
// has ended it flushes, and returns what went wrong with that.
func (s *Store) feed(ctx context.Context, name string, r reader) error {
	after, err := s.begin(name, r)
	if err != nil {
		return err
	}
	var mu sync.Mutex // one call of r at a time
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		cancel(s.follow(inner, name, after, func(e Entry) error {
			mu.Lock()
			defer mu.Unlock()
			return r.apply(e)
		}))
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for inner.Err() == nil {
		select {
		case <-inner.Done():
		case <-tick.C:
			mu.Lock()
			if err := s.tick(name, r); err != nil {
				cancel(err)
			}
			mu.Unlock()
		}
	}
	<-done
	if ctx.Err() != nil {
		return r.flush()
	}
	return context.Cause(inner)
}

// begin returns the place from which a reader goes on. A journal that ends before
// it was lost, or is an older copy: it is read from its beginning, and the marks
// of the reader keep out what it has taken already. What the lost entries held is
// neither listed nor judged again.
func (s *Store) begin(name string, r reader) (after uint64, err error) {
	after, err = r.reload()
	last := s.options.Source.Last()
	if err != nil || after <= last {
		return after, err
	}
	s.log.Error("journal ends before the place of its reader, it is read from its beginning", "reader", name, "place", after, "last", last)
	err = s.write(func(w *writer) {
		w.exec(savePlace, name, 0)
		w.forget(`last > ?`, last)
	})
	if err != nil {
		return 0, fmt.Errorf("set reader back: %w", err)
	}
	return r.reload()
}

// follow hands entries to fn until that or the journal fails, and tells of those
// that are missing.
func (s *Store) follow(ctx context.Context, name string, after uint64, fn func(Entry) error) error {
	err := s.options.Source.Follow(ctx, after, func(e Entry) error {
		if e.Missed > 0 {
			s.health.miss(name, e.Missed)
			s.log.Warn("entries of the journal were discarded before they were read", "reader", name, "entries", e.Missed, "before", e.Seq)
		}
		return fn(e)
	})
	if err == nil {
		err = errors.New("journal ended")
	}
	return err
}

// tick lets a second pass.
func (s *Store) tick(name string, r reader) error {
	err := r.tick(time.Now(), r.place() >= s.options.Source.Last())
	if err == nil {
		s.health.work(name)
	}
	return err
}
