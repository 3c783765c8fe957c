// Package https checks web servers over https:// and http:// with HTTP/2 where
// the server offers it and HTTP/1.1 otherwise (RFC 9110, 9112, 9113).
//
// An attempt sends one request on one fresh connection and looks at the status
// and, if a text is expected, at the beginning of the body. It goes where a
// redirect leads only as often as the target says, and only within the same
// host, never from https to http. It asks for no compression and undoes none,
// keeps no header, sends no cookie, and takes at most 64 kB of header.
package https

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"time"

	"varde/checks"
)

// Check asks one server for one page. It is immutable.
type Check struct {
	endpoint  checks.Endpoint
	timeout   time.Duration
	network   checks.Network
	trust     checks.Trust
	method    string
	header    http.Header // beside what every request has; nil for nothing
	secrets   []string    // that the header holds
	version   string      // of HTTP; empty if the server chooses
	redirects int
	maxBody   int64
	status    checks.Statuses
	want      expected
}

var _ checks.Check = (*Check)(nil)

const (
	// urlMax bounds what is asked for, in bytes.
	urlMax = 2048
	// bodyDefault and bodyMax bound how much of a body is taken, in bytes. What
	// a server sends beside it must still fit into what an attempt may take.
	bodyDefault = 64 << 10
	bodyMax     = 256 << 10
	// redirectsMax is what browsers would bear at least; nobody's front page is
	// further away.
	redirectsMax = 10
)

// Schemes are the URL schemes of the kind and their ports.
func Schemes() map[string]uint16 { return map[string]uint16{"https": 443, "http": 80} }

// Validate returns every fault that makes t no target of this kind, as
// *checks.FieldError joined.
func Validate(t checks.Target) error {
	_, err := read(t)
	return err
}

func fault(field, format string, args ...any) error {
	return &checks.FieldError{Field: field, Problem: fmt.Sprintf(format, args...)}
}

// read takes from a target all that can be known without secrets.
func read(t checks.Target) (*Check, error) {
	e, err := t.Endpoint(Schemes())
	header, headerErr := readHeader(t.Headers)
	want, wantErr := readExpected(t)
	c := &Check{
		endpoint: e, timeout: t.WithDefaults().Timeout,
		method: cmp.Or(t.Method, http.MethodGet), header: header, version: t.HTTP,
		redirects: t.Redirects, maxBody: cmp.Or(t.MaxBody, bodyDefault),
		status: t.Expect.Status, want: want,
	}
	errs := []error{err, headerErr, wantErr, readMethod(c.method), c.readLimits()}
	if err == nil {
		errs = append(errs, c.readURL(t))
	}
	errs = append(errs,
		t.Only("login", "ca", "method", "headers", "http", "redirects", "max_body", "client"),
		t.Expect.Only("status", "body", "body_regexp"))
	return c, errors.Join(errs...)
}

func (c *Check) readLimits() error {
	var errs []error
	if c.redirects < 0 || c.redirects > redirectsMax {
		errs = append(errs, fault("redirects", "%d, expected at most %d", c.redirects, redirectsMax))
	}
	if c.maxBody < 0 || c.maxBody > bodyMax {
		errs = append(errs, fault("max_body", "%d, expected at most %d bytes", c.maxBody, bodyMax))
	}
	if err := c.status.Validate(); err != nil {
		errs = append(errs, fault("expect.status", "%v", err))
	}
	return errors.Join(errs...)
}

// readURL looks at the address and at what it decides.
func (c *Check) readURL(t checks.Target) error {
	var errs []error
	if c.endpoint.URL.Fragment != "" {
		errs = append(errs, fault("url", "fragment %q, expected none: it is never sent", c.endpoint.URL.Fragment))
	}
	if len(t.URL) > urlMax {
		errs = append(errs, fault("url", "%d bytes long, expected at most %d", len(t.URL), urlMax))
	}
	secure := c.endpoint.Scheme == "https"
	switch {
	case t.HTTP != "" && t.HTTP != version1 && t.HTTP != version2:
		errs = append(errs, fault("http", "%q, expected %q or %q", t.HTTP, version1, version2))
	case t.HTTP == version2 && !secure:
		errs = append(errs, fault("http", "%q without TLS, expected it with https:// only", t.HTTP))
	}
	if t.Login != nil {
		errs = append(errs, readLogin(t.Login, secure))
	}
	if t.Client != nil && !secure {
		errs = append(errs, fault("client", "given for http://, expected it with https:// only"))
	}
	return errors.Join(errs...)
}

// New returns the check that t describes, with its secrets and authorities read
// from env.
func New(t checks.Target, env checks.Env) (*Check, error) {
	c, err := read(t)
	trust, trustErr := t.Trust(env, c.endpoint.Host)
	client, clientErr := t.Client.Pair(env)
	if err := errors.Join(err, trustErr, clientErr, c.logIn(t, env)); err != nil {
		return nil, err
	}
	c.trust, c.network = trust, env.Network
	c.trust.Client = client
	c.trust.Protocols = protocols(c.version)
	return c, nil
}
