package ingest_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server/ats"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"varde/checks"
	"varde/checks/checktest"
	"varde/coordinator/internal/ingest"
	"varde/coordinator/internal/journal"
	"varde/probe/uplinktest"
	"varde/proto/wire"
)

func TestMain(m *testing.M) {
	ats.Register() // outside of every bubble: see package journal
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

const (
	address1 = "198.51.100.1:7950"
	address2 = "198.51.100.2:7950"
)

// world is a coordinator and its probes on an internet in memory.
type world struct {
	t         testing.TB
	net       *checktest.Internet
	host      *checktest.Host
	ca        *checktest.CA
	journal   ingest.Journal
	authority *authority
	plans     *plans
	ingest    *ingest.Ingest
	probes    int
	registry  prometheus.Registerer
	logger    *slog.Logger
	// crashes says that serving may end with an error.
	crashes bool
}

func newWorld(t testing.TB, j ingest.Journal) *world {
	w := &world{t: t, net: checktest.NewInternet(), ca: checktest.NewCA(), journal: j, plans: &plans{changed: make(chan struct{})}, logger: slog.New(slog.DiscardHandler)}
	w.host = w.net.Host(netip.MustParseAddr("198.51.100.1"))
	w.authority = &authority{roster: map[string]ingest.Peer{}, changed: make(chan struct{}), mesh: map[string]string{}}
	return w
}

// openJournal is a real one.
func openJournal(t testing.TB, dir string) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// serverTLS lets everybody with a certificate of the CA, and nobody's, through.
func (w *world) serverTLS() *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{w.ca.Certificate(wire.CoordinatorName)}, ClientAuth: tls.RequestClientCert,
		VerifyConnection: func(s tls.ConnectionState) error {
			for _, c := range s.PeerCertificates {
				if _, err := c.Verify(x509.VerifyOptions{Roots: w.ca.Pool(), CurrentTime: c.NotBefore.Add(time.Hour), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// coordinate starts a coordinator and returns what ends it in good order.
func (w *world) coordinate() (stop func()) {
	w.t.Helper()
	l, err := w.host.Listen("tcp", address1)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.serve(l)
}

// serve answers on l.
func (w *world) serve(l net.Listener) (stop func()) {
	w.t.Helper()
	var err error
	w.ingest, err = ingest.New(ingest.Options{
		Journal: w.journal, Authority: w.authority, Plans: w.plans, TLS: w.serverTLS(), Logger: w.logger, Metrics: w.registry,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.ingest.Serve(ctx, l) }()
	return func() {
		cancel()
		if err := <-done; err != nil && !w.crashes {
			w.t.Errorf("serve: %v", err)
		}
	}
}

// clientTLS is the certificate of a probe, with a life of its own if given.
func (w *world) clientTLS(name, region string, life time.Duration) *tls.Config {
	cert := w.ca.Mint(func(c *x509.Certificate) {
		c.URIs = []*url.URL{wire.Subject{Name: name, Region: region}.URI()}
		if life != 0 {
			c.NotAfter = time.Now().Add(life)
		}
	})
	return &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: w.ca.Pool(), ServerName: wire.CoordinatorName}
}

// probe is one running uplink with a spool in memory.
type probe struct {
	*uplinktest.Uplink
	name  string
	host  *checktest.Host
	spool *uplinktest.Spool
	stop  func()
}

// probe enrols and starts a probe.
func (w *world) probe(name, region, epoch string) *probe {
	w.t.Helper()
	w.authority.add(ingest.Peer{Name: name, Region: region, Site: "site", ASN: 64500})
	w.probes++
	p := &probe{name: name, spool: uplinktest.NewSpool(epoch), host: w.net.Host(netip.AddrFrom4([4]byte{203, 0, 113, byte(w.probes)}))}
	p.start(w, region)
	return p
}

// start runs an uplink, also a second time with the same spool.
func (p *probe) start(w *world, region string) {
	w.t.Helper()
	p.run(w, region, address1, func(ctx context.Context, a string) (net.Conn, error) { return p.host.DialContext(ctx, "tcp", a) })
}

// run runs an uplink to an address.
func (p *probe) run(w *world, region, address string, dial func(context.Context, string) (net.Conn, error)) {
	w.t.Helper()
	config := w.clientTLS(p.name, region, 0)
	var err error
	p.Uplink, err = uplinktest.New(uplinktest.Options{
		Coordinators: func() []string { return []string{address} }, TLS: func() *tls.Config { return config },
		Dial: dial, Spool: p.spool,
		State: func() wire.ProbeState {
			return wire.ProbeState{
				Epoch: p.spool.Current(), Version: "0.1.0", Plan: wire.PlanNumber{Generation: 1, Revision: 7}, Spool: p.spool.Depth(),
				MeshAddress: p.host.Addrs()[0].String() + ":7946", Peers: []string{p.name},
			}
		},
		PlanNumber: func() wire.PlanNumber { return wire.PlanNumber{Generation: 1, Revision: 7} },
		OnPlan:     func(wire.SignedPlan) error { return nil }, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	p.stop = func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("run uplink: %v", err)
		}
	}
}

// authority holds a roster and judges certificates by it.
type authority struct {
	mu      sync.Mutex
	roster  map[string]ingest.Peer
	mesh    map[string]string
	meshErr error
	changed chan struct{}
}

func (a *authority) change(fn func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	fn()
	close(a.changed)
	a.changed = make(chan struct{})
}

func (a *authority) add(p ingest.Peer) { a.change(func() { a.roster[p.Name] = p }) }

func (a *authority) remove(name string) { a.change(func() { delete(a.roster, name) }) }

func (a *authority) Peer(_ context.Context, s tls.ConnectionState) (ingest.Peer, error) {
	if len(s.PeerCertificates) == 0 {
		return ingest.Peer{}, fmt.Errorf("%w: no certificate", ingest.ErrUnauthenticated)
	}
	subject, err := wire.SubjectOf(s.PeerCertificates[0])
	if err != nil {
		return ingest.Peer{}, fmt.Errorf("%w: %w", ingest.ErrUnauthenticated, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	p, ok := a.roster[subject.Name]
	if !ok {
		return ingest.Peer{}, fmt.Errorf("%w: this probe was removed", ingest.ErrDenied)
	}
	p.Renewal = time.Now().After(s.PeerCertificates[0].NotAfter)
	return p, nil
}

func (a *authority) Enrol(_ context.Context, r wire.EnrolRequest) (wire.Enrolment, error) {
	switch r.Secret[0] {
	case 1:
		return wire.Enrolment{Chain: [][]byte{r.Request}, Name: "osl-1", Region: "eu-north", PlanKey: make([]byte, 32)}, nil
	case 2:
		return wire.Enrolment{}, fmt.Errorf("%w: this token was used already", ingest.ErrDenied)
	}
	return wire.Enrolment{}, errors.New("disk on fire at /var/lib/secret")
}

func (a *authority) Renew(_ context.Context, _ tls.ConnectionState, request []byte) ([][]byte, error) {
	return [][]byte{request}, nil
}

func (a *authority) SetAddresses(_ context.Context, name, mesh, peer string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.meshErr == nil {
		a.mesh[name] = strings.TrimSpace(mesh + " " + peer)
	}
	return a.meshErr
}

func (a *authority) Roster() []ingest.Peer {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Collect(maps.Values(a.roster))
}

func (a *authority) Changed() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.changed
}

// plans hands out one plan.
type plans struct {
	mu      sync.Mutex
	number  wire.PlanNumber
	checks  []checks.Target
	known   map[string]bool
	changed chan struct{}
}

func (p *plans) set(n wire.PlanNumber, probes ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.number, p.known = n, map[string]bool{}
	for _, name := range probes {
		p.known[name] = true
	}
	close(p.changed)
	p.changed = make(chan struct{})
}

func (p *plans) For(probe string) (wire.SignedPlan, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.known[probe] {
		return wire.SignedPlan{}, errors.New("not in the plan")
	}
	return wire.SignedPlan{Plan: fmt.Append(nil, p.number), Signature: []byte("s"), Bundles: map[string][]byte{"osl-1": []byte(probe)}}, nil
}

func (p *plans) Current() (wire.Plan, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return wire.Plan{Number: p.number, Checks: p.checks}, p.number != wire.PlanNumber{}
}

func (p *plans) Changed() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.changed
}

// whole reads the journal and returns, by source, how many records it holds; it
// fails where one is missing, doubled or out of order, or says that it is
// somebody else's.
func whole(t *testing.T, j *journal.Journal) map[wire.Source]uint64 {
	t.Helper()
	got := map[wire.Source]uint64{}
	_, last := j.Bounds()
	err := j.Read(t.Context(), 1, last, func(e journal.Entry) error {
		for _, b := range e.Batches {
			for _, r := range b.Records {
				if r.First() != got[b.Source()]+1 {
					t.Errorf("message %d holds %d of %v after %d", e.Seq, r.First(), b.Source(), got[b.Source()])
				}
				if r.Gap == nil && (r.Observation.Probe != b.Probe || r.Observation.Region != b.Region) {
					t.Errorf("record of %s in %s stands in a batch of %s in %s", r.Observation.Probe, r.Observation.Region, b.Probe, b.Region)
				}
				got[b.Source()] = r.Last()
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func bubble(t *testing.T, fn func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, fn)
}
