package checks

import (
	"context"
	"net"
	"net/netip"
)

// Network is the door to the outside: what resolves names and opens streams.
// It is the one seam through which a whole fleet can be tested in memory.
type Network interface {
	// LookupNetIP returns the addresses of host in one family ("ip4" or
	// "ip6"). A name without addresses of that family is a *net.DNSError with
	// IsNotFound.
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	// DialContext opens a stream to a literal address ("192.0.2.1:993") over
	// "tcp4" or "tcp6".
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
