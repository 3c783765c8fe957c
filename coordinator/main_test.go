package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"varde"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/control"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/presence"
	"varde/coordinator/internal/recording"
	"varde/coordinator/internal/register"
	"varde/proto/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// call runs one command line in a world without a coordinator of its own.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	p := &process{stdout: &out, stderr: &err, now: func() time.Time { return noon }, user: func() string { return "kari" }, signals: unsent}
	code = p.run(t.Context(), args)
	return code, out.String(), err.String()
}

// initialised returns the configuration that init wrote in a fresh folder.
func initialised(t *testing.T) (file, data string) {
	t.Helper()
	dir := t.TempDir()
	file, data = filepath.Join(dir, "etc", "coordinator.yaml"), filepath.Join(dir, "data")
	code, out, errs := call(t, "init", "--config", file, "--data", data, "--host", "c1.example.net")
	if code != 0 || errs != "" || !strings.Contains(out, "varde-coordinator run --config "+file) {
		t.Fatalf("init: exit %d, %q, %q, want 0 and what to do next", code, out, errs)
	}
	return file, data
}

func TestInitWritesWhatValidateAccepts(t *testing.T) {
	file, data := initialised(t)
	code, out, errs := call(t, "validate", file)
	if want := file + " is valid: 3 regions, 0 services, 0 checks, 1 page\n"; code != 0 || out != want {
		t.Errorf("validate: exit %d, %q, want 0 and %q", code, out, want)
	}
	if strings.Count(errs, file+": warning: ") != 1 {
		t.Errorf("validate: got warnings %q, want one", errs)
	}
	token, err := os.ReadFile(config.OperatorToken(data))
	if err != nil || len(bytes.TrimSpace(token)) < 26 {
		t.Errorf("token: got %q, %v, want at least 26 characters", token, err)
	}
	info, err := os.Stat(config.OperatorToken(data))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("token: got %v, %v, want mode 0600", info.Mode(), err)
	}
	if info, err := os.Stat(data); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("data folder: got %v, %v, want mode 0700", info.Mode(), err)
	}
}

func TestInitOverwritesNothing(t *testing.T) {
	file, data := initialised(t)
	before := tree(t, filepath.Dir(data))
	for _, other := range [][]string{
		{"--config", file, "--data", t.TempDir()},
		{"--config", file + "2", "--data", data},
	} {
		code, _, errs := call(t, append([]string{"init", "--host", "h"}, other...)...)
		if code != 1 || !strings.HasSuffix(errs, " is there already, expected no such file: nothing was written\n") {
			t.Errorf("%q: exit %d, %q, want a refusal", other, code, errs)
		}
	}
	if after := tree(t, filepath.Dir(data)); after != before {
		t.Errorf("got\n%s\nwant it unchanged:\n%s", after, before)
	}
}

// TestInitFailsWhole: what cannot be finished leaves no token and no
// configuration behind.
func TestInitFailsWhole(t *testing.T) {
	dir := t.TempDir()
	good := []string{"init", "--host", "h", "--config", filepath.Join(dir, "c.yaml"), "--data", filepath.Join(dir, "a")}
	for _, x := range []struct {
		flag, value string
		code        int
		err         string
	}{
		{"--data", "/dev/null/data", 1, "init: make data folder: "},
		{"--config", "/dev/null/c.yaml", 1, "init: make folder of configuration: "},
		{"--name", "Not An Id", 2, `init: --name: got "Not An Id", expected 1 to 63 of a-z, 0-9 and -`},
		{"--host", "no host", 2, `init: --host: got "no host:7950", expected host:port that probes can dial`},
	} {
		code, _, errs := call(t, append(slices.Clone(good), x.flag, x.value)...)
		if code != x.code || !strings.HasPrefix(errs, "varde-coordinator: "+x.err) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s %s: exit %d, %q, want %d and one line with %q", x.flag, x.value, code, errs, x.code, x.err)
		}
	}
	if got := tree(t, dir); strings.Contains(got, "token") || strings.Contains(got, "yaml") {
		t.Errorf("left behind:\n%s", got)
	}
}

