package spool

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAnothersSpoolIsSetAside has a machine join anew: what it spooled under its
// old name is kept, and never handed out under the new one.
func TestAnothersSpoolIsSetAside(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "spool")
	s := openWith(t, Options{Dir: dir, Epoch: "e0", NoSync: true}) // of a program that did not name owners
	fill(t, s, 1, 3)
	s.Close()
	for _, c := range []struct {
		owner, epoch string
		want         []string
		aside        bool
	}{
		{"osl-1", "e1", []string{"e0", "e1"}, false},
		{"osl-1", "e2", []string{"e0", "e1", "e2"}, false},
		{"syd-1", "e3", []string{"e3"}, true},
		{"syd-1", "e4", []string{"e3", "e4"}, false},
	} {
		var log bytes.Buffer
		s, err := Open(Options{Dir: dir, Epoch: c.epoch, Owner: c.owner, NoSync: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Epochs(); !slices.Equal(got, c.want) {
			t.Errorf("%s finds %v, want %v", c.owner, got, c.want)
		}
		fill(t, s, 1, 3)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if got := strings.Count(log.String(), "set aside"); got != map[bool]int{true: 1}[c.aside] {
			t.Errorf("%s in %s: logged %q", c.owner, c.epoch, log.String())
		}
	}
	if kept, err := segmentPaths(filepath.Join(dir+".e3", "e1")); err != nil || len(kept) != 1 {
		t.Errorf("set aside: %v, %v, want one segment of e1", kept, err)
	}
	if owner, err := os.ReadFile(filepath.Join(dir, ownerFile)); string(owner) != "syd-1" {
		t.Errorf("owner %q, %v", owner, err)
	}
}
