// Package imap checks mailbox servers: implicit TLS (imaps, 993) or STARTTLS
// (imap, 143), which is required there (RFC 9051, 3501, 8314).
//
// An attempt reads the greeting, begins TLS and asks for the capabilities. If
// the target has a login it logs in, opens a mailbox read-only if one is
// expected, says NOOP and takes the header of the newest message if that is
// expected. Then it logs out. It changes nothing on the server and keeps nothing
// of a mail, and a password is never sent without TLS.
//
// A [Session] is for those who look for a mail: it is as bounded, but what it
// does to a mailbox is its caller's.
package imap

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
	mailbox  string // as sent; empty opens none
	newest   bool
}

var _ checks.Check = (*Check)(nil)

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
		newest:   t.Expect.Newest,
	}, errors.Join(err, mailboxErr, newestFault(t), t.Only("login", "ca"), t.Expect.Only("mailbox", "newest"))
}

// readMailbox returns the name of the expected mailbox as it is sent.
func readMailbox(t checks.Target) (string, error) {
	name := t.Expect.Mailbox
	switch {
	case name == "":
		return "", nil
	case t.Login == nil:
		return "", &checks.FieldError{Field: "expect.mailbox", Problem: "given without a login, expected both"}
	}
	encoded, err := encodeName(name)
	if err != nil {
		return "", &checks.FieldError{Field: "expect.mailbox", Problem: err.Error()}
	}
	return encoded, nil
}

func newestFault(t checks.Target) error {
	if t.Expect.Newest && t.Expect.Mailbox == "" {
		return &checks.FieldError{Field: "expect.newest", Problem: "given without a mailbox, expected both"}
	}
	return nil
}

// New returns the check that t describes, with its password and authorities
// read from env.
func New(t checks.Target, env checks.Env) (*Check, error) {
	c, err := read(t)
	trust, trustErr := t.Trust(env, c.endpoint.Host)
	login, loginErr := t.Credentials(env)
	if err := errors.Join(err, trustErr, loginErr); err != nil {
		return nil, err
	}
	c.network = env.Network
	c.login = login
	c.trust = trust
	return c, nil
}

// implicit says whether TLS begins before the greeting.
func (c *Check) implicit() bool { return c.endpoint.Scheme == "imaps" }
