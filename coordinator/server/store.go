package server

import (
	"context"
	"errors"

	"varde/coordinator/internal/identity"
	"varde/coordinator/internal/journal"
)

// identityStore lets the roster live in a bucket of the journal.
type identityStore struct{ *journal.Bucket }

var _ identity.Store = identityStore{}

// Get returns a value and its revision.
func (s identityStore) Get(ctx context.Context, key string) ([]byte, uint64, error) {
	v, revision, err := s.Bucket.Get(ctx, key)
	return v, revision, identityError(err)
}

// Put replaces the value of a revision.
func (s identityStore) Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	revision, err := s.Bucket.Put(ctx, key, value, revision)
	return revision, identityError(err)
}

// Delete removes the value of a revision.
func (s identityStore) Delete(ctx context.Context, key string, revision uint64) error {
	return identityError(s.Bucket.Delete(ctx, key, revision))
}

func identityError(err error) error {
	switch {
	case errors.Is(err, journal.ErrNotFound):
		return identity.ErrNotFound
	case errors.Is(err, journal.ErrConflict):
		return identity.ErrConflict
	}
	return err
}
