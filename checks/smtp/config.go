// Package smtp checks mail servers that take mail: submission with implicit
// TLS (smtps, 465) or STARTTLS (submission, 587), and port 25 (smtp), where
// STARTTLS is used if it is offered (RFC 5321, 8314, 3207, 4954).
//
// An attempt greets, says EHLO, begins TLS, logs in if the target has a login,
// and quits. It never names a sender or a recipient. A certificate is verified
// wherever TLS is used, on port 25 too, and a password is never sent without.
package smtp

import (
	"crypto/tls"
	"errors"
	"time"

	"varde/checks"
)

// Check asks one server. It is immutable.
type Check struct {
	endpoint checks.Endpoint
	timeout  time.Duration
	network  checks.Network
	tls      *tls.Config
	login    *checks.Credentials
}

var _ checks.Check = (*Check)(nil)

// Schemes are the URL schemes of the kind and their ports.
func Schemes() map[string]uint16 {
	return map[string]uint16{"smtps": 465, "submission": 587, "smtp": 25}
}

// Validate returns every fault that makes t no target of this kind, as
// *checks.FieldError joined.
func Validate(t checks.Target) error {
	_, err := read(t)
	return err
}

func read(t checks.Target) (checks.Endpoint, error) {
	e, err := t.Endpoint(Schemes())
	if err == nil {
		err = e.Bare()
	}
	return e, errors.Join(err, t.Expect.Only())
}

// New returns the check that t describes, with its password and authorities
// read from env.
func New(t checks.Target, env checks.Env) (*Check, error) {
	endpoint, err := read(t)
	roots, rootsErr := t.Roots(env)
	login, loginErr := t.Credentials(env)
	if err := errors.Join(err, rootsErr, loginErr); err != nil {
		return nil, err
	}
	return &Check{
		endpoint: endpoint,
		timeout:  t.WithDefaults().Timeout,
		network:  env.Network,
		tls:      &tls.Config{ServerName: endpoint.Host, RootCAs: roots},
		login:    login,
	}, nil
}

// implicit says whether TLS begins before the greeting.
func (c *Check) implicit() bool { return c.endpoint.Scheme == "smtps" }

// demanding says whether an attempt ends where STARTTLS is not offered.
func (c *Check) demanding() bool { return c.endpoint.Scheme == "submission" || c.login != nil }

func (c *Check) greetingLimit() time.Duration {
	if c.endpoint.Scheme == "smtp" {
		return checks.MXGreetingLimit
	}
	return checks.GreetingLimit
}
