package identity

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"filippo.io/age"

	"varde/proto/durable"
	"varde/proto/wire"
)

// ErrJoined says that a folder holds an identity already.
var ErrJoined = errors.New("this machine is a probe already")

// Join makes the keys of a new probe, redeems the token with enrol, and keeps
// what the coordinator answers. Nothing of it is used before all of it is on
// disk. When it fails, Dir is as it was; where the token is used up by then,
// the error says so.
func Join(ctx context.Context, o Options, token wire.Token, enrol func(context.Context, wire.EnrolRequest) (wire.Enrolment, error)) (*Identity, error) {
	if _, err := os.Lstat(path(o.Dir)); err == nil {
		return nil, fmt.Errorf("join: %w: %s; remove that file to join anew", ErrJoined, path(o.Dir))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("join: %w", err)
	}
	undo, err := makeFolders(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	s, err := join(ctx, o.Dir, token, enrol)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("join: %w", err), undo())
	}
	return o.identity(s), nil
}

func join(ctx context.Context, dir string, token wire.Token, enrol func(context.Context, wire.EnrolRequest) (wire.Enrolment, error)) (*state, error) {
	w, err := reserve(dir)
	if err != nil {
		return nil, err
	}
	f, request, err := newFile(token)
	if err == nil {
		var e wire.Enrolment
		if e, err = enrol(ctx, request); err == nil {
			return f.complete(w, token, e)
		}
	}
	return nil, errors.Join(err, w.Discard())
}

// complete puts the answer of the coordinator into the file, and the file in
// place.
func (f file) complete(w *durable.File, token wire.Token, e wire.Enrolment) (*state, error) {
	s, err := f.accept(token, e)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the token is used up, but the answer cannot be accepted: %w", err), w.Discard())
	}
	b, err := s.file.encode()
	if err == nil {
		err = w.Commit(b)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the token is used up, but the identity could not be kept: %w", err), w.Discard())
	}
	return s, nil
}

// newFile makes the keys of a probe, and the request to enrol them.
func newFile(token wire.Token) (file, wire.EnrolRequest, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return file{}, wire.EnrolRequest{}, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return file{}, wire.EnrolRequest{}, err
	}
	secrets, err := age.GenerateX25519Identity()
	if err != nil {
		return file{}, wire.EnrolRequest{}, err
	}
	request, err := newRequest(key)
	if err != nil {
		return file{}, wire.EnrolRequest{}, err
	}
	f := file{Key: string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), AgeIdentity: secrets.String()}
	return f, wire.EnrolRequest{TokenID: token.ID, Secret: token.Secret, Request: request, Recipient: secrets.Recipient().String()}, nil
}

// newRequest is a certificate request that says nothing but the key: name and
// region are for the coordinator to say.
func newRequest(key signer) ([]byte, error) {
	return x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
}

// accept verifies what the coordinator answered and fills the file with it.
func (f file) accept(token wire.Token, e wire.Enrolment) (*state, error) {
	for _, der := range e.Chain {
		if sha256.Sum256(der) == token.CASHA256 {
			f.Authorities = [][]byte{bytes.Clone(der)}
		}
	}
	if f.Authorities == nil {
		return nil, errors.New("certificate_chain: does not hold the CA that the token names")
	}
	f.Name, f.Region, f.Site = e.Name, e.Region, e.Site
	f.Chain, f.PlanKey, f.Coordinators = e.Chain, e.PlanKey, e.Coordinators
	f.Obtained = time.Now().UTC().Round(0)
	s, err := f.parse()
	if err != nil {
		return nil, err
	}
	return s, s.verifyLeaf()
}

// verifyLeaf makes sure that a CA of the fleet vouches for a new certificate.
func (s *state) verifyLeaf() error {
	_, err := s.leaf.Verify(x509.VerifyOptions{
		Roots:         s.roots,
		Intermediates: x509.NewCertPool(),
		CurrentTime:   within(s.leaf),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return fmt.Errorf("certificate_chain: %w", err)
	}
	return nil
}

// reserveBytes is more than a new identity takes, in bytes.
const reserveBytes = 16 << 10

// reserve opens a file beside the identity that will be, and takes the space
// for it: a folder that cannot be written and a full disk show before the
// token is used up.
func reserve(dir string) (*durable.File, error) {
	w, err := durable.Begin(path(dir))
	if err != nil {
		return nil, err
	}
	if err := w.Reserve(reserveBytes); err != nil {
		return nil, errors.Join(err, w.Discard())
	}
	return w, nil
}

// makeFolders makes dir and what is missing above it, and returns what takes
// them away again.
func makeFolders(dir string) (undo func() error, err error) {
	var missing []string // deepest first
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || d == filepath.Dir(d) {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		missing = append(missing, d)
	}
	undo = func() error {
		var errs []error
		for _, d := range missing {
			if err := os.Remove(d); !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		return errors.Join(errs...)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, errors.Join(err, undo())
	}
	return undo, nil
}
