package smtp

import (
	"context"
	"encoding/base64"
	"net"
	"net/netip"
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
	check      *Check
	rec        *checks.Recorder
	talk       *dialogue.Conversation
	extensions map[string][]string
	// idle is true while the server waits for a command: only then can it be
	// told that we leave.
	idle bool
}

func (s *session) ask(ctx context.Context, family checks.Family) error {
	if err := s.open(ctx, family); err != nil {
		return err
	}
	if err := s.hello(ctx); err != nil {
		return err
	}
	if err := s.secure(ctx); err != nil {
		return err
	}
	if s.check.login == nil {
		return nil
	}
	return s.logIn(ctx, *s.check.login)
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
	return s.rec.Phase(ctx, checks.Greeting, s.check.greetingLimit(), func(context.Context) error {
		r, err := readReply(s.talk, greetingLines, checks.GreetingError)
		if err != nil {
			return err
		}
		if s.idle = true; r.code != 220 {
			return refused(checks.Greeting, r)
		}
		return nil
	})
}

// hello says EHLO and reads what the server can do.
func (s *session) hello(ctx context.Context) error {
	return s.rec.Phase(ctx, checks.Capability, checks.CommandLimit, func(context.Context) error {
		r, err := s.command("EHLO " + literal(s.rec.Conn().LocalAddr()))
		if err != nil {
			return err
		}
		if r.code != 250 {
			return refused(checks.Capability, r)
		}
		s.extensions = r.extensions()
		return nil
	})
}

// secure makes the session TLS where it is not yet: always where it must be,
// on port 25 where it can be.
func (s *session) secure(ctx context.Context) error {
	_, offered := s.extensions["STARTTLS"]
	if s.check.implicit() || !offered && !s.check.demanding() {
		return nil
	}
	s.rec.Rename(checks.StartTLS)
	if err := s.rec.Phase(ctx, checks.StartTLS, checks.CommandLimit, func(context.Context) error {
		return s.startTLS(offered)
	}); err != nil {
		return err
	}
	s.idle = false
	if err := s.rec.Handshake(ctx, s.check.tls); err != nil {
		return err
	}
	s.talk.Continue(s.rec.Conn())
	return s.hello(ctx) // what was offered before TLS is forgotten, RFC 3207 4.2
}

func (s *session) startTLS(offered bool) error {
	if !offered {
		return checks.Fail(checks.TLSError, "the server does not offer STARTTLS")
	}
	r, err := s.command("STARTTLS")
	if err != nil {
		return err
	}
	if r.code != 220 {
		return refused(checks.StartTLS, r)
	}
	s.idle = false
	return s.talk.Quiet()
}

// logIn uses PLAIN or, where only that is offered, LOGIN.
func (s *session) logIn(ctx context.Context, as checks.Credentials) error {
	plain := encode("\x00" + as.User + "\x00" + as.Password)
	s.rec.Hide(as.Password, plain)
	return s.rec.Phase(ctx, checks.Auth, checks.AuthLimit, func(context.Context) error {
		offered := s.extensions["AUTH"]
		switch {
		case slices.Contains(offered, "PLAIN"):
			return s.authenticate("AUTH PLAIN " + plain)
		case slices.Contains(offered, "LOGIN"):
			return s.authenticate("AUTH LOGIN", encode(as.User), encode(as.Password))
		}
		return checks.Fail(checks.AuthRejected, "the server offers AUTH %q, expected PLAIN or LOGIN", offered)
	})
}

// authenticate sends a command and the answers to its challenges.
func (s *session) authenticate(command string, answers ...string) error {
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
	if err != nil {
		return err
	}
	if r.code != 235 {
		return refused(checks.Auth, r)
	}
	return nil
}

// leave says QUIT. After a full answer it waits for the farewell, which is
// timed but decides nothing.
func (s *session) leave(ctx context.Context, failed error) {
	if failed != nil {
		if s.idle {
			_ = s.talk.Say("QUIT") // a courtesy; the attempt has its result
		}
		return
	}
	if err := s.rec.Phase(ctx, checks.Logout, checks.LogoutLimit, func(context.Context) error {
		_, err := s.command("QUIT")
		return err
	}); err != nil {
		s.rec.Note("QUIT was not answered")
	}
}

func (s *session) command(line string) (reply, error) {
	s.idle = false
	if err := s.talk.Say(line); err != nil {
		return reply{}, err
	}
	r, err := readReply(s.talk, replyLines, checks.ProtocolError)
	s.idle = err == nil
	return r, err
}

// literal is the name by which we greet: our address, as RFC 5321 4.1.3 has it
// for a client without a name that would resolve to it.
func literal(a net.Addr) string {
	at, err := netip.ParseAddrPort(a.String())
	switch {
	case err != nil:
		return "[127.0.0.1]"
	case at.Addr().Unmap().Is4():
		return "[" + at.Addr().Unmap().String() + "]"
	}
	return "[IPv6:" + at.Addr().WithZone("").String() + "]"
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
