package imap

import (
	"context"
	"fmt"
	"strings"

	"varde/checks"
	"varde/checks/dialogue"
)

// Attempt asks once, over one family.
func (c *Check) Attempt(ctx context.Context, family checks.Family) checks.Result {
	return checks.Record(ctx, c.timeout, func(ctx context.Context, r *checks.Recorder) error {
		s, err := c.Open(ctx, r, family)
		if err != nil {
			return err
		}
		if c.login != nil {
			err = s.read(ctx)
		}
		s.end(ctx, err)
		return err
	})
}

// enter does what comes before a mailbox.
func (s *Session) enter(ctx context.Context, family checks.Family) error {
	if err := s.open(ctx, family); err != nil {
		return err
	}
	if err := s.askCapabilities(ctx); err != nil {
		return err
	}
	if err := s.secure(ctx); err != nil {
		return err
	}
	if s.check.login == nil || s.preauth {
		return nil
	}
	return s.logIn(ctx, *s.check.login)
}

// open connects and reads the greeting.
func (s *Session) open(ctx context.Context, family checks.Family) error {
	if err := s.rec.Dial(ctx, s.check.network, family, s.check.endpoint); err != nil {
		return err
	}
	if s.check.implicit() {
		if err := s.rec.Secure(ctx, s.check.trust); err != nil {
			return err
		}
	}
	s.talk = dialogue.New(s.rec.Conn())
	return s.rec.Phase(ctx, checks.Greeting, checks.GreetingLimit, func(context.Context) error { return s.greeting() })
}

func (s *Session) greeting() error {
	r, err := readResponse(s.talk, checks.GreetingError, false)
	if err != nil {
		return err
	}
	s.rec.Present(func(p *checks.Presented) { p.Banner = r.text })
	switch {
	case r.tag == "*" && r.word == "BYE":
		s.replied(r)
		return refused(checks.Greeting, r)
	case r.tag != "*" || r.word != "OK" && r.word != "PREAUTH":
		return checks.Fail(checks.GreetingError, "not an IMAP greeting: %.128q", r.tag+" "+r.String())
	}
	s.replied(r)
	s.heed(r)
	s.preauth = r.word == "PREAUTH"
	s.idle = true
	return nil
}

// askCapabilities asks even if the greeting has told them: the answer shows
// that the server does more than greet.
func (s *Session) askCapabilities(ctx context.Context) error {
	return s.rec.Phase(ctx, checks.Capability, checks.CommandLimit, func(context.Context) error {
		s.capabilities = nil
		if err := s.command(checks.Capability, "CAPABILITY"); err != nil {
			return err
		}
		if !s.can("IMAP4rev1") && !s.can("IMAP4rev2") {
			return checks.Fail(checks.ProtocolError, "capabilities %q, expected IMAP4rev1 among them", s.capabilities)
		}
		return nil
	})
}

// secure makes the session TLS where it is not yet.
func (s *Session) secure(ctx context.Context) error {
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
	return s.askCapabilities(ctx) // what was told before TLS is forgotten, RFC 9051 6.2.1
}

func (s *Session) startTLS() error {
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

// read opens the expected mailbox read-only, asks for what is new, and takes
// the newest header if that is expected.
func (s *Session) read(ctx context.Context) error {
	if s.check.mailbox != "" {
		if err := s.phase(ctx, checks.Select, pieces("EXAMINE", s.check.mailbox)...); err != nil {
			return err
		}
	}
	if err := s.phase(ctx, checks.Request, "NOOP"); err != nil || !s.check.newest {
		return err
	}
	if s.exists == 0 {
		s.rec.Note("the mailbox is empty")
		return nil
	}
	return s.rec.Phase(ctx, checks.Body, checks.CommandLimit, func(context.Context) error { return s.newest() })
}

// newest takes the beginning of the newest message's header and keeps nothing
// of it. The whole header is asked for because servers answer for single fields
// out of an index, even where the mail itself can no longer be read.
func (s *Session) newest() error {
	came := false
	heed := func(r response) { came = came || r.fetched().header }
	r, err := s.finish(checks.Body, heed, fmt.Sprintf("FETCH %d BODY.PEEK[HEADER]<0.%d>", s.exists, newestMax))
	switch {
	case r.code == "EXPUNGEISSUED":
		s.rec.Note("the newest message was removed meanwhile")
		return nil
	case err == nil && !came:
		return checks.Fail(checks.ProtocolError, "no header of the newest message, expected one")
	}
	return err
}

// newestMax is how much of the newest header is taken, in bytes.
const newestMax = 4 << 10

// phase sends one command in a phase of its own.
func (s *Session) phase(ctx context.Context, p checks.Phase, parts ...string) error {
	return s.rec.Phase(ctx, p, checks.CommandLimit, func(context.Context) error { return s.command(p, parts...) })
}

// end leaves. After a full answer it waits for the farewell, which is timed but
// decides nothing.
func (s *Session) end(ctx context.Context, failed error) {
	if failed != nil {
		s.Leave()
		return
	}
	if err := s.rec.Phase(ctx, checks.Logout, checks.LogoutLimit, func(context.Context) error { return s.Logout() }); err != nil {
		s.rec.Note("LOGOUT was not answered")
	}
}

func (s *Session) can(capability string) bool {
	for _, c := range s.capabilities {
		if strings.EqualFold(c, capability) {
			return true
		}
	}
	return false
}
