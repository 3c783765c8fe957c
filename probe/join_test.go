package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"varde"
	"varde/probe/internal/config"
)

// TestExampleLoads loads the configuration that is shipped.
func TestExampleLoads(t *testing.T) {
	c, err := config.Load("../deploy/examples/probe.yaml")
	if err != nil || c.State != config.DefaultState || c.Mesh.Advertise != "192.0.2.10" {
		t.Errorf("got %+v, %v", c, err)
	}
}

// TestFailedJoinChangesNothing tries a damaged token, and a folder that cannot
// be made: nothing is left in either case.
func TestFailedJoinChangesNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for state, want := range map[string]string{
		filepath.Join(dir, "probe"):         "token is damaged",
		filepath.Join(file, "under-a-file"): "not a directory",
	} {
		var stderr strings.Builder
		p := &process{stdout: &strings.Builder{}, stderr: &stderr}
		if code := p.run(t.Context(), []string{"join", "varde1_AAAA", "--state", state}); code != varde.ExitUsage {
			t.Errorf("exit code %d, want %d", code, varde.ExitUsage)
		}
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("said %q, want %q", stderr.String(), want)
		}
		if _, err := os.Stat(state); err == nil {
			t.Errorf("%s was left behind", state)
		}
	}
}

// TestJoinOnAFullDisk: the token is not even looked at.
func TestJoinOnAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=8k"); err != nil {
		t.Skip("mounting a small file system needs root")
	}
	defer func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	if err := os.WriteFile(filepath.Join(disk, "fill"), make([]byte, 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	p := &process{stdout: &strings.Builder{}, stderr: &stderr}
	code := p.run(t.Context(), []string{"join", "varde1_AAAA", "--state", filepath.Join(disk, "probe")})
	if got := stderr.String(); code != varde.ExitUsage || !strings.HasSuffix(got, "no space left on device\n") || strings.Count(got, "\n") != 1 {
		t.Errorf("exit code %d, said %q, want %d and what was full on one line", code, got, varde.ExitUsage)
	}
	if left, err := os.ReadDir(disk); err != nil || len(left) != 1 {
		t.Errorf("left behind %v, %v, want the filling alone", left, err)
	}
}
