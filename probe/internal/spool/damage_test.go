package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"varde/proto/wire"
)

// spooled makes a folder with one epoch of n observations.
func spooled(t *testing.T, n int) (dir string, segs []string) {
	t.Helper()
	dir = t.TempDir()
	s := open(t, dir, "e1")
	fill(t, s, 1, n)
	s.Close()
	segs, err := segmentPaths(filepath.Join(dir, "e1"))
	if err != nil || len(segs) == 0 {
		t.Fatal(segs, err)
	}
	return dir, segs
}

// whole is how many frames of a segment fit n bytes.
func whole(t *testing.T, data []byte, n int) (frames int) {
	t.Helper()
	for at := 0; at+frameHeader <= n; frames++ {
		size := frameHeader + int(data[at]) + int(data[at+1])<<8
		if at += size; at > n {
			return frames
		}
	}
	return frames
}

func TestKillAtEveryByteLeavesAPrefix(t *testing.T) {
	dir, segs := spooled(t, 2)
	data, err := os.ReadFile(segs[0])
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(data) + 1 {
		if err := os.WriteFile(segs[0], data[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		checkPrefix(t, dir, whole(t, data, n), fmt.Sprintf("cut at %d", n))
	}
	if want := whole(t, data, len(data)); want != 2 {
		t.Errorf("the whole segment has %d frames, want 2", want)
	}
}

func TestFlippedByteLeavesAPrefix(t *testing.T) {
	dir, segs := spooled(t, 2)
	data, err := os.ReadFile(segs[0])
	if err != nil {
		t.Fatal(err)
	}
	for n := range data {
		spoiled := slices.Clone(data)
		spoiled[n] ^= 1 << (n % 8)
		if err := os.WriteFile(segs[0], spoiled, 0o600); err != nil {
			t.Fatal(err)
		}
		checkPrefix(t, dir, whole(t, data, n), fmt.Sprintf("flip at %d", n))
	}
	// A tail of zeros is what some file systems leave after a crash.
	if err := os.WriteFile(segs[0], append(slices.Clone(data), make([]byte, 100)...), 0o600); err != nil {
		t.Fatal(err)
	}
	checkPrefix(t, dir, 2, "zeros")
}

// checkPrefix opens a folder, finds the first n records, and leaves it as it
// was but for the segment.
func checkPrefix(t *testing.T, dir string, n int, what string) {
	t.Helper()
	s := open(t, dir, "e2")
	if got := show(drain(t, s, "e1", 0)); got != numbers(1, n) {
		t.Fatalf("%s: got %q, want the first %d", what, got, n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "e2")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "e1"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// Damage in the middle costs the rest of its segment, or all of it where it is
// compressed, and says so; what comes after stays. Found at a restart or while
// running makes no difference.
func TestDamageInTheMiddleIsAGap(t *testing.T) {
	for _, running := range []bool{false, true} {
		for _, compressed := range []bool{false, true} {
			t.Run(fmt.Sprintf("running %t, compressed %t", running, compressed), func(t *testing.T) {
				testDamageInTheMiddle(t, running, compressed)
			})
		}
	}
}

func testDamageInTheMiddle(t *testing.T, running, compressed bool) {
	dir := t.TempDir()
	s := open(t, dir, "e1")
	fill(t, s, 1, 100)
	segs := s.currentLocked().segs
	i := slices.IndexFunc(segs[1:], func(g *segment) bool { return g.compressed == compressed }) + 1
	bad := *segs[i]
	if bad.compressed != compressed || i == len(segs)-1 {
		t.Fatalf("no segment to damage among %d", len(segs))
	}
	spoil(t, bad.path, bad.size/2)
	if !running {
		s.Close()
		s = open(t, dir, "e2")
	}
	recs := drain(t, s, "e1", 0)
	i = slices.IndexFunc(recs, func(r wire.Record) bool { return r.Gap != nil })
	if i < 0 {
		t.Fatalf("got %s", show(recs))
	}
	first, last := int(recs[i].First()), int(recs[i].Last())
	if got, want := show(recs), fmt.Sprintf("%s [%d-%d] %s", numbers(1, first-1), first, last, numbers(last+1, 100)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if last != int(bad.last) || compressed != (first == int(bad.first)) {
		t.Errorf("[%d-%d] is lost of [%d-%d]", first, last, bad.first, bad.last)
	}
	if g := recs[i].Gap; g.From.After(observation(first).Started) || g.To.Before(observation(last).Started) || g.To.Sub(g.From) > time.Minute {
		t.Errorf("gap %v does not enclose its runs", g)
	}
	if running {
		fill(t, s, 101, 101)
		if got := show(drain(t, s, "e1", 99)); got != "100 101" || s.Stats().Dropped != uint64(last-first+1) {
			t.Errorf("after the damage got %s, %d dropped", got, s.Stats().Dropped)
		}
	}
}

// spoil changes one byte of a file.
func spoil(t *testing.T, path string, at int64) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[at] ^= 0x10
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamageInTheSegmentThatIsWritten(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "e1")
	fill(t, s, 1, 5)
	segs, _ := segmentPaths(filepath.Join(dir, "e1"))
	f, err := os.OpenFile(segs[0], os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte{0xff}, 20); err != nil {
		t.Fatal(err)
	}
	if got := show(drain(t, s, "e1", 0)); got != numbers(1, 5) {
		t.Errorf("from memory got %s", got)
	}
	s.active.recent = nil
	if got := show(drain(t, s, "e1", 0)); got != "[1-5]" {
		t.Errorf("got %s", got)
	}
	fill(t, s, 6, 7)
	if got := show(drain(t, s, "e1", 0)); got != "[1-5] 6 7" {
		t.Errorf("got %s", got)
	}
	s.Close()
	s = open(t, dir, "e2")
	if got := show(drain(t, s, "e1", 0)); got != "[1-5] 6 7" {
		t.Errorf("after a restart got %s", got)
	}
}

func TestLostMarkOnlyRepeats(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "e1")
	fill(t, s, 1, 100)
	if err := s.Ack("e1", 40); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := os.Remove(filepath.Join(dir, "e1", markFile)); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, "e2")
	recs := drain(t, s, "e1", 0)
	last := int(recs[0].Last())
	if got, want := show(recs), fmt.Sprintf("[1-%d] %s", last, numbers(last+1, 100)); got != want || last > 40 {
		t.Errorf("got %s", got)
	}
}

func TestTooManyEpochs(t *testing.T) {
	dir := t.TempDir()
	_, segs := spooled(t, 1)
	b, err := os.ReadFile(segs[0])
	if err != nil {
		t.Fatal(err)
	}
	for i := range maxEpochs + 5 {
		e := filepath.Join(dir, fmt.Sprintf("e%05d", i))
		if err := errors.Join(os.Mkdir(e, 0o700), os.WriteFile(filepath.Join(e, segmentName(1)), b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, "now")
	if got := s.Epochs(); len(got) != maxEpochs || got[len(got)-1] != "now" || got[0] != "e00006" {
		t.Errorf("%d epochs from %s to %s", len(got), got[0], got[len(got)-1])
	}
}
