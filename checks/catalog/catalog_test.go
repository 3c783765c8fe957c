package catalog_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	"varde/checks/catalog"
	ct "varde/checks/checktest"
)

// kinds are one address of each kind whose handshake comes first, by port.
func kinds() map[string]string {
	return map[string]string{":443": "https://", ":993": "imaps://", ":995": "pop3s://", ":465": "smtps://"}
}

// each runs a test of every kind in a bubble of its own.
func each(t *testing.T, run func(t *testing.T, lab *ct.Lab, port, scheme string)) {
	t.Helper()
	for port, scheme := range kinds() {
		t.Run(strings.TrimSuffix(scheme, "://"), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { run(t, ct.NewLab(), port, scheme) })
		})
	}
}

func build(t *testing.T, url string, env checks.Env) checks.Check {
	t.Helper()
	target, err := catalog.FromURL(url)
	if err != nil {
		t.Fatal(err)
	}
	c, err := catalog.New(target, env)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func want(t *testing.T, r checks.Result, phase checks.Phase, class checks.Class, after time.Duration, detail string) {
	t.Helper()
	if r.FailedPhase != phase || r.Class != class || r.Outcome != class.Outcome() || r.Elapsed != after {
		t.Errorf("got %s %s in %q after %s, want %s in %q after %s", r.Outcome, r.Class, r.FailedPhase, r.Elapsed, class, phase, after)
	}
	if !strings.Contains(r.Detail, detail) {
		t.Errorf("detail %q, want %q in it", r.Detail, detail)
	}
	if n := len(r.Phases); phase != "" && (n == 0 || r.Phases[n-1].Name != phase) {
		t.Errorf("phases %v, want %s last", r.Phases, phase)
	}
}

func TestNetworkFaults(t *testing.T) {
	everything := func(e ct.Effect) ct.Rule {
		return func(_, to netip.AddrPort, network string) ct.Effect {
			if network == "tcp" {
				return e
			}
			return ct.Pass
		}
	}
	resolver := func(e ct.Effect) ct.Rule {
		return func(_, to netip.AddrPort, _ string) ct.Effect {
			if to == ct.Resolver() {
				return e
			}
			return ct.Pass
		}
	}
	for _, tt := range []struct {
		name, host string
		rule       ct.Rule
		family     checks.Family
		phase      checks.Phase
		class      checks.Class
		after      time.Duration
		detail     string
	}{
		{"silence", ct.LabName, everything(ct.Drop), checks.IPv4, checks.Connect, checks.ConnectTimeout, 4 * time.Second, "no answer to the connection request within 4s"},
		{"refused", ct.LabName, everything(ct.Refuse), checks.IPv4, checks.Connect, checks.ConnectRefused, 0, "connection refused"},
		{"reset", ct.LabName, everything(ct.Reset), checks.IPv4, checks.Connect, checks.ConnectReset, 0, "connection reset"},
		{"no route", ct.LabName, everything(ct.NoRoute), checks.IPv6, checks.Connect, checks.Unreachable, 0, "network is unreachable"},
		{"silent resolver", ct.LabName, resolver(ct.Drop), checks.IPv6, checks.Resolve, checks.DNSTimeout, 3 * time.Second, "no answer from the resolver within 3s"},
		{"failing resolver", ct.LabName, resolver(ct.Refuse), checks.IPv4, checks.Resolve, checks.DNSError, 0, "server misbehaving"},
		{"unknown name", "nobody.example.net", nil, checks.IPv4, checks.Resolve, checks.DNSError, 0, "nobody.example.net has no ipv4 address"},
		{"no address of the family", "four.example.net", nil, checks.IPv6, checks.Resolve, checks.DNSError, 0, "four.example.net has no ipv6 address"},
		{"literal of the other family", "198.51.100.1", nil, checks.IPv6, checks.Resolve, checks.DNSError, 0, "198.51.100.1 is an address without ipv6"},
		{"no family", ct.LabName, nil, checks.NoFamily, checks.Resolve, checks.OwnError, 0, "expected ipv4 or ipv6"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, lab *ct.Lab, port, scheme string) {
				lab.Name("four.example.net", netip.MustParseAddr("198.51.100.1"))
				lab.Play(t, port, ct.Silence())
				lab.Rule(tt.rule)
				r := build(t, scheme+tt.host, lab.Env()).Attempt(t.Context(), tt.family)
				want(t, r, tt.phase, tt.class, tt.after, tt.detail)
			})
		})
	}
}

