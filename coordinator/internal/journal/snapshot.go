package journal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// The bucket and key of the snapshot.
const (
	marksBucket = "journal"
	marksKey    = "marks"
)

// snapshot is the marks as they were after the message of a sequence number.
type snapshot struct {
	Sequence uint64         `json:"sequence"`
	Marks    []snapshotMark `json:"marks"`
}

type snapshotMark struct {
	Probe string    `json:"probe"`
	Epoch string    `json:"epoch"`
	Seq   uint64    `json:"seq"`
	At    time.Time `json:"at"`
}

// load rebuilds the marks: those of the snapshot, if it is one of this journal,
// and those of every message after it.
func (j *Journal) load(ctx context.Context) error {
	e, err := j.use(ctx)
	if err != nil {
		return err
	}
	_, last, err := e.bounds(ctx)
	if err != nil {
		return err
	}
	if j.opts.ReadOnly { // marks are for Append
		j.tail.jump(last)
		return nil
	}
	s, err := readSnapshot(ctx, e)
	if err != nil {
		j.log.Warn("saved marks are not readable, reading all headers", "error", err)
	}
	if s.Sequence > last {
		// The messages after last are lost (a disk that did not keep what it
		// said it had): their marks would keep probes from sending them again.
		j.log.Error("journal is older than its saved marks", "last", last, "saved", s.Sequence)
		s = snapshot{}
	}
	for _, m := range s.Marks {
		j.marks[Source{Probe: m.Probe, Epoch: m.Epoch}] = mark{m.Seq, m.At}
	}
	j.tail.jump(s.Sequence)
	j.stale = true
	return j.syncLocked(ctx)
}

func readSnapshot(ctx context.Context, e *engine) (snapshot, error) {
	var s snapshot
	kv, err := e.bucket(ctx, marksBucket)
	if err != nil {
		return s, err
	}
	value, _, err := get(ctx, kv, marksKey)
	if errors.Is(err, ErrNotFound) {
		return s, nil
	}
	if err != nil {
		return s, err
	}
	if err := json.Unmarshal(value, &s); err != nil {
		return snapshot{}, fmt.Errorf("decode marks: %w", err)
	}
	return s, nil
}

// saveLocked writes the snapshot. A failure costs time at the next start and
// nothing else.
func (j *Journal) saveLocked(ctx context.Context) {
	if j.unsaved == 0 || j.stale {
		return
	}
	j.unsaved = 0
	if err := j.writeSnapshot(ctx); err != nil {
		j.log.Warn("save marks of journal", "error", err)
	}
}

func (j *Journal) writeSnapshot(ctx context.Context) error {
	j.marks.trim(time.Now())
	s := snapshot{Sequence: j.tail.newest()}
	for source, m := range j.marks {
		s.Marks = append(s.Marks, snapshotMark{source.Probe, source.Epoch, m.seq, m.at})
	}
	slices.SortFunc(s.Marks, func(a, b snapshotMark) int {
		return cmp.Or(cmp.Compare(a.Probe, b.Probe), cmp.Compare(a.Epoch, b.Epoch))
	})
	value, err := json.Marshal(s)
	if err != nil {
		return err
	}
	e, err := j.use(ctx)
	if err != nil {
		return err
	}
	kv, err := e.bucket(ctx, marksBucket)
	if err != nil {
		return err
	}
	_, err = kv.Put(ctx, marksKey, value)
	return err
}
