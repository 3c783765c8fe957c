package deploy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// programs are the real binaries as real processes on loopback.
type programs struct {
	t     *testing.T
	dir   string
	ops   string
	probe string // path of varde-probe
	coord string // path of varde-coordinator
	all   map[string]*process
}

// process is one program that may be killed and started again.
type process struct {
	name string
	args []string
	cmd  *exec.Cmd
	done chan struct{}
	log  string
}

// buildPrograms compiles both programs.
func buildPrograms(t *testing.T) *programs {
	t.Helper()
	needCalm(t)
	p := &programs{t: t, dir: shortTempDir(t), all: map[string]*process{}}
	p.probe, p.coord = filepath.Join(p.dir, "varde-probe"), filepath.Join(p.dir, "varde-coordinator")
	for out, pkg := range map[string]string{p.probe: "varde/probe", p.coord: "varde/coordinator"} {
		if msg, err := exec.Command("go", "build", "-o", out, pkg).CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", pkg, err, msg)
		}
	}
	t.Cleanup(p.stopAll)
	return p
}

// shortTempDir is a folder whose path is short enough for unix sockets.
func shortTempDir(t *testing.T) string {
	dir, err := os.MkdirTemp("", "varde-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// define names a program without starting it.
func (p *programs) define(name string, args ...string) {
	p.all[name] = &process{name: name, args: args, log: filepath.Join(p.dir, name+".log")}
}

// start starts a program; its log goes on where it ended.
func (p *programs) start(name string) {
	p.t.Helper()
	pr := p.all[name]
	out, err := os.OpenFile(pr.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer out.Close()
	pr.cmd = exec.Command(pr.args[0], pr.args[1:]...)
	pr.cmd.Stdout, pr.cmd.Stderr = out, out
	pr.cmd.SysProcAttr = noOrphans()
	if err := pr.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	pr.done = make(chan struct{})
	go func(cmd *exec.Cmd, done chan struct{}) {
		defer close(done)
		_ = cmd.Wait()
	}(pr.cmd, pr.done)
}

// signal sends a signal and waits until the program has ended.
func (p *programs) signal(name string, sig syscall.Signal) {
	p.t.Helper()
	pr := p.all[name]
	if pr.cmd == nil {
		return
	}
	if err := pr.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
	select {
	case <-pr.done:
	case <-time.After(30 * time.Second):
		p.t.Errorf("%s did not end within 30 s of %s", name, sig)
		_ = pr.cmd.Process.Kill()
		<-pr.done
	}
	pr.cmd = nil
}

func (p *programs) stopAll() {
	for name := range p.all {
		p.signal(name, syscall.SIGKILL)
	}
	if p.t.Failed() {
		for _, pr := range p.all {
			p.t.Logf("end of %s:\n%s", pr.name, tail(pr.log, 15))
		}
	}
}

func tail(path string, lines int) string {
	b, _ := os.ReadFile(path)
	all := strings.Split(strings.TrimSpace(string(b)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}

// command runs a program to its end and returns what it printed.
func (p *programs) command(args ...string) string {
	p.t.Helper()
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", strings.Join(args[1:], " "), err, out)
	}
	return string(out)
}

// freePort is a port of loopback that nobody listens on now.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// setUp writes a coordinator for the given services and checks (the YAML of
// both keys), starts it, and enrols two probes in each of three regions.
func (p *programs) setUp(body string) (probes []string) {
	p.t.Helper()
	grpc := fmt.Sprintf("127.0.0.1:%d", freePort(p.t))
	p.ops = fmt.Sprintf("127.0.0.1:%d", freePort(p.t))
	head := fmt.Sprintf("data: %s/data\nlisten: {grpc: %q, public: %q, ops: %q}\nadvertise: [%q]\n"+
		"regions: [{id: eu-north}, {id: us-east}, {id: oceania}]\n",
		p.dir, grpc, fmt.Sprintf("127.0.0.1:%d", freePort(p.t)), p.ops, grpc)
	config := filepath.Join(p.dir, "coordinator.yaml")
	if err := os.WriteFile(config, []byte(head+body), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.define("coordinator", p.coord, "run", "--config", config)
	p.start("coordinator")
	p.eventually("coordinator is ready", p.ready)
	for _, region := range []string{"eu-north", "us-east", "oceania"} {
		for n := 1; n <= 2; n++ {
			name := fmt.Sprintf("%s-%d", region, n)
			p.enrol(name, region, config)
			probes = append(probes, name)
		}
	}
	return probes
}

// webChecks are many checks of one web server of the test.
func (p *programs) webChecks(n int) string {
	url, ca := webServer(p.t, p.dir)
	var b strings.Builder
	b.WriteString("services: [{id: web, consent: true}]\nchecks:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - {id: web-%d, service: web, kind: https, url: %q, every: 5s, families: [ipv4], ca: {file: %q}}\n", i, url, ca)
	}
	return b.String()
}

var joinLine = regexp.MustCompile(`varde-probe join (\S+)`)

// enrol does what an operator does: `probe add` here, `join` and `run` there.
func (p *programs) enrol(name, region, config string) {
	p.t.Helper()
	m := joinLine.FindStringSubmatch(p.command(p.coord, "probe", "add", "--config", config, "--name", name, "--region", region))
	if m == nil {
		p.t.Fatal("probe add printed no join command")
	}
	state := filepath.Join(p.dir, name)
	p.command(p.probe, "join", m[1], "--state", state)
	probeConfig := filepath.Join(p.dir, name+".yaml")
	body := fmt.Sprintf("state: %s\nmesh: {bind: \"127.0.0.1:%d\", advertise: 127.0.0.1}\npeer: {bind: \"127.0.0.1:0\"}\n", state, freePort(p.t))
	if err := os.WriteFile(probeConfig, []byte(body), 0o600); err != nil {
		p.t.Fatal(err)
	}
	p.define(name, p.probe, "run", "--config", probeConfig, "--log-level", "debug")
	p.start(name)
}

func (p *programs) ready() bool {
	resp, err := http.Get("http://" + p.ops + "/readyz")
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// eventually waits a minute until something is true.
func (p *programs) eventually(what string, ok func() bool) {
	p.t.Helper()
	p.within(time.Minute, what, ok)
}

// within polls a real process; there is no bubble around those.
func (p *programs) within(patience time.Duration, what string, ok func() bool) {
	p.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline:
			p.t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// rss is the resident memory of a running program in bytes.
func (p *programs) rss(name string) int64 {
	p.t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.all[name].cmd.Process.Pid))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == "VmRSS:" {
			kb, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return kb << 10
		}
	}
	p.t.Fatal("no VmRSS")
	return 0
}

// webServer serves 200 over TLS on loopback and returns its URL and the file
// of its authority.
func webServer(t *testing.T, dir string) (url, ca string) {
	t.Helper()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n")
	}))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	ca = filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pemOf(srv.Certificate().Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	return srv.URL + "/", ca
}

// observation is what a probe's log says of one record in its spool.
type observation struct {
	probe, epoch string
	seq          uint64
}

var (
	startLine = regexp.MustCompile(`msg="probe starts".* name=(\S+).* epoch=(\S+)`)
	seqLine   = regexp.MustCompile(`msg=observation .*seq=(\d+)`)
)

// spooled are the records that a probe logged after it had them on disk.
func spooled(t *testing.T, path string) []observation {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []observation
	var now observation
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if m := startLine.FindStringSubmatch(lines.Text()); m != nil {
			now = observation{probe: m[1], epoch: m[2]}
		} else if m := seqLine.FindStringSubmatch(lines.Text()); m != nil {
			now.seq, err = strconv.ParseUint(m[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, now)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}
