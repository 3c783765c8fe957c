package deploy

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"varde/deploy/mailstack"
)

// TestDiskFillsUp takes the last byte of the coordinator's disk while six probes
// report. It takes no more reports and says why, its pages go on, the probes keep
// what they see; and once there is room again all of it is in the journal, once.
func TestDiskFillsUp(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes")
	}
	t.Parallel() // it waits more than it works
	p := buildPrograms(t)
	data := filepath.Join(p.dir, "data")
	mailstack.Need(t, "namespaces", mountSmall(t, data, "256m"))
	probes := p.setUp(p.webChecks(5))
	p.eventually("every probe has observed something", func() bool { return p.allObserved(t, probes) })

	hog := filepath.Join(data, "hog")
	fill(t, hog)
	p.eventually("coordinator takes nothing more", func() bool {
		code, body := p.page(t, "/readyz")
		return code == http.StatusServiceUnavailable && strings.Contains(body, "journal keeps nothing new: disk of ")
	})
	p.eventually("every probe keeps what it sees", func() bool {
		for _, name := range probes {
			if s, ok := p.status(name); !ok || s.Spool.Records < 20 {
				return false
			}
		}
		return true
	})
	for _, path := range []string{"/", "/check/web-0", "/api/v1/verdicts", "/probes"} {
		if code, body := p.page(t, path); code != http.StatusOK {
			t.Errorf("%s on a full disk: got %d, %.200s", path, code, body)
		}
	}
	if err := os.Remove(hog); err != nil {
		t.Fatal(err)
	}
	p.eventually("coordinator takes reports again", p.ready)
	p.drain(t, probes)
	p.compare(t, probes, nil)
}

// fill writes a file that takes all the room there is.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := mb; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil || fs.Bavail > 4 {
		t.Fatalf("%d blocks are left, %v", fs.Bavail, err)
	}
}

// page reads from the operator listener.
func (p *programs) page(t *testing.T, path string) (code int, body string) {
	t.Helper()
	resp, err := http.Get("http://" + p.ops + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
