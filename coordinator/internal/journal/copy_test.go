package journal_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

// copied is a part with its bytes.
type copied struct {
	part journal.Part
	data []byte
}

// copies takes every part of a journal.
func copies(t *testing.T, j *journal.Journal) (out []copied) {
	t.Helper()
	buckets, logs, err := j.Parts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(buckets, logs...) {
		var b bytes.Buffer
		p, err := j.Copy(t.Context(), name, &b)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, copied{p, b.Bytes()})
	}
	return out
}

func rebuild(ctx context.Context, dir string, list []copied) error {
	return journal.Rebuild(ctx, options(dir), func(put func(journal.Part, io.Reader) error) error {
		for _, c := range list {
			if err := put(c.part, bytes.NewReader(c.data)); err != nil {
				return err
			}
		}
		return nil
	})
}

// TestCopyIsTheWhole: what is made of copies that were taken while the journal went on
// holds all that was acknowledged before, under the same numbers and revisions, and
// refuses the same doubles.
func TestCopyIsTheWhole(t *testing.T) {
	j := open(t, options(t.TempDir()))
	roster := bucket(t, j)
	revision, err := roster.Put(t.Context(), "osl-1", []byte("key"), 0)
	if err != nil {
		t.Fatal(err)
	}
	archive, err := j.Archive(t.Context(), journal.ArchiveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	if err := archive.Keep(t.Context(), "2026-11-22-imap-9rwcp", noon, []wire.Batch{batch("osl-1", "a", 1, 3)}); err != nil {
		t.Fatal(err)
	}
	for i := range uint64(40) { // more than one chunk
		mustAppend(t, j, batch("osl-1", "a", i*1000+1, i*1000+1000))
	}
	before := spans(t, j)
	list := copies(t, j)
	mustAppend(t, j, batch("osl-1", "a", 40_001, 40_001))
	dir := filepath.Join(t.TempDir(), "journal")
	if err := rebuild(t.Context(), dir, list); err != nil {
		t.Fatal(err)
	}
	r := open(t, options(dir))
	if diff := cmp.Diff(before, spans(t, r)); diff != "" {
		t.Errorf("messages (-copied +rebuilt):\n%s", diff)
	}
	if v, at, err := bucket(t, r).Get(t.Context(), "osl-1"); string(v) != "key" || at != revision || err != nil {
		t.Errorf("got %q at %d, %v, want key at %d", v, at, err, revision)
	}
	again, err := r.Archive(t.Context(), journal.ArchiveOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if minutes, err := again.Minutes(t.Context(), "2026-11-22-imap-9rwcp"); err != nil || !cmp.Equal(minutes, []time.Time{noon}) {
		t.Errorf("archive holds %v, %v", minutes, err)
	}
	if _, err := r.Append(t.Context(), []wire.Batch{batch("osl-1", "a", 40_000, 40_000)}); !errors.Is(err, journal.ErrOverlap) {
		t.Errorf("append of what is there: %v, want %v", err, journal.ErrOverlap)
	}
	if seq := mustAppend(t, r, batch("osl-1", "a", 40_001, 40_001)); seq != 41 {
		t.Errorf("the next message is %d, want 41", seq)
	}
}

// TestRebuildRefuses what is not a copy, and a folder in which something is.
func TestRebuildRefuses(t *testing.T) {
	dir := t.TempDir()
	j := open(t, options(dir))
	mustAppend(t, j, batch("osl-1", "a", 1, 1000))
	list := copies(t, j)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := rebuild(t.Context(), dir, list); err == nil || !strings.Contains(err.Error(), "expected an empty folder") {
		t.Errorf("over another: %v", err)
	}
	for name, change := range map[string]func(c *copied){
		"cut":     func(c *copied) { c.data = c.data[:len(c.data)/2] },
		"changed": func(c *copied) { c.data[len(c.data)/2] ^= 1 },
		"empty":   func(c *copied) { c.data = nil },
		"strange": func(c *copied) { c.part.Config = []byte(`{"name":"OTHER"}`) },
	} {
		bad := copied{list[0].part, bytes.Clone(list[0].data)} // a bucket
		change(&bad)
		err := rebuild(t.Context(), filepath.Join(t.TempDir(), "journal"), []copied{bad})
		if err == nil || !strings.Contains(err.Error(), "rebuild "+list[0].part.Name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := j.Copy(t.Context(), "JOURNAL", io.Discard); !errors.Is(err, journal.ErrClosed) {
		t.Errorf("copy of a closed journal: %v", err)
	}
}

// TestCopyOfNothing names what there is not, and a writer's error ends it.
func TestCopyOfNothing(t *testing.T) {
	j := open(t, options(t.TempDir()))
	mustAppend(t, j, batch("osl-1", "a", 1, 1000))
	if _, err := j.Copy(t.Context(), "NOTHING", io.Discard); err == nil || !strings.Contains(err.Error(), "stream not found") {
		t.Errorf("got %v", err)
	}
	r, w := io.Pipe()
	full := errors.New("disk full")
	r.CloseWithError(full)
	if _, err := j.Copy(t.Context(), "JOURNAL", w); !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
	mustAppend(t, j, batch("osl-1", "a", 1001, 1001)) // all goes on
}
