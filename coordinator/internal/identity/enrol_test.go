package identity_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"varde/coordinator/internal/identity"
	"varde/proto/wire"
)

func TestEnrol(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, s := newAuthority(t)
		to := recipient(t)
		now := time.Now().UTC()
		token, key := addProbe(t, a, "osl-1"), newKey(t)
		waiting := a.Changed()
		chain, entry, err := a.Enrol(t.Context(), token.ID, token.Secret, request(t, key), to)
		if err != nil {
			t.Fatal(err)
		}
		if !changed(waiting) {
			t.Error("nobody was told of the new probe")
		}
		leaf := newProbe(t, key, chain).cert
		want := identity.Entry{
			Name: "osl-1", Region: "eu-north", Site: "oslo", ASN: 224, Recipient: to,
			KeySHA256: sha256.Sum256(leaf.RawSubjectPublicKeyInfo),
			Enrolled:  now, NotAfter: now.Add(30 * 24 * time.Hour),
		}
		for where, got := range map[string][]identity.Entry{
			"answer": {entry}, "roster": a.Roster(), "after a restart": open(t, t.TempDir(), s).Roster(),
		} {
			if diff := cmp.Diff([]identity.Entry{want}, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", where, diff)
			}
		}
		checkLeaf(t, a, leaf, chain, now)
		if !key.PublicKey.Equal(leaf.PublicKey) {
			t.Error("certificate is not for the key of the request")
		}
	})
}

// checkLeaf looks at everything that a probe's certificate says.
func checkLeaf(t *testing.T, a *identity.Authority, leaf *x509.Certificate, chain [][]byte, now time.Time) {
	t.Helper()
	if subject, err := wire.SubjectOf(leaf); err != nil || subject != (wire.Subject{Name: "osl-1", Region: "eu-north"}) {
		t.Errorf("certificate names %v, %v", subject, err)
	}
	if leaf.Subject.CommonName != "osl-1" || len(leaf.DNSNames) != 0 || leaf.IsCA {
		t.Errorf("the request's own words reached the certificate: %q %q, CA %t", leaf.Subject, leaf.DNSNames, leaf.IsCA)
	}
	if want := now.Add(-5 * time.Minute); !leaf.NotBefore.Equal(want) {
		t.Errorf("begins %s, want %s", leaf.NotBefore, want)
	}
	if want := now.Add(30 * 24 * time.Hour); !leaf.NotAfter.Equal(want) {
		t.Errorf("ends %s, want %s", leaf.NotAfter, want)
	}
	if diff := cmp.Diff([]x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, leaf.ExtKeyUsage); diff != "" {
		t.Errorf("usage: %s", diff)
	}
	if len(chain) != 2 || string(chain[1]) != string(a.Authorities()[0]) {
		t.Error("the chain does not end with the CA")
	}
}

func TestTokenRefusals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, s := newAuthority(t)
		used, expired, replaced, removed := addProbe(t, a, "used"), addProbe(t, a, "expired"), addProbe(t, a, "replaced"), addProbe(t, a, "removed")
		if _, _, err := a.Enrol(t.Context(), used.ID, used.Secret, request(t, newKey(t)), recipient(t)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour - 1)
		addProbe(t, a, "replaced")
		if _, err := a.Remove(t.Context(), "removed"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Nanosecond)
		altered := used
		altered.Secret[15] ^= 1
		foreign := used
		foreign.ID[0] ^= 1
		for name, c := range map[string]struct {
			token wire.Token
			want  error
		}{
			"used":     {used, identity.ErrTokenUsed},
			"expired":  {expired, identity.ErrTokenExpired},
			"replaced": {replaced, identity.ErrTokenUnknown},
			"removed":  {removed, identity.ErrTokenUnknown},
			"altered":  {altered, identity.ErrTokenUnknown},
			"foreign":  {foreign, identity.ErrTokenUnknown},
		} {
			before, roster := s.content(), a.Roster()
			chain, entry, err := a.Enrol(t.Context(), c.token.ID, c.token.Secret, request(t, newKey(t)), recipient(t))
			if !errors.Is(err, c.want) || chain != nil || entry != (identity.Entry{}) {
				t.Errorf("%s: got %v, %v, %v, want %v", name, chain, entry, err, c.want)
			}
			unchanged(t, name, before, s.content())
			unchanged(t, name, roster, a.Roster())
		}
	})
}

