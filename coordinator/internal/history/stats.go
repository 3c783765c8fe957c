package history

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
	// Ignored counts observations and events, since the start, whose times made no
	// sense or whose check nobody configured.
	Ignored uint64
	// Commits counts the transactions, since the start, that are on disk.
	Commits uint64
	// Failures counts, since the start, how often each part ("told", "rollup",
	// "final") failed and tried again. A part that did not is 0.
	Failures map[string]uint64
	// Missed counts, since the start, the entries of the journal that each reader
	// ("told", "rollup") came too late for.
	Missed map[string]uint64
}

// Stats returns how far the history has come. The error says what cannot be read,
// and which parts have failed and not got on since; the rest holds all the same.
func (s *Store) Stats(ctx context.Context) (Stats, error) {
	_, until, err := s.finalRange(ctx)
	out := Stats{
		Told: s.board.place(), Rolled: *s.rolled.Load(), Final: until,
		Ignored: s.ignored.Load(), Commits: s.commits.Load(),
	}
	var failing error
	out.Failures, out.Missed, failing = s.health.all()
	return out, errors.Join(err, failing)
}

// health keeps count of what goes wrong with each part.
type health struct {
	mu       sync.Mutex
	failures map[string]uint64
	missed   map[string]uint64
	// failing are the last errors of those that have not got on since.
	failing map[string]error
}

func newHealth() *health {
	return &health{
		failures: map[string]uint64{"told": 0, "rollup": 0, "final": 0},
		missed:   map[string]uint64{"told": 0, "rollup": 0},
		failing:  make(map[string]error),
	}
}

// fail notes that a part failed and will try again.
func (h *health) fail(part string, err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failures[part]++
	h.failing[part] = err
}

// work notes that a part gets on.
func (h *health) work(part string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.failing, part)
}

// miss notes that a reader came too late for n entries.
func (h *health) miss(part string, n uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.missed[part] += n
}

func (h *health) all() (failures, missed map[string]uint64, failing error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, part := range slices.Sorted(maps.Keys(h.failing)) {
		failing = errors.Join(failing, fmt.Errorf("history, part %s: %w", part, h.failing[part]))
	}
	return maps.Clone(h.failures), maps.Clone(h.missed), failing
}
