package checks

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
)

// Network is the door to the outside: what resolves names and opens streams.
// It is the one seam through which a whole fleet can be tested in memory.
type Network interface {
	// LookupNetIP returns the addresses of host in one family ("ip4" or
	// "ip6"). A name without addresses of that family is a *net.DNSError with
	// IsNotFound.
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	// DialContext opens a stream to a literal address ("192.0.2.1:993") over
	// "tcp4" or "tcp6", and for Routed a datagram socket over "udp".
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// System is the machine's own network. The zero value is ready for use.
type System struct {
	resolver net.Resolver
	dialer   net.Dialer
}

var _ Network = (*System)(nil)

// LookupNetIP asks the system's resolver.
func (s *System) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	return s.resolver.LookupNetIP(ctx, network, host)
}

// DialContext dials without a second family and without keep-alives: an
// attempt is short and every one of its connections fresh.
func (s *System) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return s.dialer.DialContext(ctx, network, address)
}

// discard is a port for connecting to without sending anything (RFC 863).
const discard = 9

// Routed says whether this machine has a way to an address at all, as far as
// it knows: a machine without IPv6 has none to an IPv6 address. Connecting a
// datagram socket asks the routing table of the machine and sends nothing.
func Routed(ctx context.Context, n Network, a netip.Addr) bool {
	conn, err := n.DialContext(ctx, "udp", netip.AddrPortFrom(a, discard).String())
	if err == nil {
		_ = conn.Close() // nothing was sent
		return true
	}
	for _, none := range []error{syscall.ENETUNREACH, syscall.EAFNOSUPPORT, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, none) {
			return false
		}
	}
	return true
}