// TestEachBitOfATokenMatters alters every bit of id and secret.
func TestEachBitOfATokenMatters(t *testing.T) {
	a, s := newAuthority(t)
	token, r, to := addProbe(t, a, "osl-1"), request(t, newKey(t)), recipient(t)
	before := s.content()
	for bit := range 8 * 32 {
		altered := token
		field := &altered.ID
		if bit >= 8*16 {
			field = &altered.Secret
		}
		field[bit/8%16] ^= 1 << (bit % 8)
		if _, _, err := a.Enrol(t.Context(), altered.ID, altered.Secret, r, to); !errors.Is(err, identity.ErrTokenUnknown) {
			t.Errorf("bit %d: got %v, want ErrTokenUnknown", bit, err)
		}
	}
	unchanged(t, "altered tokens", before, s.content())
	if _, _, err := a.Enrol(t.Context(), token.ID, token.Secret, r, to); err != nil {
		t.Errorf("the token itself: %v", err)
	}
}

// unchanged fails when a refusal left a trace.
func unchanged[T any](t *testing.T, what string, before, after T) {
	t.Helper()
	if diff := cmp.Diff(before, after, cmp.AllowUnexported(stored{})); diff != "" {
		t.Errorf("%s: what is refused must change nothing (-before +after):\n%s", what, diff)
	}
}

// TestTokenUntilItsLastMoment: a token is good for exactly its time.
func TestTokenUntilItsLastMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := newAuthority(t)
		token, err := a.AddProbe(t.Context(), identity.NewProbe{Name: "osl-1", Region: "eu-north", TTL: 10 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10*time.Minute - 1)
		if _, _, err := a.Enrol(t.Context(), token.ID, token.Secret, request(t, newKey(t)), recipient(t)); err != nil {
			t.Error(err)
		}
	})
}

// TestExpiredTokenIsForgotten: for seven days its holder is told why it does
// not work.
func TestExpiredTokenIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, s := newAuthority(t)
		token := addProbe(t, a, "osl-1")
		try := func(want error) {
			t.Helper()
			if _, _, err := a.Enrol(t.Context(), token.ID, token.Secret, request(t, newKey(t)), recipient(t)); !errors.Is(err, want) {
				t.Errorf("got %v, want %v", err, want)
			}
		}
		runFor(t, a, 7*24*time.Hour)
		try(identity.ErrTokenExpired)
		if len(a.Pending()) != 1 {
			t.Errorf("pending: %v", a.Pending())
		}
		runFor(t, a, 2*time.Hour)
		try(identity.ErrTokenUnknown)
		if _, ok := s.content()["probe.osl-1"]; ok || len(a.Pending()) != 0 {
			t.Error("the record of an expired token is still there")
		}
	})
}

// TestTokenEnrolsOnce uses one token many times at the same moment, on two
// coordinators that share a store.
func TestTokenEnrolsOnce(t *testing.T) {
	dir, s := t.TempDir(), newStore()
	one := open(t, dir, s)
	token := addProbe(t, one, "osl-1")
	two := open(t, dir, s)
	const tries = 32
	errs := make([]error, tries)
	var wg sync.WaitGroup
	for i := range tries {
		a, r, to := []*identity.Authority{one, two}[i%2], request(t, newKey(t)), recipient(t)
		wg.Go(func() {
			_, _, errs[i] = a.Enrol(t.Context(), token.ID, token.Secret, r, to)
		})
	}
	wg.Wait()
	joined := 0
	for _, err := range errs {
		if err == nil {
			joined++
		} else if !errors.Is(err, identity.ErrTokenUsed) {
			t.Errorf("got %v, want ErrTokenUsed", err)
		}
	}
	if joined != 1 {
		t.Errorf("%d machines joined with one token", joined)
	}
}

