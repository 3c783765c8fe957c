package spool

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

const smallDiskEnv = "VARDE_TEST_SMALL_DISK"

// TestRealFullDisk fills a disk of 256 kB, a tmpfs in a mount namespace of its
// own that goes away with the process.
func TestRealFullDisk(t *testing.T) {
	if dir := os.Getenv(smallDiskEnv); dir != "" {
		fillSmallDisk(t, dir)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestRealFullDisk$", "-test.v")
	cmd.Env = append(os.Environ(), smallDiskEnv+"="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSPC) || strings.Contains(string(out), "no tmpfs") {
		t.Skipf("a full disk: this machine allows no user namespace: %v %s", err, out)
	}
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

func fillSmallDisk(t *testing.T, dir string) {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("no tmpfs: %v", err)
	}
	spoolDir, ballast := filepath.Join(dir, "spool"), filepath.Join(dir, "ballast")
	s, err := Open(Options{Dir: spoolDir, Epoch: "e1", MaxBytes: MinMaxBytes, NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	const before = 120
	fill(t, s, 1, before)
	if !s.currentLocked().segs[1].compressed {
		t.Error("nothing is compressed before the disk is full")
	}
	// The system's log fills the disk. Measuring goes on.
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("filling the disk: %v", err)
	}
	const full = before + 100
	failed := 0
	for i := before + 1; i <= full; i++ { // the last page of the segment still has room for some
		if o, err := s.Append(observation(i)); errors.Is(err, syscall.ENOSPC) {
			failed++
		} else if err != nil || o.Seq != uint64(i) {
			t.Fatal(o.Seq, err)
		}
	}
	idle(s)
	if failed == 0 || s.Stats().Dropped != uint64(failed) {
		t.Fatalf("%d appends failed, %d counted", failed, s.Stats().Dropped)
	}
	if err := s.Ack("e1", 10); err != nil {
		t.Errorf("ack on a full disk: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	// It starts again, measures and hands over, which is what makes room.
	if s, err = Open(Options{Dir: spoolDir, Epoch: "e2", Owner: "osl-1", MaxBytes: MinMaxBytes, NoSync: true}); err != nil {
		t.Fatal(err)
	}
	for i := 1; i <= 3; i++ {
		if _, err := s.Append(observation(i)); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("append on a full disk: %v", err)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(spoolDir, "e2")); err == nil {
		t.Errorf("left half an epoch: %v", entries)
	}
	if n := s.Stats().Dropped; n != 3 {
		t.Errorf("%d counted as dropped, want 3", n)
	}
	recs := drain(t, s, "e1", 10)
	if g := recs[len(recs)-1]; g.Gap == nil || g.Last() != full || g.Last()-g.First()+1 != uint64(failed) {
		t.Errorf("got %s, want the %d lost ones at the end", show(recs), failed)
	}
	if err := s.Ack("e1", full); err != nil {
		t.Errorf("ack of an old epoch on a full disk: %v", err)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	fill(t, s, 4, 8)
	recs = drain(t, s, "e2", 0)
	checkGap(t, recs[0], 1, 3)
	if got := show(recs[1:]); got != numbers(4, 8) {
		t.Errorf("after there was room again got %s", got)
	}
	s.Close()
}
