package identity

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"varde/proto/wire"
)

// WrongCoordinatorError says that whoever answers at an address cannot show
// the CA that a token names.
type WrongCoordinatorError struct {
	// Address is the host:port that was dialled.
	Address string
}

// Error says it in words for the person who pasted the token.
func (e *WrongCoordinatorError) Error() string {
	return fmt.Sprintf("the coordinator at %s is not the one this token was made for", e.Address)
}

// TLS is how the probe speaks to a coordinator: TLS 1.3, with the certificate
// that it has at that moment, to whoever the CAs of that moment call
// wire.CoordinatorName.
func (i *Identity) TLS() *tls.Config {
	return &tls.Config{
		MinVersion:           tls.VersionTLS13,
		ServerName:           wire.CoordinatorName,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return i.Certificate(), nil },
		InsecureSkipVerify:   true, // VerifyConnection does it, without the clock
		VerifyConnection: func(c tls.ConnectionState) error {
			if len(c.PeerCertificates) == 0 {
				return errNoCertificate
			}
			return verifyCoordinator(c.PeerCertificates[0], i.now.Load().roots)
		},
	}
}

// Certificate is what the probe shows of itself at that moment, with its key.
func (i *Identity) Certificate() *tls.Certificate {
	s := i.now.Load()
	return &tls.Certificate{Certificate: s.file.Chain, PrivateKey: s.key, Leaf: s.leaf}
}

// JoinTLS is how a machine that has nothing but a token speaks to the
// coordinator at address (host:port): it believes the CA whose hash the token
// holds and that the coordinator shows in its chain. Anybody else is a
// *WrongCoordinatorError, before the token's secret is sent.
func JoinTLS(token wire.Token, address string) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		ServerName:         wire.CoordinatorName,
		InsecureSkipVerify: true, // VerifyConnection does it, without the clock
		VerifyConnection: func(c tls.ConnectionState) error {
			for _, cert := range c.PeerCertificates {
				if sha256.Sum256(cert.Raw) != token.CASHA256 {
					continue
				}
				roots := x509.NewCertPool()
				roots.AddCert(cert)
				return verifyCoordinator(c.PeerCertificates[0], roots)
			}
			return &WrongCoordinatorError{Address: address}
		},
	}
}

var errNoCertificate = errors.New("coordinator showed no certificate")

// verifyCoordinator asks who vouches for the certificate, and for what name.
func verifyCoordinator(leaf *x509.Certificate, roots *x509.CertPool) error {
	_, err := leaf.Verify(x509.VerifyOptions{
		DNSName:       wire.CoordinatorName,
		Roots:         roots,
		Intermediates: x509.NewCertPool(),
		CurrentTime:   within(leaf),
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	})
	if err != nil {
		return fmt.Errorf("verify coordinator: %w", err)
	}
	return nil
}

// within is a moment at which a certificate is valid. A probe does not trust
// its own clock: the machine may have just woken up in 1970, and nobody but the
// CA can say more about time than the clock of whoever is at the other end.
func within(cert *x509.Certificate) time.Time {
	return cert.NotBefore.Add(cert.NotAfter.Sub(cert.NotBefore) / 2)
}
