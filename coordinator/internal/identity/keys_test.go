package identity_test

import (
	"crypto/sha256"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/coordinator/internal/identity"
)

// folder returns what stands in a folder, by name.
func folder(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %s, expected -rw-------", e.Name(), info.Mode())
		}
		content[e.Name()] = string(b)
	}
	return content
}

func TestKeysAreMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "coordinator", "identity")
	if err := identity.Create(dir); err != nil {
		t.Fatal(err)
	}
	made := folder(t, dir)
	for _, name := range []string{"ca.pem", "ca.key", "plan.key"} {
		if made[name] == "" {
			t.Errorf("%s was not made", name)
		}
	}
	if len(made) != 3 {
		t.Errorf("made %d files, expected 3", len(made))
	}
	s := newStore()
	one, two := open(t, dir, s), open(t, dir, s)
	if diff := cmp.Diff(made, folder(t, dir)); diff != "" {
		t.Errorf("opening changed the folder (-before +after):\n%s", diff)
	}
	if !one.PlanKey().Equal(two.PlanKey()) || !one.PlanSigner().Equal(two.PlanSigner()) {
		t.Error("plan key is another after a restart")
	}
	if !sameKeys(one.Authorities(), two.Authorities()) || !sameKeys(one.GossipKeys(), two.GossipKeys()) {
		t.Error("CA or mesh key is another after a restart")
	}
	if k := one.GossipKeys(); len(k) != 1 || len(k[0]) != 32 {
		t.Errorf("mesh keys of a new fleet: %d, expected one of 32 bytes", len(k))
	}
}

func TestAuthorityLivesTenYears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		a := open(t, dir, newStore())
		ca, err := x509.ParseCertificate(a.Authorities()[0])
		if err != nil {
			t.Fatal(err)
		}
		if want := time.Now().AddDate(10, 0, 0).UTC(); !ca.NotAfter.Equal(want) {
			t.Errorf("CA ends %s, want %s", ca.NotAfter, want)
		}
		if !ca.IsCA || ca.CheckSignatureFrom(ca) != nil {
			t.Error("not a CA that signed itself")
		}
		// A certificate never outlives the CA that vouches for it.
		time.Sleep(time.Until(ca.NotAfter) - 10*24*time.Hour)
		if p := join(t, a, "osl-1"); !p.cert.NotAfter.Equal(ca.NotAfter) {
			t.Errorf("certificate ends %s, its CA %s", p.cert.NotAfter, ca.NotAfter)
		}
		time.Sleep(11 * 24 * time.Hour)
		err = identity.Create(dir)
		if err == nil || !strings.HasSuffix(err.Error(), "ca.pem: the CA expired on 2010-01-01") {
			t.Errorf("expired CA: got %v", err)
		}
	})
}

// TestCrashBetweenKeyAndCertificate: the key alone is a good beginning.
func TestCrashBetweenKeyAndCertificate(t *testing.T) {
	dir := t.TempDir()
	if err := identity.Create(dir); err != nil {
		t.Fatal(err)
	}
	key := folder(t, dir)["ca.key"]
	if err := os.Remove(filepath.Join(dir, "ca.pem")); err != nil {
		t.Fatal(err)
	}
	join(t, open(t, dir, newStore()), "osl-1")
	if folder(t, dir)["ca.key"] != key {
		t.Error("the CA's key was replaced")
	}
}

func TestDamagedKeys(t *testing.T) {
	other := t.TempDir()
	if err := identity.Create(other); err != nil {
		t.Fatal(err)
	}
	foreign := folder(t, other)
	for name, c := range map[string]struct {
		file, content, want string
	}{
		"key lost":    {"ca.key", "", "ca.key is missing beside ca.pem: restore it from a backup, or remove ca.pem to begin a fleet anew"},
		"plan lost":   {"plan.key", "", "plan.key is missing beside ca.pem: restore it from a backup, or remove ca.pem to begin a fleet anew"},
		"key cut":     {"ca.key", foreign["ca.key"][:80], `ca.key: expected one PEM block "PRIVATE KEY"`},
		"key foreign": {"ca.key", foreign["ca.key"], "ca.pem: not the certificate of the key in ca.key"},
		"key other":   {"ca.key", foreign["plan.key"], "ca.key: key is a ed25519.PrivateKey, expected a *ecdsa.PrivateKey"},
		"plan key":    {"plan.key", foreign["ca.key"], "plan.key: key is a *ecdsa.PrivateKey, expected a ed25519.PrivateKey"},
		"no key":      {"plan.key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "plan.key: not a key"},
		"certificate": {"ca.pem", foreign["ca.key"], `ca.pem: expected one PEM block "CERTIFICATE"`},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := identity.Create(dir); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, c.file)
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if c.content != "" {
				if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			before := folder(t, dir)
			err := identity.Create(dir)
			if err == nil || !strings.HasSuffix(err.Error(), c.want) {
				t.Errorf("got error  %v\nwant it to end with %s", err, c.want)
			}
			if diff := cmp.Diff(before, folder(t, dir)); diff != "" {
				t.Errorf("the folder was changed (-before +after):\n%s", diff)
			}
		})
	}
}

func TestTokenPinsTheAuthority(t *testing.T) {
	a, _ := newAuthority(t)
	token := addProbe(t, a, "osl-1")
	if token.CASHA256 != sha256.Sum256(a.Authorities()[0]) {
		t.Error("token holds another hash than that of the CA's certificate")
	}
	if len(token.Coordinators) != 1 || token.Coordinators[0] != "c1.example.net:7950" {
		t.Errorf("token names %v", token.Coordinators)
	}
	a.SetCoordinators([]string{"c2.example.net:7950", "192.0.2.1:7950"})
	if got := addProbe(t, a, "osl-1").Coordinators; len(got) != 2 || got[0] != "c2.example.net:7950" {
		t.Errorf("after a reload the token names %v", got)
	}
}
