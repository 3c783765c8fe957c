package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"varde/proto/durable"
)

// The files of an Authority.
const (
	authorityFile = "ca.pem"
	signerFile    = "ca.key"
	planFile      = "plan.key"
)

// keys is what must never be lost: without it the fleet has to join anew.
type keys struct {
	authority *x509.Certificate
	signer    *ecdsa.PrivateKey
	plan      ed25519.PrivateKey
}

// openKeys reads the keys in dir and makes those that are missing. The CA's
// certificate is written last: without it nobody can have joined, and a crash
// before it leaves keys that the next start goes on with. Beside it no key is
// ever made, since the fleet would not know it.
func openKeys(dir string) (keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return keys{}, err
	}
	var k keys
	var err error
	if _, err := os.Stat(filepath.Join(dir, authorityFile)); err == nil {
		for _, name := range []string{signerFile, planFile} {
			if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
				return keys{}, fmt.Errorf("%s is missing beside %s: restore it from a backup, or remove %s to begin a fleet anew",
					filepath.Join(dir, name), authorityFile, authorityFile)
			}
		}
	}
	if k.signer, err = openKey(filepath.Join(dir, signerFile), func() (*ecdsa.PrivateKey, error) {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}); err != nil {
		return keys{}, err
	}
	if k.plan, err = openKey(filepath.Join(dir, planFile), func() (ed25519.PrivateKey, error) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}); err != nil {
		return keys{}, err
	}
	k.authority, err = openAuthority(filepath.Join(dir, authorityFile), k.signer, time.Now())
	return k, err
}

// openKey reads a PKCS #8 key of one type, or makes it where there is none.
func openKey[K crypto.Signer](path string, generate func() (K, error)) (K, error) {
	var none K
	b, err := readPEM(path, "PRIVATE KEY")
	if errors.Is(err, fs.ErrNotExist) {
		key, err := generate()
		if err != nil {
			return none, err
		}
		der, err := x509.MarshalPKCS8PrivateKey(key)
		if err != nil {
			return none, err
		}
		return key, durable.Replace(path, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	}
	if err != nil {
		return none, err
	}
	any, err := x509.ParsePKCS8PrivateKey(b)
	if err != nil {
		return none, fmt.Errorf("read %s: not a key", path) // the cause could quote it
	}
	key, ok := any.(K)
	if !ok {
		return none, fmt.Errorf("read %s: key is a %T, expected a %T", path, any, none)
	}
	return key, nil
}

// openAuthority reads the CA's certificate, or makes it where there is none.
func openAuthority(path string, signer *ecdsa.PrivateKey, at time.Time) (*x509.Certificate, error) {
	der, err := readPEM(path, "CERTIFICATE")
	if errors.Is(err, fs.ErrNotExist) {
		if der, err = selfSign(signer, at); err != nil {
			return nil, err
		}
		err = durable.Replace(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	switch {
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", path, err)
	case !cert.IsCA || !signer.PublicKey.Equal(cert.PublicKey):
		return nil, fmt.Errorf("read %s: not the certificate of the key in %s", path, signerFile)
	case at.After(cert.NotAfter):
		return nil, fmt.Errorf("read %s: the CA expired on %s", path, cert.NotAfter.Format(time.DateOnly))
	}
	return cert, nil
}

func selfSign(signer *ecdsa.PrivateKey, at time.Time) ([]byte, error) {
	// The name tells two fleets apart in a tool that shows certificates.
	id := make([]byte, 4)
	rand.Read(id)
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: fmt.Sprintf("varde CA %x", id)},
		NotBefore:             at.Add(-backdate),
		NotAfter:              at.AddDate(AuthorityYears, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		MaxPathLenZero:        true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	return x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
}

// readPEM returns the one block of a file.
func readPEM(path, kind string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != kind {
		return nil, fmt.Errorf("read %s: expected one PEM block %q", path, kind)
	}
	return block.Bytes, nil
}
