// Package roundtrip checks that mail arrives: it hands a mail in over SMTP,
// looks for it in a mailbox over IMAP, measures the time between the two, and
// removes the mail.
//
// What it promises:
//
//   - A mail is entered in a [Ledger] before it is sent. From then on it is
//     looked for until it is found, or checks.MailFollow has passed, or it is
//     certain that it was never sent, whatever happens to the probe meanwhile.
//   - One run gives one observation: up when the mail is found within its limit,
//     down and late at the limit, or what went wrong when it was handed in.
//   - A mail counts once, and only if it is the one that was sent: see [Mail].
//     Copies count for nothing, forgeries are left where they are.
//   - Late is what this probe has seen to be late. Where it could not look, it
//     does not say so.
//   - Nothing is removed from a mailbox but messages with the headers of a test
//     mail, by their own UIDs.
package roundtrip

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"varde/checks"
	"varde/checks/imap"
	"varde/checks/smtp"
)

// Check sends mails one way. It is immutable.
type Check struct {
	submit  *smtp.Check
	receive *imap.Check
	// target is what the mails say of themselves.
	target  checks.Target
	timeout time.Duration
}

var _ checks.Check = (*Check)(nil)

// minLate is the smallest limit: a mail that has gone through a content filter
// may take some seconds.
const minLate = 10 * time.Second

// routeMax bounds the name of a route, in bytes.
const routeMax = 63

// Schemes are none: a round trip has two addresses, each with the schemes of its
// own kind.
func Schemes() map[string]uint16 { return nil }

// Validate returns every fault that makes t no target of this kind, as
// *checks.FieldError joined.
func Validate(t checks.Target) error {
	errs := []error{t.Only("ca", "from", "to", "submit", "receive", "route", "late"), t.Expect.Only(), validateLate(t)}
	if t.URL != "" {
		errs = append(errs, fault("url", "%q, expected none but those of submit and receive", t.URL))
	}
	for field, address := range map[string]string{"from": t.From, "to": t.To} {
		if !smtp.ValidAddress(address) {
			errs = append(errs, fault(field, "not an address, expected one of ours such as probe@example.net"))
		}
	}
	if r := t.WithDefaults().Route; len(r) > routeMax || strings.ContainsFunc(r, func(r rune) bool { return r < ' ' || r > '~' }) {
		errs = append(errs, fault("route", "%.64q, expected at most %d printable characters", r, routeMax))
	}
	errs = append(errs, validateLeg(t, "submit", t.Submit, smtp.Validate), validateLeg(t, "receive", t.Receive, imap.Validate))
	if t.Receive != nil && t.Receive.Login == nil {
		errs = append(errs, fault("receive.login", "missing, expected that of the mailbox of to"))
	}
	return errors.Join(errs...)
}

// validateLate wants every run to be over before the next one.
func validateLate(t checks.Target) error {
	d := t.WithDefaults()
	switch room := d.Every - d.Timeout; {
	case d.Late < minLate:
		return fault("late", "%s, expected at least %s", d.Late, minLate)
	case d.Late > room:
		return fault("late", "%s, expected at most every without timeout (%s)", d.Late, room)
	}
	return nil
}

func validateLeg(t checks.Target, field string, l *checks.Leg, validate func(checks.Target) error) error {
	if l == nil {
		return fault(field, "missing, expected url and login")
	}
	return under(field, validate(leg(t, l)))
}

// leg is one end of the round trip as a target of its own kind.
func leg(t checks.Target, l *checks.Leg) checks.Target {
	return checks.Target{ID: t.ID, Service: t.Service, URL: l.URL, Login: l.Login, Every: t.Every, Timeout: t.Timeout, CA: t.CA}
}

// under puts a field before those of a leg's faults; what a leg has from the
// target keeps its name.
func under(field string, err error) error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var errs []error
		for _, e := range joined.Unwrap() {
			errs = append(errs, under(field, e))
		}
		return errors.Join(errs...)
	}
	if f, ok := errors.AsType[*checks.FieldError](err); ok && f.Field != "ca" {
		return &checks.FieldError{Field: field + "." + f.Field, Problem: f.Problem}
	}
	return err
}

func fault(field, format string, args ...any) error {
	return &checks.FieldError{Field: field, Problem: fmt.Sprintf(format, args...)}
}

// New returns the check that t describes, with its passwords and authorities
// read from env.
func New(t checks.Target, env checks.Env) (*Check, error) {
	if err := Validate(t); err != nil {
		return nil, err
	}
	submit, submitErr := smtp.New(leg(t, t.Submit), env)
	receive, receiveErr := imap.New(leg(t, t.Receive), env)
	if err := errors.Join(under("submit", submitErr), under("receive", receiveErr)); err != nil {
		return nil, err
	}
	t = t.WithDefaults()
	return &Check{submit: submit, receive: receive, target: t, timeout: t.Timeout}, nil
}

// Attempt says that it cannot be done: a mail that nobody follows must not be
// sent, and only a probe has the ledger for that. See [Check.Send].
func (c *Check) Attempt(context.Context, checks.Family) checks.Result {
	return checks.Result{
		FailedPhase: checks.Submit, Class: checks.OwnError,
		Detail: "a round trip needs the ledger of a probe, so that its mail is followed; no mail was sent",
	}
}