func TestLiteralsNeedNoResolver(t *testing.T) {
	each(t, func(t *testing.T, lab *ct.Lab, port, scheme string) {
		r := build(t, scheme+"[2001:db8:2::1]", lab.Env()).Attempt(t.Context(), checks.IPv6)
		want(t, r, checks.Connect, checks.ConnectRefused, 0, "")
		if len(r.Phases) != 1 || r.Address != "[2001:db8:2::1]"+port {
			t.Errorf("phases %v to %s, want connect alone", r.Phases, r.Address)
		}
	})
}

func TestCertificates(t *testing.T) {
	expired := func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }
	early := func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }
	fine := func(*x509.Certificate) {}
	for _, tt := range []struct {
		name   string
		change func(*x509.Certificate)
		foring string
		other  bool
		class  checks.Class
		detail string
	}{
		{"expired", expired, ct.LabName, false, checks.CertExpired, "expired on 1999-12-31"},
		{"not yet valid", early, ct.LabName, false, checks.CertExpired, "not valid before 2000-01-01"},
		{"wrong name", fine, "www.example.org", false, checks.CertName, "for www.example.org, not " + ct.LabName},
		{"unknown authority", fine, ct.LabName, true, checks.CertUntrusted, `"checktest authority"`},
		{"expired, wrong name, unknown authority", expired, "www.example.org", true, checks.CertExpired, "expired"},
		{"wrong name, unknown authority", fine, "www.example.org", true, checks.CertName, "www.example.org"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, func(t *testing.T, lab *ct.Lab, port, scheme string) {
				ca := lab.CA
				if tt.other {
					ca = ct.NewCA()
				}
				cfg := &tls.Config{Certificates: []tls.Certificate{ca.Mint(tt.change, tt.foring)}}
				lab.Play(t, port, ct.Wait(time.Second), ct.Secure(cfg), ct.Silence())
				r := build(t, scheme+ct.LabName, lab.Env()).Attempt(t.Context(), checks.IPv4)
				want(t, r, checks.TLS, tt.class, time.Second, tt.detail)
			})
		})
	}
}

func TestOwnAuthorityStandsForTheSystems(t *testing.T) {
	each(t, func(t *testing.T, lab *ct.Lab, port, scheme string) {
		lab.Play(t, port, ct.Secure(lab.TLS()), ct.Silence())
		target, err := catalog.FromURL(scheme + ct.LabName)
		if err != nil {
			t.Fatal(err)
		}
		target.CA = &checks.Authority{PEM: ct.NewCA().PEM()}
		c, err := catalog.New(target, lab.Env())
		if err != nil {
			t.Fatal(err)
		}
		want(t, c.Attempt(t.Context(), checks.IPv4), checks.TLS, checks.CertUntrusted, 0, "")
		target.CA.PEM = []byte("nothing")
		if _, err := catalog.New(target, lab.Env()); err == nil || !strings.Contains(err.Error(), "ca: ") {
			t.Errorf("got %v, want a fault in ca", err)
		}
	})
}

func TestServerTooOldForTLS12(t *testing.T) {
	each(t, func(t *testing.T, lab *ct.Lab, port, scheme string) {
		cfg := lab.TLS()
		cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		lab.Play(t, port, ct.Secure(cfg))
		want(t, build(t, scheme+ct.LabName, lab.Env()).Attempt(t.Context(), checks.IPv4), checks.TLS, checks.TLSError, 0, "protocol version")
	})
}

// TestDeadlines has one limit after another be the first that ends an attempt.
func TestDeadlines(t *testing.T) {
	each(t, func(t *testing.T, lab *ct.Lab, port, scheme string) {
		lab.Play(t, port, ct.Wait(1500*time.Millisecond), ct.Secure(lab.TLS()), ct.Silence())
		target, err := catalog.FromURL(scheme + ct.LabName)
		if err != nil {
			t.Fatal(err)
		}
		ask := func(ctx context.Context, timeout time.Duration) checks.Result {
			target.Timeout = timeout
			c, err := catalog.New(target, lab.Env())
			if err != nil {
				t.Fatal(err)
			}
			return c.Attempt(ctx, checks.IPv4)
		}
		phase, class := checks.Greeting, checks.GreetingTimeout
		if scheme == "https://" {
			phase, class = checks.FirstByte, checks.CommandTimeout
		}
		want(t, ask(t.Context(), time.Minute), phase, class, 6500*time.Millisecond, "within 5s")
		want(t, ask(t.Context(), 2*time.Second), phase, class, 2*time.Second, "within 500ms")
		want(t, ask(t.Context(), time.Second), checks.TLS, checks.TLSTimeout, time.Second, "no ServerHello within 1s")
		ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
		defer cancel()
		want(t, ask(ctx, time.Minute), checks.TLS, checks.TLSTimeout, 1200*time.Millisecond, "")
		want(t, ask(ctx, time.Minute), checks.Resolve, checks.DNSTimeout, 0, "")
	})
}

