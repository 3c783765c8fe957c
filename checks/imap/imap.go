package imap

import (
	"context"
	"fmt"
	"slices"

	"varde/checks"
	"varde/checks/dialogue"
)

// Attempt asks once, over one family.
func (c *Check) Attempt(ctx context.Context, family checks.Family) checks.Result {
	return checks.Record(ctx, c.timeout, func(ctx context.Context, r *checks.Recorder) error {
		s := &session{check: c, rec: r}
		err := s.ask(ctx, family)
		s.leave(ctx, err)
		return err
	})
}

// session is one attempt under way.
type session struct {
	check        *Check
	rec          *checks.Recorder
	talk         *dialogue.Conversation
	tags         int
	capabilities []string
	preauth      bool
	// idle is true while the server waits for a command: only then can it be
	// told that we leave.
	idle bool
}

func (s *session) ask(ctx context.Context, family checks.Family) error {
	if err := s.open(ctx, family); err != nil {
		return err
	}
	if err := s.askCapabilities(ctx); err != nil {
		return err
	}
	if err := s.secure(ctx); err != nil {
		return err
	}
	if s.check.login == nil {
		return nil
	}
	if err := s.logIn(ctx, *s.check.login); err != nil {
		return err
	}
	return s.examine(ctx)
}

// open connects and reads the greeting.
func (s *session) open(ctx context.Context, family checks.Family) error {
	if err := s.rec.Dial(ctx, s.check.network, family, s.check.endpoint); err != nil {
		return err
	}
	if s.check.implicit() {
		if err := s.rec.Handshake(ctx, s.check.tls); err != nil {
			return err
		}
	}
	s.talk = dialogue.New(s.rec.Conn())
	return s.rec.Phase(ctx, checks.Greeting, checks.GreetingLimit, func(context.Context) error {
		r, err := readResponse(s.talk, checks.GreetingError)
		switch {
		case err != nil:
			return err
		case r.tag == "*" && r.word == "BYE":
			return refused(checks.Greeting, r)
		case r.tag != "*" || r.word != "OK" && r.word != "PREAUTH":
			return checks.Fail(checks.GreetingError, "not an IMAP greeting: %.128q", r.tag+" "+r.String())
		}
		s.preauth = r.word == "PREAUTH"
		s.idle = true
		return nil
	})
}

// askCapabilities asks even if the greeting has told them: the answer shows
// that the server does more than greet.
func (s *session) askCapabilities(ctx context.Context) error {
	return s.rec.Phase(ctx, checks.Capability, checks.CommandLimit, func(context.Context) error {
		s.capabilities = nil
		if err := s.command(checks.Capability, "CAPABILITY"); err != nil {
			return err
		}
		if !s.can("IMAP4REV1") && !s.can("IMAP4REV2") {
			return checks.Fail(checks.ProtocolError, "capabilities %q, expected IMAP4rev1 among them", s.capabilities)
		}
		return nil
	})
}

// secure makes the session TLS where it is not yet.
func (s *session) secure(ctx context.Context) error {
	if s.check.implicit() {
		return nil
	}
	s.rec.Rename(checks.StartTLS)
	if err := s.rec.Phase(ctx, checks.StartTLS, checks.CommandLimit, func(context.Context) error {
		return s.startTLS()
	}); err != nil {
		return err
	}
	s.idle = false
	if err := s.rec.Handshake(ctx, s.check.tls); err != nil {
		return err
	}
	s.talk.Continue(s.rec.Conn())
	s.idle = true
	return s.askCapabilities(ctx) // what was told before TLS is forgotten, RFC 9051 6.2.1
}

func (s *session) startTLS() error {
	switch {
	case s.preauth: // STARTTLS is no longer possible, RFC 9051 11.1
		return checks.Fail(checks.TLSError, "the server greets with PREAUTH where STARTTLS is required")
	case !s.can("STARTTLS"):
		return checks.Fail(checks.TLSError, "the server does not offer STARTTLS")
	}
	if err := s.command(checks.StartTLS, "STARTTLS"); err != nil {
		return err
	}
	s.idle = false
	return s.talk.Quiet()
}

