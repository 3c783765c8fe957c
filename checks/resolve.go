package checks

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// digit is the family as the net package names it, after "ip" or "tcp".
func (f Family) digit() string {
	if f == IPv6 {
		return "6"
	}
	return "4"
}

func (f Family) holds(a netip.Addr) bool { return a.IsValid() && a.Is4() == (f == IPv4) }

// resolve returns the address to dial, with its port.
func (r *Recorder) resolve(ctx context.Context, network Network, family Family, e Endpoint) (string, error) {
	if family != IPv4 && family != IPv6 {
		return "", r.Phase(ctx, Resolve, resolveLimit, func(context.Context) error {
			return Fail(OwnError, "family %d, expected ipv4 or ipv6", family)
		})
	}
	literal, err := netip.ParseAddr(e.Host)
	if literal = literal.Unmap(); err == nil && family.holds(literal) {
		return netip.AddrPortFrom(literal, e.Port).String(), nil
	}
	var found netip.Addr
	err = r.Phase(ctx, Resolve, resolveLimit, func(ctx context.Context) error {
		if literal.IsValid() {
			return Fail(DNSError, "%s is an address without %s", literal, family)
		}
		found, err = lookUp(ctx, network, family, e.Host)
		return err
	})
	return netip.AddrPortFrom(found, e.Port).String(), err
}

// lookUp returns the first address of a name in one family.
func lookUp(ctx context.Context, network Network, family Family, host string) (netip.Addr, error) {
	addrs, err := network.LookupNetIP(ctx, "ip"+family.digit(), host)
	if IsNoAddress(err) {
		return netip.Addr{}, Fail(DNSError, "%s has no %s address", host, family)
	}
	if err != nil {
		return netip.Addr{}, err
	}
	for _, a := range addrs {
		if a = a.Unmap(); family.holds(a) {
			return a, errInside(host, a)
		}
	}
	return netip.Addr{}, Fail(DNSError, "%s has no %s address", host, family)
}

// errInside refuses to follow a name to an address at which there is nothing of
// the public's: whoever can write the name's zone, or a plan, would look through
// the probe at what stands beside it. A check whose URL has the address itself
// says plainly where it goes. A name that means this machine by definition may
// (RFC 6761 6.3).
func errInside(host string, a netip.Addr) error {
	host = strings.ToLower(host)
	if a.IsLoopback() && (host == "localhost" || strings.HasSuffix(host, ".localhost")) {
		return nil
	}
	if a.IsGlobalUnicast() && !a.IsPrivate() && !slices.ContainsFunc(inside(), func(p netip.Prefix) bool { return p.Contains(a) }) {
		return nil
	}
	return Fail(OwnError, "%s is at %s, which is not a public address, expected one or the address itself in the check", host, a)
}

// inside are the networks that lead to no public server and that net/netip does
// not know for such.
func inside() []netip.Prefix {
	return []netip.Prefix{
		netip.PrefixFrom(netip.AddrFrom4([4]byte{0}), 8),                 // this network, RFC 1122
		netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64}), 10),          // a carrier's, RFC 6598, and metadata at Alibaba
		netip.PrefixFrom(netip.AddrFrom4([4]byte{168, 63, 129, 16}), 32), // metadata at Azure
		netip.PrefixFrom(netip.AddrFrom4([4]byte{192}), 24),              // RFC 6890, and metadata at Oracle
		netip.PrefixFrom(netip.AddrFrom4([4]byte{240}), 4),               // reserved, RFC 1112
		netip.PrefixFrom(netip.AddrFrom16([16]byte{}), 96),               // IPv4 in IPv6, RFC 4291
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0xfe, 0xc0}), 10),     // a site's, RFC 3879
	}
}

// IsNoAddress says whether a lookup was answered, and the answer was that the
// name has no address of the family asked for.
func IsNoAddress(err error) bool {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.IsNotFound
	}
	_, ok := errors.AsType[*net.AddrError](err) // of the machine's own table of hosts
	return ok
}
