package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"varde/proto/wire"
)

// segmentsSize is what the segments of all epochs take on disk.
func segmentsSize(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".log") {
			var info fs.FileInfo
			if info, err = d.Info(); err == nil {
				n += info.Size()
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func checkGap(t *testing.T, r wire.Record, first, last int) {
	t.Helper()
	if r.Gap == nil || r.First() != uint64(first) || r.Last() != uint64(last) {
		t.Fatalf("got %s, want the gap [%d-%d]", show([]wire.Record{r}), first, last)
	}
	from, to := observation(first).Started, observation(last).Started
	if !r.Gap.From.Equal(from) || !r.Gap.To.Equal(to) {
		t.Errorf("gap from %s to %s, want %s to %s", r.Gap.From, r.Gap.To, from, to)
	}
}

func TestFullSpoolDropsTheOldestAsOneGap(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "e1")
	for i := 1; i <= 1000; i++ {
		fill(t, s, i, i)
		if n := segmentsSize(t, dir); n > MinMaxBytes || n != s.Stats().Bytes {
			t.Fatalf("%d bytes on disk, %d counted, bound %d", n, s.Stats().Bytes, int64(MinMaxBytes))
		}
	}
	recs := drain(t, s, "e1", 0)
	lost := int(recs[0].Last())
	checkGap(t, recs[0], 1, lost)
	if got := show(recs[1:]); got != numbers(lost+1, 1000) {
		t.Errorf("after the gap got %s", got)
	}
	if st := s.Stats(); st.Dropped != uint64(lost) || st.Records != uint64(1000-lost+1) {
		t.Errorf("stats %+v, want %d dropped", st, lost)
	}
	if kept := (1000 - lost) * 100 / 250; kept < 80 {
		t.Errorf("only %d records kept in %d bytes", 1000-lost, int64(MinMaxBytes))
	}

	// The gap outlives a restart, grows there, and goes when acknowledged.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, "e2")
	checkGap(t, drain(t, s, "e1", 0)[0], 1, lost)
	fill(t, s, 1, 50)
	recs = drain(t, s, "e1", 0)
	grown := int(recs[0].Last())
	if grown <= lost {
		t.Fatalf("the gap ends at %d, want it to grow beyond %d", grown, lost)
	}
	checkGap(t, recs[0], 1, grown)
	if err := s.Ack("e1", uint64(lost)); err != nil { // the gap as it was handed out first
		t.Fatal(err)
	}
	if got := drain(t, s, "e1", uint64(lost))[0]; got.First() != uint64(lost+1) || got.Last() != uint64(grown) {
		t.Errorf("after acking the smaller gap got %s", show([]wire.Record{got}))
	}
	if err := s.Ack("e1", uint64(grown)); err != nil {
		t.Fatal(err)
	}
	if got := show(drain(t, s, "e1", uint64(grown))); got != numbers(grown+1, 1000) {
		t.Errorf("after acking the gap got %s", got)
	}
	if got := s.Epochs(); !slices.Equal(got, []string{"e1", "e2"}) {
		t.Errorf("epochs %v", got)
	}
}

func TestWholeEpochDroppedLeavesItsGap(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "e1")
	fill(t, s, 1, 30)
	s.Close()
	s = open(t, dir, "e2")
	fill(t, s, 1, 600)
	recs := drain(t, s, "e1", 0)
	if len(recs) != 1 {
		t.Fatalf("e1 holds %s", show(recs))
	}
	checkGap(t, recs[0], 1, 30)
	s.Close()
	s = open(t, dir, "e3")
	checkGap(t, drain(t, s, "e1", 0)[0], 1, 30)
	if err := s.Ack("e1", 30); err != nil {
		t.Fatal(err)
	}
	if got, want := s.Epochs(), []string{"e2", "e3"}; !slices.Equal(got, want) {
		t.Errorf("epochs %v, want %v", got, want)
	}
}

// badDisk fails writes and syncs as told; a write stops half way, as it does
// when the disk fills up.
type badDisk struct {
	disk
	writing, syncing error
}

func (d *badDisk) write(f *os.File, b []byte, at int64) error {
	if d.writing != nil {
		return errors.Join(d.disk.write(f, b[:len(b)/2], at), d.writing)
	}
	return d.disk.write(f, b, at)
}

func (d *badDisk) sync(f *os.File) error { return d.syncing }

func TestFullDisk(t *testing.T) {
	for name, bad := range map[string]badDisk{
		"write": {writing: syscall.ENOSPC},
		"sync":  {syncing: syscall.EIO},
	} {
		for _, before := range []int{0, 5} {
			t.Run(fmt.Sprintf("%s/%d", name, before), func(t *testing.T) { testFullDisk(t, bad, before) })
		}
	}
}

