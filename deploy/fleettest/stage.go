package fleettest

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"time"

	"varde/checks/checktest"
	"varde/deploy/scenario"
)

// stage is where a server of a kind takes streams, TLS included. It plays those
// itself of which a fault says that the server does not get them.
type stage struct {
	net.Listener
	fleet *Fleet
	kind  string
	// config is nil without TLS.
	config *tls.Config
	// ready hands on the streams that the server gets, until over is closed, for
	// the reason that is then in err.
	ready chan net.Conn
	over  chan struct{}
	err   error
}

func newStage(f *Fleet, kind string, l net.Listener) net.Listener {
	s := &stage{Listener: l, fleet: f, kind: kind, ready: make(chan net.Conn), over: make(chan struct{})}
	if f.secure(kind) && !f.private(kind) {
		s.config = &tls.Config{Certificates: []tls.Certificate{f.ca.Certificate(mailName)}, SessionTicketsDisabled: true} // nobody resumes
	}
	go s.take()
	return s
}

// Accept returns the next stream that the server gets.
func (s *stage) Accept() (net.Conn, error) {
	select {
	case conn := <-s.ready:
		return conn, nil
	case <-s.over:
		return nil, s.err
	}
}

// take takes streams until the listener is closed.
func (s *stage) take() {
	defer close(s.over)
	for {
		conn, err := s.Listener.Accept()
		if err != nil {
			s.err = err
			return
		}
		go s.play(conn)
	}
}

// play does to a stream what its fate says, its handshake included: a server that
// did it at its first read or write would charge its own delay to the phase "tls",
// and who waits for the handshake of another holds up a bubble's clock.
func (s *stage) play(conn net.Conn) {
	effect := s.fleet.effectOn(s.kind, conn.RemoteAddr(), conn.LocalAddr())
	switch effect {
	case scenario.TLSStall, scenario.Loss:
		s.fleet.ignore(conn)
		return
	case scenario.Slow2s:
		s.idle(slowly)
	}
	conn, err := s.shake(conn)
	if err != nil {
		_ = conn.Close()
		return
	}
	switch effect {
	case scenario.GreetingStall:
		s.fleet.ignore(conn)
	case scenario.Busy:
		s.turnAway(conn)
	default:
		s.hand(conn)
	}
}

// idle waits, but not longer than there is a server.
func (s *stage) idle(d time.Duration) {
	select {
	case <-time.After(d):
	case <-s.over:
	}
}

// hand hands a stream to the server, if there is one still.
func (s *stage) hand(conn net.Conn) {
	select {
	case s.ready <- conn:
	case <-s.over:
		_ = conn.Close()
	}
}

// shake does the handshake, where there is one, and returns the stream under it in
// any case.
func (s *stage) shake(conn net.Conn) (net.Conn, error) {
	if s.config == nil {
		return conn, nil
	}
	secured := tls.Server(conn, s.config)
	return secured, secured.HandshakeContext(s.fleet.t.Context())
}

// ignore hears a client out and says nothing.
func (f *Fleet) ignore(conn net.Conn) {
	defer context.AfterFunc(f.t.Context(), func() { _ = conn.Close() })()
	hearOut(f.t.Context(), conn)
	_ = conn.Close()
}

// hearOut says nothing until the client goes away.
func hearOut(_ context.Context, conn net.Conn) {
	_, _ = io.Copy(io.Discard, conn) // how it ends says nothing
}

// turnAway greets a client with the words of a server that has too much to do.
func (s *stage) turnAway(conn net.Conn) {
	words := map[string]string{
		"imap": "* BYE too many connections\r\n", "smtp": "421 4.3.2 too many connections\r\n", "pop3": "-ERR [SYS/TEMP] too many connections\r\n",
	}
	_, _ = io.WriteString(conn, words[s.kind]) // a client that left will not miss it
	_ = conn.Close()
}

// banner says who is there.
func banner(ctx context.Context, conn net.Conn) {
	checktest.Script(checktest.Send("varde\r\n"), checktest.Silence())(ctx, conn)
}
