package identity_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"varde/probe/internal/identity"
	"varde/proto/wire"
)

func TestJoin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		dir := filepath.Join(t.TempDir(), "lib", "varde-probe")
		joined := a.join(t, dir)
		loaded, err := identity.Load(dir)
		if err != nil {
			t.Fatal(err)
		}
		for how, i := range map[string]*identity.Identity{"joined": joined, "loaded": loaded} {
			if i.Name() != "osl-1" || i.Region() != "eu-north" || i.Site() != "oslo" {
				t.Errorf("%s: %s in %s at %s", how, i.Name(), i.Region(), i.Site())
			}
			if !i.PlanKey().Equal(a.plan) || !cmp.Equal(i.Coordinators(), []string{"c1.example.net:7950"}) {
				t.Errorf("%s: plan key %x, coordinators %v", how, i.PlanKey(), i.Coordinators())
			}
			if want := probeLeaf().NotAfter; !i.NotAfter().Equal(want) {
				t.Errorf("%s: ends %s, want %s", how, i.NotAfter(), want)
			}
		}
		files := content(t, dir)
		path := filepath.Join(dir, "identity.json")
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(files) != 1 || info.Mode().Perm() != 0o600 {
			t.Errorf("%d files, mode %s; expected one that only its owner can read", len(files), info.Mode())
		}
		if sent := a.asked[0]; sent.TokenID != a.token().ID || sent.Secret != a.token().Secret || !strings.HasPrefix(sent.Recipient, "age1") {
			t.Errorf("sent %+v", sent)
		}
	})
}

// TestJoinClaimsNothing: name and region are for the coordinator to say.
func TestJoinClaimsNothing(t *testing.T) {
	a := newAuthority(t)
	a.join(t, t.TempDir())
	r, err := x509.ParseCertificateRequest(a.asked[0].Request)
	if err != nil {
		t.Fatal(err)
	}
	if r.Subject.String() != "" || len(r.DNSNames)+len(r.URIs)+len(r.Extensions) != 0 {
		t.Errorf("the request says %s, %v, %v", r.Subject, r.DNSNames, r.URIs)
	}
}

func TestJoinTwice(t *testing.T) {
	a := newAuthority(t)
	dir := t.TempDir()
	a.join(t, dir)
	before := content(t, dir)
	_, err := identity.Join(t.Context(), identity.Options{Dir: dir}, a.token(), a.enrol(t))
	want := fmt.Sprintf("join: this machine is a probe already: %s; remove that file to join anew", filepath.Join(dir, "identity.json"))
	if !errors.Is(err, identity.ErrJoined) || err.Error() != want {
		t.Errorf("got error  %v\nwant error %s", err, want)
	}
	if len(a.asked) != 1 {
		t.Error("the token was used up for nothing")
	}
	if diff := cmp.Diff(before, content(t, dir)); diff != "" {
		t.Errorf("the folder was changed (-before +after):\n%s", diff)
	}
}

// TestFailedJoinLeavesNothing goes through everything that a coordinator, or
// who sits in between, can answer.
func TestFailedJoinLeavesNothing(t *testing.T) {
	used := errors.New("this token was used already")
	const lost = "join: the token is used up, but the answer cannot be accepted: "
	for name, c := range map[string]struct {
		answer func(t *testing.T, a *authority, e *wire.Enrolment, r wire.EnrolRequest) error
		want   string
	}{
		"refused": {
			func(*testing.T, *authority, *wire.Enrolment, wire.EnrolRequest) error { return used },
			"join: this token was used already",
		},
		"no CA": {func(_ *testing.T, _ *authority, e *wire.Enrolment, _ wire.EnrolRequest) error {
			e.Chain = e.Chain[:1]
			return nil
		}, lost + "certificate_chain: does not hold the CA that the token names"},
		"other CA": {func(t *testing.T, _ *authority, e *wire.Enrolment, r wire.EnrolRequest) error {
			e.Chain = newAuthority(t).answer(t, r).Chain
			return nil
		}, lost + "certificate_chain: does not hold the CA that the token names"},
		"leaf of another CA": {func(t *testing.T, _ *authority, e *wire.Enrolment, r wire.EnrolRequest) error {
			e.Chain[0] = newAuthority(t).answer(t, r).Chain[0]
			return nil
		}, lost + "certificate_chain: x509: certificate signed by unknown authority"},
		"leaf of another key": {func(t *testing.T, a *authority, e *wire.Enrolment, _ wire.EnrolRequest) error {
			e.Chain[0] = a.sign(t, probeLeaf(), newKey(t).Public(), a.cert).Raw
			return nil
		}, lost + "certificate_chain: certificate is not for the key of this probe"},
		"other name": {
			func(_ *testing.T, _ *authority, e *wire.Enrolment, _ wire.EnrolRequest) error {
				e.Name = "osl-2"
				return nil
			},
			lost + `certificate_chain: certificate is for "osl-1" in "eu-north", expected "osl-2" in "eu-north"`,
		},
		"other region": {func(_ *testing.T, _ *authority, e *wire.Enrolment, _ wire.EnrolRequest) error {
			e.Region = "oceania"
			return nil
		}, lost + `certificate_chain: certificate is for "osl-1" in "eu-north", expected "osl-1" in "oceania"`},
		"nameless": {func(t *testing.T, a *authority, e *wire.Enrolment, r wire.EnrolRequest) error {
			e.Chain[0] = a.leaf(t, r.Request, serverLeaf())
			return nil
		}, lost + "certificate_chain: certificate names no probe"},
		"not for clients": {func(t *testing.T, a *authority, e *wire.Enrolment, r wire.EnrolRequest) error {
			template := probeLeaf()
			template.ExtKeyUsage = serverLeaf().ExtKeyUsage
			e.Chain[0] = a.leaf(t, r.Request, template)
			return nil
		}, lost + "certificate_chain: x509: certificate specifies an incompatible key usage"},
		"plan key": {func(_ *testing.T, _ *authority, e *wire.Enrolment, _ wire.EnrolRequest) error {
			e.PlanKey = e.PlanKey[1:]
			return nil
		}, lost + "plan_key: 31 bytes, expected 32"},
		"nowhere": {func(_ *testing.T, _ *authority, e *wire.Enrolment, _ wire.EnrolRequest) error {
			e.Coordinators = nil
			return nil
		}, lost + "coordinators: none, expected at least one"},
		"garbage": {func(_ *testing.T, _ *authority, e *wire.Enrolment, _ wire.EnrolRequest) error {
			e.Chain[0] = []byte("x")
			return nil
		}, lost + "certificate_chain: x509: malformed certificate"},
		"huge": {func(_ *testing.T, _ *authority, e *wire.Enrolment, _ wire.EnrolRequest) error {
			e.Site = strings.Repeat("x", 1<<20)
			return nil
		}, "expected at most 262144"},
	} {
		t.Run(name, func(t *testing.T) {
			a := newAuthority(t)
			failsToJoin(t, a, func(ctx context.Context, r wire.EnrolRequest) (wire.Enrolment, error) {
				e := a.answer(t, r)
				err := c.answer(t, a, &e, r)
				return e, err
			}, c.want)
		})
	}
}

