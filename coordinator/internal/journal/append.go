package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"varde/checks"
	"varde/proto/wire"
)

// saveEvery is the number of messages after which the marks are saved: a start
// after a crash reads at most so many headers more than it must (160 ms).
const saveEvery = 8192

// Append keeps batches as one message: all of them or none. When it returns
// without an error they are on disk. After an error they may be there or not;
// the marks tell.
//
// Every batch must be attributed and go on beyond the mark of its source, else
// nothing is kept and the error is ErrOverlap. Together they may have at most
// 8 MB and about 300 batches of different sources.
func (j *Journal) Append(ctx context.Context, batches []wire.Batch) (seq uint64, err error) {
	if j.opts.ReadOnly {
		return 0, fmt.Errorf("append to journal: %w", ErrReadOnly)
	}
	m, spans, err := encode(batches)
	if err != nil {
		return 0, fmt.Errorf("append to journal: %w", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.syncLocked(ctx); err != nil {
		return 0, fmt.Errorf("append to journal: %w", err)
	}
	if err := j.marks.continuedBy(spans); err != nil {
		return 0, fmt.Errorf("append to journal: %w", err)
	}
	j.expireLocked(ctx) // first: it may be what makes room
	if err := checkSpace(j.opts.Dir, j.opts.Reserve); err != nil {
		return 0, fmt.Errorf("append to journal: %w", err)
	}
	if err := j.publishLocked(ctx, m); err != nil {
		return 0, fmt.Errorf("append to journal: %w", err)
	}
	j.marks.add(spans, time.Now())
	if j.unsaved++; j.unsaved >= saveEvery {
		j.saveLocked(ctx)
	}
	return j.tail.newest(), nil
}

// publishLocked stores m as the message after the newest. When that did not work
// for certain, the marks are read again before the next append.
func (j *Journal) publishLocked(ctx context.Context, m *nats.Msg) error {
	e, err := j.use(ctx)
	if err != nil {
		return err
	}
	seq, err := e.publish(ctx, m, jetstream.WithExpectLastSequence(j.tail.newest()))
	if err != nil {
		j.stale = true
		return err
	}
	j.tail.add(seq, m.Data)
	return nil
}

// encode makes the message of batches, and what its header says.
func encode(batches []wire.Batch) (*nats.Msg, []span, error) {
	if len(batches) == 0 {
		return nil, nil, errors.New("no batches")
	}
	for _, b := range batches {
		if err := checkBatch(b); err != nil {
			return nil, nil, err
		}
	}
	data, err := wire.MarshalEntry(batches)
	if err != nil {
		return nil, nil, fmt.Errorf("encode: %w", err)
	}
	m := nats.NewMsg(subject)
	m.Data = data
	spans := spansOf(batches)
	header := 0
	for _, s := range spans {
		v := s.String()
		m.Header.Add(headerName, v)
		header += len(headerName) + len(v) + 4
	}
	if header > maxHeader || header+len(data) > maxMessage-maxHeader/10 {
		return nil, nil, fmt.Errorf("message of %d bytes and header of %d, expected at most %d and %d",
			len(data), header, maxMessage, maxHeader)
	}
	return m, spans, nil
}

// checkBatch refuses what a reader could not read again.
func checkBatch(b wire.Batch) error {
	if !checks.ValidID(b.Probe) || !checks.ValidID(b.Region) {
		return fmt.Errorf("batch of probe %q and region %q, expected two ids", b.Probe, b.Region)
	}
	if b.Epoch == "" || len(b.Epoch) > wire.MaxEpoch || len(b.Records) == 0 {
		return fmt.Errorf("batch of epoch %q with %d records, expected an epoch and at least one", b.Epoch, len(b.Records))
	}
	return nil
}
