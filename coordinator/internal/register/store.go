package register

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Store is a small table that all coordinators of a fleet agree on. Revisions grow
// with every change of the store and are never used twice.
type Store interface {
	// Get returns a value and its revision, or ErrNotFound.
	Get(ctx context.Context, key string) (value []byte, revision uint64, err error)
	// Put replaces the value of the given revision, 0 where there must be none, and
	// returns the new one. Where another was faster it returns ErrConflict and changes
	// nothing. What it returns without an error is on disk.
	Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error)
	// Delete removes the value of the given revision, or returns ErrConflict or
	// ErrNotFound.
	Delete(ctx context.Context, key string, revision uint64) error
	// Keys lists what there is, in any order.
	Keys(ctx context.Context) ([]string, error)
}

// What a Store answers.
var (
	ErrNotFound = errors.New("key is not in the store")
	ErrConflict = errors.New("value in the store was changed meanwhile")
)

// get reads one value. One that is damaged is an error that names its key.
func get(ctx context.Context, s Store, key string, v any) (revision uint64, err error) {
	b, revision, err := s.Get(ctx, key)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", key, err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return 0, fmt.Errorf("read %s: got a damaged value (%w), expected JSON as this program writes it", key, err)
	}
	return revision, nil
}

// put writes one value in the place of that with the given revision.
func put(ctx context.Context, s Store, key string, v any, revision uint64) (uint64, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", key, err)
	}
	revision, err = s.Put(ctx, key, b, revision)
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", key, err)
	}
	return revision, nil
}