// TestInitOnAFullDisk: neither half a configuration nor a token is left.
func TestInitOnAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=8k"); err != nil {
		t.Skip("mounting a small file system needs root")
	}
	defer func() {
		if err := syscall.Unmount(disk, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	put(t, filepath.Join(disk, "fill"), strings.Repeat("x", 8000))
	config, data := filepath.Join(disk, "c.yaml"), filepath.Join(t.TempDir(), "data")
	code, out, errs := call(t, "init", "--host", "h", "--config", config, "--data", data)
	if code != 1 || out != "" || errs != "varde-coordinator: init: write configuration: write "+config+": no space left on device\n" {
		t.Errorf("exit %d, %q, %q, want 1 and what was full", code, out, errs)
	}
	if got := tree(t, disk) + tree(t, data); strings.Contains(got, "c.yaml") || strings.Contains(got, "token") {
		t.Errorf("left behind:\n%s", got)
	}
}

// tree lists every file below dir with its content.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		fmt.Fprintf(&b, "%s %x\n", path, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestValidateTellsEveryFault(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	put(t, file, "advertise: [c1]\nregions: [{id: A}]\ncolour: blue\n")
	code, out, errs := call(t, "validate", file)
	want := file + `:1:13: advertise[0]: got "c1", expected host:port that probes can dial
` + file + `:2:16: regions[0].id: got "A", expected 1 to 63 of a-z, 0-9 and -
` + file + `:3:1: colour: got an unknown key, expected one of name, data, listen, advertise, controls, min_probes, retention, reports, regions, providers, services, checks, pages, mirrors
`
	if code != 1 || out != "" || errs != want {
		t.Errorf("exit %d, %q\n%s\nwant 1 and\n%s", code, out, errs, want)
	}
}

func TestUsage(t *testing.T) {
	for _, x := range []struct {
		args string
		code int
		err  string
	}{
		{"", 2, "expected one of"},
		{"fly", 2, "unexpected argument fly"},
		{"run --config", 2, "--config"},
		{"run --config /nonexistent/c.yaml", 1, "varde-coordinator: read configuration /nonexistent/c.yaml: no such file or directory: `varde-coordinator init` writes one\n"},
		{"status --config /nonexistent/c.yaml", 1, "read configuration /nonexistent/c.yaml: no such file or directory\n"},
		{"probe add", 2, "missing flags: --name=N, --region=R"},
		{"--log-format xml version", 2, "--log-format"},
		{"version", 0, ""},
	} {
		code, _, errs := call(t, strings.Fields(x.args)...)
		if code != x.code || !strings.Contains(errs, x.err) || strings.Count(errs, "\n") > 1 {
			t.Errorf("%q: exit %d, %q, want %d and one line with %q", x.args, code, errs, x.code, x.err)
		}
	}
}

// TestHelp asks every command for help: it has an example, and a terminal of 80
// columns breaks none of its lines.
func TestHelp(t *testing.T) {
	t.Setenv("COLUMNS", "")
	for _, command := range []string{"", "run", "init", "validate", "probe", "probe add", "probe list", "probe remove", "status", "version"} {
		code, out, _ := call(t, append(strings.Fields(command), "--help")...)
		if code != 0 || !strings.Contains(out, "Example") || !strings.Contains(out, "\n    "+strings.TrimSpace("varde-coordinator "+command)) {
			t.Errorf("%s --help: exit %d, %s\nwant an example", command, code, out)
		}
		for line := range strings.Lines(out) {
			if len(line) > len("\n")+80 {
				t.Errorf("%s --help: a terminal of 80 columns breaks %q", command, line)
			}
		}
	}
}

func TestNobodyRuns(t *testing.T) {
	file, data := initialised(t)
	for _, command := range []string{"status", "probe list", "probe remove osl-1", "probe add --name osl-1 --region eu-north"} {
		code, out, errs := call(t, append(strings.Fields(command), "--config", file)...)
		want := fmt.Sprintf("varde-coordinator: no coordinator runs with data folder %s (no answer at %s/control.sock): start it with `varde-coordinator run`\n", data, data)
		if code != 1 || out != "" || errs != want {
			t.Errorf("%s: exit %d, %q, %q, want 1 and %q", command, code, out, errs, want)
		}
	}
}

