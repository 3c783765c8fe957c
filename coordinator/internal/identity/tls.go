package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"varde/proto/wire"
)

// Why a certificate is refused.
var (
	ErrNoCertificate = errors.New("no client certificate was shown, expected that of a probe")
	ErrNotOurs       = errors.New("client certificate was not issued to a probe by this coordinator")
	ErrRemoved       = errors.New("this probe is not in the roster any more: it was removed, or another machine joined under its name")
	ErrExpired       = errors.New("client certificate expired too long ago to be renewed: remove the probe and add it again")
)

// Peer is who stands at the other end of a connection.
type Peer struct {
	Subject wire.Subject
	// Entry is the probe as the roster has it.
	Entry Entry
	// Renewal is true for an expired certificate: its holder may renew it and
	// do nothing else.
	Renewal bool
	// Certificate is what Renew takes.
	Certificate *x509.Certificate
}

// ServerTLS is how the coordinator answers: TLS 1.3, a certificate for
// wire.CoordinatorName that is renewed without a restart, and the CA's own in
// the chain, so that a joining probe can compare it with its token.
//
// A client may come without a certificate, because it has none before it has
// joined. A certificate that is not ours ends the handshake. Who is left is for
// Peer to tell, call by call: a probe that was removed then gets a sentence
// and not a TLS alert.
func (a *Authority) ServerTLS() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return a.serverCertificate(time.Now())
		},
		ClientAuth: tls.RequestClientCert,
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 {
				return nil
			}
			_, err := a.subject(s.PeerCertificates[0])
			return err
		},
		// A resumed session could outlive what its certificate was good for.
		SessionTicketsDisabled: true,
	}
}

// Peer says who the client of a connection is now. Its errors are
// ErrNoCertificate, which leaves only Enrol, ErrNotOurs, ErrRemoved and
// ErrExpired.
func (a *Authority) Peer(ctx context.Context, s tls.ConnectionState) (Peer, error) {
	p, err := a.verify(s.PeerCertificates, time.Now())
	if err != nil {
		return Peer{}, err
	}
	if err := a.settle(ctx, p); err != nil {
		// The former key stays good a little longer, which harms nobody.
		a.log.Warn("forget former key", "probe", p.Subject.Name, "error", err)
	}
	return p, nil
}

// verify is the one judgement of client certificates.
func (a *Authority) verify(certs []*x509.Certificate, at time.Time) (Peer, error) {
	if len(certs) == 0 {
		return Peer{}, ErrNoCertificate
	}
	subject, err := a.subject(certs[0])
	if err != nil {
		return Peer{}, err
	}
	a.mu.RLock()
	r, ok := a.records[subject.Name]
	a.mu.RUnlock()
	if !ok || r.Region != subject.Region || !r.holds(keySum(certs[0])) {
		return Peer{}, ErrRemoved
	}
	late := at.Sub(certs[0].NotAfter)
	if late > LateRenewal {
		return Peer{}, fmt.Errorf("%w (it ended on %s)", ErrExpired, certs[0].NotAfter.Format(time.DateOnly))
	}
	return Peer{Subject: subject, Entry: r.entry(), Renewal: late > 0, Certificate: certs[0]}, nil
}

// maxOurs bounds the certificates that are known to be ours: a probe has one for a
// month, and after a renewal a second one.
const maxOurs = 1 << 14

// subject reads who a certificate of ours names. Each stream is asked for that again and
// again, and a signature that held once holds.
func (a *Authority) subject(cert *x509.Certificate) (wire.Subject, error) {
	sum := sha256.Sum256(cert.Raw)
	a.mu.RLock()
	s, ok := a.ours[sum]
	a.mu.RUnlock()
	if ok {
		return s, nil
	}
	s, err := a.examine(cert)
	if err != nil {
		return wire.Subject{}, fmt.Errorf("%w: %w", ErrNotOurs, err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.ours) >= maxOurs {
		clear(a.ours)
	}
	a.ours[sum] = s
	return s, nil
}

// examine looks whether a certificate is ours, and whom it names. Its dates are not
// looked at: what an expired one is good for is for verify to say, and one that is not
// yet valid shows that our own clock went back.
func (a *Authority) examine(cert *x509.Certificate) (wire.Subject, error) {
	_, err := cert.Verify(x509.VerifyOptions{
		Roots:         a.roots,
		Intermediates: x509.NewCertPool(),
		CurrentTime:   cert.NotAfter,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return wire.Subject{}, err
	}
	return wire.SubjectOf(cert)
}

// settle forgets the former key of a probe that used its new one.
func (a *Authority) settle(ctx context.Context, p Peer) error {
	held := keySum(p.Certificate)
	a.mu.RLock()
	r := a.records[p.Subject.Name]
	a.mu.RUnlock()
	if r.Member == nil || len(r.Member.Previous) == 0 || string(r.Member.KeySHA256) != string(held[:]) {
		return nil
	}
	_, err := a.update(ctx, p.Subject.Name, func(r record, exists bool) (record, error) {
		if !exists || r.Member == nil || string(r.Member.KeySHA256) != string(held[:]) {
			return record{}, ErrRemoved
		}
		r.Member.Previous = nil
		return r, nil
	})
	return err
}

// serverCertificate returns the coordinator's certificate, a new one when a
// third of the last one's life has passed.
func (a *Authority) serverCertificate(at time.Time) (*tls.Certificate, error) {
	a.serving.mu.Lock()
	defer a.serving.mu.Unlock()
	if c := a.serving.certificate; c != nil {
		age := at.Sub(c.Leaf.NotBefore)
		if life := c.Leaf.NotAfter.Sub(c.Leaf.NotBefore); age >= 0 && age < life/3 {
			return c, nil
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	chain, leaf, err := a.issue(&x509.Certificate{
		DNSNames:    []string{wire.CoordinatorName},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, key.Public(), at)
	if err != nil {
		return nil, err
	}
	a.serving.certificate = &tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: leaf}
	return a.serving.certificate, nil
}
