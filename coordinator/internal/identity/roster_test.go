package identity_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/coordinator/internal/identity"
)

func TestRenew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, _ := newAuthority(t)
		p := join(t, a, "osl-1")
		time.Sleep(10 * 24 * time.Hour)
		waiting := a.Changed()
		next, err := p.renew(t, a, p.key)
		if err != nil {
			t.Fatal(err)
		}
		if want := time.Now().Add(30 * 24 * time.Hour); !next.cert.NotAfter.Equal(want) || !a.Roster()[0].NotAfter.Equal(want) {
			t.Errorf("certificate ends %s, roster says %s, want %s", next.cert.NotAfter, a.Roster()[0].NotAfter, want)
		}
		checkLeaf(t, a, next.cert, [][]byte{nil, a.Authorities()[0]}, time.Now())
		if !changed(waiting) {
			t.Error("nobody was told")
		}
		for name, q := range map[string]probe{"old": p, "new": next} { // no gap between the two
			if _, err := q.peer(t, a); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestRenewWithANewKey: the former key is good until the new certificate was
// used for the first time, also over a restart, and then no more.
func TestRenewWithANewKey(t *testing.T) {
	dir, s := t.TempDir(), newStore()
	a := open(t, dir, s)
	p := join(t, a, "osl-1")
	lost, err := p.renew(t, a, newKey(t)) // its answer never arrives
	if err != nil {
		t.Fatal(err)
	}
	a = open(t, dir, s)
	if _, err := p.peer(t, a); err != nil {
		t.Fatalf("the answer was lost and so is the probe: %v", err)
	}
	next, err := p.renew(t, a, newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lost.peer(t, a); !errors.Is(err, identity.ErrRemoved) {
		t.Errorf("the certificate that was lost: got %v, want ErrRemoved", err)
	}
	if a.Roster()[0].KeySHA256 != mustPeer(t, a, p).Entry.KeySHA256 {
		t.Error("the roster's key depends on who asks")
	}
	mustPeer(t, a, next)
	for _, a := range []*identity.Authority{a, open(t, dir, s)} {
		if _, err := p.peer(t, a); !errors.Is(err, identity.ErrRemoved) {
			t.Errorf("the former key after the new one was used: got %v, want ErrRemoved", err)
		}
		mustPeer(t, a, next)
	}
}

func mustPeer(t *testing.T, a *identity.Authority, p probe) identity.Peer {
	t.Helper()
	peer, err := p.peer(t, a)
	if err != nil {
		t.Fatal(err)
	}
	return peer
}

// TestKnownCertificateVouchesForNoOther: one that differs in its signature alone is
// not ours, and one that is known costs no second look at its signature.
func TestKnownCertificateVouchesForNoOther(t *testing.T) {
	a, _ := newAuthority(t)
	p := join(t, a, "osl-1")
	if again := testing.AllocsPerRun(10, func() { mustPeer(t, a, p) }); again > 20 {
		t.Errorf("%v allocations for a certificate that is known, want at most 20", again)
	}
	forged := slices.Clone(p.cert.Raw)
	forged[len(forged)-1]++
	cert, err := x509.ParseCertificate(forged)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (probe{p.key, cert}).peer(t, a); !errors.Is(err, identity.ErrNotOurs) {
		t.Errorf("forged: %v", err)
	}
}

// TestRenewGoesBack: a probe that forgot its new key goes on with the old one.
func TestRenewGoesBack(t *testing.T) {
	a, _ := newAuthority(t)
	p := join(t, a, "osl-1")
	for range 3 {
		if _, err := p.renew(t, a, newKey(t)); err != nil {
			t.Fatal(err)
		}
	}
	again, err := p.renew(t, a, p.key)
	if err != nil {
		t.Fatal(err)
	}
	mustPeer(t, a, again)
	mustPeer(t, a, p)
}

func TestRenewRefusals(t *testing.T) {
	a, s := newAuthority(t)
	p, other := join(t, a, "osl-1"), join(t, a, "osl-2")
	before := s.content()
	if _, err := p.renew(t, a, other.key); !errors.Is(err, identity.ErrRequest) {
		t.Errorf("with another probe's key: got %v, want ErrRequest", err)
	}
	if _, err := a.Renew(t.Context(), p.cert, []byte("x")); !errors.Is(err, identity.ErrRequest) {
		t.Errorf("with no request: got %v, want ErrRequest", err)
	}
	s.failing(func(string, string) error { return errDisk })
	if _, err := p.renew(t, a, newKey(t)); !errors.Is(err, errDisk) {
		t.Errorf("disk full: got %v, want %v", err, errDisk)
	}
	unchanged(t, "renew", before, s.content())
	mustPeer(t, a, p)
}

func TestRemove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, s := newAuthority(t)
		join(t, a, "osl-1")
		join(t, a, "osl-2")
		addProbe(t, a, "waiting")
		keys := a.GossipKeys()

		_, err := a.Remove(t.Context(), "nobody")
		if !errors.Is(err, identity.ErrUnknownProbe) || err.Error() != `remove probe "nobody": no probe has this name` {
			t.Errorf("got %v", err)
		}
		if e, err := a.Remove(t.Context(), "waiting"); err != nil || e != (identity.Entry{}) {
			t.Errorf("token: got %v, %v", e, err)
		}
		if !sameKeys(keys, a.GossipKeys()) {
			t.Error("a token that was not used cost the mesh a new key")
		}

		waiting := a.Changed()
		e, err := a.Remove(t.Context(), "osl-1")
		if err != nil || e.Name != "osl-1" || e.Region != "eu-north" {
			t.Errorf("got %v, %v", e, err)
		}
		if !changed(waiting) {
			t.Error("nobody was told")
		}
		if r := a.Roster(); len(r) != 1 || r[0].Name != "osl-2" {
			t.Errorf("roster %v", r)
		}
		if got := a.GossipKeys(); len(got) != 2 || !sameKeys(got[:1], keys) || sameKeys(got[1:], keys) {
			t.Error("mesh: want the key as before, then a new one")
		}
		again := open(t, t.TempDir(), s)
		if !sameKeys(again.GossipKeys(), a.GossipKeys()) || len(again.Roster()) != 1 || len(again.Pending()) != 0 {
			t.Error("after a restart it is as if nothing had been removed")
		}
	})
}

