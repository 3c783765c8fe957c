package checks

import (
	"bufio"
	"io"
	"net/netip"
	"os"
	"strings"
)

const (
	// resolverFile names the machine's name servers, resolv.conf(5).
	resolverFile = "/etc/resolv.conf"
	// resolverMax is how much of it is read, in bytes.
	resolverMax = 64 << 10
	// domain is the port of name servers.
	domain = 53
)

// NameServers reads /etc/resolv.conf. As in the C library a machine that names
// none has its own on 127.0.0.1.
func (*System) NameServers() []netip.AddrPort {
	f, err := os.Open(resolverFile)
	if err != nil {
		return nameServers(strings.NewReader(""))
	}
	defer f.Close()
	return nameServers(f)
}

func nameServers(r io.Reader) []netip.AddrPort {
	var all []netip.AddrPort
	lines := bufio.NewScanner(io.LimitReader(r, resolverMax))
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if len(words) < 2 || words[0] != "nameserver" {
			continue
		}
		if a, err := netip.ParseAddr(words[1]); err == nil {
			all = append(all, netip.AddrPortFrom(a.Unmap(), domain))
		}
	}
	if len(all) == 0 {
		return []netip.AddrPort{netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), domain)}
	}
	return all
}

// NameServer is the first name server of a network's machine in one family;
// false if there is none.
func NameServer(n Network, f Family) (netip.AddrPort, bool) {
	for _, at := range n.NameServers() {
		if f.holds(at.Addr()) {
			return at, true
		}
	}
	return netip.AddrPort{}, false
}
