package pop3

import (
	"context"
	"slices"
	"strings"

	"varde/checks"
	"varde/checks/dialogue"
	"varde/checks/sasl"
)

// Attempt asks once, over one family.
func (c *Check) Attempt(ctx context.Context, family checks.Family) checks.Result {
	return checks.Record(ctx, c.timeout, func(ctx context.Context, r *checks.Recorder) error {
		s := &session{check: c, rec: r}
		r.Hide(sasl.Secrets(c.login, c.endpoint)...)
		err := s.ask(ctx, family)
		s.leave(ctx, err)
		return err
	})
}

// session is one attempt under way.
type session struct {
	check *Check
	rec   *checks.Recorder
	talk  *dialogue.Conversation
	// capabilities are nil where the server cannot tell them.
	capabilities []string
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
	return s.count(ctx)
}

// open connects and reads the greeting.
func (s *session) open(ctx context.Context, family checks.Family) error {
	if err := s.rec.Dial(ctx, s.check.network, family, s.check.endpoint); err != nil {
		return err
	}
	if s.check.implicit() {
		if err := s.rec.Secure(ctx, s.check.trust); err != nil {
			return err
		}
	}
	s.talk = dialogue.New(s.rec.Conn())
	return s.rec.Phase(ctx, checks.Greeting, checks.GreetingLimit, func(context.Context) error {
		r, err := readReply(s.talk, checks.GreetingError)
		if err != nil {
			return err
		}
		s.rec.Present(func(p *checks.Presented) { p.Banner = r.text })
		s.replied(r)
		switch r.mark {
		case fine:
			s.idle = true
			return nil
		case wrong:
			return refused(checks.Greeting, r)
		}
		return checks.Fail(checks.GreetingError, "not a POP3 greeting: %.128q", r)
	})
}

// askCapabilities asks what the server can do. One that does not know the
// question (RFC 2449 is younger than POP3) has answered it all the same.
func (s *session) askCapabilities(ctx context.Context) error {
	return s.rec.Phase(ctx, checks.Capability, checks.CommandLimit, func(context.Context) error {
		s.capabilities = nil
		r, err := s.command("CAPA")
		switch {
		case err != nil:
			return err
		case r.mark == wrong && r.code == "":
			return nil
		case r.mark != fine:
			return refused(checks.Capability, r)
		}
		s.idle = false
		list, err := readList(s.talk)
		if err != nil {
			return err
		}
		s.idle = true
		s.capabilities = append([]string{}, list...)
		s.rec.Present(func(p *checks.Presented) { p.Capabilities = s.capabilities })
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
	if err := s.rec.Secure(ctx, s.check.trust); err != nil {
		return err
	}
	s.talk.Continue(s.rec.Conn())
	s.idle = true
	return s.askCapabilities(ctx) // what was told before TLS is forgotten, RFC 2595 section 4
}

func (s *session) startTLS() error {
	if _, offered := s.capability("STLS"); !offered && s.capabilities != nil {
		return checks.Fail(checks.TLSError, "the server does not offer STLS")
	}
	r, err := s.command("STLS")
	if err != nil {
		return err
	}
	if r.mark != fine {
		return refused(checks.StartTLS, r)
	}
	s.idle = false
	return s.talk.Quiet()
}

// count asks how much mail there is, which shows that the mailbox is open.
func (s *session) count(ctx context.Context) error {
	return s.rec.Phase(ctx, checks.Select, checks.CommandLimit, func(context.Context) error {
		r, err := s.command("STAT")
		switch {
		case err != nil:
			return err
		case r.mark != fine:
			return refused(checks.Select, r)
		case !isDrop(r.text):
			return checks.Fail(checks.ProtocolError, "STAT: %.128q, expected a number of messages and their size", r)
		}
		return nil
	})
}

// leave says QUIT. After a full answer it waits for the farewell, which is timed
// but decides nothing.
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

// command sends a line and reads the first line of the answer.
func (s *session) command(line string) (reply, error) {
	s.idle = false
	if err := s.talk.Say(line); err != nil {
		return reply{}, err
	}
	r, err := readReply(s.talk, checks.ProtocolError)
	if err != nil {
		return reply{}, err
	}
	s.idle = r.mark != more
	s.replied(r)
	return r, nil
}

// replied keeps the words with which the server answered.
func (s *session) replied(r reply) {
	s.rec.Present(func(p *checks.Presented) { p.Replies = append(p.Replies, r.status()) })
}

// capability returns what the server says behind a capability's name, in upper
// case.
func (s *session) capability(name string) (args []string, offered bool) {
	for _, line := range s.capabilities {
		words := strings.Fields(strings.ToUpper(line))
		if len(words) > 0 && words[0] == name {
			return slices.Clone(words[1:]), true
		}
	}
	return nil, false
}
