package journal_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

// child has the test binary play a process of its own: see TestMain.
const child = "VARDE_JOURNAL_CHILD"

func command(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Stderr = os.Stderr
	return cmd
}

// writer appends to the journal in dir until it is killed, and says what was
// acknowledged.
func writer(dir string) error {
	j, err := journal.Open(context.Background(), options(dir))
	if err != nil {
		return err
	}
	src := journal.Source{Probe: "osl-1", Epoch: "e1"}
	for {
		mark, err := j.Mark(context.Background(), src)
		if err != nil {
			return err
		}
		if _, err := j.Append(context.Background(), []wire.Batch{batch(src.Probe, src.Epoch, mark+1, mark+50)}); err != nil {
			return err
		}
		fmt.Println(mark + 50)
	}
}

// TestKilled kills the writing process at a random moment, five times.
func TestKilled(t *testing.T) {
	dir := t.TempDir()
	total := 0
	for round := range 5 {
		cmd := command(t, os.Args[0])
		cmd.Env = append(os.Environ(), child+"=write:"+dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		lines.Scan()
		time.AfterFunc(time.Duration(20+13*round)*time.Millisecond, func() { _ = cmd.Process.Kill() })
		var acknowledged uint64
		for more := true; more; more = lines.Scan() {
			fmt.Sscan(lines.Text(), &acknowledged)
		}
		_ = cmd.Wait() // killed
		total += checkWhole(t, dir, acknowledged)
	}
	t.Logf("%d messages kept over 5 kills", total)
}

// checkWhole opens the journal after a crash: every record up to the mark must
// be there once and in order, and the mark must cover what was acknowledged.
func checkWhole(t *testing.T, dir string, acknowledged uint64) int {
	t.Helper()
	j := open(t, options(dir))
	var last uint64
	n := 0
	_, end := j.Bounds()
	if err := j.Read(t.Context(), 1, end, func(e journal.Entry) error {
		for _, b := range e.Batches {
			if b.First() != last+1 {
				t.Errorf("message %d begins with %d after %d", e.Seq, b.First(), last)
			}
			last = b.Last()
		}
		n++
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if m, err := j.Mark(t.Context(), journal.Source{Probe: "osl-1", Epoch: "e1"}); err != nil || m != last || m < acknowledged || acknowledged == 0 {
		t.Errorf("mark %d, %v, last record %d, acknowledged %d", m, err, last, acknowledged)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestReserveKeepsTheDiskFromFilling(t *testing.T) {
	dir := t.TempDir()
	j := open(t, options(dir))
	mustAppend(t, j, batch("osl-1", "e1", 1, 1))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	o := options(dir)
	o.Reserve = 1 << 60
	j = open(t, o)
	_, err := j.Append(t.Context(), []wire.Batch{batch("osl-1", "e1", 2, 2)})
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), dir) {
		t.Errorf("append: %v", err)
	}
	if err := j.Ready(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("ready: %v", err)
	}
	b := bucket(t, j)
	if _, err := b.Put(t.Context(), "k", nil, 0); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("put: %v", err)
	}
	if got := spans(t, j); len(got) != 1 {
		t.Errorf("journal holds %q", got)
	}
}

// filler appends to a journal on a small disk until that is full, makes room,
// and goes on. It runs in name spaces of its own.
func filler(dir string) error {
	ballast := dir + "/ballast"
	if err := os.WriteFile(ballast, make([]byte, 4<<20), 0o600); err != nil {
		return err
	}
	o := options(dir + "/journal")
	o.Reserve = -1 // the disk is to fill to the last byte
	j, err := journal.Open(context.Background(), o)
	if err != nil {
		return err
	}
	src := journal.Source{Probe: "osl-1", Epoch: "e1"}
	next := func() (uint64, error) {
		mark, err := j.Mark(context.Background(), src)
		if err != nil {
			return 0, err
		}
		_, err = j.Append(context.Background(), []wire.Batch{batch(src.Probe, src.Epoch, mark+1, mark+1000)})
		return mark + 1000, err
	}
	var acknowledged uint64
	for err == nil {
		var n uint64
		if n, err = next(); err == nil {
			acknowledged = n
		}
	}
	fmt.Println("full:", err)
	if err := os.Remove(ballast); err != nil {
		return err
	}
	n, err := next()
	for deadline := time.Now().Add(5 * time.Second); err != nil && time.Now().Before(deadline); n, err = next() {
		time.Sleep(20 * time.Millisecond) // a process of its own; an engine is tried once a second
	}
	if err != nil {
		return fmt.Errorf("append after making room: %w", err)
	}
	if n != acknowledged+1000 && n != acknowledged+2000 {
		return fmt.Errorf("%d records were acknowledged, the journal went on at %d", acknowledged, n)
	}
	fmt.Println("acknowledged:", n)
	return j.Close()
}

// TestFullDisk needs a small disk, which an ordinary user gets in a name space.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	script := fmt.Sprintf("mount -t tmpfs -o size=12m none %s && %s", dir, os.Args[0])
	if err := exec.Command("unshare", "-Urm", "mount", "-t", "tmpfs", "none", dir).Run(); err != nil {
		t.Skip("unshare -Urm with a tmpfs is not possible here")
	}
	cmd := command(t, "unshare", "-Urm", "sh", "-c", script)
	cmd.Env = append(os.Environ(), child+"=fill:"+dir)
	out, err := cmd.Output()
	t.Logf("%s", out)
	if err != nil || !strings.Contains(string(out), "full: append to journal") || !strings.Contains(string(out), "acknowledged:") {
		t.Errorf("child: %v", err)
	}
}