func testFullDisk(t *testing.T, bad badDisk, before int) {
	dir := t.TempDir()
	s := open(t, dir, "e1")
	fill(t, s, 1, before)
	good := s.disk
	bad.disk = good
	s.disk = &bad
	for i := before + 1; i <= before+3; i++ {
		if _, err := s.Append(observation(i)); !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EIO) {
			t.Fatalf("append to a bad disk: %v", err)
		}
	}
	if got := s.Stats().Dropped; got != 3 {
		t.Errorf("%d dropped, want 3", got)
	}
	recs := drain(t, s, "e1", 0)
	if got := show(recs[:before]); got != numbers(1, before) {
		t.Errorf("got %s", got)
	}
	checkGap(t, recs[before], before+1, before+3)

	// A restart while the disk is full still knows what was lost.
	again := copyDir(t, dir)
	r := open(t, again, "e2")
	recs = drain(t, r, "e1", 0)
	checkGap(t, recs[before], before+1, before+3)

	// As soon as there is room it goes on, and the gap stands in its place.
	s.disk = good
	fill(t, s, before+4, before+200)
	want := strings.TrimSpace(fmt.Sprintf("%s [%d-%d] %s", numbers(1, before), before+1, before+3, numbers(before+4, before+200)))
	recs = drain(t, s, "e1", 0)
	if got := show(recs); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	checkGap(t, recs[before], before+1, before+3)
	s.Close()
	s = open(t, dir, "e2")
	recs = drain(t, s, "e1", 0)
	if got := show(recs); got != want {
		t.Errorf("after a restart got %s, want %s", got, want)
	}
	checkGap(t, recs[before], before+1, before+3)
}

// On a full disk an acknowledgement must work, since it is what makes room.
func TestAckWhileTheDiskIsFull(t *testing.T) {
	s := open(t, t.TempDir(), "e1")
	fill(t, s, 1, 100)
	s.disk = &badDisk{disk: s.disk, writing: syscall.ENOSPC}
	if _, err := s.Append(observation(101)); err == nil {
		t.Fatal("appended")
	}
	if err := s.Ack("e1", 101); err != nil {
		t.Fatal(err)
	}
	if st := s.Stats(); st.Records != 0 || st.Bytes != 0 {
		t.Errorf("stats %+v", st)
	}
	s.disk = s.disk.(*badDisk).disk
	fill(t, s, 102, 103)
	if got := show(drain(t, s, "e1", 101)); got != "102 103" {
		t.Errorf("got %s", got)
	}
}

func copyDir(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

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
	dir, segs := spooled(t, 3)
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
	if want := whole(t, data, len(data)); want != 3 {
		t.Errorf("the whole segment has %d frames, want 3", want)
	}
}

func TestFlippedByteLeavesAPrefix(t *testing.T) {
	dir, segs := spooled(t, 3)
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
	checkPrefix(t, dir, 3, "zeros")
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

// Damage in the middle costs the rest of its segment, and says so; what comes
// after stays. Found at a restart or while running makes no difference.
func TestDamageInTheMiddleIsAGap(t *testing.T) {
	for _, running := range []bool{false, true} {
		t.Run(fmt.Sprintf("running %t", running), func(t *testing.T) {
			dir := t.TempDir()
			s := open(t, dir, "e1")
			fill(t, s, 1, 100)
			segs, _ := segmentPaths(filepath.Join(dir, "e1"))
			data, err := os.ReadFile(segs[1])
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)/2] ^= 0x10
			if err := os.WriteFile(segs[1], data, 0o600); err != nil {
				t.Fatal(err)
			}
			if !running {
				s.Close()
				s = open(t, dir, "e2")
			}
			recs := drain(t, s, "e1", 0)
			i := slices.IndexFunc(recs, func(r wire.Record) bool { return r.Gap != nil })
			if i < 0 || len(recs) < 80 {
				t.Fatalf("got %s", show(recs))
			}
			first, last := int(recs[i].First()), int(recs[i].Last())
			if got, want := show(recs), fmt.Sprintf("%s [%d-%d] %s", numbers(1, first-1), first, last, numbers(last+1, 100)); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if g := recs[i].Gap; g.From.After(observation(first).Started) || g.To.Before(observation(last).Started) || g.To.Sub(g.From) > time.Minute {
				t.Errorf("gap %v does not enclose its runs", g)
			}
			if running {
				fill(t, s, 101, 101)
				if got := show(drain(t, s, "e1", 99)); got != "100 101" || s.Stats().Dropped == 0 {
					t.Errorf("after the damage got %s, %d dropped", got, s.Stats().Dropped)
				}
			}
		})
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
	from, _ := spooled(t, 1)
	for i := range maxEpochs + 5 {
		if err := os.CopyFS(filepath.Join(dir, fmt.Sprintf("e%05d", i)), os.DirFS(filepath.Join(from, "e1"))); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, "now")
	if got := s.Epochs(); len(got) > maxEpochs || got[len(got)-1] != "now" || got[0] == "e00000" {
		t.Errorf("%d epochs from %s to %s", len(got), got[0], got[len(got)-1])
	}
}
