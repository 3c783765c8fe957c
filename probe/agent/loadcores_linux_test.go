package agent

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// startFor starts a program that ends with the benchmark and has one core of the
// machine.
func startFor(b *testing.B, cmd *exec.Cmd, core int) {
	b.Helper()
	// A program has the cores of the thread that starts it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		b.Fatal(err)
	}
	only := oneOf(core)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		b.Fatal(err)
	}
	err := errors.Join(cmd.Start(), unix.SchedSetaffinity(0, &before))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	})
}

// oneOf is the core of the given number, if there are as many.
func oneOf(core int) (set unix.CPUSet) {
	set.Set(core % runtime.NumCPU())
	return set
}

// keepTo keeps this program, in which the coordinator is, to one core until the
// benchmark ends. Threads that come later have the cores of those that start them.
func keepTo(b *testing.B, core int) {
	b.Helper()
	var before unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		b.Fatal(err)
	}
	setAll(b, oneOf(core))
	b.Cleanup(func() { setAll(b, before) })
}

// setAll gives the threads of this program the cores of a set.
func setAll(b *testing.B, set unix.CPUSet) {
	b.Helper()
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		b.Fatal(err)
	}
	for _, t := range threads {
		id, err := strconv.Atoi(t.Name())
		if err == nil {
			err = unix.SchedSetaffinity(id, &set)
		}
		if err != nil && !errors.Is(err, unix.ESRCH) { // it has ended meanwhile
			b.Fatal(err)
		}
	}
}

// cpuOf is the time that a process has run, on all cores: utime and stime of
// proc(5), in hundredths of a second.
func cpuOf(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Fatal(err)
	}
	f := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	var ticks int64
	for _, field := range f[11:13] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			b.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// peakOf is the largest resident memory that a process has had, in bytes.
func peakOf(b *testing.B, pid int) int64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmHWM:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb << 10
		}
	}
	b.Fatal("no VmHWM")
	return 0
}
