package checktest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"varde/checks"
)

// An Effect is what the network does to what is sent.
type Effect uint8

// The effects. On a stream that is already open Refuse passes and NoRoute
// stalls, as a kernel does; a datagram vanishes under all but Pass.
const (
	// Pass lets everything through.
	Pass Effect = iota
	// Drop is silence: a dial waits until its context ends, datagrams vanish,
	// bytes on open streams wait until the rule lets them through.
	Drop
	// Refuse answers a dial with ECONNREFUSED.
	Refuse
	// Reset answers a dial with ECONNRESET and breaks open streams at their
	// next read or write.
	Reset
	// NoRoute answers a dial with ENETUNREACH.
	NoRoute
)

// Rule decides what happens between two addresses, over "tcp" or "udp". It is
// asked in both directions at a dial, at each read and write of a stream and
// once for each datagram, and must neither block nor call the Internet. To
// change a stream that somebody waits on, set the rule again.
type Rule func(from, to netip.AddrPort, network string) Effect

// Dead is the rule of a world in which one family leads nowhere. Names are
// resolved in it all the same.
func Dead(family checks.Family) Rule {
	return func(from, to netip.AddrPort, _ string) Effect {
		if to.Addr().Is4() == (family == checks.IPv4) && to != Resolver() && from != Resolver() {
			return Drop
		}
		return Pass
	}
}

// Internet is a set of hosts that reach one another. It is safe for use by
// many goroutines.
type Internet struct {
	mu      sync.Mutex
	rule    Rule
	hosts   map[netip.Addr]*Host
	names   map[string][]netip.Addr
	streams map[*stream]struct{}
	servers []netip.AddrPort
}

// NewInternet returns an internet without hosts, in which everything passes.
func NewInternet() *Internet {
	return &Internet{
		hosts:   make(map[netip.Addr]*Host),
		names:   make(map[string][]netip.Addr),
		streams: make(map[*stream]struct{}),
		servers: []netip.AddrPort{Resolver()},
	}
}

// Resolver is the address that answers every host's name lookups, over "udp".
// A rule that drops it makes lookups hang; any other fault makes them fail.
func Resolver() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 0, 53}), 53)
}

// NameServers makes every host's name servers those given, in this order: what
// is asked by datagram goes there. LookupNetIP stays with Resolver, which is the
// only name server of a new Internet.
func (n *Internet) NameServers(servers ...netip.AddrPort) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.servers = slices.Clone(servers)
}

// Host adds a host with the given addresses. It panics if one is taken.
func (n *Internet) Host(addrs ...netip.Addr) *Host {
	h := &Host{net: n, nextPort: firstPort, ports: make(map[portKey]socket)}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, a := range addrs {
		a = a.Unmap()
		if n.hosts[a] != nil {
			panic(fmt.Sprintf("checktest: address %s is taken", a))
		}
		n.hosts[a] = h
		h.addrs = append(h.addrs, a)
	}
	return h
}

// Name makes a name resolve to the given addresses, in this order. A name
// without addresses exists but has none of either family.
func (n *Internet) Name(name string, addrs ...netip.Addr) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names[canonical(name)] = append([]netip.Addr(nil), addrs...)
}

// Rule replaces the rule for everything at once; nil lets everything pass.
func (n *Internet) Rule(rule func(from, to netip.AddrPort, network string) Effect) {
	n.mu.Lock()
	n.rule = rule
	open := make([]*stream, 0, len(n.streams))
	for s := range n.streams {
		open = append(open, s)
	}
	n.mu.Unlock()
	for _, s := range open {
		s.wake()
	}
}

// effect says what the rule does from one address to another. What a host says
// to itself always passes.
func (n *Internet) effect(from, to netip.AddrPort, network string) Effect {
	n.mu.Lock()
	rule := n.rule
	n.mu.Unlock()
	if rule == nil || from.Addr().IsLoopback() {
		return Pass
	}
	return rule(from, to, network)
}

func (n *Internet) host(a netip.Addr) *Host {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.hosts[a]
}

func (n *Internet) lookup(name string) ([]netip.Addr, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	addrs, ok := n.names[canonical(name)]
	return addrs, ok
}

func canonical(name string) string { return strings.ToLower(strings.TrimSuffix(name, ".")) }
