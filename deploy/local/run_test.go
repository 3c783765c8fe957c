package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"varde/checks"
	"varde/coordinator/server"
)

// terminal is where a run prints.
type terminal struct {
	mu   sync.Mutex // protects text
	text strings.Builder
}

// Write appends what is printed.
func (w *terminal) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *terminal) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

var whereToLook = regexp.MustCompile(`Status page +(http://\S+?)/\nOperators +(http://\S+?)/\n`)

// running is a local fleet that a test has started.
type running struct {
	public, ops string // where its pages are
	out         *terminal
	heal        chan os.Signal
	// end interrupts the fleet and returns its exit code.
	end func() int
}

// start runs a fleet with a broken region and waits for it to say where its
// pages are.
func start(t *testing.T) running {
	t.Helper()
	if testing.Short() {
		t.Skip("a real fleet for half a minute")
	}
	ctx, interrupt := context.WithCancel(t.Context())
	r := running{out: &terminal{}, heal: make(chan os.Signal, 1)}
	p := &process{stdout: r.out, stderr: r.out, heal: r.heal, play: run}
	ended := make(chan int, 1)
	go func() {
		ended <- p.run(ctx, []string{"--http", "127.0.0.1:0", "--ops", "127.0.0.1:0", "--break", "imap@oceania"})
	}()
	r.end = sync.OnceValue(func() int {
		interrupt()
		return <-ended
	})
	t.Cleanup(func() { r.end() })
	eventually(t, r.out, "where to look", func() bool { return whereToLook.MatchString(r.out.String()) })
	m := whereToLook.FindStringSubmatch(r.out.String())
	r.public, r.ops = m[1], m[2]
	return r
}

// down waits until the broken region, and no other, is down.
func (r running) down(t *testing.T) {
	t.Helper()
	eventually(t, r.out, "imap down in oceania alone", func() bool { return only(states(t, r.ops), "down") == "imap/oceania" })
}

// TestRun plays what a newcomer does: a fleet with a broken region, healed by
// the signal, ended by Ctrl-C. All three kinds are seen from all three regions
// within 15 s, and nothing is left behind.
func TestRun(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	began := time.Now()
	r := start(t)
	eventually(t, r.out, "nine series", func() bool { return len(states(t, r.ops)) == 9 })
	if d := time.Since(began); d > 15*time.Second {
		t.Errorf("all kinds from all regions after %s, want at most 15 s", d)
	}
	r.down(t)
	r.heal <- syscall.SIGUSR1
	eventually(t, r.out, "everything up", func() bool {
		for _, state := range states(t, r.ops) {
			if state != "up" {
				return false
			}
		}
		return true
	})
	if code := r.end(); code != 0 {
		t.Errorf("ended with exit code %d, want 0", code)
	}
	for _, want := range []string{"first observation", "imap in oceania is down", "healed imap@oceania", "The fleet ran for", "up 100.00 %"} {
		if !strings.Contains(r.out.String(), want) {
			t.Errorf("printed nothing of %q:\n%s", want, r.out)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind %v, %v", left, err)
	}
}

// TestOperatorsFromElsewhere: where the operators' pages are not on loopback they
// ask for a token. The fleet says where it is, beside an address that others
// can open, and shows it itself.
func TestOperatorsFromElsewhere(t *testing.T) {
	f := &fleet{dir: t.TempDir(), log: slog.New(slog.DiscardHandler), opts: options{HTTP: "127.0.0.1:0", Ops: "0.0.0.0:0"}}
	target := checks.Target{ID: "web", Service: "web", Kind: checks.HTTPS, URL: "https://127.0.0.1:9/", Every: every, Timeout: every}
	f.targets = []watched{{target, "Web"}} // nobody looks at it: there are no probes
	ctx, stop := context.WithCancel(t.Context())
	var background errgroup.Group
	defer func() {
		stop()
		if err := background.Wait(); err != nil {
			t.Error(err)
		}
	}()
	if err := f.startCoordinator(ctx, &background); err != nil {
		t.Fatal(err)
	}
	if err := f.logIn(ctx); err != nil {
		t.Fatal(err)
	}
	var services []struct{}
	if err := f.get(ctx, "/api/v1/services", &services); err != nil {
		t.Error(err)
	}
	_, port, err := net.SplitHostPort(f.server.Addresses().Ops)
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`Status page  http://127\.0\.0\.1:\d+/\nOperators    http://([^/]+):` + port +
		`/\n +log in with the token in ` + regexp.QuoteMeta(filepath.Join(f.dir, "coordinator", "operator.token")) + "\n")
	m := want.FindStringSubmatch(f.welcome())
	if m == nil || m[1] == "0.0.0.0" || m[1] == "[::]" {
		t.Errorf("got %s\nwant it to match %s and no address of every interface", f.welcome(), want)
	}
}

// TestKeptFolderKeepsItsCoordinator: the probes of a folder that is used again
// find the coordinator where it was.
func TestKeptFolderKeepsItsCoordinator(t *testing.T) {
	f := &fleet{dir: t.TempDir(), opts: options{HTTP: "127.0.0.1:0", Ops: "127.0.0.1:0"}}
	target := checks.Target{ID: "web", Service: "web", Kind: checks.HTTPS, URL: "https://127.0.0.1:9/", Every: every, Timeout: every}
	f.targets = []watched{{target, "Web"}}
	var addresses []string
	for range 2 {
		path, err := f.writeConfig()
		if err != nil {
			t.Fatal(err)
		}
		c, err := server.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		addresses = append(addresses, c.Advertise...)
	}
	if len(addresses) != 2 || addresses[0] != addresses[1] {
		t.Errorf("got %q, want the same twice", addresses)
	}
}

// states are the verdicts by check and region.
func states(t *testing.T, ops string) map[string]string {
	t.Helper()
	resp, err := http.Get(ops + "/api/v1/verdicts")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var list []verdictNow
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, v := range list {
		out[v.Check+"/"+v.Region] = v.State
	}
	return out
}

// only names the series in a state, with commas.
func only(states map[string]string, state string) string {
	var out []string
	for series, s := range states {
		if s == state {
			out = append(out, series)
		}
	}
	return strings.Join(out, ",")
}

// eventually polls a real fleet; there is no bubble around it.
func eventually(t *testing.T, out *terminal, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(60 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("not within 60 s: %s\n%s", what, out)
		}
	}
}
