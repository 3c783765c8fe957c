// Package imap checks mailbox servers: implicit TLS (imaps, 993) or STARTTLS
// (imap, 143), which is required there (RFC 9051, 3501, 8314).
//
// An attempt reads the greeting, begins TLS, asks for the capabilities, logs in
// if the target has a login, opens a mailbox read-only if one is expected, and
// logs out. It changes nothing on the server, and a password is never sent
// without TLS.
package imap

import (
	"crypto/tls"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-imap/utf7"

	"varde/checks"
)

// Check asks one server. It is immutable.
type Check struct {
	endpoint checks.Endpoint
	timeout  time.Duration
	network  checks.Network
	tls      *tls.Config
	login    *checks.Credentials
	mailbox  string // as sent; empty opens none
}

var _ checks.Check = (*Check)(nil)

// mailboxMax bounds the name of a mailbox, in bytes.
const mailboxMax = 512

// Schemes are the URL schemes of the kind and their ports.
func Schemes() map[string]uint16 { return map[string]uint16{"imaps": 993, "imap": 143} }

// Validate returns every fault that makes t no target of this kind, as
// *checks.FieldError joined.
func Validate(t checks.Target) error {
	_, err := read(t)
	return err
}

func read(t checks.Target) (*Check, error) {
	endpoint, err := t.Endpoint(Schemes())
	if err == nil {
		err = endpoint.Bare()
	}
	mailbox, mailboxErr := readMailbox(t)
	return &Check{
		endpoint: endpoint,
		timeout:  t.WithDefaults().Timeout,
		mailbox:  mailbox,
	}, errors.Join(err, mailboxErr, t.Expect.Only("mailbox"))
}

// readMailbox returns the mailbox's name in modified UTF-7 (RFC 3501 5.1.3),
// which every server takes.
func readMailbox(t checks.Target) (string, error) {
	name := t.Expect.Mailbox
	switch {
	case name == "":
		return "", nil
	case t.Login == nil:
		return "", &checks.FieldError{Field: "expect.mailbox", Problem: "given without a login, expected both"}
	case len(name) > mailboxMax, !utf8.ValidString(name), strings.ContainsAny(name, "\x00\r\n"):
		return "", &checks.FieldError{
			Field:   "expect.mailbox",
			Problem: fmt.Sprintf("%.64q, expected a name of at most %d bytes on one line", name, mailboxMax),
		}
	}
	encoded, err := utf7.Encoding.NewEncoder().String(name)
	if err != nil {
		return "", &checks.FieldError{Field: "expect.mailbox", Problem: err.Error()}
	}
	return encoded, nil
}

// New returns the check that t describes, with its password and authorities
// read from env.
func New(t checks.Target, env checks.Env) (*Check, error) {
	c, err := read(t)
	roots, rootsErr := t.Roots(env)
	login, loginErr := t.Credentials(env)
	if err := errors.Join(err, rootsErr, loginErr); err != nil {
		return nil, err
	}
	c.network = env.Network
	c.login = login
	c.tls = &tls.Config{ServerName: c.endpoint.Host, RootCAs: roots}
	return c, nil
}

// implicit says whether TLS begins before the greeting.
func (c *Check) implicit() bool { return c.endpoint.Scheme == "imaps" }