func TestRequestRefusals(t *testing.T) {
	a, s := newAuthority(t)
	first := join(t, a, "first")
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good, to := request(t, newKey(t)), recipient(t)
	forged := append([]byte{}, good...)
	forged[len(forged)-1] ^= 1
	for name, c := range map[string]struct {
		request   []byte
		recipient string
		want      string
	}{
		"none":        {nil, to, "certificate request: asn1: syntax error: sequence truncated"},
		"long":        {make([]byte, 8<<10+1), to, "certificate request of 8193 bytes, expected at most 8192"},
		"rsa":         {request(t, rsaKey), to, "key of type RSA, expected ECDSA on P-256 or Ed25519"},
		"p384":        {request(t, p384), to, "key on curve P-384, expected ECDSA on P-256 or Ed25519"},
		"forged":      {forged, to, "certificate request: x509: ECDSA verification failure"},
		"twice":       {request(t, first.key), to, "its key belongs to another probe"},
		"recipient":   {good, "age1x", `recipient "age1x" is not an X25519 one (age1...)`},
		"no one":      {good, "", `recipient "" is not an X25519 one (age1...)`},
		"wrong magic": {good, strings.Replace(to, "age1", "AGE-SECRET-KEY-1", 1), "is not an X25519 one (age1...)"},
	} {
		t.Run(name, func(t *testing.T) {
			token := addProbe(t, a, "osl-1")
			before := s.content()
			_, _, err := a.Enrol(t.Context(), token.ID, token.Secret, c.request, c.recipient)
			if !errors.Is(err, identity.ErrRequest) || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("got error  %v\nwant it to end with %s", err, c.want)
			}
			unchanged(t, name, before, s.content())
		})
	}
	// The token that stood behind all these requests is as good as before.
	token := addProbe(t, a, "osl-1")
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := a.Enrol(t.Context(), token.ID, token.Secret, request(t, crypto.Signer(key)), to); err != nil {
		t.Errorf("Ed25519: %v", err)
	}
}

func TestAddProbeRefusals(t *testing.T) {
	a, s := newAuthority(t)
	join(t, a, "osl-1")
	for name, c := range map[string]struct {
		probe identity.NewProbe
		want  string
	}{
		"all at once": {
			identity.NewProbe{Name: "Osl 1", Site: "a/b", TTL: -1},
			"add probe: name: \"Osl 1\", expected 1 to 63 of a-z, 0-9 and -\nregion: \"\", expected 1 to 63 of a-z, 0-9 and -\n" +
				"site: \"a/b\", expected 1 to 63 of a-z, 0-9 and -\nttl: -1ns, expected up to 168h0m0s",
		},
		"long ttl": {identity.NewProbe{Name: "a", Region: "b", TTL: 8 * 24 * time.Hour}, "add probe: ttl: 192h0m0s, expected up to 168h0m0s"},
		"enrolled": {
			identity.NewProbe{Name: "osl-1", Region: "oceania"},
			fmt.Sprintf("add probe: a probe of this name is enrolled already: remove it first (osl-1 in eu-north since %s)", time.Now().UTC().Format(time.DateOnly)),
		},
	} {
		before := s.content()
		_, err := a.AddProbe(t.Context(), c.probe)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: got error  %v\nwant error %s", name, err, c.want)
		}
		unchanged(t, name, before, s.content())
	}
	a.SetCoordinators(nil)
	if _, err := a.AddProbe(t.Context(), identity.NewProbe{Name: "a", Region: "b"}); err == nil {
		t.Error("made a token that leads nowhere")
	}
}

