package identity_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/probe/internal/identity"
	"varde/proto/wire"
)

func TestMutualTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		i := a.join(t, t.TempDir())
		shown, err := connect(t, i.TLS(), a.server(t, serverLeaf()))
		if err != nil {
			t.Fatal(err)
		}
		if s, err := wire.SubjectOf(shown); err != nil || s.Name != "osl-1" {
			t.Errorf("the coordinator sees %v, %v", s, err)
		}
	})
}

// TestWhoIsNotTheCoordinator: a name and a CA are asked for, nothing else will
// do.
func TestWhoIsNotTheCoordinator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		i := a.join(t, t.TempDir())
		otherName, probe := serverLeaf(), probeLeaf()
		otherName.DNSNames = []string{"mail.example.net"}
		probe.DNSNames = serverLeaf().DNSNames
		old := a.server(t, serverLeaf())
		old.MaxVersion = tls.VersionTLS12
		for name, c := range map[string]struct {
			server *tls.Config
			want   string
		}{
			"another CA":   {newAuthority(t).server(t, serverLeaf()), "verify coordinator: x509: certificate signed by unknown authority"},
			"another name": {a.server(t, otherName), "verify coordinator: x509: certificate is valid for mail.example.net, not coordinator"},
			"a probe":      {a.server(t, probe), "verify coordinator: x509: certificate specifies an incompatible key usage"},
			"old TLS":      {old, "protocol version"},
		} {
			for how, config := range map[string]*tls.Config{"enrolled": i.TLS(), "joining": identity.JoinTLS(a.token(), "c:7950")} {
				if how == "joining" && name == "another CA" {
					continue // TestJoinTLS
				}
				if _, err := connect(t, config, c.server); err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s, %s: got error  %v\nwant error %s", name, how, err, c.want)
				}
			}
		}
	})
}

// TestAnyClock: a machine that woke up in 1970, or a century ahead, joins and
// reports all the same.
func TestAnyClock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(20 * 365 * 24 * time.Hour) // the coordinator's clock
		a := newAuthority(t)
		server := a.server(t, serverLeaf())
		i := a.join(t, t.TempDir())
		now := time.Now()
		for _, clock := range []time.Time{{}, time.Unix(0, 0), now.AddDate(0, 0, 40), now.AddDate(100, 0, 0)} {
			for how, config := range map[string]*tls.Config{"enrolled": i.TLS(), "joining": identity.JoinTLS(a.token(), "c:7950")} {
				config.Time = func() time.Time { return clock }
				if _, err := connect(t, config, server); err != nil {
					t.Errorf("%s at %s: %v", how, clock, err)
				}
			}
		}
		// The verification itself asks no clock, not even that of the test.
		time.Sleep(50 * 365 * 24 * time.Hour)
		if _, err := connect(t, i.TLS(), server); err != nil {
			t.Errorf("fifty years later: %v", err)
		}
		if _, err := connect(t, identity.JoinTLS(a.token(), "c:7950"), server); err != nil {
			t.Errorf("joining fifty years later: %v", err)
		}
	})
}

func TestJoinTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, other := newAuthority(t), newAuthority(t)
		join := func(server *tls.Config) error {
			t.Helper()
			_, err := connect(t, identity.JoinTLS(a.token(), "192.0.2.1:7950"), server)
			return err
		}
		if err := join(a.server(t, serverLeaf())); err != nil {
			t.Errorf("the coordinator of the token: %v", err)
		}
		const sentence = "the coordinator at 192.0.2.1:7950 is not the one this token was made for"
		var wrong *identity.WrongCoordinatorError
		err := join(other.server(t, serverLeaf()))
		if !errors.As(err, &wrong) || wrong.Address != "192.0.2.1:7950" || err.Error() != sentence {
			t.Errorf("another coordinator: got error  %v\nwant error %s", err, sentence)
		}
		withoutCA := a.server(t, serverLeaf())
		withoutCA.Certificates[0].Certificate = withoutCA.Certificates[0].Certificate[:1]
		if err := join(withoutCA); !errors.As(err, &wrong) {
			t.Errorf("a chain without the CA: got %v", err)
		}
		// Whoever has seen the CA's certificate can show it and yet not sign.
		impostor := other.server(t, serverLeaf())
		impostor.Certificates[0].Certificate[1] = a.cert.Raw
		if err := join(impostor); err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
			t.Errorf("an impostor who shows the right CA: got %v", err)
		}
	})
}

// TestSuccessorOfTheCA travels in the plan, and is believed from then on, also
// after a restart.
func TestSuccessorOfTheCA(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, successor := newAuthority(t), newAuthority(t)
		dir := t.TempDir()
		i := a.join(t, dir)
		config := i.TLS() // made before, as a long-lived connection has it
		try := func(i *identity.Identity, config *tls.Config, s *authority, want bool) {
			t.Helper()
			if _, err := connect(t, config, s.server(t, serverLeaf())); (err == nil) != want {
				t.Errorf("got %v, want success %t", err, want)
			}
		}
		try(i, config, successor, false)
		if err := i.SetAuthorities([][]byte{a.cert.Raw, successor.cert.Raw}); err != nil {
			t.Fatal(err)
		}
		try(i, config, successor, true)
		try(i, config, a, true)
		if err := i.SetAuthorities([][]byte{successor.cert.Raw}); err != nil {
			t.Fatal(err)
		}
		loaded, err := identity.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range []*identity.Identity{i, loaded} {
			try(i, i.TLS(), successor, true)
			try(i, i.TLS(), a, false)
		}
	})
}

func TestSetAuthoritiesRefusals(t *testing.T) {
	a := newAuthority(t)
	dir := t.TempDir()
	i := a.join(t, dir)
	before := content(t, dir)
	leaf := a.sign(t, serverLeaf(), newKey(t).Public(), a.cert)
	for name, c := range map[string]struct {
		ders [][]byte
		want string
	}{
		"none":     {nil, "set authorities: authorities: 0, expected 1 to 8"},
		"many":     {make([][]byte, 9), "set authorities: authorities: 9, expected 1 to 8"},
		"garbage":  {[][]byte{a.cert.Raw, []byte("x")}, "set authorities: authorities[1]: x509: malformed certificate"},
		"not a CA": {[][]byte{leaf.Raw}, `set authorities: authorities[0]: "" is not a CA`},
	} {
		if err := i.SetAuthorities(c.ders); err == nil || err.Error() != c.want {
			t.Errorf("%s: got error  %v\nwant error %s", name, err, c.want)
		}
	}
	if diff := cmp.Diff(before, content(t, dir)); diff != "" {
		t.Errorf("refused, and yet (-before +after):\n%s", diff)
	}
	if _, err := connect(t, i.TLS(), a.server(t, serverLeaf())); err != nil {
		t.Errorf("refused, and yet the coordinator is believed no more: %v", err)
	}
}

// TestClientCertificateFitsTheMoment: a config made before a renewal shows the
// certificate that came after it.
func TestClientCertificateFitsTheMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		i := a.join(t, t.TempDir())
		config, server := i.TLS(), a.server(t, serverLeaf())
		show := func() *x509.Certificate {
			t.Helper()
			shown, err := connect(t, config, server)
			if err != nil {
				t.Fatal(err)
			}
			return shown
		}
		before := show()
		runFor(t, i, 10*24*time.Hour+time.Hour, a.renew(t))
		if after := show(); !after.NotAfter.After(before.NotAfter) || !after.NotAfter.Equal(i.NotAfter()) {
			t.Errorf("shows a certificate until %s, has one until %s", after.NotAfter, i.NotAfter())
		}
	})
}
