package agent

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"varde/checks"
	"varde/checks/checktest"
	"varde/probe/internal/plan"
	"varde/probe/internal/schedule"
	"varde/proto/wire"
)

// loadServer is a web server that is well and one that is silent, in a process of their
// own.
type loadServer struct{ healthy, silent, caFile string }

func newLoadServer(b *testing.B, scheme string) loadServer {
	b.Helper()
	dir, ca := b.TempDir(), checktest.NewCA()
	s := loadServer{freeAddress(b), freeAddress(b), filepath.Join(dir, "ca.pem")}
	if err := os.WriteFile(s.caFile, ca.PEM(), 0o600); err != nil {
		b.Fatal(err)
	}
	writeKeyPair(b, dir, ca.Certificate("127.0.0.1"))
	cmd := exec.Command(os.Args[0], "-test.run=^TestLoadServes$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %s %s %s", loadServes, dir, s.healthy, s.silent, scheme))
	cmd.Stderr = os.Stderr
	startFor(b, cmd, 1)
	waitFor(b, s.healthy)
	return s
}

// TestLoadServes is the server of BenchmarkLoad.
func TestLoadServes(t *testing.T) {
	args := strings.Fields(os.Getenv(loadServes))
	if len(args) != 4 {
		t.Skip("run by BenchmarkLoad")
	}
	go func() {
		l, err := net.Listen("tcp", args[2])
		for err == nil {
			var c net.Conn
			if c, err = l.Accept(); err == nil { // the probe gives up before that
				time.AfterFunc(loadEvery, func() { _ = c.Close() })
			}
		}
	}()
	web := http.Server{Addr: args[1], Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("hello\n", 100))
	}), ErrorLog: log.New(io.Discard, "", 0)}
	if args[3] == "http" {
		t.Fatal(web.ListenAndServe())
	}
	t.Fatal(web.ListenAndServeTLS(filepath.Join(args[0], "cert.pem"), filepath.Join(args[0], "key.pem")))
}

// runBare lets the bare side work in a process of its own on one core.
func runBare(b *testing.B, c loadCase, s loadServer) load {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestLoadBare$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s://%s %s %d", loadBare, c.scheme, s.healthy, s.caFile, c.checks))
	var out strings.Builder
	cmd.Stdout = &out
	startFor(b, cmd, 0)
	if err := cmd.Wait(); err != nil {
		b.Fatalf("bare client: %v\n%s", err, out.String())
	}
	var l load
	for line := range strings.Lines(out.String()) {
		f := strings.Fields(line)
		if len(f) == 2 && f[0] == "late" {
			us, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			l.lateness = append(l.lateness, time.Duration(us)*time.Microsecond)
		}
	}
	l.runs = len(l.lateness)
	l.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return l
}

// TestLoadBare is the bare side of BenchmarkLoad: a loop over the clock, with the
// same times as the probe, and a goroutine with a plain client a run.
func TestLoadBare(t *testing.T) {
	args := strings.Fields(os.Getenv(loadBare))
	if len(args) != 3 {
		t.Skip("run by BenchmarkLoad")
	}
	authority, err := os.ReadFile(args[1])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	var runs sync.WaitGroup
	n, err := strconv.Atoi(args[2])
	if err != nil {
		t.Fatal(err)
	}
	phases := loadPhases(n)
	late := make([]time.Duration, n*int(loadLasts/loadEvery))
	begin := time.Now().Add(time.Second)
	for i := range late {
		at := begin.Add(phases[i%n] + time.Duration(i/n)*loadEvery)
		time.Sleep(time.Until(at))
		runs.Go(func() {
			late[i] = time.Since(at)
			if err := fetch(fmt.Sprintf("%s/%d", args[0], i%n), roots); err != nil {
				t.Error(err)
			}
		})
	}
	runs.Wait()
	for _, d := range late {
		fmt.Printf("late %d\n", d.Microseconds())
	}
}

// loadPhases are when in each interval the probe makes its n runs, in order. They
// are as good as random, and several runs that are due at once wait for one another.
func loadPhases(n int) []time.Duration {
	phases := make([]time.Duration, n)
	for i := range phases {
		e := schedule.Entry{Target: &checks.Target{ID: fmt.Sprintf("web-%d", i), Every: loadEvery}, Family: checks.IPv4, Regions: 1}
		phases[i] = schedule.Phase(e, "osl-1", nil)
	}
	slices.Sort(phases)
	return phases
}

