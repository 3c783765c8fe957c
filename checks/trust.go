package checks

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
)

// Trust is how a kind shakes hands with its server and what it believes. Every
// kind has it from [Target.Trust] and adds what is its own. It is not changed
// once it is in use, by many attempts at once.
type Trust struct {
	// Name is whom the certificate must be for: a name or an address.
	Name string
	// Roots are the authorities that are believed; nil means the system's.
	Roots *x509.CertPool
	// Protocols are offered, the best first (RFC 7301); none offers nothing.
	Protocols []string
	// Client is shown to a server that asks for a certificate; nil is none.
	Client *tls.Certificate
	// Chains is the memory of the agent; with nil every run verifies.
	Chains *Chains
}

// Trust is how the target's server is believed that goes by name. The error is
// a *FieldError for "ca".
func (t Target) Trust(env Env, name string) (Trust, error) {
	roots, err := t.Roots(env)
	return Trust{Name: name, Roots: roots, Chains: env.Chains}, err
}

// Pair is the certificate with its key, which env is asked for; nil without a
// certificate. The error is a *FieldError and never holds the key.
func (c *ClientCertificate) Pair(env Env) (*tls.Certificate, error) {
	if c == nil {
		return nil, nil
	}
	if env.Password == nil {
		return nil, fieldError("client", "this program has no keys")
	}
	key, err := env.Password(c.Key.Name)
	if err != nil {
		return nil, fieldError("client.key", "%v", err)
	}
	pair, err := tls.X509KeyPair(c.Certificate.PEM, []byte(key))
	if err != nil {
		return nil, fieldError("client", "%v, expected a certificate and its key as PEM", err)
	}
	return &pair, nil
}

// Refusal says of an error whether the server refused the client's certificate
// by it, which is our own fault; else it returns the error as it is. In TLS 1.3
// the server looks at that certificate when the handshake has ended for us, so
// the first answer may bring it.
func (t Trust) Refusal(err error) error {
	words, ok := alert(err)
	if !ok || t.Client == nil || !strings.Contains(words, "certificate") && words != "access denied" {
		return err
	}
	return Fail(AuthRejected, "the server refuses our certificate: %s", words)
}

// trial is one handshake under a Trust.
type trial struct {
	Trust
	found *verified
}

// config has no cache for sessions. A resumed session shows no certificate: a
// fault in it, or its end, would stay unseen for as long as a ticket is good.
//
// crypto/tls is told to verify nothing by itself, since it has no memory; verify
// does all of it.
func (t *trial) config() *tls.Config {
	cfg := &tls.Config{
		ServerName: t.Name, NextProtos: t.Protocols,
		InsecureSkipVerify: true, VerifyConnection: t.verify,
	}
	if t.Client != nil {
		cfg.Certificates = []tls.Certificate{*t.Client}
	}
	return cfg
}

// verify gives the error that crypto/tls gives.
func (t *trial) verify(state tls.ConnectionState) error {
	var err error
	if t.found, err = t.Chains.verify(believed{t.Roots, t.Name}, state.PeerCertificates); err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}

// shown is what the server showed in a handshake that came to its end.
func (t *trial) shown(state tls.ConnectionState) *Handshake {
	return &Handshake{Version: versionName(state.Version), Chain: t.found.shown}
}
