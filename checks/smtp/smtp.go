package smtp

import (
	"context"
	"crypto/tls"
	"net"
	"net/netip"

	"varde/checks"
	"varde/checks/dialogue"
)

// Attempt asks once, over one family.
func (c *Check) Attempt(ctx context.Context, family checks.Family) checks.Result {
	return checks.Record(ctx, c.timeout, func(ctx context.Context, r *checks.Recorder) error {
		s, err := c.Open(ctx, r, family)
		if err == nil && c.to != "" {
			err = s.offer(ctx)
		}
		if s != nil {
			s.Quit(ctx)
		}
		return err
	})
}

// enter goes from nothing to a session in which mail can be sent.
func (s *Session) enter(ctx context.Context, family checks.Family) error {
	if err := s.connect(ctx, family); err != nil {
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

// connect dials and reads the greeting.
func (s *Session) connect(ctx context.Context, family checks.Family) error {
	if err := s.rec.Dial(ctx, s.check.network, family, s.check.endpoint); err != nil {
		return err
	}
	if s.check.implicit() {
		if err := s.shake(ctx); err != nil {
			return err
		}
	}
	s.talk = dialogue.New(s.rec.Conn())
	return s.step(ctx, checks.Greeting, s.check.greetingLimit(), func() error {
		r, err := s.await(greetingLines, checks.GreetingError)
		if err != nil {
			return err
		}
		s.rec.Present(func(p *checks.Presented) { p.Banner = r.text() })
		if r.code != 220 {
			return refused(checks.Greeting, r)
		}
		return nil
	})
}

// hello says EHLO and reads what the server can do.
func (s *Session) hello(ctx context.Context) error {
	return s.step(ctx, checks.Capability, checks.CommandLimit, func() error {
		r, err := s.command("EHLO " + literal(s.rec.Conn().LocalAddr()))
		if err != nil {
			return err
		}
		if r.code != 250 {
			return refused(checks.Capability, r)
		}
		s.extensions = r.extensions()
		s.rec.Present(func(p *checks.Presented) { p.Capabilities = r.lines[1:] })
		return nil
	})
}

// secure makes the session TLS where it is not yet: always where it must be,
// on port 25 where it can be.
func (s *Session) secure(ctx context.Context) error {
	_, offered := s.extensions["STARTTLS"]
	if s.check.implicit() || !offered && !s.check.demanding() {
		return nil
	}
	s.rec.Rename(checks.StartTLS)
	if err := s.step(ctx, checks.StartTLS, checks.CommandLimit, func() error {
		return s.startTLS(offered)
	}); err != nil {
		return err
	}
	s.idle = false
	if err := s.shake(ctx); err != nil {
		return err
	}
	s.talk.Continue(s.rec.Conn())
	return s.hello(ctx) // what was offered before TLS is forgotten, RFC 3207 4.2
}

// shake makes the connection TLS.
func (s *Session) shake(ctx context.Context) error {
	if s.check.credulous {
		return s.rec.Handshake(ctx, &tls.Config{ServerName: s.check.trust.Name, InsecureSkipVerify: true})
	}
	return s.rec.Secure(ctx, s.check.trust)
}

func (s *Session) startTLS(offered bool) error {
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
