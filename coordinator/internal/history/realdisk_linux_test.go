package history

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Folders for the other processes of these tests.
const (
	killedEnv    = "VARDE_TEST_HISTORY_KILLED"
	smallDiskEnv = "VARDE_TEST_HISTORY_SMALL_DISK"
)

// troubledEnd is when all hours of a troubled journal can be sealed.
var troubledEnd = ten.Add(3*time.Hour + 10*time.Minute)

// TestKilledWhileWriting: processes that write a history are killed at random, each where
// the one before was, and what becomes of it is byte for byte what a process writes that
// nobody killed.
func TestKilledWhileWriting(t *testing.T) {
	if dir := os.Getenv(killedEnv); dir != "" {
		writeUntilKilled(t, dir)
		return
	}
	f, j := troubled(t)
	config := func() *Config { return f.config }
	want := start(t, t.TempDir(), j, config).finish(troubledEnd)
	dir, random := t.TempDir(), rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 0))
	killed := 0
	for done := false; !done && killed < 15; {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWhileWriting$")
		cmd.Env = append(os.Environ(), killedEnv+"="+dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil || line != "writing\n" {
			t.Fatalf("got %q, %v, expected a process that writes", line, err)
		}
		bomb := time.AfterFunc(time.Duration(random.IntN(80))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		err = cmd.Wait()
		bomb.Stop()
		var exit *exec.ExitError
		switch {
		case err == nil:
			done = true
		case errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL:
			killed++
		default:
			t.Fatalf("a process that writes: %v", err)
		}
	}
	t.Logf("%d processes were killed", killed)
	if killed < 3 {
		t.Errorf("%d processes were killed while they wrote, want some", killed)
	}
	sameRecord(t, want, start(t, dir, j, config).finish(troubledEnd))
}

// writeUntilKilled goes on with a history, in many small transactions.
func writeUntilKilled(t *testing.T, dir string) {
	f, j := troubled(t)
	m := start(t, dir, j, func() *Config { return f.config })
	fmt.Println("writing")
	for more := true; more; {
		told, rolled := m.feed(m.told, 20), m.feed(m.rollup, 20)
		must(t, m.told.flush())
		must(t, m.rollup.flush())
		now := earlier(m.rollup.clock.Add(time.Hour), troubledEnd)
		must(t, m.rollup.seal(now))
		m.judge(now)
		more = told || rolled
	}
	must(t, m.s.Close())
}

// TestRealFullDisk: on a disk that is full for an hour, in which an hour is sealed, every
// part says so in words, and pages are still answered; when there is room again the
// record becomes what it is on a disk that was never full.
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
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64m"); err != nil {
		t.Skipf("no tmpfs: %v", err)
	}
	ballast := filepath.Join(dir, "ballast")
	fill := func(*station) {
		if err := os.WriteFile(ballast, make([]byte, 64<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("fill the disk: got %v, want %v", err, syscall.ENOSPC)
		}
	}
	empty := func(st *station) {
		stats, err := st.s.Stats(context.Background())
		for _, part := range []string{"told", "rollup"} {
			if stats.Failures[part] == 0 || err == nil || !strings.Contains(err.Error(), "history, part "+part+": ") {
				t.Errorf("the disk is full: %s failed %d times, and says %v", part, stats.Failures[part], err)
			}
		}
		if err == nil || !strings.Contains(err.Error(), "full") {
			t.Errorf("got %v, want it to say that the disk is full", err)
		}
		begin := time.Now().UTC().Truncate(day)
		a, err := st.s.Availability(context.Background(), Query{Check: "imap", From: begin, To: begin.Add(30 * time.Minute)})
		if err != nil || a.Availability == nil || *a.Availability != 1 {
			t.Errorf("before the disk was full: got %+v, %v, want all of it up", a.Number, err)
		}
		must(t, os.Remove(ballast))
	}
	nothing := func(*station) {}
	onTmpfs := interrupted(t, filepath.Join(dir, "history"), time.Hour, fill, empty)
	sameRecord(t, interrupted(t, t.TempDir(), time.Hour, nothing, nothing), onTmpfs)
}
