package checks

import (
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Endpoint is where a target is asked, read from its URL.
type Endpoint struct {
	Scheme string
	// Host is a name in ASCII, without a dot at its end, or an address.
	Host string
	Port uint16
	// URL is the whole of it; it must not be changed.
	URL *url.URL
}

// String returns host:port.
func (e Endpoint) String() string { return net.JoinHostPort(e.Host, strconv.Itoa(int(e.Port))) }

// Endpoint reads the target's URL. ports holds the schemes that are taken and
// their ports. The error is a *FieldError for "url".
func (t Target) Endpoint(ports map[string]uint16) (Endpoint, error) {
	u, err := url.Parse(t.URL)
	if err != nil {
		return Endpoint{}, fieldError("url", "%q, expected scheme://host", t.URL)
	}
	port, ok := ports[u.Scheme]
	if !ok {
		return Endpoint{}, fieldError("url", "scheme %q, expected one of %s",
			u.Scheme, strings.Join(slices.Sorted(maps.Keys(ports)), ", "))
	}
	host := strings.TrimSuffix(u.Hostname(), ".")
	if !validHost(host) {
		return Endpoint{}, fieldError("url", "host %q, expected a name in ASCII or an address", u.Hostname())
	}
	if p := u.Port(); p != "" {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return Endpoint{}, fieldError("url", "port %q, expected 1 to 65535", p)
		}
		port = uint16(n)
	}
	return Endpoint{Scheme: u.Scheme, Host: host, Port: port, URL: u}, nil
}

// Bare refuses what stands behind host and port, for kinds to which it would
// mean nothing. The error is a *FieldError for "url".
func (e Endpoint) Bare() error {
	if e.URL.Path != "" || e.URL.RawQuery != "" || e.URL.ForceQuery || e.URL.Fragment != "" {
		return fieldError("url", "%q, expected nothing after the host", e.URL.Redacted())
	}
	return nil
}

// validHost says whether s is an address or can be a name: letters, digits,
// hyphens, dots and the underscore that some zones have, at most 253.
func validHost(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return s != "" && len(s) <= 253 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-._", r)
	})
}

// Roots is what the target's server is verified against: its own authorities
// if it names any, else those of env. The error is a *FieldError for "ca".
func (t Target) Roots(env Env) (*x509.CertPool, error) {
	if t.CA == nil {
		return env.Roots, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(t.CA.PEM) {
		return nil, fieldError("ca", "holds no certificate, expected PEM")
	}
	return pool, nil
}

// Credentials are a login with its password. It prints without it.
type Credentials struct {
	User, Password string
	// Mechanism is the one asked for; empty for the best that takes a password.
	Mechanism Mechanism
}

// What bounds user and password, and a bearer token, in bytes: they are sent in
// one line.
const (
	credentialMax = 1024
	tokenMax      = 4096
)

// String returns the user alone.
func (c Credentials) String() string { return c.User }

// GoString returns the user alone.
func (c Credentials) GoString() string { return fmt.Sprintf("Credentials{%q, ***}", c.User) }

// LogValue returns the user alone.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.User) }

// Credentials asks env for the target's password; nil without a login. The
// error is a *FieldError and never holds the password.
func (t Target) Credentials(env Env) (*Credentials, error) { return t.Login.Credentials("login", env) }

// Credentials asks env for the password of a login, which stands at field in
// the configuration; nil without a login. The error is a *FieldError and never
// holds the password.
func (l *Login) Credentials(field string, env Env) (*Credentials, error) {
	if l == nil {
		return nil, nil
	}
	if env.Password == nil {
		return nil, fieldError(field, "this program may not log in")
	}
	password, err := env.Password(l.Password.Name)
	if err != nil {
		return nil, fieldError(field+".password", "%v", err)
	}
	limit := credentialMax
	if l.Mechanism == MechanismXOAUTH2 || l.Mechanism == MechanismOAuthBearer {
		limit = tokenMax
	}
	if password == "" || len(password) > limit || strings.ContainsRune(password, 0) {
		return nil, fieldError(field+".password", "%d bytes long, expected 1 to %d and none of them zero", len(password), limit)
	}
	return &Credentials{User: l.User, Password: password, Mechanism: l.Mechanism}, errUser(field, l.User)
}

func errUser(field, user string) error {
	if user == "" || len(user) > credentialMax || strings.ContainsAny(user, "\x00\r\n") {
		return fieldError(field+".user", "%.64q, expected 1 to %d bytes on one line", user, credentialMax)
	}
	return nil
}

func fieldError(field, format string, args ...any) error {
	return &FieldError{Field: field, Problem: fmt.Sprintf(format, args...)}
}

// option is a key of the configuration that some kinds read.
type option struct {
	name string
	set  bool
}

// Only refuses options that a kind does not read: all but those named, by their
// keys in the configuration ("login", "ca", "method", "from"...). What every
// target has (its url, its interval) is not among them, nor is what it expects.
// The error is a *FieldError for each, joined.
func (t Target) Only(fields ...string) error {
	return only("", fields, []option{
		{"login", t.Login != nil},
		{"ca", t.CA != nil},
		{"method", t.Method != ""},
		{"headers", len(t.Headers) > 0},
		{"http", t.HTTP != ""},
		{"redirects", t.Redirects != 0},
		{"max_body", t.MaxBody != 0},
		{"client", t.Client != nil},
		{"from", t.From != ""},
		{"to", t.To != ""},
		{"domain", t.Domain != ""},
		{"submit", t.Submit != nil},
		{"receive", t.Receive != nil},
		{"route", t.Route != ""},
		{"late", t.Late != 0},
	})
}

// Only refuses expectations that a kind does not read: all but those named, by
// their keys under expect ("status", "mailbox"...). The error is a *FieldError
// for each, joined.
func (e Expect) Only(fields ...string) error {
	return only("expect.", fields, []option{
		{"mailbox", e.Mailbox != ""},
		{"newest", e.Newest},
		{"status", e.Status != ""},
		{"body", e.Body != ""},
		{"body_regexp", e.BodyRegexp != ""},
		{"banner", e.Banner != ""},
		{"answers", len(e.Answers) > 0},
	})
}

func only(under string, fields []string, options []option) error {
	var errs []error
	for _, o := range options {
		if o.set && !slices.Contains(fields, o.name) {
			errs = append(errs, fieldError(under+o.name, "given, expected none: this kind does not read it"))
		}
	}
	return errors.Join(errs...)
}
