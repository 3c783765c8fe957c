package peer_test

import (
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks/checktest"
	"varde/probe/internal/peer"
	"varde/proto/wire"
)

func TestPlanIsHandedOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		osl, nyc := w.probe("osl-1", "eu-north"), w.probe("nyc-1", "us-east")
		w.sign(osl, nyc)
		w.sign(nyc) // knows more
		defer w.listen(nyc)()
		got, err := osl.Plan(t.Context(), nyc.remote(), wire.PlanNumber{Generation: 1, Revision: 2})
		if err != nil || got == nil {
			t.Fatalf("got %v, %v, want a plan", got, err)
		}
		if p, err := got.Open(w.key.Public().(ed25519.PublicKey), "osl-1"); err != nil || p.Number.Revision != 3 {
			t.Errorf("got plan %v, %v, want revision 3", p.Number, err)
		}
		if got, err = osl.Plan(t.Context(), nyc.remote(), wire.PlanNumber{Generation: 1, Revision: 3}); err != nil || got != nil {
			t.Errorf("got %v, %v, want that there is no larger one", got, err)
		}
	})
}

// TestTunnel: what the probe says comes to the coordinator and back.
func TestTunnel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		osl, nyc := w.probe("osl-1", "eu-north"), w.probe("nyc-1", "us-east")
		w.sign(osl, nyc)
		w.answer(echo)
		stop := w.listen(nyc)
		if nyc.Port() != 7947 {
			t.Errorf("listens at %d, want 7947", nyc.Port())
		}
		c := w.through(osl, nyc)
		says(t, c, "hello")
		says(t, c, strings.Repeat("x", 300_000/8))
		if nyc.Relayed() != 1 || osl.Relayed() != 0 {
			t.Errorf("passed on %d and %d, want 1 and 0", nyc.Relayed(), osl.Relayed())
		}
		stop() // ends everything
		if _, err := c.Read(make([]byte, 1)); err == nil || nyc.Port() != 0 {
			t.Errorf("read %v from a tunnel whose relay has stopped, which listens at %d", err, nyc.Port())
		}
	})
}

// bent alters one byte of what a relay passes on.
type bent struct{ peer.Network }

func (b bent) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	c, err := b.Network.DialContext(ctx, network, address)
	return &bentConn{Conn: c}, err
}

type bentConn struct {
	net.Conn
	passed int
}

func (c *bentConn) Write(b []byte) (int, error) {
	if i := 5000 - c.passed; i >= 0 && i < len(b) {
		b = append([]byte(nil), b...)
		b[i] ^= 1
	}
	n, err := c.Conn.Write(b)
	c.passed += n
	return n, err
}

// TestRelayThatAltersAByte breaks the connection and nothing else.
func TestRelayThatAltersAByte(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		osl, nyc := w.probe("osl-1", "eu-north"), w.probe("nyc-1", "us-east")
		nyc.network = bent{nyc.network}
		w.make(nyc)
		w.sign(osl, nyc)
		var heard atomic.Int64
		config := &tls.Config{Certificates: []tls.Certificate{w.ca.Certificate(wire.CoordinatorName)}}
		w.answer(func(c net.Conn) {
			server := tls.Server(c, config)
			n, err := io.Copy(io.Discard, server)
			heard.Store(n)
			if err == nil || !strings.Contains(err.Error(), "bad record MAC") {
				t.Errorf("the coordinator reads %v, want a bad record", err)
			}
			server.Close()
		})
		defer w.listen(nyc)()
		inner := tls.Client(w.through(osl, nyc), &tls.Config{RootCAs: w.ca.Pool(), ServerName: wire.CoordinatorName})
		for range 10 {
			if _, err := inner.Write(make([]byte, 1000)); err != nil {
				break
			}
		}
		if _, err := inner.Read(make([]byte, 1)); err == nil {
			t.Error("the connection goes on")
		}
		synctest.Wait()
		if n := heard.Load(); n >= 5000 || n%1000 != 0 {
			t.Errorf("the coordinator believed %d bytes", n)
		}
	})
}

// TestCoordinatorsOfThePlanOnly: a probe is no way to anywhere else.
func TestCoordinatorsOfThePlanOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		osl, nyc := w.probe("osl-1", "eu-north"), w.probe("nyc-1", "us-east")
		w.sign(osl, nyc)
		w.answer(echo)
		defer w.listen(nyc)()
		for address, want := range map[string]string{
			coordinatorName:              "",
			"C1.Example.NET.:7950":       "",
			"c1.example.net:07950":       "",
			"198.51.100.1:7950":          "the plan names no such coordinator", // its address, and not its name
			"c1.example.net:25":          "the plan names no such coordinator",
			"c1.example.net:73486":       "the plan names no such coordinator",
			"c1.example.net":             "the plan names no such coordinator",
			"127.0.0.1:7947":             "the plan names no such coordinator",
			"169.254.169.254:80":         "the plan names no such coordinator",
			secondName:                   "the coordinator does not answer here either",
			"[::ffff:198.51.100.2]:7950": "the coordinator does not answer here either",
		} {
			c, err := osl.Through(t.Context(), nyc.remote(), address)
			if want == "" {
				if err != nil {
					t.Errorf("%s: %v", address, err)
					continue
				}
				says(t, c, "hello")
				c.Close()
				synctest.Wait()
				continue
			}
			no, ok := errors.AsType[*peer.Refusal](err)
			if !ok || *no != (peer.Refusal{Peer: "nyc-1", Reason: want}) {
				t.Errorf("%s: got %v, want %q", address, err, want)
			}
		}
	})
}

