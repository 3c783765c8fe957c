package journal_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/journal"
)

func bucket(t *testing.T, j *journal.Journal) *journal.Bucket {
	t.Helper()
	b, err := j.Bucket(t.Context(), "roster")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBucketComparesAndSets(t *testing.T) {
	dir := t.TempDir()
	j := open(t, options(dir))
	b := bucket(t, j)
	ctx := t.Context()
	if _, _, err := b.Get(ctx, "osl-1"); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("get of nothing: %v", err)
	}
	if keys, err := b.Keys(ctx); err != nil || len(keys) != 0 {
		t.Errorf("keys of an empty bucket: %v, %v", keys, err)
	}
	r1, err := b.Put(ctx, "osl-1", []byte("one"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Put(ctx, "osl-1", []byte("other"), 0); !errors.Is(err, journal.ErrConflict) {
		t.Errorf("create what is there: %v", err)
	}
	r2, err := b.Put(ctx, "osl-1", []byte("two"), r1)
	if err != nil || r2 == r1 {
		t.Fatalf("update: revision %d after %d, %v", r2, r1, err)
	}
	if _, err := b.Put(ctx, "osl-1", []byte("three"), r1); !errors.Is(err, journal.ErrConflict) {
		t.Errorf("update of an old revision: %v", err)
	}
	if err := b.Delete(ctx, "osl-1", r1); !errors.Is(err, journal.ErrConflict) {
		t.Errorf("delete of an old revision: %v", err)
	}
	if _, err := b.Put(ctx, "a/b.c", nil, 0); err != nil {
		t.Error(err)
	}
	if keys, err := b.Keys(ctx); err != nil || !cmp.Equal(keys, []string{"a/b.c", "osl-1"}) {
		t.Errorf("keys: %v, %v", keys, err)
	}
	if _, err := b.Put(ctx, "no such key!", nil, 0); err == nil {
		t.Error("put of an invalid key: no error")
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	b = bucket(t, open(t, options(dir)))
	v, r, err := b.Get(ctx, "osl-1")
	if err != nil || string(v) != "two" || r != r2 {
		t.Errorf("after a restart: %q at %d, %v, want two at %d", v, r, err, r2)
	}
	if err := b.Delete(ctx, "osl-1", r2); err != nil {
		t.Error(err)
	}
	if _, _, err := b.Get(ctx, "osl-1"); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("get of what was deleted: %v", err)
	}
	if _, err := b.Put(ctx, "osl-1", []byte("again"), 0); err != nil {
		t.Errorf("create after delete: %v", err)
	}
}

// TestBucketLosesNoUpdate counts in one key from many goroutines.
func TestBucketLosesNoUpdate(t *testing.T) {
	b := bucket(t, open(t, options(t.TempDir())))
	if _, err := b.Put(t.Context(), "n", []byte("0"), 0); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for added := 0; added < 10; {
				v, r, err := b.Get(t.Context(), "n")
				if err != nil {
					t.Error(err)
					return
				}
				var n int
				fmt.Sscan(string(v), &n)
				_, err = b.Put(t.Context(), "n", fmt.Append(nil, n+1), r)
				if err == nil {
					added++
				} else if !errors.Is(err, journal.ErrConflict) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if v, _, err := b.Get(t.Context(), "n"); err != nil || string(v) != "40" {
		t.Errorf("counted %s, %v, want 40", v, err)
	}
}