// fleet answers commands as a coordinator would.
type fleet struct {
	// data is what a backup is of.
	data   string
	asked  []control.NewProbe
	orders []incident.Order
	// windows are those that were announced, cancelled the ids of those taken back.
	windows   []register.Window
	cancelled []string
	exported  []recording.Wanted
	// barren is one whose journal holds nothing, polls how often it said how far it is.
	barren bool
	polls  int
}

func (f *fleet) AddProbe(_ context.Context, p control.NewProbe) (control.Invitation, error) {
	f.asked = append(f.asked, p)
	return control.Invitation{Token: "vt1-abc", Expires: noon.Add(time.Hour), Replaced: p.Name == "osl-9"}, nil
}

func (f *fleet) RemoveProbe(_ context.Context, name string) (control.Removal, error) {
	if name != "osl-1" {
		return control.Removal{}, fmt.Errorf("remove probe: %s is not on the roster", name)
	}
	return control.Removal{Secrets: []string{"imap-login", "submission"}}, nil
}

func (f *fleet) Probes(context.Context) ([]control.Probe, error) {
	return []control.Probe{
		{Name: "syd-1", Region: "oceania", State: presence.Invited},
		{Name: "syd-2", Region: "oceania", State: presence.Expired},
		{
			Name: "osl-1", Region: "eu-north", Site: "osl", State: presence.Connected, LastSeen: noon.Add(-2 * time.Second),
			PlanRevision: 7, Spool: 3, Version: "0.1.0\x1b[31m", Qualified: wire.Disqualified, Relay: "osl-2",
		},
	}, nil
}

func (f *fleet) Status(context.Context) (control.Status, error) {
	return control.Status{
		Name: "c1", Version: "0.1.0", Started: noon.Add(-time.Hour), Config: "/etc/varde/coordinator.yaml", Loaded: noon.Add(-time.Minute),
		GRPC: "[::]:7950", Public: "[::]:8080", Ops: "127.0.0.1:8081", Connected: 1, Probes: 2, Checks: 3, PlanRevision: 7,
		JournalFirst: 1, JournalLast: 900, NewestObservation: noon.Add(-3 * time.Second), Notices: []string{"probe osl-1 has two epochs"},
		ReloadError: "coordinator.yaml:3:1: regions: none\ncoordinator.yaml:9:1: checks: none\ncoordinator.yaml:9:2: pages: none",
	}, nil
}

