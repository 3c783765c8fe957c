package fleettest

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
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
}

func newStage(f *Fleet, kind string, l net.Listener) net.Listener {
	s := &stage{Listener: l, fleet: f, kind: kind}
	if f.secure(kind) && !f.private(kind) {
		s.config = &tls.Config{Certificates: []tls.Certificate{f.ca.Certificate(mailName)}, SessionTicketsDisabled: true} // nobody resumes
	}
	return s
}

// Accept takes a stream and begins its handshake: a server that did it at its
// first read or write would charge its own delay to the phase "tls".
func (s *stage) Accept() (net.Conn, error) {
	for {
		conn, err := s.Listener.Accept()
		if err != nil {
			return nil, err
		}
		switch s.fleet.effectOn(s.kind, conn.RemoteAddr(), conn.LocalAddr()) {
		case scenario.TLSStall, scenario.Loss:
			go s.fleet.ignore(conn)
		case scenario.GreetingStall:
			go s.fleet.ignore(s.shake(conn))
		case scenario.Busy:
			go s.turnAway(s.shake(conn))
		case scenario.Slow2s:
			return s.shake(&slow{Conn: conn}), nil
		default:
			return s.shake(conn), nil
		}
	}
}

// shake begins the handshake, where there is one.
func (s *stage) shake(conn net.Conn) net.Conn {
	if s.config == nil {
		return conn
	}
	secured := tls.Server(conn, s.config)
	go func() { _ = secured.HandshakeContext(context.Background()) }() // the next read says how it ended
	return secured
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

// slow is a stream whose server begins two seconds late.
type slow struct {
	net.Conn
	begin sync.Once
}

func (s *slow) wait() { s.begin.Do(func() { time.Sleep(2 * time.Second) }) }

// Read waits for the server to begin.
func (s *slow) Read(b []byte) (int, error) {
	s.wait()
	return s.Conn.Read(b)
}

// Write waits for the server to begin.
func (s *slow) Write(b []byte) (int, error) {
	s.wait()
	return s.Conn.Write(b)
}

// banner says who is there.
func banner(ctx context.Context, conn net.Conn) {
	checktest.Script(checktest.Send("varde\r\n"), checktest.Silence())(ctx, conn)
}
