package checks

import (
	"context"
	"errors"
	"net"
	"net/netip"
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
		return "", r.Phase(ctx, Resolve, ResolveLimit, func(context.Context) error {
			return Fail(OwnError, "family %d, expected ipv4 or ipv6", family)
		})
	}
	literal, err := netip.ParseAddr(e.Host)
	if literal = literal.Unmap(); err == nil && family.holds(literal) {
		return netip.AddrPortFrom(literal, e.Port).String(), nil
	}
	var found netip.Addr
	err = r.Phase(ctx, Resolve, ResolveLimit, func(ctx context.Context) error {
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
			return a, nil
		}
	}
	return netip.Addr{}, Fail(DNSError, "%s has no %s address", host, family)
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
