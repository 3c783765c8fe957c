package agent

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/probe/internal/identity"
	"varde/probe/internal/plan"
	"varde/proto/wire"
)

// station is a machine that has joined a fleet and has a plan, in a lab.
type station struct {
	*ct.Lab
	dir     string
	network Network
	log     lines
	fleet   *fleet
	// key signs plans; plan is the first of them.
	key  ed25519.PrivateKey
	plan wire.Plan
}

// lines is a log that may be read while it is written.
type lines struct {
	mu   sync.Mutex // protects text
	text strings.Builder
}

// Write appends to the log.
func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// newStation makes a station whose plan has one check every five seconds, of a
// server that refuses connections, unless it is changed.
func newStation(t *testing.T, changes ...func(*wire.Plan)) *station {
	t.Helper()
	lab := ct.NewLab()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := &station{Lab: lab, dir: t.TempDir(), network: lab.Client, fleet: newFleet(t), key: private}
	ca := s.fleet.join(t, s.dir, public)
	s.plan = wire.Plan{
		Number: wire.PlanNumber{Generation: 1, Revision: 1}, Issued: time.Now(), Authorities: [][]byte{ca},
		Checks: []checks.Target{{
			ID: "smtp", Service: "smtp", Kind: checks.SMTP, URL: "smtp://" + ct.LabName,
			Every: 5 * time.Second, Timeout: 5 * time.Second, Families: []checks.Family{checks.IPv4}, Consent: true,
		}},
		Regions: []wire.Region{{ID: "eu-north", Name: "Northern Europe"}}, GossipKeys: [][]byte{bytes.Repeat([]byte{1}, 32)},
		Coordinators: []string{"c1.example.net:7950"},
	}
	if _, err := s.store(t).Offer(s.sign(t, changes...)); err != nil {
		t.Fatal(err)
	}
	return s
}

