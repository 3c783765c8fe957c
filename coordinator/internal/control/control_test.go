package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/presence"
	"varde/coordinator/internal/register"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// coordinator is a roster of our own; what it holds is what clients must see.
type coordinator struct {
	mu     sync.Mutex
	probes map[string]Probe
	added  []NewProbe
	orders []incident.Order
	// announced are the windows, and what was said of those that are to be cancelled.
	announced []register.Window
	hold      chan struct{} // Status waits for it when set
	held      chan struct{}
	// wrapped counts the commands that came through Options.Wrap.
	wrapped atomic.Int64
}

func (c *coordinator) AddProbe(_ context.Context, p NewProbe) (Invitation, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, taken := c.probes[p.Name]; taken {
		return Invitation{}, fmt.Errorf("add probe: %s is on the roster already", p.Name)
	}
	c.probes[p.Name] = Probe{Name: p.Name, Region: p.Region, State: presence.Invited}
	c.added = append(c.added, p)
	return Invitation{Token: "token-of-" + p.Name, Expires: time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)}, nil
}

func (c *coordinator) RemoveProbe(_ context.Context, name string) (Removal, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.probes[name]; !known {
		return Removal{}, fmt.Errorf("remove probe: %s is not on the roster", name)
	}
	delete(c.probes, name)
	return Removal{Secrets: []string{"imap-login"}}, nil
}

func (c *coordinator) Probes(context.Context) ([]Probe, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []Probe
	for _, p := range c.probes {
		out = append(out, p)
	}
	return out, nil
}

func (c *coordinator) Status(ctx context.Context) (Status, error) {
	if c.hold != nil {
		close(c.held)
		<-c.hold
	}
	return Status{Name: "c1", Version: "0.1.0", Connected: 2, Probes: 3}, ctx.Err()
}

// counted counts the commands.
func (c *coordinator) counted(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.wrapped.Add(1)
		h.ServeHTTP(w, r)
	})
}

// start serves c in a fresh data folder; stop ends it and returns its error.
func start(t *testing.T, c *coordinator) (data string, stop func() error) {
	t.Helper()
	data = t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	l, err := Listen(ctx, data)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Options{Roster: c, Reporter: c, Incidents: c, Evidence: c, Windows: c, Backup: c, Exporter: c, Rebuilder: c, Reports: c, Logger: slog.New(slog.DiscardHandler), Wrap: c.counted})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("serve: %v", err)
		}
	})
	return data, stop
}

func TestCommandsReachTheCoordinator(t *testing.T) {
	c := &coordinator{probes: map[string]Probe{}}
	data, _ := start(t, c)
	client, ctx := NewClient(data), t.Context()
	osl := NewProbe{Name: "osl-1", Region: "eu-north", Site: "Oslo", ASN: 64496, TTL: time.Hour}
	inv, err := client.AddProbe(ctx, osl)
	if err != nil || inv.Token != "token-of-osl-1" || !inv.Expires.Equal(time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)) {
		t.Fatalf("add: got %+v, %v", inv, err)
	}
	if diff := cmp.Diff([]NewProbe{osl}, c.added); diff != "" {
		t.Errorf("what the coordinator was told (-want +got):\n%s", diff)
	}
	if _, err := client.AddProbe(ctx, osl); err == nil || err.Error() != "add probe: osl-1 is on the roster already" {
		t.Errorf("add twice: got %v, want the coordinator's own error", err)
	}
	probes, err := client.Probes(ctx)
	if want := []Probe{{Name: "osl-1", Region: "eu-north", State: presence.Invited}}; err != nil || !cmp.Equal(want, probes) {
		t.Errorf("probes: got %+v, %v, want %+v", probes, err, want)
	}
	removal, err := client.RemoveProbe(ctx, "osl-1")
	if err != nil || !cmp.Equal(removal.Secrets, []string{"imap-login"}) {
		t.Errorf("remove: got %+v, %v", removal, err)
	}
	if _, err := client.RemoveProbe(ctx, "../v1/status"); err == nil || err.Error() != "remove probe: ../v1/status is not on the roster" {
		t.Errorf("remove a strange name: got %v, want it passed through as a name", err)
	}
	if status, err := client.Status(ctx); err != nil || status.Name != "c1" || status.Probes != 3 {
		t.Errorf("status: got %+v, %v", status, err)
	}
	if n := c.wrapped.Load(); n != 6 {
		t.Errorf("%d commands came through what is put around them, want all 6", n)
	}
}

