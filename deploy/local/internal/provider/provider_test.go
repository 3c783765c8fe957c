package provider

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"varde/checks"
	"varde/checks/catalog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a provider until the test ends and wants a clean end.
func start(t *testing.T) *Provider {
	t.Helper()
	p, err := New(Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	run(t, p.Run)
	return p
}

func run(t *testing.T, part func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- part(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
	})
}

// attempt asks one service over network, with password if it can log in.
func attempt(t *testing.T, p *Provider, s Service, network checks.Network, password string, timeout time.Duration) checks.Result {
	t.Helper()
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(p.CA()) {
		t.Fatal("the CA is not PEM")
	}
	target := checks.Target{ID: s.ID, Service: s.ID, Kind: s.Kind, URL: s.URL, Every: time.Minute, Timeout: timeout}
	if s.Login {
		target.Login = &checks.Login{User: User, Password: checks.Secret{Name: s.ID}}
	}
	if s.Kind == checks.IMAP {
		target.Expect.Mailbox = "INBOX"
	}
	c, err := catalog.New(target, checks.Env{
		Network: network, Roots: roots,
		Password: func(string) (string, error) { return password, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return c.Attempt(t.Context(), checks.IPv4)
}

// TestEveryServiceIsUp asks each service as a probe would, several at once.
func TestEveryServiceIsUp(t *testing.T) {
	p := start(t)
	want := map[string][]checks.Phase{
		"webmail": {checks.Connect, checks.TLS, checks.Request, checks.FirstByte, checks.Body},
		"imap":    {checks.Connect, checks.TLS, checks.Greeting, checks.Capability, checks.Auth, checks.Select, checks.Request, checks.Logout},
		"smtp":    {checks.Connect, checks.Greeting, checks.StartTLS, checks.TLS, checks.Capability, checks.Auth, checks.Logout},
	}
	results := make(chan checks.Result)
	for _, s := range p.Services() {
		for range 6 {
			go func() { results <- attempt(t, p, s, &checks.System{}, p.Password(), 10*time.Second) }()
		}
		for range 6 {
			r := <-results
			if r.Outcome != checks.Up {
				t.Errorf("%s: got %s in %s: %s %s, want up", s.ID, r.Outcome, r.FailedPhase, r.Class, r.Detail)
			}
			if got := phases(r); !slices.Equal(got, want[s.ID]) {
				t.Errorf("%s: got phases %v, want %v", s.ID, got, want[s.ID])
			}
		}
	}
}

func phases(r checks.Result) []checks.Phase {
	var names []checks.Phase
	for _, p := range r.Phases {
		names = append(names, p.Name)
	}
	return names
}

func TestWrongPasswordIsRejected(t *testing.T) {
	p := start(t)
	for _, s := range p.Services() {
		if !s.Login {
			continue
		}
		r := attempt(t, p, s, &checks.System{}, "wrong", 10*time.Second)
		if r.Class != checks.AuthRejected || r.FailedPhase != checks.Auth {
			t.Errorf("%s: got %s in %s (%s), want %s in %s", s.ID, r.Class, r.FailedPhase, r.Detail, checks.AuthRejected, checks.Auth)
		}
	}
}

func endpoint(t *testing.T, s Service) checks.Endpoint {
	t.Helper()
	e, err := catalog.Endpoint(checks.Target{Kind: s.Kind, URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestDetour breaks one service for whoever looks through the detour, and for
// nobody else, and heals it.
func TestDetour(t *testing.T) {
	p := start(t)
	silence, err := NewSilence(nil)
	if err != nil {
		t.Fatal(err)
	}
	run(t, silence.Run)
	imap := p.Services()[1]
	through := NewDetour(&checks.System{}, endpoint(t, imap), silence.Address())
	look := func(s Service, n checks.Network, want checks.Class) {
		t.Helper()
		// A second is enough for loopback and long enough to be a timeout.
		if r := attempt(t, p, s, n, p.Password(), time.Second); r.Class != want {
			t.Errorf("%s: got %q in %s (%s), want %q", s.ID, r.Class, r.FailedPhase, r.Detail, want)
		}
	}
	look(imap, through, "")
	through.Break()
	look(imap, through, checks.TLSTimeout)
	look(imap, &checks.System{}, "")
	for _, other := range []Service{p.Services()[0], p.Services()[2]} {
		look(other, through, "")
	}
	through.Heal()
	look(imap, through, "")
}

func TestDetourByName(t *testing.T) {
	p := start(t)
	silence, err := NewSilence(nil)
	if err != nil {
		t.Fatal(err)
	}
	run(t, silence.Run)
	smtp := p.Services()[2]
	_, port, err := net.SplitHostPort(smtp.URL[len("submission://"):])
	if err != nil {
		t.Fatal(err)
	}
	smtp.URL = "submission://localhost:" + port
	through := NewDetour(&checks.System{}, endpoint(t, smtp), silence.Address())
	through.Break()
	r := attempt(t, p, smtp, through, p.Password(), time.Second)
	if r.Class != checks.GreetingTimeout {
		t.Errorf("got %q in %s (%s), want %s", r.Class, r.FailedPhase, r.Detail, checks.GreetingTimeout)
	}
}

// TestRunClosesConnections ends the provider while clients are connected.
func TestRunClosesConnections(t *testing.T) {
	p, err := New(Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	var conns []net.Conn
	for _, l := range []*listener{p.web, p.imap, p.smtp} {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
	for _, c := range conns {
		if err := c.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, c); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: still open after the end", c.RemoteAddr())
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestNewClosesWhatItOpened(t *testing.T) {
	var opened []net.Listener
	_, err := New(Options{Logger: slog.New(slog.DiscardHandler), Listen: func(network, address string) (net.Listener, error) {
		if len(opened) == 2 {
			return nil, net.ErrClosed
		}
		l, err := net.Listen(network, address)
		opened = append(opened, l)
		return l, err
	}})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, l := range opened {
		if _, err := l.Accept(); err == nil {
			t.Error("a listener is still open")
		}
	}
}
