package identity_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"sync"
	"testing"
	"time"

	"filippo.io/age"

	"varde/coordinator/internal/identity"
	"varde/proto/wire"
)

// memoryStore is a Store in memory. Fail, if set, is asked before every change.
type memoryStore struct {
	mu       sync.Mutex // protects all following fields
	revision uint64
	values   map[string]stored
	fail     func(operation, key string) error
}

type stored struct {
	value    string
	revision uint64
}

var _ identity.Store = (*memoryStore)(nil)

func newStore() *memoryStore { return &memoryStore{values: map[string]stored{}} }

func (s *memoryStore) Get(_ context.Context, key string) ([]byte, uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.values[key]
	if !ok {
		return nil, 0, identity.ErrNotFound
	}
	return []byte(v.value), v.revision, nil
}

func (s *memoryStore) Put(_ context.Context, key string, value []byte, revision uint64) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.change("put", key, revision); err != nil {
		return 0, err
	}
	s.revision++
	s.values[key] = stored{string(value), s.revision}
	return s.revision, nil
}

func (s *memoryStore) Delete(_ context.Context, key string, revision uint64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.values[key]; !ok {
		return identity.ErrNotFound
	}
	if err := s.change("delete", key, revision); err != nil {
		return err
	}
	delete(s.values, key)
	return nil
}

func (s *memoryStore) change(operation, key string, revision uint64) error {
	if s.fail != nil {
		if err := s.fail(operation, key); err != nil {
			return err
		}
	}
	if s.values[key].revision != revision {
		return identity.ErrConflict
	}
	return nil
}

func (s *memoryStore) Keys(context.Context) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for k := range s.values {
		keys = append(keys, k)
	}
	return keys, nil
}

func (s *memoryStore) content() map[string]stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.values)
}

func (s *memoryStore) failing(f func(operation, key string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = f
}

var errDisk = errors.New("no space left on device")

// open opens an Authority over a store.
func open(t testing.TB, dir string, s identity.Store) *identity.Authority {
	t.Helper()
	a, err := identity.Open(t.Context(), identity.Options{
		Dir: dir, Store: s, Coordinators: []string{"c1.example.net:7950"}, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newAuthority(t testing.TB) (*identity.Authority, *memoryStore) {
	t.Helper()
	s := newStore()
	return open(t, t.TempDir(), s), s
}

func addProbe(t testing.TB, a *identity.Authority, name string) wire.Token {
	t.Helper()
	token, err := a.AddProbe(t.Context(), identity.NewProbe{Name: name, Region: "eu-north", Site: "oslo", ASN: 224})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// request is a certificate request by key. What it says of its subject is a lie.
func request(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{
		Subject: pkix.Name{CommonName: "root"}, DNSNames: []string{wire.CoordinatorName},
	}, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func recipient(t testing.TB) string {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id.Recipient().String()
}

// probe is the other end: a key and the certificate that goes with it.
type probe struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newProbe(t *testing.T, key *ecdsa.PrivateKey, chain [][]byte) probe {
	t.Helper()
	cert, err := x509.ParseCertificate(chain[0])
	if err != nil {
		t.Fatal(err)
	}
	return probe{key, cert}
}

// join adds and enrols a probe.
func join(t *testing.T, a *identity.Authority, name string) probe {
	t.Helper()
	token, key := addProbe(t, a, name), newKey(t)
	chain, _, err := a.Enrol(t.Context(), token.ID, token.Secret, request(t, key), recipient(t))
	if err != nil {
		t.Fatal(err)
	}
	return newProbe(t, key, chain)
}

// renew asks for the next certificate, for the given key.
func (p probe) renew(t *testing.T, a *identity.Authority, key *ecdsa.PrivateKey) (probe, error) {
	t.Helper()
	chain, err := a.Renew(t.Context(), p.cert, request(t, key))
	if err != nil {
		return probe{}, err
	}
	return newProbe(t, key, chain), nil
}

// peer is what the Authority says of a connection of this probe's, without one.
func (p probe) peer(t *testing.T, a *identity.Authority) (identity.Peer, error) {
	t.Helper()
	return a.Peer(t.Context(), tls.ConnectionState{PeerCertificates: []*x509.Certificate{p.cert}})
}

// connect runs a real TLS handshake over a pipe and returns how each end saw
// it. A client without a certificate passes nil.
func connect(t *testing.T, a *identity.Authority, certificate *tls.Certificate) (client, server tls.ConnectionState, err error) {
	t.Helper()
	near, far := net.Pipe()
	conn := tls.Server(far, a.ServerTLS())
	done := make(chan error, 1) // the server's end never waits for the test
	go func() {
		err := conn.Handshake()
		if err == nil {
			_, err = conn.Write([]byte("."))
		}
		done <- errors.Join(err, far.Close())
	}()
	config := &tls.Config{InsecureSkipVerify: true, ServerName: wire.CoordinatorName}
	if certificate != nil {
		config.Certificates = []tls.Certificate{*certificate}
	}
	c := tls.Client(near, config)
	_, readErr := io.ReadFull(c, make([]byte, 1))
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	return c.ConnectionState(), conn.ConnectionState(), errors.Join(<-done, readErr)
}

func (p probe) certificate() *tls.Certificate {
	return &tls.Certificate{Certificate: [][]byte{p.cert.Raw}, PrivateKey: p.key}
}

// changed says whether a channel of Changed was closed.
func changed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// sameKeys compares keyrings.
func sameKeys(x, y [][]byte) bool { return bytes.Equal(bytes.Join(x, nil), bytes.Join(y, nil)) }

// runFor runs the Authority's housekeeping while time passes.
func runFor(t *testing.T, a *identity.Authority, d time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
}
