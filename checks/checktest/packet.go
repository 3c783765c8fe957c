package checktest

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

const (
	// packetQueue is how many datagrams may wait for a reader; more are dropped.
	packetQueue = 128
	// packetMax is the largest datagram, the largest UDP payload over IPv4.
	packetMax = 65507
)

type packet struct {
	from netip.AddrPort
	data []byte
}

type packetConn struct {
	host *Host
	at   []netip.AddrPort
	peer netip.AddrPort // the only one, if valid

	mu      sync.Mutex
	changed sync.Cond
	queue   []packet
	closed  bool
	refused bool // see dialled
	read    deadline
}

// ListenPacket takes and sends datagrams at "10.0.0.1:7946", or at every
// address of the host at ":7946"; port 0 picks a free one.
func (h *Host) ListenPacket(network, address string) (net.PacketConn, error) {
	p := &packetConn{host: h}
	p.changed.L = &p.mu
	at, err := h.bind(network, address, p)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	p.at = at
	return p, nil
}

// ReadFrom waits for the next datagram; what does not fit b is lost, as in UDP.
func (p *packetConn) ReadFrom(b []byte) (int, net.Addr, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		switch {
		case p.closed:
			return 0, nil, p.wrap("read", net.ErrClosed)
		case p.read.passed():
			return 0, nil, p.wrap("read", os.ErrDeadlineExceeded)
		case len(p.queue) > 0:
			first := p.queue[0]
			p.queue = p.queue[1:]
			return copy(b, first.data), net.UDPAddrFromAddrPort(first.from), nil
		case p.refused:
			p.refused = false
			return 0, nil, p.wrap("read", syscall.ECONNREFUSED)
		}
		p.changed.Wait()
	}
}

// WriteTo sends a datagram and never waits. Whether it arrives nobody says.
func (p *packetConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	to, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return 0, p.wrap("write", err)
	}
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	p.mu.Lock()
	closed := p.closed
	p.mu.Unlock()
	from := p.source(to.Addr())
	switch {
	case closed:
		return 0, p.wrap("write", net.ErrClosed)
	case len(b) > packetMax:
		return 0, p.wrap("write", syscall.EMSGSIZE)
	case !from.IsValid():
		return 0, p.wrap("write", syscall.ENETUNREACH)
	case p.host.net.effect(from, to, "udp") != Pass:
		return len(b), nil
	}
	if target := p.host.reach(to.Addr()); target != nil {
		if q, ok := target.socket(true, to).(*packetConn); ok {
			q.deliver(packet{from, slices.Clone(b)})
		} else if p.host.net.effect(to, from, "udp") == Pass {
			p.refuse()
		}
	}
	return len(b), nil
}

// refuse has a dialled socket hear that nobody listens where it sends to.
func (p *packetConn) refuse() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused = p.peer.IsValid()
	p.changed.Broadcast()
}

func (p *packetConn) source(to netip.Addr) netip.AddrPort {
	if s := p.host.source(to); slices.ContainsFunc(p.at, func(a netip.AddrPort) bool { return a.Addr() == s }) {
		return netip.AddrPortFrom(s, p.at[0].Port())
	}
	for _, a := range p.at {
		if a.Addr().Is4() == to.Is4() && !a.Addr().IsLoopback() {
			return a
		}
	}
	return netip.AddrPort{}
}

func (p *packetConn) deliver(d packet) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.queue) >= packetQueue || p.peer.IsValid() && p.peer != d.from {
		return
	}
	p.queue = append(p.queue, d)
	p.changed.Broadcast()
}

// Close frees the port; what waits is lost.
func (p *packetConn) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return p.wrap("close", net.ErrClosed)
	}
	p.closed, p.queue = true, nil
	p.read.stop()
	p.host.release(true, p.at)
	p.changed.Broadcast()
	return nil
}

// LocalAddr is the first address that datagrams are taken on, a *net.UDPAddr.
func (p *packetConn) LocalAddr() net.Addr { return net.UDPAddrFromAddrPort(p.at[0]) }

// SetDeadline bounds reads; writes never wait.
func (p *packetConn) SetDeadline(t time.Time) error { return p.SetReadDeadline(t) }

// SetWriteDeadline does nothing: writes never wait.
func (p *packetConn) SetWriteDeadline(time.Time) error { return nil }

// SetReadDeadline bounds reads, the one that waits now too.
func (p *packetConn) SetReadDeadline(t time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.read.set(t, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.changed.Broadcast()
	})
	p.changed.Broadcast()
	return nil
}

func (p *packetConn) wrap(op string, err error) error {
	return &net.OpError{Op: op, Net: "udp", Source: p.LocalAddr(), Err: err}
}
