package identity_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"filippo.io/age"

	"varde/probe/internal/identity"
	"varde/proto/wire"
)

// authority is the coordinator's side: a CA and what it signs.
type authority struct {
	key   *ecdsa.PrivateKey
	cert  *x509.Certificate
	plan  ed25519.PublicKey
	asked []wire.EnrolRequest
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{key: newKey(t), plan: bytes.Repeat([]byte{7}, ed25519.PublicKeySize)}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "CA"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
		NotBefore: time.Now().Add(-5 * time.Minute), NotAfter: time.Now().AddDate(10, 0, 0),
	}
	a.cert = a.sign(t, template, a.key.Public(), template)
	return a
}

func (a *authority) sign(t testing.TB, template *x509.Certificate, key any, parent *x509.Certificate) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, a.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// probeLeaf is what a certificate of osl-1 says.
func probeLeaf() *x509.Certificate {
	return &x509.Certificate{
		URIs:        []*url.URL{wire.Subject{Name: "osl-1", Region: "eu-north"}.URI()},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Now().Add(-5 * time.Minute), NotAfter: time.Now().Add(30 * 24 * time.Hour),
	}
}

// leaf signs a certificate for whoever holds the key of a request.
func (a *authority) leaf(t testing.TB, requestDER []byte, template *x509.Certificate) []byte {
	t.Helper()
	r, err := x509.ParseCertificateRequest(requestDER)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.CheckSignature(); err != nil {
		t.Fatal(err)
	}
	return a.sign(t, template, r.PublicKey, a.cert).Raw
}

func (a *authority) token() wire.Token {
	return wire.Token{ID: [16]byte{1}, Secret: [16]byte{2}, CASHA256: sha256.Sum256(a.cert.Raw), Coordinators: []string{"c:7950"}}
}

// answer is a good answer to a request.
func (a *authority) answer(t testing.TB, r wire.EnrolRequest) wire.Enrolment {
	t.Helper()
	return wire.Enrolment{
		Chain: [][]byte{a.leaf(t, r.Request, probeLeaf()), a.cert.Raw}, Name: "osl-1", Region: "eu-north", Site: "oslo",
		PlanKey: a.plan, Coordinators: []string{"c1.example.net:7950"},
	}
}

// enrol is what Join calls.
func (a *authority) enrol(t testing.TB) func(context.Context, wire.EnrolRequest) (wire.Enrolment, error) {
	return func(_ context.Context, r wire.EnrolRequest) (wire.Enrolment, error) {
		a.asked = append(a.asked, r)
		return a.answer(t, r), nil
	}
}

// renew is what KeepFresh calls.
func (a *authority) renew(t testing.TB) func(context.Context, []byte) ([][]byte, error) {
	return func(_ context.Context, requestDER []byte) ([][]byte, error) {
		return [][]byte{a.leaf(t, requestDER, probeLeaf()), a.cert.Raw}, nil
	}
}

func (a *authority) join(t testing.TB, dir string) *identity.Identity {
	t.Helper()
	i, err := identity.Join(t.Context(), identity.Options{Dir: dir}, a.token(), a.enrol(t))
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// serverLeaf is what a coordinator's certificate says.
func serverLeaf() *x509.Certificate {
	return &x509.Certificate{
		DNSNames: []string{wire.CoordinatorName}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		NotBefore: time.Now().Add(-5 * time.Minute), NotAfter: time.Now().Add(30 * 24 * time.Hour),
	}
}

// server is the coordinator's end of a connection, with the CA in its chain.
func (a *authority) server(t testing.TB, template *x509.Certificate) *tls.Config {
	t.Helper()
	key := newKey(t)
	leaf := a.sign(t, template, key.Public(), a.cert)
	return &tls.Config{
		ClientAuth:   tls.RequestClientCert,
		Certificates: []tls.Certificate{{Certificate: [][]byte{leaf.Raw, a.cert.Raw}, PrivateKey: crypto.Signer(key)}},
	}
}

// connect runs a handshake over a pipe. It returns the certificate that the
// client showed, and the client's error.
func connect(t testing.TB, client, server *tls.Config) (shown *x509.Certificate, err error) {
	t.Helper()
	near, far := net.Pipe()
	conn := tls.Server(far, server)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if conn.Handshake() == nil {
			_, _ = conn.Write([]byte(".")) // the client may have hung up, which is its error
		}
		_ = far.Close()
	}()
	// A pipe holds nothing: whoever refuses in the middle of the other's words
	// would wait for ever to say so.
	if err := errors.Join(near.SetDeadline(time.Now().Add(time.Second)), far.SetDeadline(time.Now().Add(time.Second))); err != nil {
		t.Fatal(err)
	}
	c := tls.Client(near, client)
	if err = c.Handshake(); err == nil {
		_, err = io.ReadFull(c, make([]byte, 1))
	}
	_ = near.Close()
	<-done
	if certs := conn.ConnectionState().PeerCertificates; len(certs) > 0 {
		shown = certs[0]
	}
	return shown, err
}

// content returns every file below a folder, and nil where there is none.
func content(t testing.TB, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		files[p] = string(b)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// seal encrypts secrets to the recipient that a probe enrolled with.
func seal(t testing.TB, recipient string, plain []byte) []byte {
	t.Helper()
	r, err := age.ParseX25519Recipient(recipient)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	w, err := age.Encrypt(&b, r)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
