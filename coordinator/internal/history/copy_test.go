package history

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// copyOf copies the history of a machine into a new folder.
func copyOf(t *testing.T, m *machine, while func()) (dir string) {
	t.Helper()
	dir, temp := t.TempDir(), t.TempDir()
	must(t, m.s.Copy(t.Context(), temp, func(name, path string) error {
		b, err := os.ReadFile(path)
		must(t, err)
		while()
		return os.WriteFile(filepath.Join(dir, name), b, 0o600)
	}))
	left, err := os.ReadDir(temp)
	must(t, err)
	if len(left) > 0 {
		t.Errorf("%s was left behind", left[0].Name())
	}
	must(t, Verify(t.Context(), dir))
	return dir
}

// TestCopyGoesOn: a copy that was taken in the middle, while hours were sealed between
// one file and the next, becomes the record that its original becomes.
func TestCopyGoesOn(t *testing.T) {
	f, j := troubled(t)
	config := func() *Config { return f.config }
	end := ten.Add(3*time.Hour + 10*time.Minute)
	want := start(t, t.TempDir(), j, config).finish(end)
	m := start(t, t.TempDir(), j, config)
	m.feed(m.told, 300)
	m.feed(m.rollup, 500)
	must(t, m.told.flush())
	must(t, m.rollup.flush())
	must(t, m.rollup.seal(ten.Add(time.Hour)))
	dir := copyOf(t, m, func() { must(t, m.rollup.seal(ten.Add(2*time.Hour))) })
	sameRecord(t, want, start(t, dir, j, config).finish(end))
	sameRecord(t, want, m.finish(end))
}

// TestCopyWhileAMonthIsDeleted: it is not in the copy, and is not made again.
func TestCopyWhileAMonthIsDeleted(t *testing.T) {
	f, j := troubled(t)
	dir := t.TempDir()
	m := start(t, dir, j, func() *Config { return f.config })
	m.feedAll()
	must(t, m.rollup.seal(ten.Add(2*time.Hour)))
	month := filepath.Join(dir, monthName(ten))
	_, err := os.Stat(month)
	must(t, err)
	var names []string
	must(t, m.s.Copy(t.Context(), t.TempDir(), func(name, _ string) error {
		names = append(names, name)
		return os.Remove(month)
	}))
	if _, err := os.Stat(month); !slices.Equal(names, []string{historyFile}) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("copied %v, and the month: %v", names, err)
	}
}

func TestCopyFails(t *testing.T) {
	f, j := troubled(t)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	full, temp := errors.New("disk full"), t.TempDir()
	if err := m.s.Copy(t.Context(), temp, func(string, string) error { return full }); !errors.Is(err, full) {
		t.Errorf("got %v, want %v", err, full)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		t.Errorf("left %v, %v", left, err)
	}
	if err := m.s.Copy(t.Context(), filepath.Join(temp, "none"), nil); err == nil || !strings.Contains(err.Error(), "copy history.db") {
		t.Errorf("without a folder: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := m.s.Copy(ended, temp, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	m.feedAll()
}

// TestVerify finds what is not whole.
func TestVerify(t *testing.T) {
	f, j := troubled(t)
	m := start(t, t.TempDir(), j, func() *Config { return f.config })
	m.feedAll()
	dir := copyOf(t, m, func() {})
	path := filepath.Join(dir, historyFile)
	b, err := os.ReadFile(path)
	must(t, err)
	for name, damage := range map[string][]byte{"cut": b[:len(b)/2], "changed": append(append([]byte{}, b[:8192]...), append(make([]byte, 4096), b[12288:]...)...), "other": []byte("not a database, and long enough to be read as one")} {
		must(t, os.WriteFile(path, damage, 0o600))
		if err := Verify(t.Context(), dir); err == nil || !strings.Contains(err.Error(), historyFile) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