// serve answers on the control socket of data.
func serve(t *testing.T, data string) *fleet {
	t.Helper()
	f := &fleet{}
	s, err := control.New(control.Options{Roster: f, Reporter: f, Incidents: f, Evidence: f, Windows: f, Backup: f, Exporter: f, Rebuilder: f, Reports: f, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	l, err := control.Listen(ctx, data)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestCommandsOfARunningCoordinator(t *testing.T) {
	file, data := initialised(t)
	f := serve(t, data)
	for _, x := range []struct{ args, out, err string }{
		{
			"probe add --name osl-1 --region eu-north --site osl --asn 64496 --ttl 15m",
			"varde-probe join vt1-abc\n", "Run this once on the machine of osl-1, before 2026-11-22 13:00:00 UTC.\n",
		},
		{
			"probe add --name osl-9 --region eu-north", "varde-probe join vt1-abc\n",
			"Run this once on the machine of osl-9, before 2026-11-22 13:00:00 UTC.\nThe join command that was printed for osl-9 before does not work any more.\n",
		},
		{"probe add --name osl-2 --region eu-north --ttl 0s", "", "varde-coordinator: probe add: --ttl: got 0s, expected a time above zero such as 1h\n"},
		{"probe list", `NAME   REGION    SITE  STATE                    FIT  LAST SEEN  PLAN  SPOOL  VERSION
osl-1  eu-north  osl   connected through osl-2  no   2s ago     7     3      0.1.0?[31m
syd-1  oceania   -     invited                  -    never      -     -      -
syd-2  oceania   -     expired                  -    never      -     -      -
`, ""},
		{"probe remove osl-1", "removed osl-1\nit knew the passwords of these checks, change them: imap-login, submission\n", ""},
		{"probe remove bgo-1", "", "varde-coordinator: remove probe: bgo-1 is not on the roster\n"},
		{"status", `coordinator    c1 0.1.0
started        2026-11-22 11:00:00 UTC, 1h0m0s ago
configuration  /etc/varde/coordinator.yaml, read 1m0s ago, the last reload failed: coordinator.yaml:3:1: regions: none (and 2 more)
listens        grpc [::]:7950, public [::]:8080, ops 127.0.0.1:8081
probes         1 of 2 connected
plan           revision 7 with 3 checks
journal        messages 1 to 900, newest observation 3s ago
notice         probe osl-1 has two epochs
`, ""},
	} {
		code, out, errs := call(t, append(strings.Fields(x.args), "--config", file)...)
		if out != x.out || errs != x.err || (code == 0) != (x.out != "") {
			t.Errorf("%s: exit %d\n%s%s\nwant\n%s%s", x.args, code, out, errs, x.out, x.err)
		}
	}
	want := control.NewProbe{Name: "osl-1", Region: "eu-north", Site: "osl", ASN: 64496, TTL: 15 * time.Minute}
	if len(f.asked) != 2 || f.asked[0] != want {
		t.Errorf("the coordinator was asked %+v, want %+v", f.asked, want)
	}
	if _, out, _ := call(t, "probe", "list", "--json", "--config", file); !strings.Contains(out, `"last_seen": "2026-11-22T11:59:58Z"`) {
		t.Errorf("probe list --json: %s", out)
	}
	if _, out, _ := call(t, "status", "--json", "--config", file); !strings.Contains(out, `"journal_last": 900`) {
		t.Errorf("status --json: %s", out)
	}
}

// running is a coordinator that says what is done to it.
type running struct {
	events chan string
	fails  error
	stuck  chan struct{}
}

func (r *running) Run(ctx context.Context) error {
	r.events <- "run"
	if r.fails != nil {
		return r.fails
	}
	<-ctx.Done()
	if r.stuck != nil {
		<-r.stuck
	}
	return nil
}

func (r *running) Reload(c config.Config) error {
	r.events <- "reload " + c.Name
	if c.Name == "refused" {
		return errors.New("reload: not this one")
	}
	return nil
}

func (r *running) Reloaded(err error) {
	if err == nil {
		r.events <- "reloaded"
	} else {
		r.events <- "not reloaded: " + err.Error()
	}
}

// Write takes what the program says on stderr, one line at a time.
func (r *running) Write(line []byte) (int, error) {
	r.events <- "stderr " + string(line)
	return len(line), nil
}

// unsent are signals that nobody sends.
func unsent() <-chan os.Signal { return nil }

// TestShortCommandsDieFromSignals: who does not wait for signals does not catch them,
// so that Ctrl-C ends a command that hangs.
func TestShortCommandsDieFromSignals(t *testing.T) {
	config, _ := initialised(t)
	for _, args := range [][]string{{"status"}, {"probe", "list"}, {"incident", "list"}, {"version"}} {
		var out bytes.Buffer
		p := &process{stdout: &out, stderr: &out, now: time.Now, signals: func() <-chan os.Signal {
			t.Errorf("%v catches signals", args)
			return nil
		}}
		if args[0] != "version" {
			args = append(args, "--config", config)
		}
		if code := p.run(t.Context(), args); code == varde.ExitUsage || out.Len() == 0 {
			t.Errorf("%v: exit %d, %q", args, code, out.String())
		}
	}
}

// launch runs the run command against r and returns its exit code when it has ended.
func launch(t *testing.T, file string, r *running) (signals chan<- os.Signal, ended <-chan int) {
	t.Helper()
	sig, done := make(chan os.Signal), make(chan int, 1)
	p := &process{
		stdout: r, stderr: r, signals: func() <-chan os.Signal { return sig }, now: time.Now,
		start: func(path string, c config.Config, _ *slog.Logger) (coordinator, error) {
			r.events <- "start " + c.Name + " of " + filepath.Base(path)
			return r, nil
		},
	}
	go func() { done <- p.run(t.Context(), []string{"--log-level", "error", "run", "--config", file}) }()
	return sig, done
}

// expect reads what happens and compares how each begins and ends with "…" between.
func expect(t *testing.T, events <-chan string, want ...string) {
	t.Helper()
	for _, w := range want {
		got := <-events
		head, tail, _ := strings.Cut(w, "…")
		if !strings.HasPrefix(got, head) || !strings.HasSuffix(got, tail) {
			t.Fatalf("got %q, want %q", got, w)
		}
	}
}

func TestSignals(t *testing.T) {
	file, _ := initialised(t)
	r := &running{events: make(chan string)}
	signals, ended := launch(t, file, r)
	expect(t, r.events, "start c1 of coordinator.yaml", "run")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, file, strings.Replace(string(text), "name: c1", "name: c2", 1))
	signals <- syscall.SIGHUP
	expect(t, r.events, "reload c2", "reloaded")
	put(t, file, "name: [")
	signals <- syscall.SIGHUP // a broken file reaches nobody
	expect(t, r.events, "not reloaded: …not YAML: sequence end token ']' not found", "stderr …", "stderr …not YAML: sequence end token ']' not found\"\n")
	put(t, file, strings.Replace(string(text), "name: c1", "name: refused", 1))
	signals <- syscall.SIGHUP
	expect(t, r.events, "reload refused", "not reloaded: reload: not this one", "stderr …", "stderr …fault=\"reload: not this one\"\n")
	signals <- syscall.SIGTERM
	if code := <-ended; code != varde.ExitOK {
		t.Errorf("got exit %d, want %d", code, varde.ExitOK)
	}
}

// TestFaultsAreLoggedOneByOne: and not all of them where the file is another's.
func TestFaultsAreLoggedOneByOne(t *testing.T) {
	file, _ := initialised(t)
	r := &running{events: make(chan string, 64)}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	put(t, file, string(text)+manyKeys(22))
	(&runCommand{configFlag{file}}).reload(r, slog.New(slog.NewTextHandler(r, nil)))
	close(r.events)
	var lines []string
	for e := range r.events {
		if strings.HasPrefix(e, "stderr ") {
			lines = append(lines, e)
		}
	}
	if len(lines) != 22 || !strings.Contains(lines[1], "x0") || !strings.Contains(lines[20], "x19") || !strings.Contains(lines[21], `validate tells them all" more=2`) {
		t.Errorf("got %d lines, want one, 20 faults and one: %s", len(lines), lines)
	}
}

// manyKeys are keys that no configuration has.
func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "x%d: 1\n", i)
	}
	return b.String()
}

func TestSecondSignalDoesNotWait(t *testing.T) {
	file, _ := initialised(t)
	r := &running{events: make(chan string), stuck: make(chan struct{})}
	defer close(r.stuck)
	signals, ended := launch(t, file, r)
	expect(t, r.events, "start c1 of coordinator.yaml", "run")
	signals <- os.Interrupt
	signals <- syscall.SIGHUP
	signals <- os.Interrupt
	expect(t, r.events, "stderr varde-coordinator: stop: a second interrupt came before the end\n")
	if code := <-ended; code != varde.ExitError {
		t.Errorf("got exit %d, want %d", code, varde.ExitError)
	}
}

func TestRunReportsFailure(t *testing.T) {
	file, _ := initialised(t)
	r := &running{events: make(chan string), fails: errors.New("listen.grpc: address already in use")}
	_, ended := launch(t, file, r)
	expect(t, r.events, "start c1 of coordinator.yaml", "run", "stderr varde-coordinator: listen.grpc: address already in use\n")
	if code := <-ended; code != varde.ExitError {
		t.Errorf("got exit %d, want %d", code, varde.ExitError)
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