// TestStrangersAreRefused at either end.
func TestStrangersAreRefused(t *testing.T) {
	for name, change := range map[string]func(w *world, p *probe){
		"without a certificate": func(_ *world, p *probe) { p.cert = tls.Certificate{} },
		"of a foreign CA": func(_ *world, p *probe) {
			p.cert.Certificate = mint(checktest.NewCA(), p.name, p.region).Certificate
		},
		"removed":             func(w *world, _ *probe) { w.plan.Roster = w.plan.Roster[1:] },
		"with another's key":  func(w *world, p *probe) { p.cert = mint(w.ca, p.name, p.region) },
		"under another name":  func(w *world, _ *probe) { w.plan.Roster[0].Name = "osl-9" },
		"from another region": func(w *world, _ *probe) { w.plan.Roster[0].Region = "oceania" },
		"as a coordinator":    func(w *world, p *probe) { p.cert = w.ca.Certificate(wire.CoordinatorName) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				osl, nyc := w.probe("osl-1", "eu-north"), w.probe("nyc-1", "us-east")
				w.sign(osl)
				change(w, osl)
				w.sign(nyc)
				w.answer(func(net.Conn) { t.Error("a stranger was passed on") })
				defer w.listen(nyc)()
				defer w.listen(osl)()
				if c, err := osl.Through(t.Context(), nyc.remote(), coordinatorName); err == nil || c != nil {
					t.Errorf("got %v, %v, want a refusal and no connection", c, err)
				}
				if p, err := osl.Plan(t.Context(), nyc.remote(), wire.PlanNumber{}); err == nil {
					t.Errorf("got plan %v, want a refusal", p)
				}
				if p, err := nyc.Plan(t.Context(), osl.remote(), wire.PlanNumber{}); err == nil {
					t.Errorf("asked a stranger and got plan %v", p)
				}
			})
		})
	}
}

// TestWhoAnswersMustBeWhoWasMeant: the mesh may say where a probe is, and lie.
func TestWhoAnswersMustBeWhoWasMeant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		osl, nyc, syd := w.probe("osl-1", "eu-north"), w.probe("nyc-1", "us-east"), w.probe("syd-1", "oceania")
		w.sign(osl, nyc, syd)
		w.answer(echo)
		defer w.listen(nyc)()
		defer w.listen(syd)()
		_, err := osl.Through(t.Context(), peer.Remote{Name: "syd-1", Addresses: []string{nyc.address()}}, coordinatorName)
		if _, ok := errors.AsType[*peer.Unreachable](err); !ok || !strings.Contains(err.Error(), "is nyc-1, expected syd-1") {
			t.Errorf("got %v, want that it is another", err)
		}
		c, err := osl.Through(t.Context(), peer.Remote{Name: "syd-1", Addresses: []string{nyc.address(), syd.address()}}, coordinatorName)
		if err != nil {
			t.Fatal(err)
		}
		says(t, c, "hello")
		c.Close()
	})
}

// TestExpiredCertificate: who was cut off until its certificate expired may have
// it renewed through others.
func TestExpiredCertificate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		osl, nyc := w.probe("osl-1", "eu-north"), w.probe("nyc-1", "us-east")
		w.sign(osl, nyc)
		w.answer(echo)
		time.Sleep(20 * 365 * 24 * time.Hour)
		defer w.listen(nyc)()
		says(t, w.through(osl, nyc), "hello")
	})
}

// TestRemovedProbeLosesItsTunnel when the plan says so.
func TestRemovedProbeLosesItsTunnel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		osl, nyc, syd := w.probe("osl-1", "eu-north"), w.probe("nyc-1", "us-east"), w.probe("syd-1", "oceania")
		w.sign(osl, nyc, syd)
		w.answer(echo)
		defer w.listen(nyc)()
		removed, stays := w.through(osl, nyc), w.through(syd, nyc)
		w.plan.Roster = w.plan.Roster[1:]
		w.sign(nyc)
		nyc.PlanChanged()
		if _, err := removed.Read(make([]byte, 1)); err == nil {
			t.Error("the tunnel goes on")
		}
		says(t, stays, "hello")
	})
}

// TestUnreachable bounds the wait for a probe that says nothing.
func TestUnreachable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		osl, nyc := w.probe("osl-1", "eu-north"), w.probe("nyc-1", "us-east")
		w.sign(osl, nyc)
		begin := time.Now()
		w.net.Rule(func(_, to netip.AddrPort, _ string) checktest.Effect {
			if to.Port() == 7947 {
				return checktest.Drop
			}
			return checktest.Pass
		})
		_, err := osl.Through(t.Context(), nyc.remote(), coordinatorName)
		if _, ok := errors.AsType[*peer.Unreachable](err); !ok || time.Since(begin) != 5*time.Second {
			t.Errorf("got %v after %s, want that it is not reached after 5s", err, time.Since(begin))
		}
		if _, err = osl.Through(t.Context(), peer.Remote{Name: "nyc-1"}, coordinatorName); err == nil {
			t.Error("reached a probe without an address")
		}
	})
}
