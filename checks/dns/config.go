// Package dns checks name servers: one that is given, or the machine's own
// resolver (RFC 1035, 4501, 6891).
//
//	dns://192.0.2.53/example.net?type=MX   asks the server for the name
//	dns:///example.net?type=MX             asks the machine's own resolver
//	dns://example.net                      the same, as people write it
//
// With a path the host is the server, without one it is the name. The family of
// an attempt is that of the way to the server; where no type is given, it also
// says which addresses of the name are asked for. The own resolver is the first
// name server of the family in /etc/resolv.conf.
//
// An attempt sends one question in one datagram. If nothing has come after a
// second it sends it once more, since a single lost datagram is no outage; a
// result that took the second one says so. An answer that did not fit a datagram
// is fetched over TCP, or the question goes there at once with transport=tcp. A
// datagram from elsewhere, or one that answers another question, is anybody's and
// counts for nothing. At most 64 records of an answer are looked at.
package dns

import (
	"errors"
	"fmt"
	"time"

	"varde/checks"
)

// Check asks one question. It is immutable.
type Check struct {
	query    query
	expected map[Type][]expectation
	timeout  time.Duration
	network  checks.Network
}

var _ checks.Check = (*Check)(nil)

// Schemes are the URL schemes of the kind and their ports.
func Schemes() map[string]uint16 { return map[string]uint16{"dns": 53} }

// Validate returns every fault that makes t no target of this kind, as
// *checks.FieldError joined.
func Validate(t checks.Target) error {
	_, err := read(t)
	return err
}

func read(t checks.Target) (*Check, error) {
	q, err := readURL(t)
	errs := []error{err, t.Only(), t.Expect.Only("answers")}
	c := &Check{query: q, timeout: t.WithDefaults().Timeout}
	if err == nil {
		c.expected, err = expectations(q.types(), t.Expect.Answers)
		errs = append(errs, err)
	}
	return c, errors.Join(errs...)
}

func fault(field, format string, args ...any) error {
	return &checks.FieldError{Field: field, Problem: fmt.Sprintf(format, args...)}
}

// New returns the check that t describes.
func New(t checks.Target, env checks.Env) (*Check, error) {
	c, err := read(t)
	if err != nil {
		return nil, err
	}
	c.network = env.Network
	return c, nil
}

// AsksOwn says whether t asks the machine's own resolver: then its URL names no
// server. A target that Validate refuses asks nobody.
func AsksOwn(t checks.Target) bool {
	q, err := readURL(t)
	return err == nil && q.own()
}
