package checks

import (
	"cmp"
	"errors"
	"fmt"
	"iter"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Target is one configured check. The same struct is read from YAML, carried
// in a plan and used by the kinds.
type Target struct {
	// ID names the check, unique in a configuration.
	ID string `yaml:"id"`
	// Service is the id of the service that the check belongs to.
	Service string `yaml:"service"`
	Kind    Kind   `yaml:"kind"`
	// URL says where to ask; each kind names the schemes that it takes. A round
	// trip has two instead, those of Submit and Receive.
	URL   string `yaml:"url,omitempty"`
	Login *Login `yaml:"login,omitempty"`
	// Every is the interval of each probe, at least MinEvery.
	Every time.Duration `yaml:"every"`
	// Timeout bounds one attempt, 10 s if not given.
	Timeout time.Duration `yaml:"timeout,omitempty"`
	// Families restricts the check; none means each that the name has.
	Families []Family `yaml:"families,omitempty"`
	// Regions restricts the check; none means all.
	Regions []string `yaml:"regions,omitempty"`
	// Confirm is how many others are asked after a failure; see Target.Others.
	Confirm *Others `yaml:"confirm,omitempty"`
	// CA is a file of PEM certificates to trust instead of the system's.
	CA     *Authority `yaml:"ca,omitempty"`
	Expect Expect     `yaml:"expect,omitempty"`
	// Consent is that of the service: whoever runs its servers agreed to be
	// asked more often than Floor allows for strangers.
	Consent bool `yaml:"-"`
	// LoginProbes are the only probes that may log in, set by the coordinator
	// where not all may; none means all.
	LoginProbes []string `yaml:"-"`

	WebOptions  `yaml:",inline"`
	MailOptions `yaml:",inline"`
}

// WebOptions is how a web page is asked for (https).
type WebOptions struct {
	// Method is GET if not given.
	Method string `yaml:"method,omitempty"`
	// Headers are sent beside those that every request has.
	Headers map[string]string `yaml:"headers,omitempty"`
	// HTTP forces a version, "1.1" or "2"; if not given the server chooses.
	HTTP string `yaml:"http,omitempty"`
	// Redirects is how many redirects on the same host are followed, none if
	// not given.
	Redirects int `yaml:"redirects,omitempty"`
	// MaxBody is how much of a body is taken, in bytes, 64 kB if not given.
	MaxBody int64 `yaml:"max_body,omitempty"`
	// Client is the certificate that the probe shows to the server.
	Client *ClientCertificate `yaml:"client,omitempty"`
}

// ClientCertificate is a certificate of the operator's for a server that asks
// for one.
type ClientCertificate struct {
	// Certificate is a file of PEM certificates, the leaf first.
	Certificate Authority `yaml:"certificate"`
	// Key is the secret with its key, PEM.
	Key Secret `yaml:"key"`
}

// MailOptions is what is sent: an envelope that is only offered (smtp) or a
// whole message that is followed (roundtrip).
type MailOptions struct {
	// From and To are addresses of the operator's own.
	From string `yaml:"from,omitempty"`
	To   string `yaml:"to,omitempty"`
	// Domain is whose mail the server takes; its DANE records and MTA-STS
	// policy are compared with what the server shows (smtp, port 25).
	Domain string `yaml:"domain,omitempty"`
	// Submit is where a message is handed in, Receive where it must appear
	// (roundtrip).
	Submit  *Leg `yaml:"submit,omitempty"`
	Receive *Leg `yaml:"receive,omitempty"`
	// Route is what people call the way from Submit to Receive, the check's id
	// if not given (roundtrip).
	Route string `yaml:"route,omitempty"`
	// Late is after how long a message is late, 2 min if not given (roundtrip).
	Late time.Duration `yaml:"late,omitempty"`
}

// Leg is one end of a round trip.
type Leg struct {
	URL   string `yaml:"url"`
	Login *Login `yaml:"login,omitempty"`
}

// Login is an account of the operator's, used for nothing else.
type Login struct {
	User     string `yaml:"user"`
	Password Secret `yaml:"password"`
	// Mechanism is how the password is shown: one of the mechanisms, or empty
	// for the best that takes a password.
	Mechanism Mechanism `yaml:"mechanism,omitempty"`
}

// Mechanism is a way to log in.
type Mechanism string

// The mechanisms. With the last two the password is an OAuth 2.0 bearer token.
const (
	// MechanismLogin is the LOGIN command of IMAP and AUTH LOGIN of SMTP.
	MechanismLogin Mechanism = "login"
	// MechanismPlain is SASL PLAIN, RFC 4616.
	MechanismPlain Mechanism = "plain"
	// MechanismXOAUTH2 is SASL XOAUTH2,
	// https://developers.google.com/workspace/gmail/imap/xoauth2-protocol.
	MechanismXOAUTH2 Mechanism = "xoauth2"
	// MechanismOAuthBearer is SASL OAUTHBEARER, RFC 7628; on the web an
	// Authorization header with a bearer token, RFC 6750.
	MechanismOAuthBearer Mechanism = "oauthbearer"
)

// Mechanisms returns every mechanism.
func Mechanisms() []Mechanism {
	return []Mechanism{MechanismLogin, MechanismPlain, MechanismXOAUTH2, MechanismOAuthBearer}
}

// Secret says where a secret stands. It never holds the secret itself.
type Secret struct {
	// File is the path on the machine of whoever reads the configuration.
	File string `yaml:"file"`
	// Name is what the secret is called in a plan; set by the reader of the
	// configuration.
	Name string `yaml:"-"`
}

// Authority is a set of certificates to verify servers against.
type Authority struct {
	// File is the path on the machine of whoever reads the configuration.
	File string `yaml:"file"`
	// PEM is what stood in File; a plan carries this and not the path.
	PEM []byte `yaml:"-"`
}

// Expect is what the answer must hold. Each kind reads its own fields and
// refuses the others.
type Expect struct {
	// Mailbox is opened read-only after the login (imap).
	Mailbox string `yaml:"mailbox,omitempty"`
	// Newest says that the header of the newest message in Mailbox is fetched
	// too (imap).
	Newest bool `yaml:"newest,omitempty"`
	// Status are the HTTP statuses expected, 200 if not given (https).
	Status Statuses `yaml:"status,omitempty"`
	// Body must occur in what is taken of the answer (https).
	Body string `yaml:"body,omitempty"`
	// BodyRegexp must match there, in the syntax of Go's regexp (https).
	BodyRegexp string `yaml:"body_regexp,omitempty"`
	// Banner must occur in the first line that the server says (tcp).
	Banner string `yaml:"banner,omitempty"`
	// Answers must all be among the records of the answer, in the presentation
	// form of RFC 1035 section 5 (dns).
	Answers []string `yaml:"answers,omitempty"`
}

// Limits of a target. MinEvery protects the world from a stolen coordinator
// and holds for every service, with consent or without.
const (
	MinEvery       = 5 * time.Second
	MaxEvery       = 24 * time.Hour
	DefaultTimeout = 10 * time.Second
	MaxTimeout     = 60 * time.Second
)

// FieldError is a fault in one field of a target.
type FieldError struct {
	// Field is the key in the configuration, e.g. "every" or "expect.body".
	Field string
	// Problem says what was got and what is expected.
	Problem string
}

// Error returns the field and its problem.
func (e *FieldError) Error() string { return e.Field + ": " + e.Problem }

// DefaultLate is after how long a message of a round trip is late.
const DefaultLate = 2 * time.Minute

// WithDefaults returns the target with its timeout filled in, and a round trip
// with its route and its limit.
func (t Target) WithDefaults() Target {
	if t.Timeout == 0 {
		t.Timeout = min(DefaultTimeout, t.Every)
	}
	if t.Kind == RoundTrip {
		t.Route, t.Late = cmp.Or(t.Route, t.ID), cmp.Or(t.Late, DefaultLate)
	}
	return t
}

// The smallest intervals at which one probe asks the servers of somebody who
// did not agree to more. Unauthenticated connections that come more often than
// five in ten minutes look like an attack to common filters.
const (
	FloorLookup    = 60 * time.Second
	FloorUnasked   = 180 * time.Second
	FloorLogin     = 5 * time.Minute
	FloorRoundTrip = 10 * time.Minute
)

// Floor is the smallest interval at which one probe may run the target: by how
// deep it looks, or MinEvery with consent.
func (t Target) Floor() time.Duration {
	switch {
	case t.Consent:
		return MinEvery
	case t.Kind == RoundTrip:
		return FloorRoundTrip
	case t.Login != nil:
		return FloorLogin
	case t.Kind == DNS:
		return FloorLookup
	}
	return FloorUnasked
}

// MayLogIn says whether the probe of the given name may use the logins of the
// target.
func (t Target) MayLogIn(probe string) bool {
	return len(t.LoginProbes) == 0 || slices.Contains(t.LoginProbes, probe)
}

var idPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

// ValidID says whether s can name a check, service, region, page or probe:
// lower-case letters, digits and hyphens, at most 63.
func ValidID(s string) bool { return idPattern.MatchString(s) }

// Validate returns every fault that can be seen without knowing the kind, as
// *FieldError joined; nil when there is none.
func (t Target) Validate() error {
	var errs []error
	add := func(field, format string, args ...any) {
		errs = append(errs, &FieldError{field, fmt.Sprintf(format, args...)})
	}
	if !ValidID(t.ID) {
		add("id", "%q, expected 1 to 63 of a-z, 0-9 and -", t.ID)
	}
	errs = append(errs, t.validateURL())
	if t.Every < MinEvery || t.Every > MaxEvery {
		add("every", "%s, expected %s to %s", t.Every, MinEvery, MaxEvery)
	}
	if d := t.WithDefaults().Timeout; d <= 0 || d > MaxTimeout {
		add("timeout", "%s, expected up to %s", d, MaxTimeout)
	} else if d > t.Every && t.Every >= MinEvery {
		add("timeout", "%s, expected at most every (%s)", d, t.Every)
	}
	for i, f := range t.Families {
		if f == NoFamily || slices.Contains(t.Families[:i], f) {
			add("families", "%q twice or empty, expected each of ipv4, ipv6 at most once", f)
		}
	}
	for field, l := range t.Logins() {
		errs = append(errs, l.validate(field))
	}
	return errors.Join(errs...)
}

// validateURL looks at what holds for every scheme. A round trip has its two
// addresses elsewhere, and a question to the machine's own resolver (RFC 4501)
// names no host.
func (t Target) validateURL() error {
	u, err := url.Parse(t.URL)
	switch {
	case t.Kind == RoundTrip && t.URL == "":
		return nil
	case err != nil || u.Host == "" && (t.Kind != DNS || u.Path == ""):
		return fieldError("url", "%q, expected scheme://host", t.URL)
	case u.User != nil:
		return fieldError("url", "holds a user, expected it under login")
	}
	return nil
}

// Address is the URL at which the target asks first: its own, or that at which a
// round trip hands its mail in.
func (t Target) Address() string {
	if t.URL == "" && t.Submit != nil {
		return t.Submit.URL
	}
	return t.URL
}

// Logins returns every login of the target by its key in the configuration.
func (t Target) Logins() iter.Seq2[string, *Login] {
	return func(yield func(string, *Login) bool) {
		if t.Login != nil && !yield("login", t.Login) {
			return
		}
		if t.Submit != nil && t.Submit.Login != nil && !yield("submit.login", t.Submit.Login) {
			return
		}
		if t.Receive != nil && t.Receive.Login != nil {
			yield("receive.login", t.Receive.Login)
		}
	}
}

// Secrets returns every secret of the target by its key in the configuration.
func (t Target) Secrets() iter.Seq2[string, *Secret] {
	return func(yield func(string, *Secret) bool) {
		for field, l := range t.Logins() {
			if !yield(field+".password", &l.Password) {
				return
			}
		}
		if t.Client != nil {
			yield("client.key", &t.Client.Key)
		}
	}
}

// Authorities returns every set of certificates that the target names, by its
// key in the configuration.
func (t Target) Authorities() iter.Seq2[string, *Authority] {
	return func(yield func(string, *Authority) bool) {
		if t.CA != nil && !yield("ca", t.CA) {
			return
		}
		if t.Client != nil {
			yield("client.certificate", &t.Client.Certificate)
		}
	}
}

// NameSecrets returns a copy of the target in which every secret that has a file
// has the name by which a plan carries it too: the id of the check, and whose
// secret it is where there are several, "mail-loop/submit".
func (t Target) NameSecrets() Target {
	t = t.Clone()
	for field, s := range t.Secrets() {
		if s.Name != "" || s.File == "" {
			continue
		}
		s.Name = t.ID
		if whose, _, _ := strings.Cut(field, "."); whose != "login" {
			s.Name += "/" + whose
		}
	}
	return t
}

func (l *Login) validate(field string) error {
	var known error
	if l.Mechanism != "" && !slices.Contains(Mechanisms(), l.Mechanism) {
		known = fieldError(field+".mechanism", "%q, expected one of %q", l.Mechanism, Mechanisms())
	}
	if l.User == "" || l.Password == (Secret{}) {
		return errors.Join(known, fieldError(field, "expected user and password: {file: PATH}"))
	}
	return errors.Join(known, errUser(field, l.User))
}

// Clone returns a copy of the target whose logins, secrets and authorities can
// be changed without changing those of t.
func (t Target) Clone() Target {
	t.Login = t.Login.clone()
	t.Submit, t.Receive = t.Submit.clone(), t.Receive.clone()
	if t.Client != nil {
		c := *t.Client
		t.Client = &c
	}
	if t.CA != nil {
		ca := *t.CA
		t.CA = &ca
	}
	return t
}

func (l *Login) clone() *Login {
	if l == nil {
		return nil
	}
	c := *l
	return &c
}

func (l *Leg) clone() *Leg {
	if l == nil {
		return nil
	}
	return &Leg{URL: l.URL, Login: l.Login.clone()}
}
