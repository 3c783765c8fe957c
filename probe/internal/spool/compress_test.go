package spool

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// unfinishedDisk does something of its own with the file that a compressed segment
// is written to before it takes its place.
type unfinishedDisk struct {
	disk
	syncing func() error
	renamed int
}

func (d *unfinishedDisk) sync(f *os.File) error {
	if filepath.Base(f.Name()) == unfinished {
		return d.syncing()
	}
	return d.disk.sync(f)
}

func (d *unfinishedDisk) rename(from, to string) error {
	if filepath.Base(from) == unfinished {
		d.renamed++
	}
	return d.disk.rename(from, to)
}

// compressed is how many segments of e are.
func (e *epoch) compressed() (n int) {
	for _, g := range e.segs {
		if g.compressed {
			n++
		}
	}
	return n
}

func isThere(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Stat(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	return err == nil
}

// An observation waits for its own write and for nothing else.
func TestAppendDoesNotWaitForCompression(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "e1")
	begun, goOn := make(chan struct{}), make(chan struct{})
	d := &unfinishedDisk{disk: s.disk, syncing: func() error { begun <- struct{}{}; <-goOn; return nil }}
	s.disk = d
	i := 0
	appendOne := func() {
		i++
		if _, err := s.Append(observation(i)); err != nil {
			t.Fatal(err)
		}
	}
	for len(s.currentLocked().segs) < 3 {
		appendOne()
	}
	<-begun
	for len(s.currentLocked().segs) < 6 {
		appendOne()
	}
	if got := show(drain(t, s, "e1", 0)); got != numbers(1, i) {
		t.Errorf("while it is compressed got %s", got)
	}
	if n, st := segmentsSize(t, dir), s.Stats(); st.Bytes <= n {
		t.Errorf("%d bytes counted, %d in segments: what is written beside them counts", st.Bytes, n)
	}
	go func() {
		for range begun {
		}
	}()
	close(goOn)
	idle(s)
	close(begun)
	if d.renamed != 4 {
		t.Errorf("%d of 6 segments are compressed, want 4: not the one that is written to and not the one before", d.renamed)
	}
	if got := show(drain(t, s, "e1", 0)); got != numbers(1, i) {
		t.Errorf("got %s", got)
	}
}

// Nor does it wait while a segment is read, here from a pipe that nobody fills.
func TestAppendDoesNotWaitForReading(t *testing.T) {
	s := open(t, t.TempDir(), "e1")
	for i := 1; len(s.currentLocked().segs) < 2; i++ {
		fill(t, s, i, i)
	}
	path := s.currentLocked().segs[0].path
	if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	for len(s.currentLocked().segs) < 5 {
		if _, err := s.Append(observation(1)); err != nil {
			t.Fatal(err)
		}
	}
	pipe, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err := errors.Join(err, pipe.Close()); err != nil {
		t.Fatal(err)
	}
	idle(s)
	if n := s.currentLocked().compressed(); n != 2 {
		t.Errorf("%d segments are compressed, want the 2 behind the one that cannot be read", n)
	}
}

// What is acknowledged while it is compressed does not come back.
func TestAckWhileCompressing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "e1")
	begun, goOn := make(chan struct{}), make(chan struct{})
	s.disk = &unfinishedDisk{disk: s.disk, syncing: func() error { close(begun); <-goOn; return nil }}
	n := 0
	for ; len(s.currentLocked().segs) < 3; n++ {
		if _, err := s.Append(observation(n)); err != nil {
			t.Fatal(err)
		}
	}
	<-begun
	if err := s.Ack("e1", uint64(n)); err != nil {
		t.Fatal(err)
	}
	close(goOn)
	idle(s)
	if segs, _ := segmentPaths(filepath.Join(dir, "e1")); len(segs) != 1 || isThere(t, filepath.Join(dir, unfinished)) {
		t.Errorf("%d segments, want the one that is written to and nothing beside", len(segs))
	}
	if st := s.Stats(); st.Bytes != segmentsSize(t, dir) {
		t.Errorf("%d bytes counted, %d on disk", st.Bytes, segmentsSize(t, dir))
	}
}