// failsToJoin tries it in a folder that exists and in one that does not.
func failsToJoin(t *testing.T, a *authority, enrol func(context.Context, wire.EnrolRequest) (wire.Enrolment, error), want string) {
	t.Helper()
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "probe.yaml"), []byte("state: ."), 0o600); err != nil {
		t.Fatal(err)
	}
	before := content(t, root)
	for _, dir := range []string{root, filepath.Join(root, "new", "folder")} {
		_, err := identity.Join(t.Context(), identity.Options{Dir: dir}, a.token(), enrol)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "PRIVATE") {
			t.Errorf("got error  %v\nwant error %s", err, want)
		}
		if diff := cmp.Diff(before, content(t, root)); diff != "" {
			t.Errorf("the folder is not as it was (-before +after):\n%s", diff)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "new")); !os.IsNotExist(err) {
		t.Errorf("a new folder was left behind: %v", err)
	}
	// The machine is free to join with another token.
	newAuthority(t).join(t, root)
}

// TestJoinWhereNothingCanBeWritten: the token is not used up.
func TestJoinWhereNothingCanBeWritten(t *testing.T) {
	a := newAuthority(t)
	notFolder := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(notFolder, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{notFolder, filepath.Join(notFolder, "below")} {
		if _, err := identity.Join(t.Context(), identity.Options{Dir: dir}, a.token(), a.enrol(t)); err == nil {
			t.Errorf("joined in %s", dir)
		}
	}
	if len(a.asked) != 0 {
		t.Error("the token was sent although nothing could be kept")
	}
}

func TestNotJoined(t *testing.T) {
	dir := t.TempDir()
	_, err := identity.Load(dir)
	want := fmt.Sprintf("identity: this machine has not joined a fleet: run `varde-probe join TOKEN` (there is no %s)", filepath.Join(dir, "identity.json"))
	if !errors.Is(err, identity.ErrNotJoined) || err.Error() != want {
		t.Errorf("got error  %v\nwant error %s", err, want)
	}
}

// TestDamagedIdentity alters one field at a time; no error may hold a key.
func TestDamagedIdentity(t *testing.T) {
	a := newAuthority(t)
	dir := t.TempDir()
	a.join(t, dir)
	path := filepath.Join(dir, "identity.json")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ old, new, want string }{
		"cut":       {"}", "", "not an identity: restore it, or remove it and join again"},
		"name":      {`"osl-1"`, `"osl-2"`, `certificate_chain: certificate is for "osl-1" in "eu-north", expected "osl-2" in "eu-north"`},
		"key":       {"BEGIN PRIVATE", "BEGIN PRIVATF", "key: expected one PEM block"},
		"other key": {"PRIVATE KEY-----\\nM", "PRIVATE KEY-----\\nN", "key: not a PKCS #8 private key"},
		"age":       {"AGE-SECRET-KEY-1", "AGE-SECRET-KEY-2", "age_identity: not an X25519 identity"},
		"chain":     {`"certificate_chain"`, `"chain"`, "certificate_chain: missing"},
		"plan":      {`"plan_key"`, `"plan"`, "plan_key: 0 bytes, expected 32"},
		"CA":        {`"authorities"`, `"ca"`, "authorities: 0, expected 1 to 8"},
		"nowhere":   {`"coordinators"`, `"c"`, "coordinators: none, expected at least one"},
	} {
		bad := bytes.Replace(good, []byte(c.old), []byte(c.new), 1)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := identity.Load(dir)
		if want := fmt.Sprintf("identity: read %s: %s", path, c.want); err == nil || err.Error() != want {
			t.Errorf("%s: got error  %v\nwant error %s", name, err, want)
		}
	}
}

// FuzzLoad puts anything where the identity should be.
func FuzzLoad(f *testing.F) {
	dir := f.TempDir()
	newAuthority(f).join(f, dir)
	path := filepath.Join(dir, "identity.json")
	good, err := os.ReadFile(path)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		i, err := identity.Load(dir)
		if err == nil && (i.Name() == "" || i.TLS() == nil || len(i.PlanKey()) != 32) {
			t.Error("took half an identity")
		}
	})
}