// TestMeshKeyChangesInSteps: everybody knows the new key for half a minute before it
// encrypts, the former one is known for an hour after that, and whoever makes plans
// is told each time.
func TestMeshKeyChangesInSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, s := newAuthority(t)
		join(t, a, "osl-1")
		if _, err := a.Remove(t.Context(), "osl-1"); err != nil {
			t.Fatal(err)
		}
		former, next := a.GossipKeys()[:1], a.GossipKeys()[1:]
		for _, step := range []struct {
			what        string
			after       time.Duration
			before, now [][]byte
		}{
			{"encrypts", identity.KeyNotice, slices.Concat(former, next), slices.Concat(next, former)},
			{"retires", identity.KeyTransition, slices.Concat(next, former), next},
		} {
			waiting := a.Changed()
			runFor(t, a, step.after-2)
			if changed(waiting) || !sameKeys(a.GossipKeys(), step.before) {
				t.Errorf("%s too early", step.what)
			}
			runFor(t, a, 3)
			if !changed(waiting) || !sameKeys(a.GossipKeys(), step.now) {
				t.Errorf("%s too late, or nobody was told", step.what)
			}
			if !sameKeys(a.GossipKeys(), open(t, t.TempDir(), s).GossipKeys()) {
				t.Errorf("%s: after a restart it is as if it had not", step.what)
			}
		}
		if kept := s.content()["gossip"].value; strings.Contains(kept, "retires") || strings.Contains(kept, "encrypts") {
			t.Errorf("in the store: %s", kept)
		}
	})
}

// TestMeshKeyWaitsForTheCoordinator: while none ran nobody was told of the new key, so
// that its time begins anew.
func TestMeshKeyWaitsForTheCoordinator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, s := newAuthority(t)
		join(t, a, "osl-1")
		if _, err := a.Remove(t.Context(), "osl-1"); err != nil {
			t.Fatal(err)
		}
		keys := a.GossipKeys()
		time.Sleep(time.Hour)
		a = open(t, t.TempDir(), s)
		runFor(t, a, identity.KeyNotice-time.Nanosecond)
		if !sameKeys(a.GossipKeys(), keys) {
			t.Error("the new key encrypts before anybody could take the plan")
		}
		runFor(t, a, 2)
		if got := a.GossipKeys(); len(got) != 2 || !sameKeys(got[:1], keys[1:]) {
			t.Error("the new key does not encrypt")
		}
	})
}

