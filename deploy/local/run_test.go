package main

import (
	"context"
	"encoding/json"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
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

var opsLine = regexp.MustCompile(`Operators +(http://\S+?)/\n`)

// TestRun plays what a newcomer does: a fleet with a broken region, healed by
// the signal, ended by Ctrl-C. All three kinds are seen from all three regions
// within 15 s, and nothing is left behind.
func TestRun(t *testing.T) {
	if testing.Short() {
		t.Skip("a real fleet for half a minute")
	}
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	o, err := parse([]string{"--http", "127.0.0.1:0", "--ops", "127.0.0.1:0", "--break", "imap@oceania"},
		[]string{"webmail", "imap", "smtp"}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, interrupt := context.WithCancel(t.Context())
	heal, ended, out := make(chan os.Signal, 1), make(chan error, 1), &terminal{}
	began := time.Now()
	go func() { ended <- run(ctx, o, heal, out) }()

	eventually(t, out, "the operators' address", func() bool { return opsLine.MatchString(out.String()) })
	ops := opsLine.FindStringSubmatch(out.String())[1]
	eventually(t, out, "nine series", func() bool { return len(states(t, ops)) == 9 })
	if d := time.Since(began); d > 15*time.Second {
		t.Errorf("all kinds from all regions after %s, want at most 15 s", d)
	}
	eventually(t, out, "imap down in oceania alone", func() bool { return only(states(t, ops), "down") == "imap/oceania" })
	heal <- syscall.SIGUSR1
	eventually(t, out, "everything up", func() bool {
		for _, state := range states(t, ops) {
			if state != "up" {
				return false
			}
		}
		return true
	})
	interrupt()
	if err := <-ended; err != nil {
		t.Errorf("ended with %v, want nothing", err)
	}
	for _, want := range []string{"first observation", "imap in oceania is down", "healed imap@oceania", "The fleet ran for", "up 100.00 %"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("printed nothing of %q:\n%s", want, out)
		}
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind %v, %v", left, err)
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
