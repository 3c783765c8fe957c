package durable

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var (
	before = []byte("before")
	after  = []byte("after it")
)

// kept is the path of a file in a folder of its own, readable by everybody.
func kept(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "record.json")
	if err := os.WriteFile(path, before, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// check compares a file with what it should hold.
func check(t *testing.T, path string, want []byte) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the file holds %q, %v, want %q", got, err, want)
	}
}

// alone fails when anything stands beside the file.
func alone(t *testing.T, path string) {
	t.Helper()
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v, want the file alone", entries, err)
	}
}

func TestReplace(t *testing.T) {
	old := kept(t)
	for name, path := range map[string]string{"another": old, "none": filepath.Join(t.TempDir(), "new")} {
		t.Run(name, func(t *testing.T) {
			if err := Replace(path, after); err != nil {
				t.Fatal(err)
			}
			check(t, path, after)
			alone(t, path)
			if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
				t.Errorf("mode %v, %v, want one for the owner alone", info.Mode(), err)
			}
		})
	}
}

// TestCrash stops before every step, and finds the old file or the new one; what is
// left beside it is in nobody's way.
func TestCrash(t *testing.T) {
	const renamed = 5
	for n := range renamed + 2 {
		path := kept(t)
		f, err := Begin(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Reserve(100); err != nil {
			t.Fatal(err)
		}
		steps := f.steps(after)
		if len(steps) != renamed+1 {
			t.Fatalf("%d steps, want the name to come last but one", len(steps))
		}
		for _, step := range steps[:n] {
			if err := step(); err != nil {
				t.Fatal(err)
			}
		}
		want := before
		if n >= renamed {
			want = after
		}
		check(t, path, want)
		_ = f.next.Close()
		if err := Replace(path, []byte("later")); err != nil {
			t.Errorf("after a crash before step %d: %v", n, err)
		}
		check(t, path, []byte("later"))
	}
}

// TestEveryStepIsNeeded: none goes well where it cannot do anything, so that none is
// left out unseen.
func TestEveryStepIsNeeded(t *testing.T) {
	begin := func() (*File, []func() error) {
		f, err := Begin(kept(t))
		if err != nil {
			t.Fatal(err)
		}
		return f, f.steps(after)
	}
	f, steps := begin()
	_ = f.next.Close()
	for n, what := range []string{"write", "truncate", "sync", "close"} {
		if err := steps[n](); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("%s of a file that is closed: %v", what, err)
		}
	}
	f, steps = begin()
	if err := os.RemoveAll(filepath.Dir(f.path)); err != nil {
		t.Fatal(err)
	}
	for n, what := range []string{"rename", "sync"} {
		if err := steps[4+n](); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s in a folder that is gone: %v", what, err)
		}
	}
}

// TestFailure leaves the old file, and says which it is about.
func TestFailure(t *testing.T) {
	path := kept(t)
	f, err := Begin(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = f.next.Close()
	for what, err := range map[string]error{
		"reserve":   f.Reserve(10),
		"commit":    f.Commit(after),
		"no folder": Replace(filepath.Join(path, "record.json"), after),
	} {
		if err == nil || !strings.HasPrefix(err.Error(), "write "+path) || strings.Contains(err.Error(), string(after)) {
			t.Errorf("%s: got %v, want an error that names %s", what, err, path)
		}
	}
	check(t, path, before)
	alone(t, path)
}

// TestDiscard leaves no trace, before and after Commit.
func TestDiscard(t *testing.T) {
	path := kept(t)
	for _, want := range [][]byte{before, after} {
		f, err := Begin(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(want, after) {
			if err := f.Commit(after); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Discard(); err != nil {
			t.Error(err)
		}
		check(t, path, want)
		alone(t, path)
	}
}

// TestWritten: what is written piece by piece is in place whole after Finish, and
// before it not at all.
func TestWritten(t *testing.T) {
	path := kept(t)
	f, err := Begin(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, piece := range [][]byte{after[:3], after[3:]} {
		if n, err := f.Write(piece); err != nil || n != len(piece) {
			t.Fatalf("write: %d, %v", n, err)
		}
		check(t, path, before)
	}
	if err := f.Finish(); err != nil {
		t.Fatal(err)
	}
	check(t, path, after)
	alone(t, path)
	if _, err := f.Write(after); err == nil || !strings.HasPrefix(err.Error(), "write "+path) {
		t.Errorf("write after it: %v", err)
	}
}
