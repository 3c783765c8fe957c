// Package tcp checks that a server can be reached: tcp://host:port connects,
// tls://host:port also shakes hands and verifies who the server is (RFC 9293,
// 8446).
//
// An attempt sends nothing. If a banner is expected it listens until the server
// has said it, or has said another first line; of that it takes at most 1 kB.
package tcp

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"varde/checks"
)

// Check asks one server. It is immutable.
type Check struct {
	endpoint checks.Endpoint
	timeout  time.Duration
	network  checks.Network
	trust    checks.Trust
	banner   string // empty expects none
}

var _ checks.Check = (*Check)(nil)

// lineMax is how much of the first line is taken, in bytes.
const lineMax = 1024

// Schemes are the URL schemes of the kind. They have no ports of their own.
func Schemes() map[string]uint16 { return map[string]uint16{"tcp": 0, "tls": 0} }

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
	if err == nil && e.Port == 0 {
		err = fault("url", "%q, expected a port: %s://host:port", t.URL, e.Scheme)
	}
	errs := []error{err, t.Only("ca"), t.Expect.Only("banner")}
	if b := t.Expect.Banner; len(b) > lineMax || strings.ContainsAny(b, "\r\n") {
		errs = append(errs, fault("expect.banner", "%.64q, expected at most %d bytes on one line", b, lineMax))
	}
	return e, errors.Join(errs...)
}

func fault(field, format string, args ...any) error {
	return &checks.FieldError{Field: field, Problem: fmt.Sprintf(format, args...)}
}

// New returns the check that t describes, with its authorities read from env.
func New(t checks.Target, env checks.Env) (*Check, error) {
	endpoint, err := read(t)
	trust, trustErr := t.Trust(env, endpoint.Host)
	if err := errors.Join(err, trustErr); err != nil {
		return nil, err
	}
	return &Check{
		endpoint: endpoint,
		timeout:  t.WithDefaults().Timeout,
		network:  env.Network,
		trust:    trust,
		banner:   t.Expect.Banner,
	}, nil
}
