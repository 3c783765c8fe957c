package checktest

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// backlog is how many streams may wait to be accepted; a dial beyond waits, as
// its first packet would be dropped and sent again (Linux: somaxconn).
const backlog = 128

type listener struct {
	host   *Host
	at     []netip.AddrPort
	queue  chan *conn
	done   chan struct{}
	closed sync.Once
}

// Listen takes streams at "10.0.0.1:993", or at every address of the host at
// ":993"; port 0 picks a free one. The listener's Addr is the first address it
// takes streams on.
func (h *Host) Listen(network, address string) (net.Listener, error) {
	l := &listener{host: h, queue: make(chan *conn, backlog), done: make(chan struct{})}
	at, err := h.bind(network, address, l)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	l.at = at
	return l, nil
}

// offer makes a stream and queues its far end; the dialler does not wait until
// it is accepted.
func (l *listener) offer(ctx context.Context, from, to netip.AddrPort) (net.Conn, error) {
	near, far := newStream(l.host.net, from, to)
	select {
	case <-l.done:
		near.stream.forget()
		return nil, syscall.ECONNREFUSED
	default:
	}
	select {
	case l.queue <- far:
		l.drainIfClosed()
		return near, nil
	case <-l.done:
		near.stream.forget()
		return nil, syscall.ECONNREFUSED
	case <-ctx.Done():
		near.stream.forget()
		return nil, ended(ctx)
	}
}

// Accept waits for the next stream.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.done:
		return nil, l.errClosed()
	default:
	}
	select {
	case c := <-l.queue:
		return c, nil
	case <-l.done:
		return nil, l.errClosed()
	}
}

func (l *listener) errClosed() error {
	return &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
}

// Close frees the port and resets what was not accepted; accepted streams live on.
func (l *listener) Close() error {
	l.closed.Do(func() {
		l.host.release(false, l.at)
		close(l.done)
	})
	l.drainIfClosed()
	return nil
}

// drainIfClosed resets what nobody will accept any more. Both a dial and a
// Close call it after their own step, so whichever is second sees the other.
func (l *listener) drainIfClosed() {
	select {
	case <-l.done:
	default:
		return
	}
	for {
		select {
		case c := <-l.queue:
			c.stream.reset()
		default:
			return
		}
	}
}

// Addr is the first address that streams are taken on.
func (l *listener) Addr() net.Addr { return net.TCPAddrFromAddrPort(l.at[0]) }
