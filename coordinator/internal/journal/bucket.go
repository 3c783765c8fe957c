package journal

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nats-io/nats.go/jetstream"
)

// The errors of a bucket.
var (
	// ErrNotFound says that there is no value under a key.
	ErrNotFound = errors.New("not found")
	// ErrConflict says that the value is not at the revision expected: somebody
	// else changed it meanwhile. Read it again and decide anew.
	ErrConflict = errors.New("changed by somebody else")
)

// Bucket is a small set of values that must be agreed on: the roster, cursors,
// incidents. A change is made only to the revision that its author has seen. It
// is on disk when the call returns. Keys are letters, digits and -_=./ .
type Bucket struct {
	journal *Journal
	name    string
}

// Bucket opens the bucket of a name (letters, digits, - and _), or makes it.
func (j *Journal) Bucket(ctx context.Context, name string) (*Bucket, error) {
	b := &Bucket{j, name}
	if _, err := b.open(ctx); err != nil {
		return nil, fmt.Errorf("open bucket %s: %w", name, err)
	}
	return b, nil
}

// Get returns the value under a key and its revision, or ErrNotFound.
func (b *Bucket) Get(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	kv, err := b.open(ctx)
	if err == nil {
		value, revision, err = get(ctx, kv, key)
	}
	return value, revision, b.wrap("get", key, err)
}

// Put sets the value under a key if it is at the given revision, 0 if there is
// none, and returns the new revision; else ErrConflict.
func (b *Bucket) Put(ctx context.Context, key string, value []byte, revision uint64) (uint64, error) {
	kv, err := b.open(ctx)
	if err != nil {
		return 0, b.wrap("put", key, err)
	}
	if err := checkSpace(b.journal.opts.Dir, b.journal.opts.Reserve); err != nil {
		return 0, b.wrap("put", key, err)
	}
	if revision == 0 {
		revision, err = kv.Create(ctx, key, value)
	} else {
		revision, err = kv.Update(ctx, key, value, revision)
	}
	return revision, b.wrap("put", key, err)
}

// Delete removes a key if it is at the given revision, else ErrConflict.
func (b *Bucket) Delete(ctx context.Context, key string, revision uint64) error {
	kv, err := b.open(ctx)
	if err == nil {
		err = kv.Delete(ctx, key, jetstream.LastRevision(revision))
	}
	return b.wrap("delete", key, err)
}

// Keys returns all keys, sorted.
func (b *Bucket) Keys(ctx context.Context) ([]string, error) {
	kv, err := b.open(ctx)
	if err != nil {
		return nil, fmt.Errorf("list bucket %s: %w", b.name, err)
	}
	keys, err := kv.Keys(ctx)
	if err != nil && !errors.Is(err, jetstream.ErrNoKeysFound) {
		return nil, fmt.Errorf("list bucket %s: %w", b.name, err)
	}
	slices.Sort(keys)
	return keys, nil
}

func (b *Bucket) open(ctx context.Context) (jetstream.KeyValue, error) {
	e, err := b.journal.use(ctx)
	if err != nil {
		return nil, err
	}
	return e.bucket(ctx, b.name)
}

// wrap says what was tried and translates the errors that callers branch on.
func (b *Bucket) wrap(act, key string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, jetstream.ErrKeyExists) || isConflict(err):
		err = ErrConflict
	}
	return fmt.Errorf("%s %s in bucket %s: %w", act, key, b.name, err)
}

func get(ctx context.Context, kv jetstream.KeyValue, key string) ([]byte, uint64, error) {
	e, err := kv.Get(ctx, key)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, 0, ErrNotFound
	}
	if err != nil {
		return nil, 0, err
	}
	return e.Value(), e.Revision(), nil
}

// bucket returns the handle of a bucket, made once an engine.
func (e *engine) bucket(ctx context.Context, name string) (jetstream.KeyValue, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if kv := e.buckets[name]; kv != nil {
		return kv, nil
	}
	kv, err := e.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: name, History: 1, Storage: jetstream.FileStorage,
	})
	if err != nil {
		return nil, err
	}
	e.buckets[name] = kv
	return kv, nil
}
