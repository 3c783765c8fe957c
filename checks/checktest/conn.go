package checktest

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// conn is one end of a stream.
type conn struct {
	stream  *stream
	in, out *half

	mu     sync.Mutex
	abrupt bool
	closed bool
}

// Read gives what has arrived; an expired deadline comes before data, as in
// the net package.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.in.get(b)
	return n, c.wrap("read", err)
}

// Write returns when everything is buffered.
func (c *conn) Write(b []byte) (int, error) {
	n, err := c.out.put(b)
	return n, c.wrap("write", err)
}

// Close ends the stream: the other end reads what was written, then EOF. After
// SetLinger(0) it resets instead.
func (c *conn) Close() error {
	c.mu.Lock()
	was, abrupt := c.closed, c.abrupt
	c.closed = true
	c.mu.Unlock()
	if was {
		return c.wrap("close", net.ErrClosed)
	}
	if abrupt {
		c.stream.reset()
	}
	c.out.finish(false)
	c.in.finish(true)
	if c.out.abandoned() {
		c.stream.forget()
	}
	return nil
}

// abandoned says whether the half's reader has closed.
func (h *half) abandoned() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.gone
}

// CloseWrite ends what this end sends; it can still read.
func (c *conn) CloseWrite() error {
	c.out.finish(false)
	return nil
}

// SetLinger makes Close reset the stream when sec is 0, as TCP does.
func (c *conn) SetLinger(sec int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.abrupt = sec == 0
	return nil
}

// LocalAddr is this end's address, a *net.TCPAddr.
func (c *conn) LocalAddr() net.Addr { return net.TCPAddrFromAddrPort(c.out.from) }

// RemoteAddr is the other end's address, a *net.TCPAddr.
func (c *conn) RemoteAddr() net.Addr { return net.TCPAddrFromAddrPort(c.out.to) }

// SetDeadline bounds reads and writes, those that wait now too.
func (c *conn) SetDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.read, t)
	c.out.setDeadline(&c.out.write, t)
	return nil
}

// SetReadDeadline bounds reads.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.read, t)
	return nil
}

// SetWriteDeadline bounds writes.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.write, t)
	return nil
}

// wrap gives an error the form that the net package gives it; EOF stays bare.
func (c *conn) wrap(op string, err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return &net.OpError{Op: op, Net: "tcp", Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}
