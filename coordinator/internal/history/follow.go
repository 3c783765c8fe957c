package history

import (
	"context"
	"errors"
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
		err := s.feed(ctx, r)
		if ctx.Err() != nil {
			return err
		}
		if time.Since(began) > maxRetry {
			retry = firstRetry
		}
		s.retries.add(name)
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
func (s *Store) feed(ctx context.Context, r reader) error {
	after, err := r.reload()
	if err != nil {
		return err
	}
	var mu sync.Mutex
	locked := func(fn func() error) error {
		mu.Lock()
		defer mu.Unlock()
		return fn()
	}
	inner, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	go func() {
		defer close(done)
		err := s.options.Source.Follow(inner, after, func(e Entry) error {
			return locked(func() error { return r.apply(e) })
		})
		if err == nil {
			err = errors.New("journal ended")
		}
		cancel(err)
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for inner.Err() == nil {
		select {
		case <-inner.Done():
		case <-tick.C:
			last := s.options.Source.Last()
			if err := locked(func() error { return r.tick(time.Now(), r.place() >= last) }); err != nil {
				cancel(err)
			}
		}
	}
	<-done
	if ctx.Err() != nil {
		return r.flush()
	}
	return context.Cause(inner)
}
