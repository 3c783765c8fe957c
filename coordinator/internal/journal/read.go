package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

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
	// recheck is how often a read looks whether what it waits for was discarded
	// meanwhile.
	recheck = 2 * time.Second
)

// errInterrupted says that the stream of messages to a reader broke off.
var errInterrupted = errors.New("messages broke off")

// read calls fn with every message in the range. A reader that is interrupted
// begins anew as long as that brings it forward.
func (e *engine) read(ctx context.Context, o readOptions, fn func(message) error) error {
	for {
		begin := o.from
		err := e.readOnce(ctx, &o, fn)
		if !errors.Is(err, errInterrupted) || o.from == begin || ctx.Err() != nil {
			return err
		}
		e.log.debug("reader begins anew after %d: %v", []any{o.from - 1, err})
	}
}

// readOnce reads with one consumer and moves o.from along.
func (e *engine) readOnce(ctx context.Context, o *readOptions, fn func(message) error) error {
	if done, err := e.over(ctx, *o); done || err != nil {
		return err
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
		m, pending, err := e.next(ctx, it, *o, place)
		if err != nil || m.seq == 0 || m.seq > o.to {
			return err
		}
		o.from = m.seq + 1
		if err := fn(m); err != nil {
			return err
		}
		if pending == 0 {
			if done, err := e.over(ctx, *o); done || err != nil {
				return err
			}
		}
	}
}

// over says whether a range has no message any more. Its last messages may be
// missing: discarded, or never written whole on a disk that was full.
func (e *engine) over(ctx context.Context, o readOptions) (bool, error) {
	if o.from > o.to {
		return true, nil
	}
	m, err := e.stream.GetMsg(ctx, o.from, jetstream.WithGetMsgSubject(streamSubject))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for message %d: %w", o.from, err)
	}
	return m.Sequence > o.to, nil
}

// next returns the next message, at its place among those of the consumer, and
// how many there are after it; none when the range is over.
func (e *engine) next(ctx context.Context, it jetstream.MessagesContext, o readOptions, place uint64) (message, uint64, error) {
	m, err := e.wait(ctx, it, o)
	if m == nil || err != nil {
		return message{}, 0, err
	}
	meta, err := m.Metadata()
	if err != nil {
		return message{}, 0, fmt.Errorf("read message: %w", err)
	}
	if meta.Sequence.Consumer != place {
		return message{}, 0, fmt.Errorf("%w: got message %d of the reader, expected %d", errInterrupted, meta.Sequence.Consumer, place)
	}
	return message{meta.Sequence.Stream, meta.Timestamp, m.Headers(), m.Data()}, meta.NumPending, nil
}

// wait returns the next message, nil when the range is over.
func (e *engine) wait(ctx context.Context, it jetstream.MessagesContext, o readOptions) (jetstream.Msg, error) {
	for {
		bounded, cancel := context.WithTimeout(ctx, recheck)
		m, err := it.Next(jetstream.NextContext(bounded))
		cancel()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return m, interrupted(err)
		}
		if done, err := e.over(ctx, o); done || err != nil {
			return nil, err
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
