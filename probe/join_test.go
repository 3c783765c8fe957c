package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

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
		if code := p.run(t.Context(), []string{"join", "varde1_AAAA", "--state", state}); code != exitUsage {
			t.Errorf("exit code %d, want %d", code, exitUsage)
		}
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("said %q, want %q", stderr.String(), want)
		}
		if _, err := os.Stat(state); err == nil {
			t.Errorf("%s was left behind", state)
		}
	}
}