// TestCancelled has us stop an attempt wherever it is: it claims nothing.
func TestCancelled(t *testing.T) {
	each(t, func(t *testing.T, lab *ct.Lab, port, scheme string) {
		c := build(t, scheme+ct.LabName, lab.Env())
		stopped := errors.New("the plan has changed")
		after := func(d time.Duration) context.Context {
			ctx, cancel := context.WithCancelCause(t.Context())
			if d == 0 {
				cancel(stopped)
			}
			time.AfterFunc(d, func() { cancel(stopped) })
			return ctx
		}
		lab.Play(t, port, ct.Wait(1500*time.Millisecond), ct.Secure(lab.TLS()), ct.Silence())
		phase := checks.Greeting
		if scheme == "https://" {
			phase = checks.FirstByte
		}
		want(t, c.Attempt(after(0), checks.IPv4), checks.Resolve, checks.OwnError, 0, "the plan has changed")
		want(t, c.Attempt(after(time.Second), checks.IPv4), checks.TLS, checks.OwnError, time.Second, "the plan has changed")
		want(t, c.Attempt(after(3*time.Second), checks.IPv4), phase, checks.OwnError, 3*time.Second, "the plan has changed")
		lab.Rule(func(netip.AddrPort, netip.AddrPort, string) ct.Effect { return ct.Drop })
		want(t, c.Attempt(after(time.Second), checks.IPv4), checks.Resolve, checks.OwnError, time.Second, "")
		want(t, build(t, scheme+"198.51.100.1", lab.Env()).Attempt(after(time.Second), checks.IPv4), checks.Connect, checks.OwnError, time.Second, "")
	})
}

// TestBlackHoleAfterTheHandshake loses every packet from some moment on.
func TestBlackHoleAfterTheHandshake(t *testing.T) {
	each(t, func(t *testing.T, lab *ct.Lab, port, scheme string) {
		lab.Play(t, port, ct.Secure(lab.TLS()), ct.Wait(time.Second), ct.Send("220 * OK HTTP/1.1 200\r\n"), ct.Silence())
		time.AfterFunc(500*time.Millisecond, func() {
			lab.Rule(func(netip.AddrPort, netip.AddrPort, string) ct.Effect { return ct.Drop })
		})
		phase, class := checks.Greeting, checks.GreetingTimeout
		if scheme == "https://" {
			phase, class = checks.FirstByte, checks.CommandTimeout
		}
		want(t, build(t, scheme+ct.LabName, lab.Env()).Attempt(t.Context(), checks.IPv4), phase, class, 5*time.Second, "no ")
	})
}

func TestOneCheckFromManyGoroutines(t *testing.T) {
	each(t, func(t *testing.T, lab *ct.Lab, port, scheme string) {
		lab.Play(t, port, ct.Wait(time.Second), ct.Secure(lab.TLS()), ct.Hangup())
		c := build(t, scheme+ct.LabName, lab.Env())
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				r := c.Attempt(t.Context(), checks.Family(1+i%2))
				if r.Class != checks.Closed || r.Elapsed != time.Second {
					t.Errorf("got %+v, want closed after 1s", r)
				}
			})
		}
		wg.Wait()
	})
}

// TestOverLoopback asks a server over the machine's own network.
func TestOverLoopback(t *testing.T) {
	ca := ct.NewCA()
	l, err := tls.Listen("tcp4", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{ca.Certificate("127.0.0.1")}})
	if err != nil {
		t.Skipf("no loopback here: %v", err)
	}
	ct.Serve(t, l, ct.Script(
		ct.Send("220 hi\r\n"), ct.Expect("EHLO [127.0.0.1]"), ct.Send("250 hi\r\n"), ct.Expect("QUIT"), ct.Send("221 bye\r\n"),
	))
	env := checks.Env{Network: &checks.System{}, Roots: ca.Pool()}
	r := build(t, fmt.Sprintf("smtps://%s", l.Addr()), env).Attempt(t.Context(), checks.IPv4)
	if r.Outcome != checks.Up || r.Address != l.Addr().String() || r.Elapsed <= 0 {
		t.Errorf("got %+v, want up", r)
	}
	if err := l.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
	r = build(t, fmt.Sprintf("smtps://%s", l.Addr()), env).Attempt(t.Context(), checks.IPv4)
	if r.Class != checks.ConnectRefused || r.FailedPhase != checks.Connect {
		t.Errorf("got %+v, want refused", r)
	}
}
