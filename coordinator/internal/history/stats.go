package history

import (
	"context"
	"maps"
	"sync"
	"time"
)

// Place is how far a part has come in the journal.
type Place struct {
	// Seq is the last entry that it has taken.
	Seq uint64
	// Received is when the newest of what it has taken arrived, zero when it has
	// taken nothing.
	Received time.Time
}

// Stats is how far the history has come, and what went wrong on the way.
type Stats struct {
	// Told and Rolled are the places up to which verdicts were told and rollups are
	// on disk.
	Told, Rolled Place
	// Final is the time up to which verdicts are final; zero when none is.
	Final time.Time
	// Ignored counts observations, since the start, whose times made no sense.
	Ignored uint64
	// Commits counts the transactions, since the start, that are on disk.
	Commits uint64
	// Failures counts, since the start, how often each part ("told", "rollup",
	// "final") failed and tried again. A part that did not is 0.
	Failures map[string]uint64
}

// Stats returns how far the history has come.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	_, until, err := s.finalRange(ctx)
	return Stats{
		Told: s.board.place(), Rolled: *s.rolled.Load(), Final: until,
		Ignored: s.ignored.Load(), Commits: s.commits.Load(), Failures: s.retries.all(),
	}, err
}

// retries counts how often each part failed and tried again.
type retries struct {
	mu    sync.Mutex
	parts map[string]uint64
}

func (r *retries) add(part string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parts[part]++
}

func (r *retries) all() map[string]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return maps.Clone(r.parts)
}
