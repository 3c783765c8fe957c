package peer_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks/checktest"
	"varde/probe/internal/peer"
	"varde/proto/wire"
)

const (
	coordinatorName = "c1.example.net:7950"
	secondName      = "198.51.100.2:7950"
)

// world is a coordinator that sends back what it gets, and the probes of a fleet.
type world struct {
	t    *testing.T
	net  *checktest.Internet
	ca   *checktest.CA
	key  ed25519.PrivateKey
	plan wire.Plan
	// coordinator is its host, echo its listener.
	coordinator *checktest.Host
	echo        net.Listener
	probes      byte
}

func newWorld(t *testing.T) *world {
	n := checktest.NewInternet()
	at := netip.MustParseAddr("198.51.100.1")
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, net: n, ca: checktest.NewCA(), key: key, coordinator: n.Host(at)}
	ca, _ := pem.Decode(w.ca.PEM())
	w.plan = wire.Plan{
		Number: wire.PlanNumber{Generation: 1, Revision: 1}, Issued: time.Now(), Authorities: [][]byte{ca.Bytes},
		Coordinators: []string{coordinatorName, secondName},
	}
	if w.echo, err = w.coordinator.Listen("tcp", "198.51.100.1:7950"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.echo.Close() })
	return w
}

// answer has the coordinator send back what it gets, until the test ends.
func (w *world) answer(handle func(net.Conn)) {
	go func() {
		for {
			c, err := w.echo.Accept()
			if err != nil {
				return
			}
			w.t.Cleanup(func() { c.Close() })
			go handle(c)
		}
	}()
}

func echo(c net.Conn) {
	_, _ = io.Copy(c, c)
	c.Close()
}

// probe is one, with a plan of its own.
type probe struct {
	*peer.Peer
	name, region string
	host         *checktest.Host
	network      peer.Network
	cert         tls.Certificate

	mu     sync.Mutex // protects the following
	plan   wire.Plan
	signed wire.SignedPlan
	have   bool
}

func (p *probe) Current() (wire.Plan, []byte, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.plan, nil, p.have
}

func (p *probe) Newer(than wire.PlanNumber) (wire.SignedPlan, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.signed, p.have && p.plan.Number.After(than)
}

func (p *probe) set(plan wire.Plan, signed wire.SignedPlan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.plan, p.signed, p.have = plan, signed, true
}

func (p *probe) address() string { return p.host.Addrs()[0].String() + ":7947" }

func (p *probe) remote() peer.Remote {
	return peer.Remote{Name: p.name, Addresses: []string{p.address()}}
}

// named is a network that knows the name of the coordinator.
type named struct{ peer.Network }

func (n named) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if address == coordinatorName {
		address = "198.51.100.1:7950"
	}
	return n.Network.DialContext(ctx, network, address)
}

// mint makes the certificate of a probe.
func mint(ca *checktest.CA, name, region string) tls.Certificate {
	return ca.Mint(func(c *x509.Certificate) {
		c.URIs = []*url.URL{wire.Subject{Name: name, Region: region}.URI()}
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	})
}

// stranger is a probe that is in no roster.
func (w *world) stranger(name, region string, cert tls.Certificate) *probe {
	w.t.Helper()
	w.probes++
	p := &probe{name: name, region: region, cert: cert, host: w.net.Host(netip.AddrFrom4([4]byte{203, 0, 113, w.probes}))}
	p.network = named{p.host}
	w.make(p)
	return p
}

func (w *world) make(p *probe) {
	w.t.Helper()
	var err error
	p.Peer, err = peer.New(peer.Options{
		Bind: "0.0.0.0:7947", Network: p.network, Certificate: func() *tls.Certificate { return &p.cert }, Plans: p,
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// probe enrols one.
func (w *world) probe(name, region string) *probe {
	w.t.Helper()
	cert := mint(w.ca, name, region)
	p := w.stranger(name, region, cert)
	w.plan.Roster = append(w.plan.Roster, wire.RosterEntry{
		Name: name, Region: region, KeySHA256: sha256.Sum256(cert.Leaf.RawSubjectPublicKeyInfo), PeerAddress: p.address(),
	})
	return p
}

// sign makes the world's plan the newest of some probes.
func (w *world) sign(probes ...*probe) {
	w.t.Helper()
	w.plan.Number.Revision++
	signed, err := wire.SignPlan(w.plan, w.key)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, p := range probes {
		plan := w.plan
		plan.Roster = slices.Clone(plan.Roster)
		p.set(plan, signed)
	}
}

// listen runs the peer listener of a probe and returns what ends it.
func (w *world) listen(p *probe) (stop func()) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	synctest.Wait()
	return func() {
		w.t.Helper()
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("run: %v", err)
		}
	}
}

// through opens a tunnel that must work.
func (w *world) through(from, to *probe) net.Conn {
	w.t.Helper()
	c, err := from.Through(w.t.Context(), to.remote(), coordinatorName)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return c
}

// says sends a word through a connection and wants it back.
func says(t *testing.T, c net.Conn, word string) {
	t.Helper()
	if _, err := io.WriteString(c, word); err != nil {
		t.Error(err)
	}
	back := make([]byte, len(word))
	if _, err := io.ReadFull(c, back); err != nil || string(back) != word {
		t.Errorf("got %q back, %v, want %q", back, err, word)
	}
}
