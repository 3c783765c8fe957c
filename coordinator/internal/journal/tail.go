package journal

import (
	"context"
	"fmt"
	"sync"

	"varde/proto/wire"
)

// maxTail bounds the messages of a tail, in bytes as they are on disk: about
// 4,000 observations, which take 4 MB in memory.
const maxTail = 1 << 20

// tail is the end of the journal in memory: nothing that is not on disk too.
// Whoever keeps up is fed from it. JetStream would send each reader a copy of its
// own to decode, and after ten quiet seconds read a whole block of its file
// again, up to 8 MB, to find the one message that was added.
type tail struct {
	mu sync.Mutex // protects all following fields
	// last is the number of the newest message that the marks include; kept are
	// those up to it, bytes is their size.
	last  uint64
	kept  []kept
	bytes int
	// moved is closed at the next change.
	moved  chan struct{}
	closed bool
}

// kept is one message, which is decoded once for all its readers.
type kept struct {
	size    int
	batches func() ([]wire.Batch, error)
}

func newTail() *tail { return &tail{moved: make(chan struct{})} }

// newest is the number of the newest message, 0 if there never was one.
func (t *tail) newest() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// add takes the message after the newest. It is on disk.
func (t *tail) add(seq uint64, data []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.bytes = seq, t.bytes+len(data)
	t.kept = append(t.kept, kept{len(data), sync.OnceValues(func() ([]wire.Batch, error) {
		return wire.UnmarshalEntry(data)
	})})
	for t.bytes > maxTail {
		t.dropLocked()
	}
	t.tellLocked()
}

// discard drops the messages before the given one.
func (t *tail) discard(first uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.kept) > 0 && t.last-uint64(len(t.kept))+1 < first {
		t.dropLocked()
	}
}

// dropLocked drops the oldest message.
func (t *tail) dropLocked() {
	t.bytes -= t.kept[0].size
	t.kept[0] = kept{}
	t.kept = t.kept[1:]
}

// jump notes the number of the newest message, where those up to it have to be
// read from disk.
func (t *tail) jump(last uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.kept, t.bytes = last, nil, 0
	t.tellLocked()
}

// close has everybody who waits get ErrClosed.
func (t *tail) close() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.closed = true
	t.tellLocked()
}

func (t *tail) tellLocked() {
	close(t.moved)
	t.moved = make(chan struct{})
}

// wait waits for a message after the given number. It returns the next one, or
// nil when those up to last have to be read from disk.
func (t *tail) wait(ctx context.Context, after uint64) (next *kept, last uint64, err error) {
	for ctx.Err() == nil {
		t.mu.Lock()
		next, last, moved, closed := t.nextLocked(after), t.last, t.moved, t.closed
		t.mu.Unlock()
		switch {
		case closed:
			return nil, 0, ErrClosed
		case after > last:
			return nil, 0, fmt.Errorf("after %d, its last is %d: %w", after, last, ErrAhead)
		case after < last:
			return next, last, nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
		}
	}
	return nil, 0, ctx.Err()
}

// nextLocked returns the message after the given number, nil if it is not here.
func (t *tail) nextLocked(after uint64) *kept {
	before := t.last - uint64(len(t.kept))
	if after < before || after >= t.last {
		return nil
	}
	m := t.kept[after-before]
	return &m
}
