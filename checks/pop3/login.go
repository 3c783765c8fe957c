package pop3

import (
	"context"
	"strings"

	"varde/checks"
	"varde/checks/sasl"
)

// lineMax is the longest command, in bytes with its end (RFC 2449 section 4).
// An initial response that does not fit waits until the server asks for it (RFC
// 5034 section 4).
const lineMax = 255

// logIn shows the password in the way that is asked for, else by AUTH PLAIN or
// by USER and PASS where that is not offered.
func (s *session) logIn(ctx context.Context, as checks.Credentials) error {
	return s.rec.Phase(ctx, checks.Auth, checks.AuthLimit, func(context.Context) error {
		offered, hasSASL := s.capability("SASL")
		_, hasUser := s.capability("USER")
		mechanism, err := sasl.Choose(as.Mechanism, offered, hasUser || !hasSASL)
		switch {
		case err != nil:
			return err
		case mechanism == checks.MechanismLogin:
			return s.commands("USER "+as.User, "PASS "+as.Password)
		}
		return s.authenticate(mechanism, sasl.Initial(mechanism, as, s.check.endpoint))
	})
}

// commands sends one line after the other; each must be answered well.
func (s *session) commands(lines ...string) error {
	for _, line := range lines {
		r, err := s.command(line)
		if err != nil {
			return err
		}
		if r.mark != fine {
			return refused(checks.Auth, r)
		}
	}
	return nil
}

// authenticate sends the initial response. A server that refuses a bearer token
// says why before it ends the command, and waits for an answer in between.
func (s *session) authenticate(m checks.Mechanism, initial string) error {
	r, err := s.initiate("AUTH "+sasl.Name(m), initial)
	if err != nil {
		return err
	}
	why := ""
	if r.mark == more && sasl.Bearer(m) {
		why = sasl.Decode(r.text)
		if r, err = s.command(sasl.Cancel()); err != nil {
			return err
		}
	}
	if r.mark != fine {
		r.text = strings.TrimSpace(r.text + " " + why)
		return refused(checks.Auth, r)
	}
	return nil
}

func (s *session) initiate(command, initial string) (reply, error) {
	if line := command + " " + initial; len(line)+len("\r\n") <= lineMax {
		return s.command(line)
	}
	r, err := s.command(command)
	switch {
	case err != nil:
		return r, err
	case r.mark == fine:
		return r, checks.Fail(checks.ProtocolError, "+OK before the login was complete")
	case r.mark == wrong:
		return r, nil
	}
	return s.command(initial)
}
