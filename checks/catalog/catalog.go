// Package catalog is the table of kinds: the one place that knows them all.
package catalog

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"varde/checks"
	"varde/checks/dns"
	"varde/checks/https"
	"varde/checks/imap"
	"varde/checks/pop3"
	"varde/checks/roundtrip"
	"varde/checks/smtp"
	"varde/checks/tcp"
)

// entry is one kind.
type entry struct {
	kind     checks.Kind
	schemes  func() map[string]uint16
	validate func(checks.Target) error
	build    func(checks.Target, checks.Env) (checks.Check, error)
}

func table() []entry {
	return []entry{
		{checks.DNS, dns.Schemes, dns.Validate, constructor(dns.New)},
		{checks.HTTPS, https.Schemes, https.Validate, constructor(https.New)},
		{checks.IMAP, imap.Schemes, imap.Validate, constructor(imap.New)},
		{checks.POP3, pop3.Schemes, pop3.Validate, constructor(pop3.New)},
		{checks.RoundTrip, roundtrip.Schemes, roundtrip.Validate, constructor(roundtrip.New)},
		{checks.SMTP, smtp.Schemes, smtp.Validate, constructor(smtp.New)},
		{checks.TCP, tcp.Schemes, tcp.Validate, constructor(tcp.New)},
	}
}

// constructor makes a kind's New return the interface, and nil with an error.
func constructor[C checks.Check](build func(checks.Target, checks.Env) (C, error)) func(checks.Target, checks.Env) (checks.Check, error) {
	return func(t checks.Target, env checks.Env) (checks.Check, error) {
		c, err := build(t, env)
		if err != nil {
			return nil, err
		}
		return c, nil
	}
}

// Kinds are the kinds there are, in the order of their names.
func Kinds() []checks.Kind {
	var kinds []checks.Kind
	for _, e := range table() {
		kinds = append(kinds, e.kind)
	}
	return kinds
}

func find(kind checks.Kind) (entry, error) {
	all := table()
	i := slices.IndexFunc(all, func(e entry) bool { return e.kind == kind })
	if i < 0 {
		return entry{}, &checks.FieldError{Field: "kind", Problem: fmt.Sprintf("%q, expected one of %v", kind, Kinds())}
	}
	return all[i], nil
}

// Validate returns every fault of a target that can be seen without its
// secrets and the network, as *checks.FieldError joined; nil when there is none.
func Validate(t checks.Target) error {
	general := t.Validate()
	e, err := find(t.Kind)
	if err != nil {
		return errors.Join(general, err)
	}
	return firsts(general, e.validate(t))
}

// firsts joins the faults and keeps the first of each field: one mistake in a
// URL is seen by the general rules and by the kind.
func firsts(errs ...error) error {
	var kept []error
	seen := make(map[string]bool)
	for _, err := range errs {
		for _, fault := range flatten(err) {
			if f, ok := errors.AsType[*checks.FieldError](fault); ok && seen[f.Field] {
				continue
			} else if ok {
				seen[f.Field] = true
			}
			kept = append(kept, fault)
		}
	}
	return errors.Join(kept...)
}

// flatten takes joined errors apart.
func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

// New returns the check that a target describes. The error is a
// *checks.FieldError, or several joined.
func New(t checks.Target, env checks.Env) (checks.Check, error) {
	e, err := find(t.Kind)
	if err != nil {
		return nil, err
	}
	return e.build(t, env)
}

// Endpoint is where a target asks first; the port is that of the scheme where its
// URL names none. The error is a *checks.FieldError.
func Endpoint(t checks.Target) (checks.Endpoint, error) {
	if t.Kind == checks.RoundTrip {
		t = checks.Target{Kind: checks.SMTP, URL: t.Address()}
	}
	e, err := find(t.Kind)
	if err != nil {
		return checks.Endpoint{}, err
	}
	return t.Endpoint(e.schemes())
}

// fromURLEvery is the interval of a target that is asked once; it only has to
// leave room for every timeout.
const fromURLEvery = time.Minute

// FromURL returns the target that asks an address once: its kind is that of
// the scheme, its id is made of scheme, host and the name that is asked for.
func FromURL(raw string) (checks.Target, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" || u.Opaque != "" {
		return checks.Target{}, &checks.FieldError{Field: "url", Problem: fmt.Sprintf("%q, expected scheme://host", raw)}
	}
	var known []string
	for _, e := range table() {
		for scheme := range e.schemes() {
			if scheme == u.Scheme {
				t := checks.Target{ID: id(u), Kind: e.kind, URL: raw, Every: fromURLEvery, Timeout: checks.DefaultTimeout}
				return t, Validate(t)
			}
			known = append(known, scheme)
		}
	}
	slices.Sort(known)
	return checks.Target{}, &checks.FieldError{
		Field: "url", Problem: fmt.Sprintf("scheme %q, expected one of %s", u.Scheme, strings.Join(known, ", ")),
	}
}

// id is the scheme, host and port of a URL as an id, and the name that a question
// has behind them: every run of other characters is one hyphen.
func id(u *url.URL) string {
	all := u.Scheme + "-" + u.Host
	if u.Scheme == "dns" {
		all += u.Path
	}
	words := strings.FieldsFunc(strings.ToLower(all), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	s := strings.Join(words, "-")
	return strings.TrimRight(s[:min(len(s), 63)], "-")
}
