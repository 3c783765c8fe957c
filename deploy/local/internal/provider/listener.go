package provider

import (
	"errors"
	"net"
	"sync"
)

// listener remembers its connections, so that closing it closes them too: the
// protocol libraries lose those that they have not begun to serve.
type listener struct {
	net.Listener
	open sync.WaitGroup

	mu     sync.Mutex // protects all following fields
	closed bool
	conns  map[*conn]bool
}

func track(l net.Listener) *listener { return &listener{Listener: l, conns: map[*conn]bool{}} }

// Accept waits for a connection.
func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
	tracked := &conn{Conn: c, from: l}
	l.conns[tracked] = true
	l.open.Add(1)
	return tracked, nil
}

// Close closes the listener and its connections. Closing again does nothing.
func (l *listener) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	conns := make([]*conn, 0, len(l.conns))
	for c := range l.conns {
		conns = append(conns, c)
	}
	l.mu.Unlock()
	err := l.Listener.Close()
	for _, c := range conns {
		// The peer may have been faster; the connection is gone either way.
		_ = c.Close()
	}
	return err
}

// wait waits until every connection has been closed.
func (l *listener) wait() { l.open.Wait() }

type conn struct {
	net.Conn
	from *listener
	once sync.Once
}

// Close closes the connection and forgets it.
func (c *conn) Close() error {
	c.once.Do(func() {
		c.from.mu.Lock()
		delete(c.from.conns, c)
		c.from.mu.Unlock()
		c.from.open.Done()
	})
	return c.Conn.Close()
}
