package spool

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
)

// The folder and the epoch of a program that is going to be killed, and the bound
// of its spool: segments of 64 kB.
const (
	mortalDirEnv   = "VARDE_TEST_MORTAL_SPOOL"
	mortalEpochEnv = "VARDE_TEST_MORTAL_EPOCH"
	mortalBytes    = 1 << 20
)

// TestKill kills one program after the other while it appends and compresses.
// All that Append has answered for is there, in one life and in those after it.
func TestKill(t *testing.T) {
	if dir := os.Getenv(mortalDirEnv); dir != "" {
		appendForEver(t, dir, os.Getenv(mortalEpochEnv))
	}
	dir := t.TempDir()
	answered := map[string]int{}
	for life := range 6 {
		epoch := fmt.Sprintf("e%d", life)
		answered[epoch] = appendUntilKilled(t, dir, epoch, 850+life*77)
	}
	s := openWith(t, Options{Dir: dir, Epoch: "e9", MaxBytes: mortalBytes, NoSync: true})
	idle(s)
	compressed := 0
	for _, e := range s.epochs[:len(answered)] {
		n := answered[e.name]
		compressed += e.compressed()
		if got := show(drain(t, s, e.name, 0)); got != numbers(1, n) && got != numbers(1, n+1) {
			t.Errorf("%s answered for %d, there is %s", e.name, n, got)
		}
	}
	if compressed < 6 {
		t.Errorf("%d segments are compressed", compressed)
	}
}

// appendForEver says after each observation that it is on disk. Should nobody
// come to kill it, it stops before the bound is reached.
func appendForEver(t *testing.T, dir, epoch string) {
	s := openWith(t, Options{Dir: dir, Epoch: epoch, MaxBytes: mortalBytes, NoSync: true})
	for i := 1; i < 4000; i++ {
		if _, err := s.Append(observation(i)); err != nil {
			t.Fatal(err)
		}
		fmt.Println("appended", i)
		if i%150 == 0 { // on a starved machine it would reach the bound before much is compressed
			idle(s)
		}
	}
	select {}
}

func appendUntilKilled(t *testing.T, dir, epoch string, atLeast int) (answered int) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKill$")
	cmd.Env = append(os.Environ(), mortalDirEnv+"="+dir, mortalEpochEnv+"="+epoch)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "appended %d", &answered); err != nil {
			t.Errorf("%s says %q", epoch, lines.Text())
		}
		if answered == atLeast {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_, _ = io.Copy(io.Discard, out)
	if err := cmd.Wait(); err == nil {
		t.Errorf("%s ended by itself", epoch)
	}
	return answered
}
