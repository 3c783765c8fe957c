package identity_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"varde/coordinator/internal/identity"
	"varde/proto/wire"
)

func TestHandshakeAndPeer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := newAuthority(t)
		p := join(t, a, "osl-1")
		client, server, err := connect(t, a, p.certificate())
		if err != nil {
			t.Fatal(err)
		}
		if client.Version != tls.VersionTLS13 {
			t.Errorf("TLS version %x", client.Version)
		}
		if last := client.PeerCertificates[len(client.PeerCertificates)-1]; string(last.Raw) != string(a.Authorities()[0]) {
			t.Error("the chain does not end with the CA, so a joining probe cannot compare it")
		}
		verifyServer(t, a, client.PeerCertificates[0])
		peer, err := a.Peer(t.Context(), server)
		if err != nil {
			t.Fatal(err)
		}
		if peer.Subject != (wire.Subject{Name: "osl-1", Region: "eu-north"}) || peer.Entry != a.Roster()[0] || peer.Renewal {
			t.Errorf("peer is %+v", peer)
		}
		_, server, err = connect(t, a, nil)
		if err != nil {
			t.Fatalf("without a certificate, to join: %v", err)
		}
		if _, err := a.Peer(t.Context(), server); !errors.Is(err, identity.ErrNoCertificate) {
			t.Errorf("without a certificate: got %v, want ErrNoCertificate", err)
		}
	})
}

func verifyServer(t *testing.T, a *identity.Authority, leaf *x509.Certificate) {
	t.Helper()
	ca, err := x509.ParseCertificate(a.Authorities()[0])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: wire.CoordinatorName, CurrentTime: time.Now()}); err != nil {
		t.Errorf("the coordinator's certificate: %v", err)
	}
}

// TestOnlyOursShakeHands: certificates that are not a probe's of this
// coordinator end the handshake.
func TestOnlyOursShakeHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := newAuthority(t)
		other, _ := newAuthority(t)
		foreign := join(t, other, "osl-1")
		join(t, a, "osl-1")
		server, err := a.ServerTLS().GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, certificate := range map[string]*tls.Certificate{
			"foreign CA": foreign.certificate(), "the coordinator's own": server,
		} {
			if _, _, err := connect(t, a, certificate); !errors.Is(err, identity.ErrNotOurs) {
				t.Errorf("%s: got %v, want ErrNotOurs", name, err)
			}
			leaf, err := x509.ParseCertificate(certificate.Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			if _, err := (probe{cert: leaf}).peer(t, a); !errors.Is(err, identity.ErrNotOurs) {
				t.Errorf("%s: peer: got %v, want ErrNotOurs", name, err)
			}
			if _, err := (probe{cert: leaf}).renew(t, a, newKey(t)); !errors.Is(err, identity.ErrNotOurs) {
				t.Errorf("%s: renew: got %v, want ErrNotOurs", name, err)
			}
		}
	})
}

// TestOldTLSIsRefused: there is no client of ours that needs it.
func TestOldTLSIsRefused(t *testing.T) {
	a, _ := newAuthority(t)
	if v := a.ServerTLS().MinVersion; v != tls.VersionTLS13 {
		t.Errorf("takes TLS version %x, expected 1.3 only", v)
	}
}

func TestRemovedProbeIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := newAuthority(t)
		p, other := join(t, a, "osl-1"), join(t, a, "osl-2")
		_, before, err := connect(t, a, p.certificate())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Remove(t.Context(), "osl-1"); err != nil {
			t.Fatal(err)
		}
		// On the connection that it has, and on a new one, where it gets a
		// sentence and not an alert.
		_, after, err := connect(t, a, p.certificate())
		if err != nil {
			t.Fatalf("handshake: %v", err)
		}
		for _, state := range []tls.ConnectionState{before, after} {
			if _, err := a.Peer(t.Context(), state); !errors.Is(err, identity.ErrRemoved) {
				t.Errorf("got %v, want ErrRemoved", err)
			}
		}
		if _, err := p.renew(t, a, p.key); !errors.Is(err, identity.ErrRemoved) {
			t.Errorf("renew: got %v, want ErrRemoved", err)
		}
		// Another machine of the same name does not make the old one welcome.
		anew := join(t, a, "osl-1")
		if _, err := p.peer(t, a); !errors.Is(err, identity.ErrRemoved) {
			t.Errorf("after another joined: got %v, want ErrRemoved", err)
		}
		for _, good := range []probe{anew, other} {
			if _, err := good.peer(t, a); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestMovedProbeIsRefused: a certificate speaks for its region only.
func TestMovedProbeIsRefused(t *testing.T) {
	a, _ := newAuthority(t)
	p := join(t, a, "osl-1")
	if _, err := a.Remove(t.Context(), "osl-1"); err != nil {
		t.Fatal(err)
	}
	token, err := a.AddProbe(t.Context(), identity.NewProbe{Name: "osl-1", Region: "oceania"})
	if err != nil {
		t.Fatal(err)
	}
	chain, _, err := a.Enrol(t.Context(), token.ID, token.Secret, request(t, p.key), recipient(t)) // the same key
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.peer(t, a); !errors.Is(err, identity.ErrRemoved) {
		t.Errorf("with the certificate of its former region: got %v, want ErrRemoved", err)
	}
	if peer, err := newProbe(t, p.key, chain).peer(t, a); err != nil || peer.Subject.Region != "oceania" {
		t.Errorf("with its new certificate: %v, %v", peer.Subject, err)
	}
}

// TestExpiredIsForRenewalOnly goes through the life of a certificate that is
// never renewed.
func TestExpiredIsForRenewalOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := newAuthority(t)
		p := join(t, a, "osl-1")
		check := func(renewal bool, want error) {
			t.Helper()
			peer, err := p.peer(t, a)
			if !errors.Is(err, want) || peer.Renewal != renewal {
				t.Errorf("at %s: got renewal %t, %v, want %t, %v", time.Now(), peer.Renewal, err, renewal, want)
			}
		}
		check(false, nil)
		time.Sleep(30 * 24 * time.Hour)
		check(false, nil)
		time.Sleep(time.Nanosecond)
		check(true, nil)
		if _, _, err := connect(t, a, p.certificate()); err != nil {
			t.Errorf("handshake with an expired certificate: %v", err)
		}
		time.Sleep(180*24*time.Hour - 1)
		check(true, nil)
		next, err := p.renew(t, a, p.key)
		if err != nil {
			t.Errorf("on the last day: %v", err)
		}
		time.Sleep(time.Nanosecond)
		check(false, identity.ErrExpired)
		if _, err := p.renew(t, a, p.key); !errors.Is(err, identity.ErrExpired) {
			t.Errorf("a moment later: got %v, want ErrExpired", err)
		}
		if peer, err := next.peer(t, a); err != nil || peer.Renewal {
			t.Errorf("the new certificate: %v, %v", peer, err)
		}
	})
}

// TestClockWentBack: a coordinator whose clock is slow, even before the day on
// which its CA was made, does not lose its fleet.
func TestClockWentBack(t *testing.T) {
	dir, s := t.TempDir(), newStore()
	var p probe
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(24 * time.Hour)
		p = join(t, open(t, dir, s), "osl-1")
	})
	synctest.Test(t, func(t *testing.T) { // a day earlier
		a := open(t, dir, s)
		if peer, err := p.peer(t, a); err != nil || peer.Renewal {
			t.Errorf("got %v, %v", peer, err)
		}
		next, err := p.renew(t, a, p.key)
		if err != nil {
			t.Fatal(err)
		}
		server, err := a.ServerTLS().GetCertificate(nil)
		if err != nil {
			t.Fatal(err)
		}
		ca, err := x509.ParseCertificate(a.Authorities()[0])
		if err != nil {
			t.Fatal(err)
		}
		for name, leaf := range map[string]*x509.Certificate{"probe": next.cert, "coordinator": server.Leaf} {
			if leaf.NotBefore.Before(ca.NotBefore) || leaf.NotAfter.Sub(leaf.NotBefore) != 30*24*time.Hour+5*time.Minute {
				t.Errorf("%s: %s to %s under a CA from %s", name, leaf.NotBefore, leaf.NotAfter, ca.NotBefore)
			}
		}
	})
}

// TestServerCertificateIsRenewed: at a third of its life, without a gap.
func TestServerCertificateIsRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := newAuthority(t)
		serving := func() *x509.Certificate {
			t.Helper()
			state, _, err := connect(t, a, nil)
			if err != nil {
				t.Fatal(err)
			}
			verifyServer(t, a, state.PeerCertificates[0])
			return state.PeerCertificates[0]
		}
		first := serving()
		third := first.NotAfter.Sub(first.NotBefore) / 3
		time.Sleep(time.Until(first.NotBefore.Add(third)) - 1)
		if !serving().Equal(first) {
			t.Error("renewed too early")
		}
		time.Sleep(time.Nanosecond)
		second := serving()
		if second.Equal(first) || !second.NotAfter.Equal(time.Now().Add(30*24*time.Hour)) {
			t.Errorf("after a third of its life it still ends %s", second.NotAfter)
		}
	})
}

// TestNoSessionIsResumed: each connection shows its certificate anew.
func TestNoSessionIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := newAuthority(t)
		p := join(t, a, "osl-1")
		client := &tls.Config{
			Certificates: []tls.Certificate{*p.certificate()}, ServerName: wire.CoordinatorName, InsecureSkipVerify: true,
			ClientSessionCache: tls.NewLRUClientSessionCache(1),
		}
		config := a.ServerTLS()
		for n := range 2 {
			here, there := net.Pipe()
			server, conn := tls.Server(there, config), tls.Client(here, client)
			go func() { _, _ = server.Write([]byte("x")) }() // tickets come before it
			if _, err := conn.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			if conn.ConnectionState().DidResume {
				t.Errorf("connection %d resumed a session", n+1)
			}
			here.Close()
			there.Close()
		}
	})
}
