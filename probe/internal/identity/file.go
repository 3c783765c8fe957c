package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"

	"varde/proto/durable"
	"varde/proto/wire"
)

// maxFile bounds the identity on disk, in bytes.
const maxFile = 256 << 10

// signer is a private key of a type that we make.
type signer interface {
	crypto.Signer
	Equal(crypto.PrivateKey) bool
}

// file is an identity on disk, all of it in one place: a key without its
// certificate, or the other way round, is worth nothing.
type file struct {
	Name   string `json:"name"`
	Region string `json:"region"`
	Site   string `json:"site,omitempty"`
	// Key is the private key, PKCS #8 in PEM.
	Key string `json:"key"`
	// Chain is the certificate, DER, leaf first.
	Chain [][]byte `json:"certificate_chain"`
	// Obtained is when the certificate came, by the clock of this machine,
	// which may be wrong: only what has passed since is ever looked at.
	Obtained time.Time `json:"obtained"`
	// Authorities are the CAs that vouch for coordinators, DER.
	Authorities [][]byte `json:"authorities"`
	// PlanKey is the Ed25519 key by which plans are verified.
	PlanKey []byte `json:"plan_key"`
	// Coordinators are host:port.
	Coordinators []string `json:"coordinators"`
	// AgeIdentity opens the secrets that are sealed to this probe.
	AgeIdentity string `json:"age_identity"`
}

func path(dir string) string { return filepath.Join(dir, "identity.json") }

// readFile returns ErrNotJoined where there is no identity.
func readFile(dir string) (file, error) {
	r, err := os.Open(path(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return file{}, fmt.Errorf("%w (there is no %s)", ErrNotJoined, path(dir))
	}
	if err != nil {
		return file{}, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return file{}, err
	}
	var f file
	if json.Unmarshal(b, &f) != nil { // the cause could quote a key
		return file{}, fmt.Errorf("read %s: not an identity: restore it, or remove it and join again", path(dir))
	}
	return f, nil
}

// write replaces the identity in dir.
func (f file) write(dir string) error {
	b, err := f.encode()
	if err != nil {
		return err
	}
	return durable.Replace(path(dir), b)
}

// encode is what readFile reads. It fails where that would read a part only.
func (f file) encode() ([]byte, error) {
	b, err := json.MarshalIndent(f, "", "  ")
	if err == nil && len(b) > maxFile {
		err = fmt.Errorf("identity of %d bytes, expected at most %d", len(b), maxFile)
	}
	return b, err
}

// parse reads what the file holds. Its errors hold no key.
func (f file) parse() (*state, error) {
	s := &state{file: f, roots: x509.NewCertPool()}
	var err error
	if s.key, err = parseKey(f.Key); err != nil {
		return nil, err
	}
	if s.recipient, err = age.ParseX25519Identity(f.AgeIdentity); err != nil {
		return nil, errors.New("age_identity: not an X25519 identity")
	}
	if len(f.PlanKey) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("plan_key: %d bytes, expected %d", len(f.PlanKey), ed25519.PublicKeySize)
	}
	if len(f.Coordinators) == 0 {
		return nil, errors.New("coordinators: none, expected at least one")
	}
	if err := s.parseAuthorities(); err != nil {
		return nil, err
	}
	return s, s.parseLeaf()
}

func parseKey(text string) (signer, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("key: expected one PEM block")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("key: not a PKCS #8 private key")
	}
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("key: is a %T, expected ECDSA or Ed25519", key)
}

func (s *state) parseAuthorities() error {
	if n := len(s.file.Authorities); n == 0 || n > maxAuthorities {
		return fmt.Errorf("authorities: %d, expected 1 to %d", n, maxAuthorities)
	}
	for n, der := range s.file.Authorities {
		ca, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("authorities[%d]: %w", n, err)
		}
		if !ca.IsCA {
			return fmt.Errorf("authorities[%d]: %q is not a CA", n, ca.Subject)
		}
		s.roots.AddCert(ca)
	}
	return nil
}

// parseLeaf reads the certificate and makes sure that it is this probe's. The
// CA that signed it may have been followed by another since: that is for the
// coordinator to judge.
func (s *state) parseLeaf() error {
	if len(s.file.Chain) == 0 {
		return errors.New("certificate_chain: missing")
	}
	var err error
	if s.leaf, err = x509.ParseCertificate(s.file.Chain[0]); err != nil {
		return fmt.Errorf("certificate_chain: %w", err)
	}
	public, ok := s.key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(s.leaf.PublicKey) {
		return errors.New("certificate_chain: certificate is not for the key of this probe")
	}
	want := wire.Subject{Name: s.file.Name, Region: s.file.Region}
	if got, err := wire.SubjectOf(s.leaf); err != nil {
		return fmt.Errorf("certificate_chain: %w", err)
	} else if got != want {
		return fmt.Errorf("certificate_chain: certificate is for %q in %q, expected %q in %q", got.Name, got.Region, want.Name, want.Region)
	}
	return nil
}
