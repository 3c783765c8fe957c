// Package https checks web servers over https:// and http:// with HTTP/2 where
// the server offers it and HTTP/1.1 otherwise (RFC 9110, 9112, 9113).
//
// An attempt sends one GET on one fresh connection and looks at the status and,
// if a text is expected, at the first 64 kB of the body. It follows no
// redirect: a 3xx is a status like any other. It keeps no header, sends no
// cookie, and takes at most 64 kB of header.
package https

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"varde/checks"
)

// Check asks one server for one page. It is immutable.
type Check struct {
	endpoint checks.Endpoint
	timeout  time.Duration
	network  checks.Network
	tls      *tls.Config
	status   checks.Statuses
	body     string
}

var _ checks.Check = (*Check)(nil)

const (
	// urlMax bounds what is asked for, in bytes.
	urlMax = 2048
	// expectMax bounds the text that is looked for, in bytes.
	expectMax = 1024
)

// Schemes are the URL schemes of the kind and their ports.
func Schemes() map[string]uint16 { return map[string]uint16{"https": 443, "http": 80} }

// Validate returns every fault that makes t no target of this kind, as
// *checks.FieldError joined.
func Validate(t checks.Target) error {
	_, err := read(t)
	return err
}

func read(t checks.Target) (checks.Endpoint, error) {
	e, err := t.Endpoint(Schemes())
	errs := []error{err}
	fault := func(field, format string, args ...any) {
		errs = append(errs, &checks.FieldError{Field: field, Problem: fmt.Sprintf(format, args...)})
	}
	if err == nil && e.URL.Fragment != "" {
		fault("url", "fragment %q, expected none: it is never sent", e.URL.Fragment)
	}
	if len(t.URL) > urlMax {
		fault("url", "%d bytes long, expected at most %d", len(t.URL), urlMax)
	}
	if t.Login != nil {
		fault("login", "given, expected none: a web page is asked for without one")
	}
	if err := t.Expect.Status.Validate(); err != nil {
		fault("expect.status", "%v", err)
	}
	if n := len(t.Expect.Body); n > expectMax {
		fault("expect.body", "%d bytes long, expected at most %d", n, expectMax)
	}
	return e, errors.Join(append(errs, t.Expect.Only("status", "body"))...)
}

// New returns the check that t describes, with its authorities read from env.
func New(t checks.Target, env checks.Env) (*Check, error) {
	endpoint, err := read(t)
	roots, rootsErr := t.Roots(env)
	if err := errors.Join(err, rootsErr); err != nil {
		return nil, err
	}
	c := &Check{
		endpoint: endpoint,
		timeout:  t.WithDefaults().Timeout,
		network:  env.Network,
		tls:      &tls.Config{ServerName: endpoint.Host, RootCAs: roots, NextProtos: []string{"h2", "http/1.1"}},
		status:   t.Expect.Status,
		body:     t.Expect.Body,
	}
	return c, nil
}
