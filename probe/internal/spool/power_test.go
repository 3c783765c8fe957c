package spool

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
)

// small makes the segments of a spool so small that every byte can be tried.
func small(s *Spool) *Spool {
	s.opt.MaxBytes = 16 * 1500
	return s
}

// TestPowerLossAtEveryByte cuts and spoils each of three segments at each byte:
// a compressed one, a plain one behind it and the one that was written to.
func TestPowerLossAtEveryByte(t *testing.T) {
	dir := t.TempDir()
	s := small(open(t, dir, "e1"))
	const all = 20
	fill(t, s, 1, all)
	segs := slices.Clone(s.currentLocked().segs)
	if len(segs) != 3 || !segs[0].compressed || segs[1].compressed || segs[2].compressed {
		t.Fatalf("%d segments, want a compressed one and two plain ones", len(segs))
	}
	s.Close()
	files := readAll(t, filepath.Join(dir, "e1"))
	for _, g := range segs {
		data := files[filepath.Base(g.path)]
		for n := range data {
			spoilt := slices.Clone(data)
			spoilt[n] ^= 1 << (n % 8)
			for what, b := range map[string][]byte{"cut": data[:n], "flipped": spoilt} {
				if what == "flipped" && !g.compressed {
					continue // the same as in a spool of one segment
				}
				writeAll(t, filepath.Join(dir, "e1"), files)
				if err := os.WriteFile(g.path, b, 0o600); err != nil {
					t.Fatal(err)
				}
				kept := 0 // all of it or nothing
				if !g.compressed {
					kept = whole(t, data, n)
				}
				want := remaining(g, kept, g == segs[2], all)
				for _, epoch := range []string{"e2", "e3"}[:2-min(n%16, 1)] { // the second finds what the first has tidied
					again := open(t, dir, epoch)
					if got := show(drain(t, again, "e1", 0)); got != want {
						t.Fatalf("%s, %s at %d of %d: %s holds %s, want %s", filepath.Base(g.path), what, n, len(data), epoch, got, want)
					}
					again.Close()
				}
			}
		}
	}
}

// remaining is what is handed out of all observations when only some of the
// first in a segment are left. How many the last one held is not known.
func remaining(g *segment, kept int, last bool, all int) string {
	first := int(g.first) + kept
	parts := []string{numbers(1, first-1)}
	if !last {
		parts = append(parts, fmt.Sprintf("[%d-%d]", first, g.last), numbers(int(g.last)+1, all))
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

func readAll(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func writeAll(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, b := range files {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// mortalDisk asks after every step what a power loss would leave: of what was
// not synced any part, and of a file that was renamed either.
type mortalDisk struct {
	disk
	// died is told of each disk that may be found: what differs, by path.
	died func(differs map[string][]byte)
	// synced is how much of a file is on disk for certain, replaced what stood
	// under a name that may come back. Both by path.
	synced   map[string]int64
	replaced map[string][]byte
}

func (d *mortalDisk) write(f *os.File, b []byte, at int64) error {
	if _, ok := d.synced[f.Name()]; !ok || at < d.synced[f.Name()] {
		d.synced[f.Name()] = at
	}
	err := d.disk.write(f, b, at)
	d.die()
	return err
}

func (d *mortalDisk) sync(f *os.File) error {
	delete(d.synced, f.Name())
	d.die()
	return nil
}

func (d *mortalDisk) rename(from, to string) error {
	old, err := os.ReadFile(to)
	if err == nil {
		d.replaced[to] = old
	}
	if n, ok := d.synced[from]; ok { // the name may be there without the bytes
		d.synced[to] = n
		delete(d.synced, from)
	}
	err = d.disk.rename(from, to)
	d.die()
	return err
}

func (d *mortalDisk) syncDir(path string) error {
	maps.DeleteFunc(d.replaced, func(p string, _ []byte) bool { return filepath.Dir(p) == path })
	d.die()
	return nil
}

func (d *mortalDisk) die() {
	d.died(nil)
	for path, old := range d.replaced {
		d.died(map[string][]byte{path: old})
	}
	for path, from := range d.synced {
		b, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		for _, n := range []int64{from, from + 1, (from + int64(len(b))) / 2, int64(len(b)) - 1} {
			d.died(map[string][]byte{path: b[:max(min(n, int64(len(b))), 0)]})
		}
	}
}

// TestPowerLossAtEveryStep pulls the plug after each write, sync and rename:
// what Append has answered for is there, whatever the disk had not written yet.
func TestPowerLossAtEveryStep(t *testing.T) {
	dir := t.TempDir()
	s := small(open(t, dir, "e1"))
	var appended, states atomic.Int64
	s.disk = &mortalDisk{
		disk: s.disk, synced: map[string]int64{}, replaced: map[string][]byte{},
		died: func(differs map[string][]byte) {
			after := copyDir(t, dir)
			for path, b := range differs {
				if err := os.WriteFile(after+strings.TrimPrefix(path, dir), b, 0o600); err != nil {
					t.Error(err)
				}
			}
			least := int(appended.Load())
			again := open(t, after, "e2")
			if again.Epochs()[0] == "e1" {
				got := show(drain(t, again, "e1", 0))
				if got != numbers(1, least) && got != numbers(1, least+1) {
					t.Errorf("%d were appended, after a power loss there is %s", least, got)
				}
			} else if least > 0 {
				t.Errorf("%d were appended, after a power loss there is nothing", least)
			}
			again.Close()
			if isThere(t, filepath.Join(after, unfinished)) {
				t.Error("half a segment is left over")
			}
			states.Add(1)
		},
	}
	for i := 1; i <= 40; i++ {
		if _, err := s.Append(observation(i)); err != nil {
			t.Fatal(err)
		}
		idle(s)
		appended.Store(int64(i))
	}
	if n := s.currentLocked().compressed(); n < 3 || states.Load() < 250 {
		t.Errorf("%d segments were compressed, %d states of the disk tried", n, states.Load())
	}
}
