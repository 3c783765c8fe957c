package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"varde/proto/wire"
)

// Entry is one message of the journal.
type Entry struct {
	// Seq is its number, from 1.
	Seq uint64
	// Missed is the number of messages between the one before and this one that
	// the journal does not keep any more. It is 0 for a reader that keeps up.
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

// forever is no message's number.
const forever = ^uint64(0)

type readOptions struct {
	// from and to are the numbers of the first and last message, both included.
	from, to    uint64
	headersOnly bool
}

// message is one message as it is stored.
type message struct {
	seq    uint64
	stored time.Time
	header nats.Header
	data   []byte
}

const (
	// pullMessages bounds what is on its way to one reader. JetStream could also
	// bound the bytes, but its client then loses messages: the channel that it
	// makes has no room for the notices that come with such a bound.
	pullMessages = 64
	// idleReader is the time after which the server forgets a reader that has
	// not asked; it then begins anew where it stood.
	idleReader = 5 * time.Minute
	// recheck is how often a bounded read looks whether what it waits for was
	// discarded meanwhile.
	recheck = 2 * time.Second
)

// errInterrupted says that the stream of messages to a reader broke off.
var errInterrupted = errors.New("messages broke off")

// read calls fn with every message in the range. A range without end waits for
// new messages until ctx ends. A reader that is interrupted begins anew as long
// as that brings it forward.
func (e *engine) read(ctx context.Context, o readOptions, fn func(message) error) error {
	for {
		begin := o.from
		err := e.readOnce(ctx, o, func(m message) error {
			o.from = m.seq + 1
			return fn(m)
		})
		if !errors.Is(err, errInterrupted) || o.from == begin || ctx.Err() != nil {
			return err
		}
		e.log.debug("reader begins anew after %d: %v", []any{o.from - 1, err})
	}
}

func (e *engine) readOnce(ctx context.Context, o readOptions, fn func(message) error) error {
	if o.from > o.to {
		return nil
	}
	c, err := e.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: o.from,
		AckPolicy: jetstream.AckNonePolicy, MemoryStorage: true,
		HeadersOnly: o.headersOnly, InactiveThreshold: idleReader,
	})
	if err != nil {
		return fmt.Errorf("make reader: %w", err)
	}
	defer e.forget(ctx, c)
	it, err := c.Messages(jetstream.PullMaxMessages(pullMessages), jetstream.WithMessagesErrOnMissingHeartbeat(true))
	if err != nil {
		return fmt.Errorf("start reader: %w", err)
	}
	defer it.Stop()
	for place := uint64(1); ; place++ {
		m, done, err := e.next(ctx, it, o)
		if err != nil || done {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read message: %w", err)
		}
		if meta.Sequence.Consumer != place {
			return fmt.Errorf("%w: got message %d of the reader, expected %d", errInterrupted, meta.Sequence.Consumer, place)
		}
		if meta.Sequence.Stream > o.to {
			return nil
		}
		if err := fn(message{meta.Sequence.Stream, meta.Timestamp, m.Headers(), m.Data()}); err != nil {
			return err
		}
		if meta.Sequence.Stream == o.to {
			return nil
		}
	}
}

// next returns the next message, or done when a bounded read has none left
// because the rest was discarded.
func (e *engine) next(ctx context.Context, it jetstream.MessagesContext, o readOptions) (m jetstream.Msg, done bool, err error) {
	if o.to == forever {
		m, err = it.Next(jetstream.NextContext(ctx))
		return m, false, interrupted(err)
	}
	for {
		bounded, cancel := context.WithTimeout(ctx, recheck)
		m, err = it.Next(jetstream.NextContext(bounded))
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return m, false, interrupted(err)
		}
		if first, _, err := e.bounds(ctx); err != nil || first > o.to {
			return nil, err == nil, err
		}
	}
}

// forget removes a reader from the server, which else would keep it for a
// while.
func (e *engine) forget(ctx context.Context, c jetstream.Consumer) {
	if e.failed.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), apiTimeout)
	defer cancel()
	if err := e.stream.DeleteConsumer(ctx, c.CachedInfo().Name); err != nil && !e.failed.Load() {
		e.log.debug("forget reader: %v", []any{err})
	}
}

// interrupted marks the errors after which a reader may begin anew.
func interrupted(err error) error {
	if errors.Is(err, jetstream.ErrNoHeartbeat) || errors.Is(err, jetstream.ErrConsumerDeleted) {
		return fmt.Errorf("%w: %w", errInterrupted, err)
	}
	return err
}
