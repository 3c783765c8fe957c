package mesh

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// Network is what the mesh listens and dials with.
type Network interface {
	// DialContext opens a stream to a literal address over "tcp".
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	// Listen takes streams over "tcp" at a literal address.
	Listen(network, address string) (net.Listener, error)
	// ListenPacket takes datagrams over "udp" at a literal address.
	ListenPacket(network, address string) (net.PacketConn, error)
}

// System is the machine's own network. The zero value is ready for use.
type System struct {
	// Source is the address that streams are dialled from, so that a machine
	// with several is known by one; the system chooses if it is not valid.
	Source netip.Addr
}

var _ Network = System{}

// DialContext dials from Source.
func (s System) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	if s.Source.IsValid() {
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(s.Source, 0))
	}
	return d.DialContext(ctx, network, address)
}

// Listen listens at address.
func (System) Listen(network, address string) (net.Listener, error) {
	return net.Listen(network, address)
}

// ListenPacket listens at address.
func (System) ListenPacket(network, address string) (net.PacketConn, error) {
	return net.ListenPacket(network, address)
}

// Addrs returns the addresses of the machine's interfaces.
func (System) Addrs() []netip.Addr {
	ifs, err := net.InterfaceAddrs()
	if err != nil {
		return nil // then there is none to advertise
	}
	var out []netip.Addr
	for _, a := range ifs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Addr().Unmap())
		}
	}
	return out
}

// listen takes streams and datagrams at the same port of bind. Port 0 means one
// that is free for both.
func listen(n Network, bind netip.AddrPort) (net.Listener, net.PacketConn, error) {
	for try := 0; ; try++ {
		l, err := n.Listen("tcp", socket(bind))
		if err != nil {
			return nil, nil, fmt.Errorf("listen for the mesh: %w", err)
		}
		at := netip.AddrPortFrom(bind.Addr(), portOf(l.Addr()))
		p, err := n.ListenPacket("udp", socket(at))
		if err == nil {
			return l, p, nil
		}
		err = errors.Join(err, l.Close())
		if bind.Port() != 0 || try == 9 {
			return nil, nil, fmt.Errorf("listen for the mesh: %w", err)
		}
	}
}

// socket is an address to listen on. That of every address, [::], is left out: a
// machine without IPv6 refuses it, and takes none at all for every one it has.
func socket(a netip.AddrPort) string {
	if a.Addr() == netip.IPv6Unspecified() {
		return fmt.Sprintf(":%d", a.Port())
	}
	return a.String()
}

// portOf is the port of a listener's address.
func portOf(a net.Addr) uint16 {
	at, _ := netip.ParseAddrPort(a.String()) // 0 if it has none
	return at.Port()
}

// advertised is the address that other members shall use: the one that was
// given, else the one that is listened on, else the first that leads out of the
// machine, and out of a private network if there is such a one.
func advertised(n Network, given netip.AddrPort, bind netip.Addr, port uint16) (netip.AddrPort, error) {
	if given.IsValid() {
		return netip.AddrPortFrom(given.Addr(), cmp.Or(given.Port(), port)), nil
	}
	if !bind.IsUnspecified() {
		return netip.AddrPortFrom(bind, port), nil
	}
	out := slices.DeleteFunc(addrs(n), func(a netip.Addr) bool {
		return !a.IsGlobalUnicast() || a.Is6() && bind.Is4()
	})
	if len(out) == 0 {
		return netip.AddrPort{}, fmt.Errorf("mesh: bind %s: no address of this machine leads out of it, expected one or advertise", bind)
	}
	public := slices.IndexFunc(out, func(a netip.Addr) bool { return !a.IsPrivate() })
	return netip.AddrPortFrom(out[max(public, 0)], port), nil
}

// addrs are the addresses of the machine that n is a part of.
func addrs(n Network) []netip.Addr {
	machine, ok := n.(interface{ Addrs() []netip.Addr })
	if !ok {
		machine = System{}
	}
	return machine.Addrs()
}
