package journal

import (
	"context"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"varde/proto/wire"
)

// Break makes the journal believe that its engine has failed.
func (j *Journal) Break() {
	j.engineMu.Lock()
	defer j.engineMu.Unlock()
	if j.engine != nil {
		j.engine.failed.Store(true)
	}
}

// DropSnapshot replaces the saved marks by the given bytes.
func (j *Journal) DropSnapshot(ctx context.Context, value []byte) error {
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

// SkipSnapshot leaves the saved marks as they are when the journal is closed.
func (j *Journal) SkipSnapshot() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.unsaved = 0
}

// ParseSpan is the decoder of headers.
func ParseSpan(text string) (string, error) {
	s, err := parseSpan(text)
	return s.String(), err
}

// Trim says which epochs of one probe are remembered at a time.
func Trim(now time.Time, epochs map[string]time.Time) []string {
	m := marks{}
	for e, at := range epochs {
		m[Source{Probe: "osl-1", Epoch: e}] = mark{1, at}
	}
	m.trim(now)
	var out []string
	for s := range m {
		out = append(out, s.Epoch)
	}
	slices.Sort(out)
	return out
}

// Damage takes one message out of the journal, as a disk may.
func (j *Journal) Damage(ctx context.Context, seq uint64) error {
	e, err := j.use(ctx)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.tail.jump(seq - 1)
	j.stale = true
	return e.stream.DeleteMsg(ctx, seq)
}

// InMemory is how many messages readers need not read from disk.
func (j *Journal) InMemory() int {
	j.tail.mu.Lock()
	defer j.tail.mu.Unlock()
	return len(j.tail.kept)
}

// Forget stores a batch, as an append whose answer was lost.
func (j *Journal) Forget(ctx context.Context, b wire.Batch) error {
	m, _, err := encode([]wire.Batch{b})
	if err != nil {
		return err
	}
	e, err := j.use(ctx)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.stale = true
	_, err = e.publish(ctx, m, jetstream.WithExpectLastSequence(j.tail.newest()))
	return err
}

// Marks are the newest records that the journal keeps of every source.
func (j *Journal) Marks(ctx context.Context) (map[Source]uint64, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	out := make(map[Source]uint64, len(j.marks))
	err := j.syncLocked(ctx)
	for s, m := range j.marks {
		out[s] = m.seq
	}
	return out, err
}
