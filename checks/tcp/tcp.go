package tcp

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"time"

	"varde/checks"
)

// Attempt asks once, over one family.
func (c *Check) Attempt(ctx context.Context, family checks.Family) checks.Result {
	return checks.Record(ctx, c.timeout, func(ctx context.Context, r *checks.Recorder) error {
		if err := r.Dial(ctx, c.network, family, c.endpoint); err != nil {
			return err
		}
		if c.endpoint.Scheme == "tls" {
			if err := r.Secure(ctx, c.trust); err != nil {
				return err
			}
		}
		if err := c.greet(ctx, r); err != nil {
			return err
		}
		r.BeforeClose(func() { leave(r.Conn()) })
		return nil
	})
}

// greet waits for the banner, if one is expected.
func (c *Check) greet(ctx context.Context, r *checks.Recorder) error {
	if c.banner == "" {
		return nil
	}
	return r.Phase(ctx, checks.Greeting, checks.GreetingLimit, func(context.Context) error {
		said, err := c.listen(r.Conn())
		r.Present(func(p *checks.Presented) { p.Banner = string(said) })
		return err
	})
}

// leave says farewell and takes what the server says until it closes too. A
// connection that is closed over unread words is reset, and a server that is
// about to end its part of a handshake would see it cut.
func leave(conn net.Conn) {
	if c, ok := conn.(interface{ CloseWrite() error }); !ok || c.CloseWrite() != nil {
		return
	}
	if conn.SetReadDeadline(time.Now().Add(checks.LogoutLimit)) == nil {
		_, _ = io.Copy(io.Discard, conn) // how it ends says nothing: everything was answered
	}
}

// listen reads until the banner was said, which need not end a line: a prompt
// does not. What the server said is returned in any case, up to its first line
// break.
func (c *Check) listen(conn io.Reader) ([]byte, error) {
	buf := make([]byte, 0, lineMax)
	for {
		n, err := conn.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		line, _, ended := bytes.Cut(buf, []byte("\n"))
		switch {
		case bytes.Contains(line, []byte(c.banner)):
			return line, nil
		case ended, len(buf) == cap(buf), errors.Is(err, io.EOF) && len(buf) > 0:
			return line, checks.Fail(checks.BodyMismatch, "the first line is %.128q, expected %.64q in it", line, c.banner)
		case err != nil:
			return line, err
		}
	}
}
