// Package smtp checks mail servers that take mail. The scheme says in which
// role: smtps (465) and submission (587, STARTTLS required) take it from their
// own users, smtp (25) from anybody, with STARTTLS if it is offered (RFC 5321,
// 6409, 8314, 3207, 4954).
//
// An attempt greets, says EHLO, begins TLS, logs in if the target has a login,
// and quits. With a sender and a recipient of the operator's own it also asks
// whether a mail between them would be taken, and takes that back: it never
// sends one. [Session.Submit] does, for a round trip. A certificate is verified
// wherever TLS is used, on port 25 too, and a password is never sent without.
package smtp

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"varde/checks"
)

// Check asks one server. It is immutable.
type Check struct {
	endpoint checks.Endpoint
	timeout  time.Duration
	network  checks.Network
	trust    checks.Trust
	login    *checks.Credentials
	from, to string
	// credulous says that any certificate will do, for asking which it is.
	credulous bool
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
		err = errors.Join(e.Bare(), errDomain(t, e))
	}
	return e, errors.Join(err, t.Only("login", "ca", "from", "to", "domain"), t.Expect.Only(), errEnvelope(t))
}

// errDomain wants a domain only of a server that takes mail from anybody, and
// that goes by a name, as mail exchangers do.
func errDomain(t checks.Target, e checks.Endpoint) error {
	_, err := netip.ParseAddr(e.Host)
	switch {
	case t.Domain == "":
		return nil
	case e.Scheme != "smtp":
		return fault("domain", "given for %s://, expected only for smtp://, where mail for a domain comes in", e.Scheme)
	case err == nil:
		return fault("domain", "given for the address %s, expected the name of a mail exchanger in url", e.Host)
	case !validDomain(t.Domain):
		return fault("domain", "%.64q, expected a domain in ASCII such as example.net", t.Domain)
	}
	return nil
}

// errEnvelope wants a sender and a recipient, or neither.
func errEnvelope(t checks.Target) error {
	if t.From == "" && t.To == "" {
		return nil
	}
	var errs []error
	for _, a := range []struct{ field, address string }{{"from", t.From}, {"to", t.To}} {
		if !ValidAddress(a.address) {
			errs = append(errs, fault(a.field, "%.64q, expected from and to, each an address such as probe@example.net", a.address))
		}
	}
	return errors.Join(errs...)
}

func fault(field, format string, args ...any) error {
	return &checks.FieldError{Field: field, Problem: fmt.Sprintf(format, args...)}
}

// New returns the check that t describes, with its password and authorities
// read from env.
func New(t checks.Target, env checks.Env) (*Check, error) {
	endpoint, err := read(t)
	trust, trustErr := t.Trust(env, endpoint.Host)
	login, loginErr := t.Credentials(env)
	if err := errors.Join(err, trustErr, loginErr); err != nil {
		return nil, err
	}
	return &Check{
		endpoint: endpoint,
		timeout:  t.WithDefaults().Timeout,
		network:  env.Network,
		trust:    trust,
		login:    login,
		from:     t.From,
		to:       t.To,
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
