package journal

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"varde/proto/wire"
)

// headerName is the header field of a message, once for each span in it.
const headerName = "Varde-Batch"

// span is what a header says: the message holds these records of that source.
type span struct {
	source      Source
	first, last uint64
}

// String writes the span as it stands in a header: probe, epoch, first, last.
func (s span) String() string {
	return fmt.Sprintf("%s %s %d %d", s.source.Probe, s.source.Epoch, s.first, s.last)
}

// parseSpan reads what String wrote.
func parseSpan(text string) (span, error) {
	bad := fmt.Errorf("header %s: %.200q, expected probe, epoch, first and last", headerName, text)
	f := strings.Split(text, " ")
	if len(f) != 4 || f[0] == "" || f[1] == "" {
		return span{}, bad
	}
	first, err1 := strconv.ParseUint(f[2], 10, 64)
	last, err2 := strconv.ParseUint(f[3], 10, 64)
	if err1 != nil || err2 != nil || first == 0 || last < first {
		return span{}, bad
	}
	return span{Source{Probe: f[0], Epoch: f[1]}, first, last}, nil
}

// spansOf says what batches hold, those of one source that follow one another
// together.
func spansOf(batches []wire.Batch) []span {
	var out []span
	at := map[Source]int{}
	for _, b := range batches {
		s := span{b.Source(), b.First(), b.Last()}
		if i, ok := at[s.source]; ok && out[i].last+1 == s.first {
			out[i].last = s.last
			continue
		}
		at[s.source] = len(out)
		out = append(out, s)
	}
	return out
}

// mark is the newest record kept of a source, and when it came.
type mark struct {
	seq uint64
	at  time.Time
}

type marks map[Source]mark

// continuedBy returns ErrOverlap if a span lies at or below its mark.
func (m marks) continuedBy(spans []span) error {
	next := map[Source]uint64{}
	for _, s := range spans {
		have := max(next[s.source], m[s.source].seq)
		if s.first <= have {
			return fmt.Errorf("%s/%s has %d, got %d to %d: %w", s.source.Probe, s.source.Epoch, have, s.first, s.last, ErrOverlap)
		}
		next[s.source] = s.last
	}
	return nil
}

func (m marks) add(spans []span, at time.Time) {
	for _, s := range spans {
		if s.last > m[s.source].seq {
			m[s.source] = mark{s.last, at.UTC()}
		}
	}
}

const (
	// markLife is longer than a probe can be away and still come back with its
	// old spool (30 days of certificate and 180 of late renewal).
	markLife = 400 * 24 * time.Hour
	// maxEpochs bounds the marks of a probe that starts again and again.
	maxEpochs = 1000
)

// trim forgets epochs that cannot come back, and the oldest of too many.
func (m marks) trim(now time.Time) {
	byProbe := map[string][]Source{}
	for s, k := range m {
		if now.Sub(k.at) > markLife {
			delete(m, s)
			continue
		}
		byProbe[s.Probe] = append(byProbe[s.Probe], s)
	}
	for _, sources := range byProbe {
		if len(sources) <= maxEpochs {
			continue
		}
		slices.SortFunc(sources, func(a, b Source) int { return m[b].at.Compare(m[a].at) })
		for _, s := range sources[maxEpochs:] {
			delete(m, s)
		}
	}
}

// Marks returns the newest record that the journal keeps of every source.
func (j *Journal) Marks(ctx context.Context) (map[Source]uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.syncLocked(ctx); err != nil {
		return nil, fmt.Errorf("read marks: %w", err)
	}
	out := make(map[Source]uint64, len(j.marks))
	for s, m := range j.marks {
		out[s] = m.seq
	}
	return out, nil
}

// Mark returns the newest record that the journal keeps of one source, 0 if it
// keeps none.
func (j *Journal) Mark(ctx context.Context, s Source) (uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.syncLocked(ctx); err != nil {
		return 0, fmt.Errorf("read mark: %w", err)
	}
	return j.marks[s].seq, nil
}

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
	j.last, j.stale = s.Sequence, true
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

// syncLocked reads the headers of messages that marks do not include yet, if
// there may be any.
func (j *Journal) syncLocked(ctx context.Context) error {
	if !j.stale {
		return nil
	}
	e, err := j.use(ctx)
	if err != nil {
		return err
	}
	_, last, err := e.bounds(ctx)
	if err != nil {
		return err
	}
	err = e.read(ctx, readOptions{from: j.last + 1, to: last, headersOnly: true}, func(m message) error {
		spans, err := m.spans()
		if err != nil {
			return err
		}
		j.marks.add(spans, m.stored)
		j.unsaved++
		return nil
	})
	if err != nil {
		return fmt.Errorf("read headers: %w", err)
	}
	if last < j.last {
		j.log.Error("journal has lost messages that were acknowledged", "last", last, "acknowledged", j.last)
	}
	j.last, j.stale = last, false
	return nil
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
	s := snapshot{Sequence: j.last}
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

// spans reads the header of a message.
func (m message) spans() ([]span, error) {
	var out []span
	for _, text := range m.header[headerName] {
		s, err := parseSpan(text)
		if err != nil {
			return nil, fmt.Errorf("message %d: %w", m.seq, err)
		}
		out = append(out, s)
	}
	return out, nil
}