// fetch is what a Go program does that wants one page over one connection.
func fetch(url string, roots *x509.CertPool) error {
	t := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer t.CloseIdleConnections()
	answer, err := (&http.Client{Transport: t, Timeout: 5 * time.Second}).Get(url)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return err
}

// runLoadedProbe lets a probe on one core report to a coordinator, for which a
// stand-in here acknowledges everything.
func runLoadedProbe(b *testing.B, c loadCase, s loadServer) load {
	b.Helper()
	dir := b.TempDir()
	f := newFleet(b)
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	door, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	coordinator := f.coordinate(b, door, "")
	p := wire.Plan{
		Number: wire.PlanNumber{Generation: 1, Revision: 1}, Issued: time.Now(), Authorities: [][]byte{f.join(b, dir, public)},
		Regions: []wire.Region{{ID: "eu-north"}}, Coordinators: []string{door.Addr().String()},
	}
	for i := range c.checks {
		t := checks.Target{
			ID: fmt.Sprintf("web-%d", i), Service: "web", Kind: checks.HTTPS, URL: fmt.Sprintf("%s://%s/%d", c.scheme, s.healthy, i),
			Every: loadEvery, Timeout: 5 * time.Second, Families: []checks.Family{checks.IPv4}, Consent: true,
		}
		if i < c.blackholes {
			t.ID, t.URL = fmt.Sprintf("hole-%d", i), fmt.Sprintf("%s://%s/%d", c.scheme, s.silent, i)
		}
		p.Checks = append(p.Checks, t)
	}
	signed, err := wire.SignPlan(p, private)
	if err != nil {
		b.Fatal(err)
	}
	store, err := plan.Open(plan.Options{Dir: dir, Probe: "osl-1", Key: public, Logger: slog.New(slog.DiscardHandler)})
	if err == nil {
		_, err = store.Offer(signed)
	}
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestLoadedProbe$")
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+s.caFile, loadProbe+"="+dir)
	cmd.Stderr = os.Stderr
	startFor(b, cmd, 0)
	time.Sleep(loadBegins)
	from, before := time.Now(), cpuOf(b, cmd.Process.Pid)
	time.Sleep(loadLasts)
	l := load{cpu: cpuOf(b, cmd.Process.Pid) - before, rss: peakOf(b, cmd.Process.Pid)}
	if err := cmd.Process.Kill(); err != nil {
		b.Fatal(err)
	}
	coordinator.count(b, c, &l, from)
	return l
}

// count adds up the runs that were due in the time that is measured.
func (c *listener) count(b *testing.B, of loadCase, l *load, from time.Time) {
	b.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	planned := loadLasts - loadArrives
	until := from.Add(planned)
	wrong := map[checks.Class]int{}
	for _, o := range c.got {
		if o.Scheduled.Before(from) || o.Scheduled.After(until) {
			continue
		}
		l.runs++
		if strings.HasPrefix(o.Check, "web-") {
			l.lateness = append(l.lateness, o.Started.Sub(o.Scheduled))
		}
		if strings.HasPrefix(o.Check, "web-") != (o.Outcome == checks.Up) {
			wrong[o.Class]++
		}
	}
	if len(wrong) > 0 {
		b.Errorf("runs that are not what their target is: %v", wrong)
	}
	if want := int(planned / of.step()); l.runs < want*98/100 {
		b.Errorf("%d runs in %s, want about %d", l.runs, planned, want)
	}
	l.cpu = time.Duration(float64(l.cpu) * float64(planned) / float64(loadLasts))
}

// TestLoadedProbe is the probe of BenchmarkLoad.
func TestLoadedProbe(t *testing.T) {
	dir := os.Getenv(loadProbe)
	if dir == "" {
		t.Skip("run by BenchmarkLoad")
	}
	Economize()
	a, err := New(Options{State: dir, MeshBind: "127.0.0.1:0", Logger: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func freeAddress(b *testing.B) string {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// waitFor waits until somebody listens at an address.
func waitFor(b *testing.B, address string) {
	b.Helper()
	for range 600 {
		if c, err := net.Dial("tcp", address); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	b.Fatalf("nobody listens at %s", address)
}

// writeKeyPair writes cert.pem and key.pem.
func writeKeyPair(b *testing.B, dir string, cert tls.Certificate) {
	b.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(cert.PrivateKey)
	if err != nil {
		b.Fatal(err)
	}
	var chain []byte
	for _, der := range cert.Certificate {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	for name, content := range map[string][]byte{
		"cert.pem": chain, "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			b.Fatal(err)
		}
	}
}
