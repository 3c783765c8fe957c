package imap

import (
	"context"
	"strings"

	"varde/checks"
	"varde/checks/sasl"
)

// logIn shows the password in the way that is asked for, else by AUTHENTICATE
// PLAIN, which takes any user and password as they are, or by LOGIN where that
// is not offered.
func (s *Session) logIn(ctx context.Context, as checks.Credentials) error {
	return s.rec.Phase(ctx, checks.Auth, checks.AuthLimit, func(context.Context) error {
		mechanism, err := sasl.Choose(as.Mechanism, s.mechanisms(), !s.can("LOGINDISABLED"))
		switch {
		case err != nil:
			return err
		case mechanism == checks.MechanismLogin:
			return s.command(checks.Auth, pieces("LOGIN", as.User, as.Password)...)
		}
		return s.authenticate(mechanism, sasl.Initial(mechanism, as, s.check.endpoint))
	})
}

// mechanisms are those of SASL that the server offers, in upper case.
func (s *Session) mechanisms() []string {
	var offered []string
	for _, c := range s.capabilities {
		if name, ok := strings.CutPrefix(strings.ToUpper(c), "AUTH="); ok {
			offered = append(offered, name)
		}
	}
	return offered
}

// authenticate sends the initial response with the command, or when the server
// asks for it (RFC 4959). A server that refuses a bearer token says why before
// it ends the command, and waits for an answer in between.
func (s *Session) authenticate(m checks.Mechanism, initial string) error {
	parts := []string{"AUTHENTICATE " + sasl.Name(m), initial}
	if s.can("SASL-IR") {
		parts = []string{parts[0] + " " + initial}
	}
	r, err := s.run(checks.Auth, nil, parts...)
	if err != nil || r.tag != "+" {
		return err
	}
	if !sasl.Bearer(m) {
		return s.unasked()
	}
	why := sasl.Decode(r.text)
	if err := s.talk.Say(sasl.Cancel()); err != nil {
		return err
	}
	r, err = s.await(checks.Auth, nil)
	switch {
	case r.tag == "+":
		return s.unasked()
	case err == nil || r.tag == "":
		return err
	}
	r.text = strings.TrimSpace(r.text + " " + why)
	return refused(checks.Auth, r)
}
