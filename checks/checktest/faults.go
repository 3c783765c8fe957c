package checktest

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
)

// HalfClose ends what the server sends, as a fault below TLS would: without its
// farewell. The server still reads.
func HalfClose() Step {
	return func(p *Peer) error {
		c, ok := p.base.(interface{ CloseWrite() error })
		if !ok {
			return errors.New("the stream cannot be half closed")
		}
		return c.CloseWrite()
	}
}

// OldTLS is cfg for a server that speaks nothing newer than TLS 1.1.
func OldTLS(cfg *tls.Config) *tls.Config {
	cfg = cfg.Clone()
	cfg.MinVersion, cfg.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	return cfg
}

// Alert waits for the client's part of a handshake and refuses it, fatally, with
// an alert of RFC 8446 section 6.
func Alert(description uint8) Step {
	return func(p *Peer) error {
		if _, err := p.read.ReadByte(); err != nil {
			return err
		}
		_, err := p.conn.Write([]byte{21, 3, 3, 0, 2, 2, description})
		return err
	}
}

// Stall shakes hands as a TLS server, falls silent after so many bytes of it,
// and stays so until the client goes away.
func Stall(cfg *tls.Config, after int) Step {
	return func(p *Peer) error {
		_ = tls.Server(&stalling{Conn: p.conn, left: after}, cfg).HandshakeContext(p.ctx) // it cannot end well
		return errors.Join(Silence()(p), io.EOF)
	}
}

// stalling is a connection of which only the first bytes arrive.
type stalling struct {
	net.Conn
	left int
}

// Write says of every byte that it was sent.
func (s *stalling) Write(b []byte) (int, error) {
	n := min(len(b), s.left)
	s.left -= n
	if n > 0 {
		if _, err := s.Conn.Write(b[:n]); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}
