// Package pop3 checks servers from which mail is taken away: implicit TLS
// (pop3s, 995) or STLS (pop3, 110), which is required there (RFC 1939, 2449,
// 2595, 5034, 8314).
//
// An attempt reads the greeting, asks what the server can do and begins TLS. If
// the target has a login it logs in and asks how much mail there is. Then it
// quits. It takes no mail and deletes none, and a password is never sent without
// TLS.
package pop3

import (
	"errors"
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
}

var _ checks.Check = (*Check)(nil)

// Schemes are the URL schemes of the kind and their ports.
func Schemes() map[string]uint16 { return map[string]uint16{"pop3s": 995, "pop3": 110} }

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
	return e, errors.Join(err, t.Only("login", "ca"), t.Expect.Only())
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
	}, nil
}

// implicit says whether TLS begins before the greeting.
func (c *Check) implicit() bool { return c.endpoint.Scheme == "pop3s" }