// logIn uses AUTHENTICATE PLAIN, which takes any user and password as they
// are, or LOGIN where that is not offered.
func (s *session) logIn(ctx context.Context, as checks.Credentials) error {
	if s.preauth {
		return nil
	}
	plain := encode("\x00" + as.User + "\x00" + as.Password)
	s.rec.Hide(as.Password, plain)
	return s.rec.Phase(ctx, checks.Auth, checks.AuthLimit, func(context.Context) error {
		switch {
		case s.can("AUTH=PLAIN") && s.can("SASL-IR"):
			return s.command(checks.Auth, "AUTHENTICATE PLAIN "+plain)
		case s.can("AUTH=PLAIN"):
			return s.command(checks.Auth, "AUTHENTICATE PLAIN", plain)
		case s.can("LOGINDISABLED"):
			return checks.Fail(checks.AuthRejected, "the server offers neither AUTH=PLAIN nor LOGIN")
		}
		return s.command(checks.Auth, pieces("LOGIN", as.User, as.Password)...)
	})
}

// examine opens the expected mailbox read-only.
func (s *session) examine(ctx context.Context) error {
	if s.check.mailbox == "" {
		return nil
	}
	return s.rec.Phase(ctx, checks.Select, checks.CommandLimit, func(context.Context) error {
		return s.command(checks.Select, pieces("EXAMINE", s.check.mailbox)...)
	})
}

// leave says LOGOUT. After a full answer it waits for the farewell, which is
// timed but decides nothing.
func (s *session) leave(ctx context.Context, failed error) {
	if failed != nil {
		if s.idle {
			_ = s.talk.Say(s.tag() + " LOGOUT") // a courtesy; the attempt has its result
		}
		return
	}
	if err := s.rec.Phase(ctx, checks.Logout, checks.LogoutLimit, func(context.Context) error {
		return s.command(checks.Logout, "LOGOUT")
	}); err != nil {
		s.rec.Note("LOGOUT was not answered")
	}
}

// command sends a command in pieces, the next one whenever the server asks for
// it, and waits until it is done.
func (s *session) command(p checks.Phase, parts ...string) error {
	tag := s.tag()
	s.idle = false
	if err := s.talk.Send(tag + " " + parts[0] + "\r\n"); err != nil {
		return err
	}
	for _, part := range parts[1:] {
		if err := s.await(p, tag, true); err != nil {
			return err
		}
		if err := s.talk.Send(part + "\r\n"); err != nil {
			return err
		}
	}
	return s.await(p, tag, false)
}

func (s *session) tag() string {
	s.tags++
	return fmt.Sprintf("a%d", s.tags)
}

// await reads until the command with this tag has ended, or until the server
// asks for more of it.
func (s *session) await(p checks.Phase, tag string, more bool) error {
	for {
		r, err := readResponse(s.talk, checks.ProtocolError)
		if err != nil {
			return err
		}
		if told := r.capabilities(); told != nil {
			s.capabilities = told
		}
		switch {
		case r.tag == "+" && more:
			return nil
		case r.tag == "*" && (r.word != "BYE" || p == checks.Logout):
		case r.tag == "*":
			return refused(p, r)
		case r.tag == tag:
			s.idle = true
			return finished(p, r, more)
		default:
			return checks.Fail(checks.ProtocolError, "a response to %.32q, expected one to %s", r.tag, tag)
		}
	}
}

func finished(p checks.Phase, r response, more bool) error {
	switch {
	case r.word != "OK":
		return refused(p, r)
	case more:
		return checks.Fail(checks.ProtocolError, "OK before the command was complete")
	}
	return nil
}

func (s *session) can(capability string) bool { return slices.Contains(s.capabilities, capability) }
