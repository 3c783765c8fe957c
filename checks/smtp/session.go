package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"time"

	"varde/checks"
	"varde/checks/dialogue"
	"varde/checks/sasl"
)

// Session is a conversation with a server that has let us in. It belongs to the
// goroutine of its attempt and ends with it.
type Session struct {
	check      *Check
	rec        *checks.Recorder
	talk       *dialogue.Conversation
	extensions map[string][]string
	// idle is true while the server waits for a command: only then can it be
	// told that we leave.
	idle bool
	// failed is true when something went otherwise than hoped.
	failed bool
	// later are the words of a server that greylists us.
	later string
}

// Open connects, begins TLS and logs in, if the target has a login: the phases
// of an attempt up to auth, each recorded by r and within its own limit. After
// an error, which is a *checks.Failure, there is no session, and the server has
// been told that we leave.
func (c *Check) Open(ctx context.Context, r *checks.Recorder, family checks.Family) (*Session, error) {
	s := &Session{check: c, rec: r}
	r.Hide(sasl.Secrets(c.login, c.endpoint)...)
	if err := s.enter(ctx, family); err != nil {
		s.leave()
		return nil, err
	}
	return s, nil
}

// Quit ends the session: phase logout. After a full answer it waits for the
// farewell, which is timed but decides nothing; after a failure it waits for
// nothing.
func (s *Session) Quit(ctx context.Context) {
	if s.failed {
		s.leave()
		return
	}
	err := s.step(ctx, checks.Logout, checks.LogoutLimit, func() error {
		_, err := s.command("QUIT")
		return err
	})
	if err != nil && s.later == "" {
		s.rec.Note("QUIT was not answered")
	}
}

func (s *Session) leave() {
	if s.idle {
		_ = s.talk.Say("QUIT") // a courtesy; the attempt has its result
	}
}

// Certificates asks once over one family which certificates the server
// presents, its own first, whether they are to be believed or not, and logs in
// nowhere. The result is up when the question was answered; without any
// certificate the server offers no TLS.
func (c *Check) Certificates(ctx context.Context, family checks.Family) ([]*x509.Certificate, checks.Result) {
	open := *c
	open.login, open.credulous = nil, true
	var chain []*x509.Certificate
	result := checks.Record(ctx, c.timeout, func(ctx context.Context, r *checks.Recorder) error {
		s, err := open.Open(ctx, r, family)
		if err != nil {
			return err
		}
		if secured, ok := r.Conn().(*tls.Conn); ok {
			chain = secured.ConnectionState().PeerCertificates
		}
		s.Quit(ctx)
		return nil
	})
	return chain, result
}

// step runs one exchange of a phase.
func (s *Session) step(ctx context.Context, p checks.Phase, limit time.Duration, do func() error) error {
	err := s.rec.Phase(ctx, p, limit, func(context.Context) error { return do() })
	s.failed = s.failed || err != nil
	return err
}

// command says one line and reads the reply to it.
func (s *Session) command(line string) (reply, error) {
	s.idle = false
	if err := s.talk.Say(line); err != nil {
		return reply{}, err
	}
	return s.await(replyLines, checks.ProtocolError)
}

// await reads one reply. What does not look like one is a failure of class
// wrong.
func (s *Session) await(lines int, wrong checks.Class) (reply, error) {
	r, err := readReply(s.talk, lines, wrong)
	if err != nil {
		return reply{}, err
	}
	s.idle = true
	s.rec.Present(func(p *checks.Presented) { p.Replies = append(p.Replies, r.codes()) })
	return r, nil
}
