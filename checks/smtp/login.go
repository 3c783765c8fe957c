package smtp

import (
	"context"
	"slices"
	"strings"

	"varde/checks"
	"varde/checks/sasl"
)

// commandMax is the longest command, in bytes with its end (RFC 5321
// 4.5.3.1.4); an answer to a challenge may be longer (RFC 4954 section 4).
const commandMax = 512

// logIn shows the password in the way that is asked for, else by PLAIN or,
// where only that is offered, by LOGIN. A server that offers none of them, or
// no login at all, is auth_rejected: whether it has lost its accounts or never
// had any here, we cannot tell.
func (s *Session) logIn(ctx context.Context, as checks.Credentials) error {
	return s.step(ctx, checks.Auth, checks.AuthLimit, func() error {
		offered := s.extensions["AUTH"]
		mechanism, err := sasl.Choose(as.Mechanism, offered, slices.Contains(offered, "LOGIN"))
		switch {
		case err != nil:
			return err
		case mechanism == checks.MechanismLogin:
			return s.authenticate(mechanism, "AUTH LOGIN", sasl.Encode(as.User), sasl.Encode(as.Password))
		}
		initial := sasl.Initial(mechanism, as, s.check.endpoint)
		command := "AUTH " + sasl.Name(mechanism)
		if whole := command + " " + initial; len(whole)+len("\r\n") <= commandMax {
			return s.authenticate(mechanism, whole)
		}
		return s.authenticate(mechanism, command, initial)
	})
}

// authenticate sends a command and the answers to its challenges.
func (s *Session) authenticate(m checks.Mechanism, command string, answers ...string) error {
	r, err := s.command(command)
	for _, answer := range answers {
		if err != nil {
			return err
		}
		if r.code != 334 {
			return refused(checks.Auth, r)
		}
		r, err = s.command(answer)
	}
	switch {
	case err != nil:
		return err
	case r.code == 334 && sasl.Bearer(m):
		return s.cancel(r)
	case r.code != 235:
		return refused(checks.Auth, r)
	}
	return nil
}

// cancel hears a server out that refuses a bearer token: it says why in a
// challenge, and ends the command when that was answered.
func (s *Session) cancel(challenge reply) error {
	why := sasl.Decode(challenge.text())
	r, err := s.command(sasl.Cancel())
	switch {
	case err != nil:
		return err
	case r.kind() < 4:
		return checks.Fail(checks.ProtocolError, "%s, after the token was refused", r)
	}
	return checks.Fail(classify(checks.Auth, r), "%s", strings.TrimSpace(r.String()+" "+why))
}