// What turns out to be damaged while it is compressed costs what is damaged, and not
// what stands before it.
func TestDamageWhileCompressing(t *testing.T) {
	s := open(t, t.TempDir(), "e1")
	begun, goOn := make(chan struct{}), make(chan struct{})
	begin := sync.OnceFunc(func() { close(begun) })
	s.disk = &unfinishedDisk{disk: s.disk, syncing: func() error { begin(); <-goOn; return nil }}
	n := 0
	for ; len(s.currentLocked().segs) < 3; n++ {
		if _, err := s.Append(observation(n)); err != nil {
			t.Fatal(err)
		}
	}
	<-begun
	g := s.currentLocked().segs[0]
	f, err := os.OpenFile(g.path, os.O_RDWR, 0)
	if err == nil {
		_, err = f.WriteAt([]byte{0xff, 0xff, 0xff}, g.size/2)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	whole := int(g.last)
	got := show(drain(t, s, "e1", 0))
	kept := int(g.last)
	if want := fmt.Sprintf("%s [%d-%d] %s", numbers(1, kept), kept+1, whole, numbers(whole+1, n)); kept == 0 || kept == whole || got != want {
		t.Fatalf("got %s, want %s", got, want)
	}
	close(goOn)
	idle(s)
	if after := show(drain(t, s, "e1", 0)); after != got {
		t.Errorf("when it was compressed got %s, want %s", after, got)
	}
}

// A disk without room for the compressed form costs nothing: the plain one stays,
// until there is.
func TestNoRoomToCompress(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, "e1")
	good := s.disk
	s.disk = &unfinishedDisk{disk: good, syncing: func() error { return syscall.ENOSPC }}
	fill(t, s, 1, 100)
	plain := s.Stats()
	if isThere(t, filepath.Join(dir, unfinished)) || plain.Bytes != segmentsSize(t, dir) || plain.Dropped != 0 {
		t.Errorf("%d bytes on disk, stats %+v", segmentsSize(t, dir), plain)
	}
	if got := show(drain(t, s, "e1", 0)); got != numbers(1, 100) {
		t.Errorf("got %s", got)
	}
	s.disk = good
	fill(t, s, 101, 200)
	if st := s.Stats(); st.Bytes >= plain.Bytes {
		t.Errorf("%d bytes for 200 observations, %d for 100 plain ones", st.Bytes, plain.Bytes)
	}
	if got := show(drain(t, s, "e1", 0)); got != numbers(1, 200) {
		t.Errorf("got %s", got)
	}
}

// Who keeps up has nothing compressed.
func TestKeepingUpCompressesNothing(t *testing.T) {
	s := open(t, t.TempDir(), "e1")
	d := &unfinishedDisk{disk: s.disk, syncing: func() error { return nil }}
	s.disk = d
	for i := 1; i <= 300; i++ {
		fill(t, s, i, i)
		if err := s.Ack("e1", uint64(max(i-5, 0))); err != nil {
			t.Fatal(err)
		}
	}
	if d.renamed != 0 {
		t.Errorf("compressed %d segments", d.renamed)
	}
}

// What programs leave that die young is compressed by the one that lives.
func TestOldEpochsAreCompressed(t *testing.T) {
	dir := t.TempDir()
	for _, epoch := range []string{"e1", "e2", "e3"} {
		s := open(t, dir, epoch)
		fill(t, s, 1, 20)
		s.Close()
	}
	if err := os.WriteFile(filepath.Join(dir, unfinished), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, "e4")
	idle(s)
	for i, e := range s.epochs[:3] {
		if got := e.segs[0].compressed; got != (i < 2) {
			t.Errorf("%s: compressed %t", e.name, got)
		}
		if got := show(drain(t, s, e.name, 0)); got != numbers(1, 20) {
			t.Errorf("%s holds %s", e.name, got)
		}
	}
	if isThere(t, filepath.Join(dir, unfinished)) {
		t.Error("what was left half written is still there")
	}
}
