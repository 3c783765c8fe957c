package server

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"varde/checks"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/identity"
	"varde/probe/uplinktest"
	"varde/proto/wire"
)

// The load of BenchmarkTold: 100 checks from 4 regions of 5 probes, every second.
const (
	toldChecks, toldRegions, toldProbes = 100, 4, 5
	toldPerSecond                       = toldChecks * toldRegions * toldProbes
	// toldWarms is how long series are up first, toldLasts what is measured.
	toldWarms, toldLasts = 3, 20
	// toldWithin is what an operator does not notice.
	toldWithin = 200 * time.Millisecond
)

// BenchmarkTold has 20 probes report 2,000 observations a second to a coordinator
// with real files and fsync, over gRPC and TLS. Every second one series in twenty
// goes down, and it measures how long after the observations that
// decide it were handed to the uplink an operator's event stream says so:
//
//	go test ./coordinator/server -run '^$' -bench Told -benchtime 1x
//
// Both sides share the cores of the machine.
func BenchmarkTold(b *testing.B) {
	for b.Loop() {
		f := newToldFleet(b)
		delays := f.measure(b)
		f.stop()
		slices.Sort(delays)
		p := func(share int) float64 { return float64(delays[len(delays)*share/100].Microseconds()) / 1000 }
		b.ReportMetric(p(50), "p50-ms")
		b.ReportMetric(p(99), "p99-ms")
		b.ReportMetric(p(99)/float64(toldWithin.Milliseconds()), "x-200ms")
		b.ReportMetric(float64(len(delays)), "changes")
		b.ReportMetric(toldPerSecond, "observations/s")
	}
}

// toldFleet is a coordinator and the uplinks of its probes.
type toldFleet struct {
	server *Server
	spools [toldRegions][toldProbes]*uplinktest.Spool
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu sync.Mutex // protects sent
	// sent is when what turns a series was handed over.
	sent map[string]time.Time
}

func regionName(r int) string { return fmt.Sprintf("region-%d", r) }
func checkName(c int) string  { return fmt.Sprintf("check-%d", c) }