// TestStoreKeepsNoSecret: what the store holds does not redeem a token.
func TestStoreKeepsNoSecret(t *testing.T) {
	a, s := newAuthority(t)
	token := addProbe(t, a, "osl-1")
	kept := s.content()["probe.osl-1"].value
	if strings.Contains(kept, fmt.Sprintf("%x", token.Secret)) || !strings.Contains(kept, fmt.Sprintf("%x", token.ID)) {
		t.Errorf("the store holds the secret, or not the id: %s", kept)
	}
}

// TestStoreFails: a probe is in the roster when the store has it, not before.
func TestStoreFails(t *testing.T) {
	a, s := newAuthority(t)
	token := addProbe(t, a, "osl-1")
	s.failing(func(string, string) error { return errDisk })
	if _, _, err := a.Enrol(t.Context(), token.ID, token.Secret, request(t, newKey(t)), recipient(t)); !errors.Is(err, errDisk) {
		t.Errorf("got %v, want %v", err, errDisk)
	}
	if r := a.Roster(); len(r) != 0 {
		t.Errorf("roster holds %v, which the store does not", r)
	}
	s.failing(nil)
	if _, _, err := a.Enrol(t.Context(), token.ID, token.Secret, request(t, newKey(t)), recipient(t)); err != nil {
		t.Errorf("the token after the disk has space again: %v", err)
	}
}

// TestStoreBeginsNowhere: a store that always says conflict ends the attempt.
func TestStoreBeginsNowhere(t *testing.T) {
	a, s := newAuthority(t)
	s.failing(func(string, string) error { return identity.ErrConflict })
	if _, err := a.AddProbe(t.Context(), identity.NewProbe{Name: "a", Region: "b"}); !errors.Is(err, identity.ErrConflict) {
		t.Errorf("got %v, want ErrConflict", err)
	}
}

// TestAnotherCoordinatorWasFaster: every change is tried anew.
func TestAnotherCoordinatorWasFaster(t *testing.T) {
	a, s := newAuthority(t)
	beaten := map[string]bool{}
	s.failing(func(operation, key string) error {
		if op := operation + key; !beaten[op] {
			beaten[op] = true
			return identity.ErrConflict
		}
		return nil
	})
	join(t, a, "osl-1")
	if _, err := a.Remove(t.Context(), "osl-1"); err != nil {
		t.Error(err)
	}
	for _, op := range []string{"putprobe.osl-1", "putgossip", "deleteprobe.osl-1"} {
		if !beaten[op] {
			t.Errorf("%s never met a conflict", op)
		}
	}
}

func TestPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := newAuthority(t)
		addProbe(t, a, "b")
		join(t, a, "c")
		addProbe(t, a, "a")
		want := []identity.Pending{
			{Name: "a", Region: "eu-north", Site: "oslo", ASN: 224, Expires: time.Now().Add(time.Hour)},
			{Name: "b", Region: "eu-north", Site: "oslo", ASN: 224, Expires: time.Now().Add(time.Hour)},
		}
		if diff := cmp.Diff(want, a.Pending(), cmpopts.EquateApproxTime(0)); diff != "" {
			t.Errorf("pending (-want +got):\n%s", diff)
		}
	})
}

// FuzzEnrol hands arbitrary requests to an open door.
func FuzzEnrol(f *testing.F) {
	a, _ := newAuthority(f)
	f.Add([]byte("0\x82"), "age1x")
	f.Fuzz(func(t *testing.T, der []byte, to string) {
		if _, err := a.Remove(t.Context(), "osl-1"); err != nil && !errors.Is(err, identity.ErrUnknownProbe) {
			t.Fatal(err)
		}
		token := addProbe(t, a, "osl-1")
		_, e, err := a.Enrol(t.Context(), token.ID, token.Secret, der, to)
		if err != nil && !errors.Is(err, identity.ErrRequest) {
			t.Errorf("got %v, want ErrRequest", err)
		}
		if (err == nil) != (len(a.Roster()) == 1) {
			t.Errorf("enrolled %v, error %v", e, err)
		}
	})
}
