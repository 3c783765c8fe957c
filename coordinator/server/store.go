package server

import (
	"context"
	"errors"

	"varde/coordinator/internal/identity"
	"varde/coordinator/internal/journal"
	"varde/coordinator/internal/register"
)

// bucketStore lets a room keep its small state in a bucket of the journal, and be told
// of what branches in errors of its own.
type bucketStore struct {
	*journal.Bucket
	notFound, conflict error
}

var (
	_ identity.Store = bucketStore{}
	_ register.Store = bucketStore{}
)

// Get returns a value and its revision.
func (s bucketStore) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	v, revision, err := s.Bucket.Get(ctx, key)
	return v, revision, s.translated(err)
}

// Put replaces the value of a revision.
func (s bucketStore) Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	revision, err := s.Bucket.Put(ctx, key, value, revision)
	return revision, s.translated(err)
}

// Delete removes the value of a revision.
func (s bucketStore) Delete(ctx context.Context, key string, revision uint64) error {
	return s.translated(s.Bucket.Delete(ctx, key, revision))
}

func (s bucketStore) translated(err error) error {
	switch {
	case errors.Is(err, journal.ErrNotFound):
		return s.notFound
	case errors.Is(err, journal.ErrConflict):
		return s.conflict
	}
	return err
}
