package peer

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"varde/proto/wire"
)

// protocol is what both ends call their conversation (RFC 7301): nothing that
// was meant for a coordinator is ever taken here for a request.
const protocol = "varde-peer"

var errStranger = errors.New("not a probe of the fleet")

// handshakeConfig is for a side of a handshake that accepts whom met accepts.
func (p *Peer) handshakeConfig(met func(wire.RosterEntry) error) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{protocol},
		GetCertificate:       func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return p.opt.Certificate(), nil },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return p.opt.Certificate(), nil },
		ClientAuth:           tls.RequireAnyClientCert,
		// Who was of the fleet at an earlier handshake need not be now.
		SessionTicketsDisabled: true,
		InsecureSkipVerify:     true, // VerifyConnection does it, without a name and the clock
		VerifyConnection: func(s tls.ConnectionState) error {
			if s.NegotiatedProtocol != protocol {
				return fmt.Errorf("speaks %q, expected %q", s.NegotiatedProtocol, protocol)
			}
			who, err := p.member(s.PeerCertificates)
			if err != nil {
				return err
			}
			return met(who)
		},
	}
}

// member returns whose certificate is shown, by the plan in force: one of its
// CAs must vouch for it, and its roster must hold the key.
func (p *Peer) member(chain []*x509.Certificate) (wire.RosterEntry, error) {
	plan, _, ok := p.opt.Plans.Current()
	if !ok || len(chain) == 0 {
		return wire.RosterEntry{}, errStranger
	}
	leaf, roots := chain[0], x509.NewCertPool()
	for _, der := range plan.Authorities {
		if ca, err := x509.ParseCertificate(der); err == nil { // one that is not is none
			roots.AddCert(ca)
		}
	}
	// The middle of its life in place of now: neither machine need know the time,
	// and a probe that was cut off until its certificate expired may renew it
	// through here. The roster says who still belongs to the fleet.
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: x509.NewCertPool(), CurrentTime: leaf.NotBefore.Add(leaf.NotAfter.Sub(leaf.NotBefore) / 2),
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return wire.RosterEntry{}, fmt.Errorf("%w: %w", errStranger, err)
	}
	who, err := wire.SubjectOf(leaf)
	if err != nil {
		return wire.RosterEntry{}, fmt.Errorf("%w: %w", errStranger, err)
	}
	key := sha256.Sum256(leaf.RawSubjectPublicKeyInfo)
	i := slices.IndexFunc(plan.Roster, func(r wire.RosterEntry) bool {
		return r.KeySHA256 == key && r.Name == who.Name && r.Region == who.Region
	})
	if i < 0 {
		return wire.RosterEntry{}, fmt.Errorf("%w: the roster does not hold the key of %s", errStranger, who.Name)
	}
	return plan.Roster[i], nil
}