// TestManyRemovals: the keys that a probe must try on every packet are bounded, and
// none encrypts before it was known for half a minute.
func TestManyRemovals(t *testing.T) {
	for _, every := range []time.Duration{0, identity.KeyNotice / 2, 2 * identity.KeyNotice} {
		t.Run(every.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a, _ := newAuthority(t)
				known := map[string]time.Time{}
				for _, k := range a.GossipKeys() {
					known[string(k)] = time.Now().Add(-time.Hour)
				}
				for i := range 8 {
					name := fmt.Sprintf("osl-%d", i)
					join(t, a, name)
					if _, err := a.Remove(t.Context(), name); err != nil {
						t.Fatal(err)
					}
					for end := time.Now().Add(every); ; {
						keys := a.GossipKeys()
						if len(keys) > 4 {
							t.Errorf("after %d removals %d keys", i+1, len(keys))
						}
						for _, k := range keys {
							if _, ok := known[string(k)]; !ok {
								known[string(k)] = time.Now()
							}
						}
						if since := time.Since(known[string(keys[0])]); since < identity.KeyNotice {
							t.Errorf("after %d removals a key encrypts that was known for %s", i+1, since)
						}
						if !time.Now().Before(end) {
							break
						}
						runFor(t, a, time.Second)
					}
				}
				last := a.GossipKeys()
				runFor(t, a, 2*identity.KeyNotice+2*identity.KeyTransition)
				got := a.GossipKeys()
				if len(got) != 1 || !slices.ContainsFunc(last, func(k []byte) bool { return string(k) == string(got[0]) }) {
					t.Errorf("in the end %d keys, want the newest", len(got))
				}
			})
		})
	}
}

// TestRemoveFails: half a removal is none, and can be tried again.
func TestRemoveFails(t *testing.T) {
	a, s := newAuthority(t)
	p := join(t, a, "osl-1")
	keys := a.GossipKeys()
	for _, operation := range []string{"put", "delete"} {
		s.failing(func(op, _ string) error {
			if op == operation {
				return errDisk
			}
			return nil
		})
		if _, err := a.Remove(t.Context(), "osl-1"); !errors.Is(err, errDisk) {
			t.Errorf("%s: got %v, want %v", operation, err, errDisk)
		}
		mustPeer(t, a, p)
		if !sameKeys(keys, a.GossipKeys()) {
			t.Errorf("%s: the mesh key is another, and the probe is still there to read it", operation)
		}
	}
	s.failing(nil)
	if _, err := a.Remove(t.Context(), "osl-1"); err != nil {
		t.Error(err)
	}
}

func TestSetAddresses(t *testing.T) {
	a, s := newAuthority(t)
	join(t, a, "osl-1")
	before := s.content()
	for _, address := range []string{"osl-1.example.net:7946", "192.0.2.1", "192.0.2.1:0", "0.0.0.0:7946", "[::]:7946", "224.0.0.1:7946", "[fe80::1%" + strings.Repeat("a", 60) + "]:1"} {
		if err := a.SetAddresses(t.Context(), "osl-1", address, ""); err == nil {
			t.Errorf("accepted %q for the mesh", address)
		}
		if err := a.SetAddresses(t.Context(), "osl-1", "192.0.2.1:7946", address); err == nil {
			t.Errorf("accepted %q for the peer listener", address)
		}
	}
	if err := a.SetAddresses(t.Context(), "nobody", "192.0.2.1:7946", ""); !errors.Is(err, identity.ErrUnknownProbe) {
		t.Errorf("got %v, want ErrUnknownProbe", err)
	}
	unchanged(t, "refused addresses", before, s.content())
	for _, at := range [][2]string{
		{"192.0.2.1:7946", ""}, {"192.0.2.1:7946", "192.0.2.1:7947"}, {"[2001:db8::1]:7946", "[2001:db8::1]:7947"}, {"", ""},
	} {
		err := a.SetAddresses(t.Context(), "osl-1", at[0], at[1])
		if e := a.Roster()[0]; err != nil || e.MeshAddress != at[0] || e.PeerAddress != at[1] {
			t.Errorf("%q: got %q and %q, %v", at, e.MeshAddress, e.PeerAddress, err)
		}
		before, waiting := s.content(), a.Changed()
		if err := a.SetAddresses(t.Context(), "osl-1", at[0], at[1]); err != nil || changed(waiting) {
			t.Errorf("%q again: %v, or told of no change", at, err)
		}
		unchanged(t, "the same addresses", before, s.content())
	}
}

func TestWireEntry(t *testing.T) {
	a, _ := newAuthority(t)
	join(t, a, "osl-1")
	if err := a.SetAddresses(t.Context(), "osl-1", "192.0.2.1:7946", "192.0.2.1:7947"); err != nil {
		t.Fatal(err)
	}
	e := a.Roster()[0]
	w := e.Wire()
	if w.Name != e.Name || w.Region != e.Region || w.Site != e.Site || w.ASN != e.ASN || w.KeySHA256 != e.KeySHA256 || w.MeshAddress != e.MeshAddress || w.PeerAddress != e.PeerAddress {
		t.Errorf("got %+v of %+v", w, e)
	}
}