func newToldFleet(b *testing.B) *toldFleet {
	c := config.Config{
		Name: "c1", Data: b.TempDir(), Listen: config.Listen{GRPC: "127.0.0.1:0", Public: "127.0.0.1:0", Ops: "127.0.0.1:0"},
		Advertise: []string{"127.0.0.1:1"}, Services: []config.Service{{ID: "imap", Consent: true}},
	}
	for r := range toldRegions {
		c.Regions = append(c.Regions, config.Region{ID: regionName(r)})
	}
	for i := range toldChecks {
		c.Checks = append(c.Checks, config.Check{Target: checks.Target{ID: checkName(i), Service: "imap", Kind: checks.TCP, URL: "tcp://192.0.2.1:143", Every: checks.MinEvery}})
	}
	s, err := New(Options{Config: c.WithDefaults(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	f := &toldFleet{server: s, cancel: cancel, sent: map[string]time.Time{}}
	f.wait.Go(func() {
		if err := s.Run(ctx); err != nil {
			b.Error(err)
		}
	})
	for r := range toldRegions {
		for p := range toldProbes {
			f.join(ctx, b, r, p)
		}
	}
	return f
}

// join enrols a probe and starts its uplink.
func (f *toldFleet) join(ctx context.Context, b *testing.B, r, p int) {
	b.Helper()
	token, err := f.server.authority.AddProbe(ctx, identity.NewProbe{Name: fmt.Sprintf("%s-%d", regionName(r), p), Region: regionName(r)})
	if err != nil {
		b.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		b.Fatal(err)
	}
	recipient, err := age.GenerateX25519Identity()
	if err != nil {
		b.Fatal(err)
	}
	chain, _, err := f.server.authority.Enrol(ctx, token.ID, token.Secret, request, recipient.Recipient().String())
	if err != nil {
		b.Fatal(err)
	}
	f.connect(ctx, b, uplinktest.NewSpool("e1"), r, p, tls.Certificate{Certificate: chain, PrivateKey: key})
}

func (f *toldFleet) connect(ctx context.Context, b *testing.B, spool *uplinktest.Spool, r, p int, cert tls.Certificate) {
	b.Helper()
	roots := x509.NewCertPool()
	ca, err := x509.ParseCertificate(f.server.authority.Authorities()[0])
	if err != nil {
		b.Fatal(err)
	}
	roots.AddCert(ca)
	config := &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots, ServerName: wire.CoordinatorName}
	f.spools[r][p] = spool
	u, err := uplinktest.New(uplinktest.Options{
		Coordinators: func() []string { return []string{f.server.Addresses().GRPC} }, TLS: func() *tls.Config { return config },
		Spool: spool, Age: time.Nanosecond, Logger: slog.New(slog.DiscardHandler),
		State:      func() wire.ProbeState { return wire.ProbeState{Epoch: spool.Current(), Spool: spool.Depth()} },
		PlanNumber: func() wire.PlanNumber { return wire.PlanNumber{} }, OnPlan: func(wire.SignedPlan) error { return nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	f.wait.Go(func() {
		if err := u.Run(ctx); err != nil {
			b.Error(err)
		}
	})
}

func (f *toldFleet) stop() {
	f.cancel()
	f.wait.Wait()
}

// measure returns how long it took until each change was told.
func (f *toldFleet) measure(b *testing.B) []time.Duration {
	told, errs := make(chan time.Duration, 1<<16), make(chan error, 1)
	ctx, cancel := context.WithCancel(b.Context())
	go func() { errs <- f.listen(ctx, told) }()
	f.report()
	time.Sleep(2 * time.Second) // the last of them are on their way
	cancel()
	if err := <-errs; err != nil {
		b.Fatal(err)
	}
	close(told)
	var out []time.Duration
	for d := range told {
		out = append(out, d)
	}
	if want := toldChecks * toldRegions; len(out) < want*9/10 {
		b.Fatalf("got %d changes, want about %d", len(out), want)
	}
	return out
}

// report sends one result of every series and probe a second, evenly.
func (f *toldFleet) report() {
	tick := time.NewTicker(time.Second / toldChecks)
	defer tick.Stop()
	for second := range toldWarms + toldLasts {
		for c := range toldChecks {
			<-tick.C
			for r := range toldRegions {
				f.look(second, c, r)
			}
		}
	}
}

// look has every probe of a region look at a check.
func (f *toldFleet) look(second, c, r int) {
	due := toldWarms + (c*toldRegions+r)%toldLasts // when this series turns
	at := time.Now()
	o := checks.Observation{
		Check: checkName(c), Service: "imap", Family: checks.IPv4, Scheduled: at, Started: at, Every: checks.MinEvery,
		Result: checks.Result{Outcome: checks.Up, Address: "192.0.2.1:143"},
	}
	if second >= due {
		o.Outcome, o.FailedPhase, o.Class = checks.Down, checks.Connect, checks.ConnectRefused
	}
	if second == due {
		f.mu.Lock()
		f.sent[o.Check+"/"+regionName(r)] = at
		f.mu.Unlock()
	}
	for p := range toldProbes {
		f.spools[r][p].Put("e1", o)
	}
}

// listen reads the events of the operators' API.
func (f *toldFleet) listen(ctx context.Context, told chan<- time.Duration) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.server.Addresses().Ops+"/api/v1/stream", http.NoBody)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		var v struct{ Check, Region string }
		if !ok || json.Unmarshal([]byte(data), &v) != nil {
			continue
		}
		f.mu.Lock()
		at, ok := f.sent[v.Check+"/"+v.Region]
		delete(f.sent, v.Check+"/"+v.Region)
		f.mu.Unlock()
		if ok {
			told <- time.Since(at)
		}
	}
	return nil
}