// sign makes the station's plan anew.
func (s *station) sign(t *testing.T, changes ...func(*wire.Plan)) wire.SignedPlan {
	t.Helper()
	for _, change := range changes {
		change(&s.plan)
	}
	signed, err := wire.SignPlan(s.plan, s.key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// store opens the plan on the station's disk.
func (s *station) store(t *testing.T) *plan.Store {
	t.Helper()
	store, err := plan.Open(plan.Options{
		Dir: s.dir, Probe: "osl-1", Key: s.key.Public().(ed25519.PublicKey), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// join makes the folder that of a probe, and returns the fleet's CA.
func join(t testing.TB, dir string, planKey ed25519.PublicKey) (ca []byte) {
	t.Helper()
	return newFleet(t).join(t, dir, planKey)
}

// fleet is an authority that makes probes and coordinators.
type fleet struct {
	key  *ecdsa.PrivateKey
	root *x509.Certificate
	// ca is root as signed by itself.
	ca []byte
}

func newFleet(t testing.TB) *fleet {
	t.Helper()
	f := &fleet{root: &x509.Certificate{
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().AddDate(10, 0, 0),
	}}
	var err error
	if f.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err == nil {
		f.ca, err = x509.CreateCertificate(rand.Reader, f.root, f.root, f.key.Public(), f.key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// join makes the folder that of a probe, and returns the CA.
func (f *fleet) join(t testing.TB, dir string, planKey ed25519.PublicKey) []byte {
	t.Helper()
	f.enrol(t, dir, planKey, wire.Subject{Name: "osl-1", Region: "eu-north"})
	return f.ca
}

// enrol makes the folder that of a probe, and returns its place in the roster and
// whom its secrets are sealed to.
func (f *fleet) enrol(t testing.TB, dir string, planKey ed25519.PublicKey, who wire.Subject) (entry wire.RosterEntry, recipient string) {
	t.Helper()
	token := wire.Token{CASHA256: sha256.Sum256(f.ca), Coordinators: []string{"c1.example.net:7950"}}
	enrol := func(_ context.Context, r wire.EnrolRequest) (wire.Enrolment, error) {
		request, err := x509.ParseCertificateRequest(r.Request)
		if err != nil {
			return wire.Enrolment{}, err
		}
		leaf, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			URIs:        []*url.URL{who.URI()},
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
			NotBefore:   f.root.NotBefore, NotAfter: time.Now().AddDate(0, 0, 30),
		}, f.root, request.PublicKey, f.key)
		entry = wire.RosterEntry{Name: who.Name, Region: who.Region, KeySHA256: sha256.Sum256(request.RawSubjectPublicKeyInfo)}
		recipient = r.Recipient
		return wire.Enrolment{
			Chain: [][]byte{leaf, f.ca}, Name: who.Name, Region: who.Region, PlanKey: planKey, Coordinators: token.Coordinators,
		}, err
	}
	if _, err := identity.Join(t.Context(), identity.Options{Dir: dir}, token, enrol); err != nil {
		t.Fatal(err)
	}
	return entry, recipient
}

// agent makes the agent of the station.
func (s *station) agent(t *testing.T, changes ...func(*Options)) *Agent {
	t.Helper()
	o := Options{
		State: s.dir, Network: s.network, ConfigPath: "/etc/varde/probe.yaml", NoSync: true, SlowMesh: true,
		Logger: slog.New(slog.NewTextHandler(&s.log, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	for _, change := range changes {
		change(&o)
	}
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// run starts the agent of the station; it ends with the test.
func (s *station) run(t *testing.T, changes ...func(*Options)) *Agent {
	t.Helper()
	a := s.agent(t, changes...)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return a
}

// TestMeshPortInUse: a probe whose mesh cannot listen says so once, naming file
// and key, measures all the same, and takes part as soon as it can.
func TestMeshPortInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		taken, err := s.Client.Listen("tcp", ":7946")
		if err != nil {
			t.Fatal(err)
		}
		a := s.run(t)
		time.Sleep(10 * time.Minute)
		const fault = "/etc/varde/probe.yaml: mesh.bind [::]:7946: address already in use"
		line := regexp.MustCompile(`level=ERROR msg="no mesh, [^"]*" component=mesh error="` + regexp.QuoteMeta(fault) + `" retry=15s\n`)
		if got := s.log.String(); len(line.FindAllString(got, -1)) != 1 || strings.Count(got, "mesh") != strings.Count(line.FindString(got), "mesh") {
			t.Errorf("logged\n%s\nwant one line about the mesh, like %s", got, line)
		}
		if got := a.status(); got.Mesh.Error != fault || len(s.onSchedule(t, a)) != 120 {
			t.Errorf("got mesh error %q and %d observations on schedule, want %q and 120", got.Mesh.Error, len(s.onSchedule(t, a)), fault)
		}
		if err := taken.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(retryListen + time.Second)
		if got := a.status().Mesh; got.Error != "" || got.Address != "192.0.2.1:7946" || len(got.Peers) != 1 {
			t.Errorf("got %+v, want a mesh of one", got)
		}
	})
}

// clumsy is a network on which dialling panics.
type clumsy struct{ Network }

// DialContext panics for streams to a mail server.
func (n clumsy) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if strings.HasSuffix(address, ":25") {
		panic(errors.New("index out of range"))
	}
	return n.Network.DialContext(ctx, network, address)
}

// TestPanicIsLoggedOnce: a check that panics is one line in the log, however
// often it does, and every run of it an observation that blames nobody.
func TestPanicIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		s.network = clumsy{s.network}
		a := s.run(t)
		time.Sleep(time.Minute)
		got := s.log.String()
		line := regexp.MustCompile(`level=ERROR msg="run panicked" component=schedule check=smtp family=ipv4 panic="index out of range" ` +
			`at="varde/probe/agent\.clumsy\.DialContext \(agent_test\.go:\d+\) < [^"]+"\n`)
		if len(line.FindAllString(got, -1)) != 1 || strings.Count(got, "panic") != strings.Count(line.FindString(got), "panic") {
			t.Errorf("logged\n%s\nwant one line like %s", got, line)
		}
		if st := a.status(); st.Counts.Panics != 12 || st.Spool.Records != 12 {
			t.Errorf("got %d panics and %d observations, want 12 of both", st.Counts.Panics, st.Spool.Records)
		}
	})
}

// patient is a network on which connecting to a coordinator ends a second after
// it is given up.
type patient struct{ Network }

// DialContext waits for ctx and then some for streams to a coordinator.
func (n patient) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if !strings.HasSuffix(address, ":7950") {
		return n.Network.DialContext(ctx, network, address)
	}
	<-ctx.Done()
	time.Sleep(time.Second)
	return nil, ctx.Err()
}

// TestMeshIsLeftLast: peers see a probe as long as it has anything to do.
func TestMeshIsLeftLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		s.network = patient{s.network}
		a := s.agent(t)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- a.Run(ctx) }()
		time.Sleep(5 * time.Second)
		stop()
		time.Sleep(900 * time.Millisecond) // the uplink needs 100 ms more
		if l, err := s.Client.Listen("tcp", ":7946"); err == nil {
			t.Error("the mesh was left before the uplink had ended")
			_ = l.Close()
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