func TestNobodyRuns(t *testing.T) {
	data := t.TempDir()
	_, err := NewClient(data).Status(t.Context())
	want := fmt.Sprintf("no coordinator runs with data folder %s (no answer at %s/control.sock): start it with `varde-coordinator run`", data, data)
	if err == nil || err.Error() != want {
		t.Errorf("without a socket: got %v, want %s", err, want)
	}
	stale(t, data)
	if _, err := NewClient(data).Status(t.Context()); err == nil || err.Error() != want {
		t.Errorf("with a socket of a dead coordinator: got %v, want %s", err, want)
	}
}

// stale leaves a socket behind on which nobody listens.
func stale(t *testing.T, data string) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: Socket(data)})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestListenReplacesOnlyTheDead(t *testing.T) {
	data := t.TempDir()
	stale(t, data)
	l, err := Listen(t.Context(), data)
	if err != nil {
		t.Fatalf("over a stale socket: %v", err)
	}
	if _, err := Listen(t.Context(), data); !errors.Is(err, ErrRunning) {
		t.Errorf("over a living one: got %v, want ErrRunning", err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(Socket(data), "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(t.Context(), data); err == nil {
		t.Error("over a folder: got no error")
	}
	if _, err := Listen(t.Context(), "/tmp/"+strings.Repeat("x", 100)); err == nil || !strings.Contains(err.Error(), "shorter data folder") {
		t.Errorf("a long path: got %v, want advice", err)
	}
}

// TestSocketIsPrivate looks at the mode with no umask to help.
func TestSocketIsPrivate(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	data, stop := start(t, &coordinator{})
	info, err := os.Stat(Socket(data))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v, want mode 0600", info.Mode(), err)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(Socket(data)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the end: got %v, want no socket", err)
	}
}

// TestStopLetsCommandsFinish ends the server while a command is in it.
func TestStopLetsCommandsFinish(t *testing.T) {
	c := &coordinator{hold: make(chan struct{}), held: make(chan struct{})}
	data, stop := start(t, c)
	got := make(chan error, 1)
	go func() {
		_, err := NewClient(data).Status(context.WithoutCancel(t.Context()))
		got <- err
	}()
	<-c.held
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	close(c.hold)
	if err := <-got; err != nil {
		t.Errorf("the command: got %v, want its answer", err)
	}
	if err := <-stopped; err != nil {
		t.Errorf("stop: %v", err)
	}
}

func TestBadRequests(t *testing.T) {
	data, _ := start(t, &coordinator{probes: map[string]Probe{}})
	client := NewClient(data)
	for body, want := range map[string]string{
		`{"name":"a","colour":"blue"}`: "unknown field",
		`{"name":7}`:                   "cannot unmarshal",
		`{} {}`:                        "more than one value",
		`{"name":"` + strings.Repeat("x", maxRequest) + `"}`: "too large",
		``: "EOF",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x/v1/probes", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := client.http.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_, err = decode[Invitation](resp)
		if err := resp.Body.Close(); err != nil {
			t.Error(err)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: got %v, want %q", body, err, want)
		}
	}
	if _, err := call[Status](t.Context(), client, http.MethodGet, "/v2/other", nil); err == nil || !strings.Contains(err.Error(), "another version") {
		t.Errorf("an unknown path: got %v, want a hint at the version", err)
	}
}

// TestSilentCoordinator: a socket that accepts and never answers must not hold
// a command for ever.
func TestSilentCoordinator(t *testing.T) {
	data := t.TempDir()
	l, err := Listen(t.Context(), data)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = NewClient(data).Status(ctx)
	if err == nil || !strings.Contains(err.Error(), "did not answer at "+Socket(data)) {
		t.Errorf("got %v, want that it did not answer", err)
	}
}

func TestNewRefuses(t *testing.T) {
	if _, err := New(Options{}); err == nil {
		t.Error("got no error without a roster")
	}
}
