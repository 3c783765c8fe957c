package dns

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/miekg/dns"

	"varde/checks"
)

const (
	// again is after how long a datagram without an answer is taken for lost.
	again = time.Second
	// payload is the largest datagram that is asked for, in bytes: it passes
	// everywhere in one piece (RFC 9715).
	payload = 1232
)

// Attempt asks once, over one family.
func (c *Check) Attempt(ctx context.Context, family checks.Family) checks.Result {
	return checks.Record(ctx, c.timeout, func(ctx context.Context, r *checks.Recorder) error {
		rtype := c.query.asks(family)
		s := session{
			rec: r, network: c.network, family: family, server: c.query.server,
			asked: question(c.query.name, rtype), stream: c.query.stream,
		}
		return s.ask(ctx, func(m *dns.Msg) error { return s.judge(m, c.expected[rtype]) })
	})
}

// session is one question under way.
type session struct {
	rec     *checks.Recorder
	network checks.Network
	family  checks.Family
	server  checks.Endpoint // without a host for the machine's own
	asked   dns.Question
	stream  bool // over TCP from the start

	sent    dns.Msg
	strange int // datagrams that answer something else
}

// ask puts the question and has what comes judged as a part of phase request.
func (s *session) ask(ctx context.Context, judge func(*dns.Msg) error) error {
	s.rec.Unanswered(checks.DNSTimeout)
	m, err := s.fetch(ctx)
	if s.strange > 0 {
		s.show("%d datagrams that answer something else", s.strange)
	}
	if err != nil {
		return err
	}
	return s.rec.Phase(ctx, checks.Request, checks.CommandLimit, func(context.Context) error { return judge(m) })
}

func (s *session) fetch(ctx context.Context) (*dns.Msg, error) {
	to, err := s.to(ctx)
	if err != nil {
		return nil, err
	}
	s.sent = s.message()
	if s.stream {
		if err := s.rec.Dial(ctx, s.network, s.family, to); err != nil {
			return nil, err
		}
		return s.request(ctx, s.overStream)
	}
	if err := s.rec.DialDatagram(ctx, s.network, s.family, to); err != nil {
		return nil, err
	}
	m, err := s.request(ctx, s.overDatagram)
	if err != nil || !m.Truncated {
		return m, err
	}
	if err := s.rec.Redial(ctx, s.network, s.family); err != nil {
		return nil, err
	}
	return s.request(ctx, s.overStream)
}

// to is who is asked.
func (s *session) to(ctx context.Context) (checks.Endpoint, error) {
	if s.server.Host != "" {
		return s.server, nil
	}
	at, ok := checks.NameServer(s.network, s.family)
	if ok {
		return checks.Endpoint{Host: at.Addr().String(), Port: at.Port()}, nil
	}
	return checks.Endpoint{}, s.rec.Phase(ctx, checks.Resolve, checks.CommandLimit, func(context.Context) error {
		return checks.Fail(checks.OwnError, "this machine has no name server over %s", s.family)
	})
}

// message is the question: it asks for recursion, for the word of a resolver
// that verifies (RFC 6840 5.7), and for no more than a datagram holds.
func (s *session) message() dns.Msg {
	m := dns.Msg{
		MsgHdr:   dns.MsgHdr{RecursionDesired: true, AuthenticatedData: true},
		Question: []dns.Question{s.asked},
	}
	m.SetEdns0(payload, false)
	return m
}

// request is one exchange and its limit. A server that is older than extensions
// is asked once more without (RFC 6891 section 7), as resolvers do.
func (s *session) request(ctx context.Context, exchange func([]byte) (*dns.Msg, error)) (m *dns.Msg, err error) {
	err = s.rec.Phase(ctx, checks.Request, checks.CommandLimit, func(context.Context) error {
		m, err = s.put(exchange)
		if err == nil && s.sent.IsEdns0() != nil && knowsNoExtensions(m) {
			s.sent.Extra = nil
			m, err = s.put(exchange)
		}
		return err
	})
	return m, err
}

func knowsNoExtensions(m *dns.Msg) bool {
	return (m.Rcode == dns.RcodeFormatError || m.Rcode == dns.RcodeNotImplemented) && m.IsEdns0() == nil
}

// put asks under a number of its own.
func (s *session) put(exchange func([]byte) (*dns.Msg, error)) (*dns.Msg, error) {
	s.sent.Id = dns.Id()
	packed, err := s.sent.Pack()
	if err != nil {
		return nil, checks.Fail(checks.OwnError, "pack the question: %v", err)
	}
	m, err := exchange(packed)
	if err == nil {
		s.present(m)
	}
	return m, err
}

// overDatagram takes the first datagram that answers the question.
func (s *session) overDatagram(packed []byte) (*dns.Msg, error) {
	conn := s.rec.Conn()
	if _, err := conn.Write(packed); err != nil {
		return nil, err
	}
	if err := conn.SetReadDeadline(time.Now().Add(again)); err != nil {
		return nil, err
	}
	buf := make([]byte, datagramMax)
	for repeated := false; ; {
		n, err := conn.Read(buf)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded) && !repeated:
			repeated = true
			s.rec.Note("answered only when asked twice")
			if _, err := conn.Write(packed); err != nil {
				return nil, err
			}
			if err := conn.SetReadDeadline(time.Time{}); err != nil { // back to that of the phase
				return nil, err
			}
		case err != nil:
			return nil, err
		default:
			m, err := s.read(buf[:n])
			if !errors.Is(err, errStrange) {
				return m, err
			}
			s.strange++
		}
	}
}

// overStream asks with the length in front, RFC 1035 4.2.2.
func (s *session) overStream(packed []byte) (*dns.Msg, error) {
	framed := append([]byte{byte(len(packed) >> 8), byte(len(packed))}, packed...)
	if _, err := s.rec.Conn().Write(framed); err != nil {
		return nil, err
	}
	raw, err := readFrame(s.rec.Conn())
	if err != nil {
		return nil, err
	}
	m, err := s.read(raw)
	if errors.Is(err, errStrange) {
		return nil, checks.Fail(checks.ProtocolError, "an answer to another question")
	}
	if err == nil && m.Truncated {
		return nil, checks.Fail(checks.ProtocolError, "an answer that does not fit over TCP either")
	}
	return m, err
}
