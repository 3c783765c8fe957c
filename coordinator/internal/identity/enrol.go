package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"net/url"
	"time"

	"filippo.io/age"

	"varde/proto/wire"
)

// ErrRequest says that a certificate request or what came with it cannot be
// accepted.
var ErrRequest = errors.New("enrolment request is not acceptable")

// maxRequest is more than ten times a request for any key that is accepted.
const maxRequest = 8 << 10

// Enrol redeems a token: it adds the probe to the roster and returns its
// certificate chain (DER, leaf first, the CA last). What the request says of
// its subject is not looked at. Its errors are ErrTokenUnknown, ErrTokenUsed,
// ErrTokenExpired and ErrRequest, and those of the Store.
func (a *Authority) Enrol(ctx context.Context, tokenID, secret [16]byte, requestDER []byte, recipient string) ([][]byte, Entry, error) {
	chain, r, err := a.enrol(ctx, tokenID, secret, requestDER, recipient)
	if err != nil {
		return nil, Entry{}, fmt.Errorf("enrol: %w", err)
	}
	a.log.Info("probe enrolled", "probe", r.Name, "region", r.Region, "site", r.Site)
	return chain, r.entry(), nil
}

func (a *Authority) enrol(ctx context.Context, tokenID, secret [16]byte, requestDER []byte, recipient string) (chain [][]byte, r record, err error) {
	name, err := a.tokenOwner(tokenID, secret)
	if err != nil {
		return nil, record{}, err
	}
	request, err := parseRequest(requestDER)
	if err != nil {
		return nil, record{}, err
	}
	if _, err := age.ParseX25519Recipient(recipient); err != nil {
		return nil, record{}, fmt.Errorf("%w: recipient %.80q is not an X25519 one (age1...)", ErrRequest, recipient)
	}
	key := sha256.Sum256(request.RawSubjectPublicKeyInfo)
	if err := a.unclaimed(key, name); err != nil {
		return nil, record{}, err
	}
	now := time.Now()
	r, err = a.update(ctx, name, func(r record, exists bool) (record, error) {
		if !exists || !r.Token.holds(tokenID, sha256.Sum256(secret[:])) {
			return record{}, ErrTokenUnknown // replaced or removed since tokenOwner looked
		}
		if err := r.redeemable(now); err != nil {
			return record{}, err
		}
		var leaf *x509.Certificate
		if chain, leaf, err = a.issue(probeCertificate(r.subject()), request.PublicKey, now); err != nil {
			return record{}, err
		}
		r.Member = &member{KeySHA256: key[:], Recipient: recipient, Enrolled: now.UTC().Round(0), NotAfter: leaf.NotAfter}
		return r, nil
	})
	return chain, r, err
}

// Renew issues the next certificate to the holder of cert, which may have
// expired up to LateRenewal ago. The request may bring a new key; the roster
// then holds the former one too until the new certificate is used for the
// first time, so that a lost answer locks nobody out. Its errors are those of
// Peer, ErrRequest, and those of the Store.
func (a *Authority) Renew(ctx context.Context, cert *x509.Certificate, requestDER []byte) ([][]byte, error) {
	chain, err := a.renew(ctx, cert, requestDER)
	if err != nil {
		return nil, fmt.Errorf("renew: %w", err)
	}
	return chain, nil
}

func (a *Authority) renew(ctx context.Context, cert *x509.Certificate, requestDER []byte) (chain [][]byte, err error) {
	now := time.Now()
	peer, err := a.verify([]*x509.Certificate{cert}, now)
	if err != nil {
		return nil, err
	}
	request, err := parseRequest(requestDER)
	if err != nil {
		return nil, err
	}
	held, next := keySum(cert), sha256.Sum256(request.RawSubjectPublicKeyInfo)
	if err := a.unclaimed(next, peer.Subject.Name); err != nil {
		return nil, err
	}
	r, err := a.update(ctx, peer.Subject.Name, func(r record, exists bool) (record, error) {
		if !exists || !r.holds(held) {
			return record{}, ErrRemoved // since verify looked
		}
		var leaf *x509.Certificate
		if chain, leaf, err = a.issue(probeCertificate(r.subject()), request.PublicKey, now); err != nil {
			return record{}, err
		}
		r.Member.KeySHA256, r.Member.Previous, r.Member.NotAfter = next[:], nil, leaf.NotAfter
		if next != held {
			r.Member.Previous = held[:]
		}
		return r, nil
	})
	if err != nil {
		return nil, err
	}
	a.log.Info("certificate renewed", "probe", r.Name, "expires", r.Member.NotAfter, "late", peer.Renewal)
	return chain, nil
}

// unclaimed refuses a key that another probe of the roster holds: one key is
// one probe.
func (a *Authority) unclaimed(key [32]byte, name string) error {
	for _, r := range a.snapshot() {
		if r.Name != name && r.holds(key) {
			return fmt.Errorf("%w: its key belongs to another probe", ErrRequest)
		}
	}
	return nil
}

// parseRequest reads a PKCS #10 request whose sender holds the key in it.
func parseRequest(der []byte) (*x509.CertificateRequest, error) {
	if len(der) > maxRequest {
		return nil, fmt.Errorf("%w: certificate request of %d bytes, expected at most %d", ErrRequest, len(der), maxRequest)
	}
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("%w: certificate request: %w", ErrRequest, err)
	}
	switch key := r.PublicKey.(type) {
	case ed25519.PublicKey:
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return nil, fmt.Errorf("%w: key on curve %s, expected ECDSA on P-256 or Ed25519", ErrRequest, key.Params().Name)
		}
	default:
		return nil, fmt.Errorf("%w: key of type %s, expected ECDSA on P-256 or Ed25519", ErrRequest, r.PublicKeyAlgorithm)
	}
	if err := r.CheckSignature(); err != nil {
		return nil, fmt.Errorf("%w: certificate request: %w", ErrRequest, err)
	}
	return r, nil
}

// probeCertificate is what a probe's certificate says.
func probeCertificate(s wire.Subject) *x509.Certificate {
	return &x509.Certificate{
		Subject:     pkix.Name{CommonName: s.Name},
		URIs:        []*url.URL{s.URI()},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

// issue signs a certificate and returns its chain. It never outlives the CA.
func (a *Authority) issue(template *x509.Certificate, key any, at time.Time) ([][]byte, *x509.Certificate, error) {
	if begin := a.Made(); at.Before(begin) {
		at = begin // our clock went back: nobody believes a certificate older than its CA
	}
	template.NotBefore = at.Add(-backdate)
	template.NotAfter = at.Add(a.life)
	if end := a.keys.authority.NotAfter; template.NotAfter.After(end) {
		template.NotAfter = end
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.BasicConstraintsValid = true
	der, err := x509.CreateCertificate(rand.Reader, template, a.keys.authority, key, a.keys.signer)
	if err != nil {
		return nil, nil, fmt.Errorf("issue certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, nil, fmt.Errorf("issue certificate: %w", err)
	}
	return [][]byte{der, a.keys.authority.Raw}, leaf, nil
}

// keySum is the SHA-256 of a certificate's SubjectPublicKeyInfo.
func keySum(cert *x509.Certificate) [32]byte { return sha256.Sum256(cert.RawSubjectPublicKeyInfo) }
