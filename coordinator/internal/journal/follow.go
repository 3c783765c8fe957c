package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"varde/proto/wire"
)

// Entry is one message of the journal.
type Entry struct {
	// Seq is its number, from 1.
	Seq uint64
	// Missed is the number of messages between the one before and this one that
	// the journal does not keep any more. It is 0 for a reader that keeps up, but
	// for a message whose append failed on a disk that was full.
	Missed uint64
	// Batches are what arrived together.
	Batches []wire.Batch
}

// Follow calls fn with every message after the given number, in order, first
// those that are there and then each new one, until ctx ends or fn returns an
// error; that is what it returns. While the journal cannot be read it waits.
// A number beyond the end of the journal is ErrAhead.
func (j *Journal) Follow(ctx context.Context, after uint64, fn func(Entry) error) error {
	if _, last := j.Bounds(); after > last {
		return fmt.Errorf("follow journal after %d, its last is %d: %w", after, last, ErrAhead)
	}
	for {
		err := j.deliver(ctx, readOptions{from: after + 1, to: forever}, func(e Entry) error {
			if err := fn(e); err != nil {
				return stopError{err}
			}
			after = e.Seq
			return nil
		})
		var stop stopError
		switch {
		case errors.As(err, &stop):
			return stop.error
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrClosed) || errors.Is(err, errDecode):
			return fmt.Errorf("follow journal: %w", err)
		}
		j.log.Debug("reader begins anew", "after", after, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(retryEvery):
		}
	}
}

// Read calls fn with every message from one number to another, both included,
// that the journal keeps now.
func (j *Journal) Read(ctx context.Context, from, to uint64, fn func(Entry) error) error {
	first, last := j.Bounds()
	to = min(to, last)
	if max(from, first) > to {
		return nil
	}
	if err := j.deliver(ctx, readOptions{from: max(from, 1), to: to}, fn); err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	return nil
}

// stopError is an error of the reader's, not of the journal's.
type stopError struct{ error }

// errDecode says that a message is none of ours; reading it again will not help.
var errDecode = errors.New("message cannot be decoded")

// deliver decodes messages for fn and counts what is missing between them.
func (j *Journal) deliver(ctx context.Context, o readOptions, fn func(Entry) error) error {
	e, err := j.use(ctx)
	if err != nil {
		return err
	}
	expected := o.from
	return e.read(ctx, o, func(m message) error {
		batches, err := wire.UnmarshalEntry(m.data)
		if err != nil {
			return fmt.Errorf("message %d: %w: %w", m.seq, errDecode, err)
		}
		entry := Entry{Seq: m.seq, Missed: m.seq - expected, Batches: batches}
		expected = m.seq + 1
		return fn(entry)
	})
}
