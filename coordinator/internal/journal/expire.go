package journal

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Messages are discarded by age here and not by JetStream, which compares their
// times with a clock of the process (nats-server's package ats): in a bubble of
// testing/synctest that clock is the real one, and every message of the bubble
// would look decades old.

// sweepEvery is how often to look for messages past their age: a hundredth of
// it, at most every second and at least every ten minutes.
func sweepEvery(age time.Duration) time.Duration {
	return min(max(age/100, time.Second), 10*time.Minute)
}

// expireLocked discards what is older than MaxAge. It runs at the start and before
// an append: a journal that does not grow keeps what it has.
func (j *Journal) expireLocked(ctx context.Context) {
	now := time.Now()
	if j.opts.MaxAge == 0 || now.Sub(j.swept) < sweepEvery(j.opts.MaxAge) {
		return
	}
	j.swept = now
	e, err := j.use(ctx)
	if err == nil {
		var first uint64
		first, err = e.expire(ctx, now.Add(-j.opts.MaxAge))
		j.tail.discard(first)
	}
	if err != nil {
		j.log.Warn("discard old messages of journal", "error", err)
	}
}

// expire discards the messages stored before a time and returns the number of
// the first that is left, 0 if it does not know.
func (s *shelf) expire(ctx context.Context, before time.Time) (uint64, error) {
	first, young, err := s.since(ctx, before)
	if err != nil || first == young {
		return young, err
	}
	return young, s.stream.Purge(ctx, jetstream.WithPurgeSequence(young))
}

// since returns the numbers of the first message and of the first that was stored at
// or after a time; where there is none, that of the next. Numbers without a message,
// which a disk that was full leaves behind, are as old as the next.
func (s *shelf) since(ctx context.Context, at time.Time) (first, young uint64, err error) {
	first, last, err := s.bounds(ctx)
	if err != nil {
		return 0, 0, err
	}
	older := sort.Search(int(last+1-first), func(i int) bool {
		if err != nil {
			return true
		}
		var m *jetstream.RawStreamMsg
		m, err = s.stream.GetMsg(ctx, first+uint64(i), jetstream.WithGetMsgSubject(s.subjects))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			err = nil // none after it either
			return true
		}
		if err != nil {
			return true
		}
		return !m.Time.Before(at)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("look for old messages: %w", err)
	}
	return first, first + uint64(older), nil
}

// At returns the number of the first message that was stored at or after a time; where
// there is none, the one that the next message will have.
func (j *Journal) At(ctx context.Context, t time.Time) (seq uint64, err error) {
	e, err := j.use(ctx)
	if err == nil {
		_, seq, err = e.since(ctx, t)
	}
	if err != nil {
		return 0, fmt.Errorf("look into journal: %w", err)
	}
	return seq, nil
}

// Oldest returns when the oldest message was stored; the zero time if there is none.
func (j *Journal) Oldest(ctx context.Context) (at time.Time, err error) {
	e, err := j.use(ctx)
	if err != nil {
		return at, fmt.Errorf("look into journal: %w", err)
	}
	first, last, err := e.bounds(ctx)
	if err != nil || first > last {
		return at, err
	}
	m, err := e.stream.GetMsg(ctx, first, jetstream.WithGetMsgSubject(e.subjects))
	switch {
	case errors.Is(err, jetstream.ErrMsgNotFound): // it was discarded meanwhile
		return at, nil
	case err != nil:
		return at, fmt.Errorf("look into journal: %w", err)
	}
	return m.Time.UTC(), nil
}
