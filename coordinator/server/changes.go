package server

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"varde/coordinator/internal/history"
	"varde/coordinator/internal/verdict"
)

// maxChanges bounds the list of changes: a fleet that flaps all day must not
// fill the memory.
const maxChanges = 1000

// changes are the changes of verdict of the last day, oldest first.
type changes struct {
	mu   sync.Mutex // protects list
	list []verdict.Change
}

// load reads the changes that were told before this start.
func (c *changes) load(ctx context.Context, store *history.Store) error {
	now := time.Now()
	var list []verdict.Change
	for _, v := range store.Verdicts() {
		spans, err := store.Spans(ctx, v.Series, since(now), now)
		if err != nil {
			return fmt.Errorf("read changes of verdict: %w", err)
		}
		for i := 1; i < len(spans); i++ {
			from, to := spans[i-1], spans[i]
			list = append(list, verdict.Change{
				Series: v.Series, From: from.State, To: to.State, At: to.From,
				Since: to.Since, Reason: to.Reason, Counts: to.Counts, Evidence: to.Evidence,
			})
		}
	}
	slices.SortStableFunc(list, func(a, b verdict.Change) int { return a.At.Compare(b.At) })
	c.add(list)
	return nil
}

func (c *changes) add(list []verdict.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = append(c.list, list...)
	if n := len(c.list) - maxChanges; n > 0 {
		c.list = slices.Delete(c.list, 0, n)
	}
}

// recent returns the changes of the last day, newest first.
func (c *changes) recent(now time.Time) []verdict.Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.list = slices.DeleteFunc(c.list, func(v verdict.Change) bool { return v.At.Before(since(now)) })
	out := slices.Clone(c.list)
	slices.Reverse(out)
	return out
}
