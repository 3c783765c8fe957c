package checks

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
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
	// URL says where to ask; each kind names the schemes that it takes.
	URL   string `yaml:"url"`
	Login *Login `yaml:"login,omitempty"`
	// Every is the interval of each probe, at least MinEvery.
	Every time.Duration `yaml:"every"`
	// Timeout bounds one attempt, 10 s if not given.
	Timeout time.Duration `yaml:"timeout,omitempty"`
	// Families restricts the check; none means each that the name has.
	Families []Family `yaml:"families,omitempty"`
	// Regions restricts the check; none means all.
	Regions []string `yaml:"regions,omitempty"`
	// CA is a file of PEM certificates to trust instead of the system's.
	CA     *Authority `yaml:"ca,omitempty"`
	Expect Expect     `yaml:"expect,omitempty"`
}

// Login is an account of the operator's, used for nothing else.
type Login struct {
	User     string `yaml:"user"`
	Password Secret `yaml:"password"`
}

// Secret says where a secret stands. It never holds the secret itself.
type Secret struct {
	// File is the path on the machine of whoever reads the configuration.
	File string `yaml:"file"`
	// Name is what the secret is called in a plan; set by the reader of the
	// configuration, the id of the check.
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
	// Status is the HTTP status expected, 200 if not given (https).
	Status int `yaml:"status,omitempty"`
	// Body must occur in the first 64 kB of the answer (https).
	Body string `yaml:"body,omitempty"`
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

// WithDefaults returns the target with its timeout filled in.
func (t Target) WithDefaults() Target {
	if t.Timeout == 0 {
		t.Timeout = min(DefaultTimeout, t.Every)
	}
	return t
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
	if u, err := url.Parse(t.URL); err != nil || u.Host == "" {
		add("url", "%q, expected scheme://host", t.URL)
	} else if u.User != nil {
		add("url", "holds a user, expected it under login")
	}
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
	if t.Login != nil && (t.Login.User == "" || t.Login.Password == (Secret{})) {
		add("login", "expected user and password: {file: PATH}")
	} else if t.Login != nil {
		errs = append(errs, errUser(t.Login.User))
	}
	return errors.Join(errs...)
}
