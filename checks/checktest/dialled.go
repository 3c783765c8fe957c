package checktest

import (
	"net"
	"net/netip"
	"syscall"
)

// dialled is a datagram socket that speaks with one other alone. As on Linux it
// hears at its next read when no socket is there, unlike one that listens.
type dialled struct{ *packetConn }

var _ net.Conn = dialled{}

func (h *Host) dialPacket(network string, to netip.AddrPort) (net.Conn, error) {
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: net.UDPAddrFromAddrPort(to), Err: err}
	}
	from := h.source(to.Addr())
	if !from.IsValid() || h.net.effect(netip.AddrPortFrom(from, 0), to, "udp") == NoRoute {
		return fail(syscall.ENETUNREACH)
	}
	p := &packetConn{host: h, peer: to}
	p.changed.L = &p.mu
	at, err := h.bind(network, netip.AddrPortFrom(from, 0).String(), p)
	if err != nil {
		return fail(err)
	}
	p.at = at
	return dialled{p}, nil
}

// Read waits for the next datagram of the other.
func (d dialled) Read(b []byte) (int, error) {
	n, _, err := d.ReadFrom(b)
	return n, err
}

// Write sends a datagram to the other.
func (d dialled) Write(b []byte) (int, error) { return d.WriteTo(b, d.RemoteAddr()) }

// RemoteAddr is the other's address, a *net.UDPAddr.
func (d dialled) RemoteAddr() net.Addr { return net.UDPAddrFromAddrPort(d.peer) }
