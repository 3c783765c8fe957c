package ingest

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"varde/proto/wire"
)

const (
	// defaultWindow is long enough to gather a fleet and short against the
	// fsync that it saves (about 2 ms) and the network (20 ms and more).
	defaultWindow = 5 * time.Millisecond
	// What one message of the journal may hold: records, batches (each takes a
	// line of its header) and bytes. One batch always fits.
	groupRecords = 1000
	groupBatches = 256
	groupBytes   = 3 << 20
	// queued is how many batches wait for the commit under way; the rest waits
	// in the streams that brought it.
	queued = 64
	// commitTimeout bounds one commit, however slow the disk.
	commitTimeout = 30 * time.Second
)

// submission is one batch on its way into the journal, or, without records, a
// question for the mark.
type submission struct {
	batch wire.Batch
	bytes int
	// answer is called once and does not block: with the mark after everything
	// that came before and in this submission is on disk, or with an error.
	answer func(mark uint64, err error)
}

// committer is the one writer of the journal. That there is one makes the check
// against the mark and the commit a single act for each source, whichever
// streams its batches come on.
type committer struct {
	journal Journal
	window  time.Duration
	metrics *metrics
	fleet   *fleet
	log     *slog.Logger
	in      chan *submission
	// held is a submission that did not fit the group before.
	held *submission
}

// submit hands s over. It waits while too many are under way.
func (c *committer) submit(ctx context.Context, s *submission) error {
	select {
	case c.in <- s:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// run commits until ctx ends. What was not committed by then is not answered.
func (c *committer) run(ctx context.Context) {
	for {
		group := c.gather(ctx)
		if ctx.Err() != nil {
			return
		}
		c.commit(ctx, group)
	}
}

// gather waits for a submission and takes what else arrives within the window.
func (c *committer) gather(ctx context.Context) []*submission {
	var group []*submission
	var records, bytes int
	var timeout <-chan time.Time
	for {
		s := c.held
		c.held = nil
		if s == nil {
			select {
			case s = <-c.in:
			case <-timeout:
				return group
			case <-ctx.Done():
				return nil
			}
		}
		if len(group) > 0 && (records+len(s.batch.Records) > groupRecords || bytes+s.bytes > groupBytes) {
			c.held = s
			return group
		}
		group, records, bytes = append(group, s), records+len(s.batch.Records), bytes+s.bytes
		if len(group) == groupBatches || records >= groupRecords {
			return group
		}
		if timeout == nil {
			timer := time.NewTimer(c.window)
			defer timer.Stop()
			timeout = timer.C
		}
	}
}

// commit keeps what continues its mark and answers everybody.
func (c *committer) commit(ctx context.Context, group []*submission) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	marks := map[wire.Source]uint64{}
	fresh, err := c.choose(ctx, group, marks)
	if err == nil && len(fresh) > 0 {
		err = c.append(ctx, fresh)
	}
	if err != nil {
		c.log.Warn("journal does not take what arrived", "batches", len(group), "error", err)
		err = fmt.Errorf("%w: %w", errJournal, err)
	}
	for _, s := range group {
		s.answer(marks[s.batch.Source()], err)
	}
}

// choose returns what of the group continues its marks, and fills in the marks
// as they are when that is kept.
func (c *committer) choose(ctx context.Context, group []*submission, marks map[wire.Source]uint64) ([]wire.Batch, error) {
	var fresh []wire.Batch
	for _, s := range group {
		b := s.batch
		source := b.Source()
		mark, ok := marks[source]
		if !ok {
			var err error
			if mark, err = c.journal.Mark(ctx, source); err != nil {
				return nil, err
			}
			marks[source] = mark
		}
		if len(b.Records) == 0 {
			continue
		}
		if b.First() > mark+1 {
			c.metrics.refused("hole")
			continue
		}
		sent := len(b.Records)
		b.Records = after(b.Records, mark)
		c.metrics.duplicates(sent - len(b.Records))
		if len(b.Records) > 0 {
			fresh = append(fresh, b)
			marks[source] = b.Last()
		}
	}
	return fresh, nil
}

func (c *committer) append(ctx context.Context, fresh []wire.Batch) error {
	start := time.Now()
	_, err := c.journal.Append(ctx, fresh)
	c.metrics.appended(fresh, time.Since(start), err)
	if err == nil {
		c.fleet.kept(fresh)
	}
	return err
}

// after returns what of consecutive records lies beyond a mark. A gap that
// begins before it is cut.
func after(records []wire.Record, mark uint64) []wire.Record {
	for len(records) > 0 && records[0].Last() <= mark {
		records = records[1:]
	}
	if len(records) == 0 || records[0].First() > mark {
		return records
	}
	cut := *records[0].Gap // only a gap covers more than one number
	cut.First = mark + 1
	return append([]wire.Record{{Gap: &cut}}, records[1:]...)
}
