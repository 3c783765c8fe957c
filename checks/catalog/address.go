package catalog

import (
	"context"
	"net/netip"
	"net/url"

	"varde/checks"
	"varde/checks/dns"
)

// Address is one that an attempt over the family would dial; the invalid one says
// that there is none. Known is false when the resolver did not say whether there
// is one.
func Address(ctx context.Context, network checks.Network, t checks.Target, f checks.Family) (addr netip.Addr, known bool) {
	if t.Kind == checks.DNS && dns.AsksOwn(t) {
		at, _ := checks.NameServer(network, f)
		return at.Addr(), true
	}
	u, err := url.Parse(t.Address())
	if err != nil {
		return netip.Addr{}, true
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		if ip.Unmap().Is4() == (f == checks.IPv4) {
			return ip, true
		}
		return netip.Addr{}, true
	}
	addrs, err := network.LookupNetIP(ctx, map[checks.Family]string{checks.IPv4: "ip4", checks.IPv6: "ip6"}[f], u.Hostname())
	if err == nil && len(addrs) > 0 {
		return addrs[0], true
	}
	return netip.Addr{}, checks.IsNoAddress(err)
}
