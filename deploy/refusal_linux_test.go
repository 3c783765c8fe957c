package deploy

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestCoordinatorSaysWhatIsWrong starts the real program where it cannot work.
// It ends with one line that names the cause, and no trace of a panic.
func TestCoordinatorSaysWhatIsWrong(t *testing.T) {
	p := buildPrograms(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(p.dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, data, public, want string }{
		{"port in use", filepath.Join(p.dir, "data"), taken.Addr().String(), "listen.public: listen tcp " + taken.Addr().String() + ": bind: address already in use"},
		{"data folder under a file", filepath.Join(file, "data"), "127.0.0.1:0", "not a directory"},
		{"full disk", fullDisk(t, p.dir), "127.0.0.1:0", "no space left on device"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.data == "" {
				t.Skip("mounting a small file system needs root")
			}
			config := filepath.Join(p.dir, "refusal.yaml")
			body := fmt.Sprintf("data: %s\nlisten: {grpc: \"127.0.0.1:0\", public: %q, ops: \"127.0.0.1:0\"}\nadvertise: [\"127.0.0.1:1\"]\n"+
				"regions: [{id: eu-north}]\nservices: [{id: web, consent: true}]\n"+
				"checks: [{id: web, service: web, kind: https, url: \"https://127.0.0.1:9/\", every: 5s}]\n", tc.data, tc.public)
			if err := os.WriteFile(config, []byte(body), 0o600); err != nil {
				t.Fatal(err)
			}
			var stderr bytes.Buffer
			cmd := exec.Command(p.coord, "run", "--config", config, "--log-level", "error")
			cmd.Stderr = &stderr
			err := cmd.Run()
			if err == nil || cmd.ProcessState.ExitCode() != 1 {
				t.Errorf("ended with %v, want exit code 1", err)
			}
			got := strings.TrimSpace(stderr.String())
			if !strings.HasPrefix(got, "varde-coordinator: ") || !strings.HasSuffix(got, tc.want) || strings.Count(got, "\n") > 0 {
				t.Errorf("said %q, want one line that ends with %q", got, tc.want)
			}
		})
	}
}

// fullDisk is a folder on a file system of two megabytes; empty without the
// right to mount one.
func fullDisk(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "full")
	if err := mountSmall(t, path, "2m"); err != nil {
		return ""
	}
	return filepath.Join(path, "data")
}

// mountSmall makes a folder that is a file system of its own of the given size, until
// the test ends. The error is that of mount(2), which only root may use.
func mountSmall(t *testing.T, path, size string) error {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", path, "tmpfs", 0, "size="+size); err != nil {
		return err
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(path, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return nil
}
