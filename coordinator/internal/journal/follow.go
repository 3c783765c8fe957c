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
	// Batches are what arrived together. Readers share them: nobody may change
	// them.
	Batches []wire.Batch
}

// readAgain is how long a reader waits after an error: short, since an engine
// that was stopped is started by whoever comes next, and one that cannot be
// started says so at once.
const readAgain = 100 * time.Millisecond

// Follow calls fn with every message after the given number, in order, first
// those that are there and then each new one, until ctx ends or fn returns an
// error; that is what it returns. While the journal cannot be read it waits.
// A number beyond the end of the journal is ErrAhead.
func (j *Journal) Follow(ctx context.Context, after uint64, fn func(Entry) error) error {
	c := &cursor{place: after, decode: wire.UnmarshalEntry, fn: func(e Entry) error {
		if err := fn(e); err != nil {
			return stopError{err}
		}
		return nil
	}}
	for {
		err := j.step(ctx, c)
		var stop stopError
		switch {
		case err == nil:
			continue
		case errors.As(err, &stop):
			return stop.error
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrClosed) || errors.Is(err, ErrAhead) || errors.Is(err, errDecode):
			return fmt.Errorf("follow journal: %w", err)
		}
		j.log.Debug("reader begins anew", "after", c.place, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(readAgain):
		}
	}
}

// step waits for the next message and hands it out, or all those up to the
// newest if it is not in memory any more.
func (j *Journal) step(ctx context.Context, c *cursor) error {
	next, last, err := j.tail.wait(ctx, c.place)
	if err != nil {
		return err
	}
	if next != nil {
		return c.take(c.place+1, next.batches)
	}
	if err := j.deliver(ctx, c, last); err != nil {
		return err
	}
	c.missed += last - c.place
	c.place = last
	return nil
}

// Read calls fn with every message from one number to another, both included,
// that the journal keeps now.
func (j *Journal) Read(ctx context.Context, from, to uint64, fn func(Entry) error) error {
	return j.read(ctx, to, &cursor{place: max(from, 1) - 1, decode: wire.UnmarshalEntry, fn: fn})
}

// Scan is Read for one who keeps nothing of an entry but its texts, and may change it:
// the next one is read into the same memory, which takes less time.
func (j *Journal) Scan(ctx context.Context, from, to uint64, fn func(Entry) error) error {
	var entries wire.Entries
	return j.read(ctx, to, &cursor{place: max(from, 1) - 1, decode: entries.Read, fn: fn})
}

// read hands out what is kept now after the cursor, up to a number.
func (j *Journal) read(ctx context.Context, to uint64, c *cursor) error {
	first, last := j.Bounds()
	to = min(to, last)
	if max(c.place+1, first) > to {
		return nil
	}
	if err := j.deliver(ctx, c, to); err != nil {
		return fmt.Errorf("read journal: %w", err)
	}
	return nil
}

// stopError is an error of the reader's, not of the journal's.
type stopError struct{ error }

// errDecode says that a message is none of ours; reading it again will not help.
var errDecode = errors.New("message cannot be decoded")

// deliver hands out what is on disk after the cursor, up to a number.
func (j *Journal) deliver(ctx context.Context, c *cursor, to uint64) error {
	e, err := j.use(ctx)
	if err != nil {
		return err
	}
	return e.read(ctx, readOptions{from: c.place + 1, to: to}, func(m message) error {
		return c.take(m.seq, func() ([]wire.Batch, error) { return c.decode(m.data) })
	})
}

// cursor is the place of a reader: everything up to it was handed out, but for
// the messages missed, which the journal does not keep any more.
type cursor struct {
	place, missed uint64
	decode        func(data []byte) ([]wire.Batch, error)
	fn            func(Entry) error
}

// take hands out one message and moves the cursor behind it.
func (c *cursor) take(seq uint64, decode func() ([]wire.Batch, error)) error {
	batches, err := decode()
	if err != nil {
		return fmt.Errorf("message %d: %w: %w", seq, errDecode, err)
	}
	e := Entry{Seq: seq, Missed: c.missed + seq - c.place - 1, Batches: batches}
	c.place, c.missed = seq, 0
	return c.fn(e)
}
