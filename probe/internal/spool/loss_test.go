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
	const appended = 5000
	dir := t.TempDir()
	s := open(t, dir, "e1")
	for i := 1; i <= appended; i++ {
		fill(t, s, i, i)
		if n := segmentsSize(t, dir); n > MinMaxBytes || n != s.Stats().Bytes {
			t.Fatalf("%d bytes on disk, %d counted, bound %d", n, s.Stats().Bytes, int64(MinMaxBytes))
		}
	}
	recs := drain(t, s, "e1", 0)
	lost := int(recs[0].Last())
	checkGap(t, recs[0], 1, lost)
	if got := show(recs[1:]); got != numbers(lost+1, appended) {
		t.Errorf("after the gap got %s", got)
	}
	if st := s.Stats(); st.Dropped != uint64(lost) || st.Records != uint64(appended-lost+1) {
		t.Errorf("stats %+v, want %d dropped", st, lost)
	}
	if appended-lost < 1500 {
		t.Errorf("only %d records kept in %d bytes", appended-lost, int64(MinMaxBytes))
	}

	// The gap outlives a restart, grows there, and goes when acknowledged.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, "e2")
	checkGap(t, drain(t, s, "e1", 0)[0], 1, lost)
	fill(t, s, 1, 500)
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
	if got := show(drain(t, s, "e1", uint64(grown))); got != numbers(grown+1, appended) {
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
	fill(t, s, 1, 4000)
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

func (d *badDisk) rename(from, to string) error { return errors.Join(d.writing, d.syncing) }

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

// What the bound drops joins what a bad disk lost behind it: still one gap.
func TestGapsThatMeetBecomeOne(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "e1")
	fill(t, s, 1, 50)
	good := s.disk
	s.disk = &badDisk{disk: good, writing: syscall.ENOSPC}
	for i := 51; i <= 53; i++ {
		if _, err := s.Append(observation(i)); err == nil {
			t.Fatal("appended to a bad disk")
		}
	}
	s.disk = good
	check := func(last int) {
		t.Helper()
		recs := drain(t, s, "e1", 0)
		if recs[0].Gap == nil { // the bound has not dropped anything yet
			return
		}
		lost := int(recs[0].Last())
		checkGap(t, recs[0], 1, lost)
		if got := show(recs[1:]); lost >= 50 && got != numbers(lost+1, last) || lost == 50 {
			t.Fatalf("after the gap [1-%d] got %s", lost, got)
		}
	}
	last, dropped := 53, uint64(3)
	for dropped < 100 {
		last++
		fill(t, s, last, last)
		if st := s.Stats(); st.Dropped > dropped {
			dropped = st.Dropped
			check(last)
		}
	}
	s.Close()
	s = open(t, dir, "e2")
	check(last)
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

// blockMark has every write of the mark of an epoch fail, until it is undone.
func blockMark(t *testing.T, dir string) (undo func()) {
	t.Helper()
	mark, aside := filepath.Join(dir, markFile), filepath.Join(dir, "aside")
	if err := errors.Join(os.Rename(mark, aside), os.Mkdir(mark, 0o700)); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if err := errors.Join(os.Remove(mark), os.Rename(aside, mark)); err != nil {
			t.Fatal(err)
		}
	}
}

// What is acknowledged and cannot be deleted, because the mark cannot be written,
// counts until it is gone: the bound holds.
func TestBoundHoldsWithoutAMark(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "e1")
	fill(t, s, 1, 30)
	unblock := blockMark(t, filepath.Join(dir, "e1"))
	for i := 31; i <= 1200; i += 30 {
		fill(t, s, i, i+29)
		if err := s.Ack("e1", uint64(i+29)); err == nil {
			t.Error("acknowledged without a mark: no error")
		}
		if n := segmentsSize(t, dir); n > MinMaxBytes || n != s.Stats().Bytes {
			t.Fatalf("%d bytes on disk, %d counted, bound %d", n, s.Stats().Bytes, int64(MinMaxBytes))
		}
	}
	if st := s.Stats(); st.Dropped != 0 || st.Records != 0 {
		t.Errorf("got %+v, want nothing lost and nothing waiting", st)
	}
	unblock()
	before := segmentsSize(t, dir)
	if err := s.Ack("e1", 1200); err != nil { // again, which is what a coordinator does
		t.Error(err)
	}
	if n := segmentsSize(t, dir); n >= before {
		t.Errorf("%d bytes on disk, %d before", n, before)
	}
}

// A disk that spoils the beginning of everything that was written to it is full
// of damaged segments: they are deleted.
func TestDamagedSegmentsAreDeleted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "e1")
	for i := 1; i <= 1000; i += 25 {
		fill(t, s, i, i+24)
		segs, err := segmentPaths(filepath.Join(dir, "e1"))
		if err != nil {
			t.Fatal(err)
		}
		for n, path := range segs[:len(segs)-1] {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.WriteAt([]byte{0xff, 0xff, 0xff}, int64(n%2)*1000) // with and without something before it
			if err = errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		}
		drain(t, s, "e1", 0)
		if n := segmentsSize(t, dir); n > MinMaxBytes || n != s.Stats().Bytes {
			t.Fatalf("%d bytes on disk, %d counted, bound %d", n, s.Stats().Bytes, int64(MinMaxBytes))
		}
	}
}
