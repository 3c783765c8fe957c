package checks

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"
)

// Network is the door to the outside: what resolves names and opens streams.
// It is the one seam through which a whole fleet can be tested in memory.
type Network interface {
	// LookupNetIP returns the addresses of host in one family ("ip4" or
	// "ip6"). A name without addresses of that family is a *net.DNSError with
	// IsNotFound.
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
	// DialContext opens a stream to a literal address ("192.0.2.1:993") over
	// "tcp4" or "tcp6", or a datagram socket over "udp4" or "udp6", and for
	// Routed over "udp".
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	// NameServers are those that the machine asks, in its order.
	NameServers() []netip.AddrPort
}

// System is the machine's own network. The zero value is ready for use.
type System struct{}

var _ Network = (*System)(nil)

// LookupNetIP asks the name servers of the machine for host itself, and not for
// what a search list would make of it.
func (*System) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	var d net.Dialer
	return resolver(d.DialContext).LookupNetIP(ctx, network, rooted(host))
}

// rooted ends a name with a dot, after which no search list is tried. One
// without any dot may be of the machine's own table of hosts.
func rooted(host string) string {
	if !strings.Contains(host, ".") {
		return host
	}
	return host + "."
}

// resolver gives each name server half the time that there is: Go asks a second
// one, or the same again, after 5 s, when nobody waits for it any more.
func resolver(dial func(ctx context.Context, network, address string) (net.Conn, error)) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err == nil {
			// The resolver sets a deadline of its own as soon as it has the
			// connection, and closes it when it is done.
			time.AfterFunc(resolveLimit/2, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
		}
		return conn, err
	}}
}

// DialContext dials without a second family and without keep-alives: an
// attempt is short and every one of its connections fresh.
func (*System) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: -1}
	return d.DialContext(ctx, network, address)
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
	errno, refused := errors.AsType[syscall.Errno](err)
	return !refused || isExhausted(errno)
}
