package journal

import (
	"context"
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

// Heard returns when something was last kept of each probe, also of one whose
// messages are kept no more.
func (j *Journal) Heard(ctx context.Context) (map[string]time.Time, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if err := j.syncLocked(ctx); err != nil {
		return nil, fmt.Errorf("read marks: %w", err)
	}
	out := make(map[string]time.Time)
	for s, m := range j.marks {
		if m.at.After(out[s.Probe]) {
			out[s.Probe] = m.at
		}
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
	err = e.read(ctx, readOptions{from: j.tail.newest() + 1, to: last, headersOnly: true}, func(m message) error {
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
	if acknowledged := j.tail.newest(); last < acknowledged {
		j.log.Error("journal has lost messages that were acknowledged", "last", last, "acknowledged", acknowledged)
	}
	j.tail.jump(last)
	j.stale = false
	return nil
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
