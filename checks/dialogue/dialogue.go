// Package dialogue is a bounded conversation in lines, which IMAP, SMTP and
// POP3 are.
//
// What it promises, whatever the server sends:
//
//   - a physical line is at most [LineMax] bytes, its end included;
//   - a conversation takes at most [TotalMax] bytes, literals counted, and as
//     much again only when its owner says so;
//   - nothing that came before TLS is read after it: what stands in the buffer
//     when TLS begins ends the conversation (RFC 3207 section 6, RFC 9051
//     section 11.1: an attacker may have put it there);
//   - every one of these is a *checks.Failure of class protocol_error.
//
// Time is bounded by the deadlines of the connection below.
package dialogue

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"strings"

	"varde/checks"
)

const (
	// LineMax is the longest line, in bytes with its end. RFC 5321 4.5.3.1.5
	// has 512 for a reply; IMAP has no bound, and no honest line comes near.
	LineMax = 8 << 10
	// TotalMax is the most that one conversation takes, in bytes.
	TotalMax = 64 << 10
)

// Conversation reads lines from a server and writes lines to it.
type Conversation struct {
	conn net.Conn
	read *bufio.Reader
	left int
}

// New begins a conversation over conn.
func New(conn net.Conn) *Conversation {
	return &Conversation{conn: conn, read: bufio.NewReaderSize(conn, LineMax), left: TotalMax}
}

// Line reads one line and returns it without its end. A bare LF ends a line
// too: a service that sends it works for its users.
func (c *Conversation) Line() (string, error) {
	line, err := c.read.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", checks.Fail(checks.ProtocolError, "a line of more than %d kB", LineMax>>10)
	}
	if err := c.spend(len(line)); err != nil {
		return "", err
	}
	if err != nil {
		return "", err
	}
	line = bytes.TrimSuffix(line[:len(line)-1], []byte{'\r'})
	return string(line), nil
}

// Literal reads n bytes as they come.
func (c *Conversation) Literal(n int) (string, error) {
	if err := c.spend(n); err != nil {
		return "", err
	}
	b := make([]byte, n)
	_, err := io.ReadFull(c.read, b)
	return string(b), err
}

// Skip reads n bytes as they come and keeps none.
func (c *Conversation) Skip(n int) error {
	if err := c.spend(n); err != nil {
		return err
	}
	_, err := c.read.Discard(n)
	return err
}

// Renew gives the server room for as much as a new conversation has. Who asks
// many things says it before each; what they take together is bounded by the
// connection.
func (c *Conversation) Renew() { c.left = TotalMax }

func (c *Conversation) spend(n int) error {
	if n < 0 || n > c.left {
		return checks.Fail(checks.ProtocolError, "more than %d kB in one conversation", TotalMax>>10)
	}
	c.left -= n
	return nil
}

// Say writes one line; it must not hold a line break.
func (c *Conversation) Say(line string) error {
	if strings.ContainsAny(line, "\r\n") {
		return checks.Fail(checks.OwnError, "a command with a line break in it")
	}
	return c.Send(line + "\r\n")
}

// Send writes bytes as they are.
func (c *Conversation) Send(raw string) error {
	_, err := io.WriteString(c.conn, raw)
	return err
}

// Quiet fails when the server has already said more than was read. It must be
// asked after the answer to STARTTLS and before the handshake.
func (c *Conversation) Quiet() error {
	if n := c.read.Buffered(); n > 0 {
		return checks.Fail(checks.ProtocolError, "%d bytes between the answer to STARTTLS and the handshake", n)
	}
	return nil
}

// Continue goes on over another connection, TLS over the first one. The bytes
// taken so far count.
func (c *Conversation) Continue(conn net.Conn) {
	c.conn = conn
	c.read.Reset(conn)
}
