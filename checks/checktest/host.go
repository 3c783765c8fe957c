package checktest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"varde/checks"
)

// Host is one machine of an Internet. It also has the loopback addresses
// 127.0.0.1 and ::1, on which it reaches itself and nobody else.
type Host struct {
	net   *Internet
	addrs []netip.Addr

	mu       sync.Mutex
	nextPort uint16
	ports    map[portKey]socket
}

var _ checks.Network = (*Host)(nil)

// firstPort is where a host's own ports begin (Linux: net.ipv4.ip_local_port_range).
const firstPort = 32768

// portKey names a socket of one host: tcp or udp at an address and port.
type portKey struct {
	udp bool
	at  netip.AddrPort
}

// A socket is a listener or a packet connection.
type socket interface{ Close() error }

// Addrs returns the host's addresses, without the loopback.
func (h *Host) Addrs() []netip.Addr { return slices.Clone(h.addrs) }

// LookupNetIP answers from the names of the Internet, in the order given
// there. An unknown name, or one without an address of the family, is a
// *net.DNSError with IsNotFound.
func (h *Host) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	if err := h.askResolver(ctx, host); err != nil {
		return nil, err
	}
	addrs, _ := h.net.lookup(host)
	var found []netip.Addr
	for _, a := range addrs {
		if matches(network, a) {
			found = append(found, a)
		}
	}
	if len(found) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	return found, nil
}

func (h *Host) askResolver(ctx context.Context, host string) error {
	from := netip.AddrPortFrom(h.source(Resolver().Addr()), h.ephemeral())
	switch h.net.effect(from, Resolver(), "udp") {
	case Pass:
		return nil
	case Drop:
		<-ctx.Done()
		return &net.DNSError{
			Err: ctx.Err().Error(), Name: host, Server: Resolver().String(),
			IsTimeout: errors.Is(ctx.Err(), context.DeadlineExceeded), UnwrapErr: ctx.Err(),
		}
	}
	return &net.DNSError{Err: "server misbehaving", Name: host, Server: Resolver().String(), IsTemporary: true}
}

// NameServers are those of the Internet.
func (h *Host) NameServers() []netip.AddrPort {
	h.net.mu.Lock()
	defer h.net.mu.Unlock()
	return slices.Clone(h.net.servers)
}

// DialContext opens a stream, or a datagram socket, to a literal address.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	to, err := netip.ParseAddrPort(address)
	udp := strings.HasPrefix(network, "udp")
	if err == nil && (!udp && !strings.HasPrefix(network, "tcp") || !matches(network, to.Addr())) {
		err = fmt.Errorf("network %q cannot reach it", network)
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	to = netip.AddrPortFrom(to.Addr().Unmap(), to.Port())
	if udp {
		return h.dialPacket(network, to)
	}
	conn, err := h.dial(ctx, to)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: net.TCPAddrFromAddrPort(to), Err: err}
	}
	return conn, nil
}

func (h *Host) dial(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, ended(ctx)
	}
	source := h.source(to.Addr())
	if !source.IsValid() {
		return nil, syscall.ENETUNREACH
	}
	from := netip.AddrPortFrom(source, h.ephemeral())
	effect := h.net.effect(from, to, "tcp")
	if effect == Pass && h.net.effect(to, from, "tcp") == Drop {
		effect = Drop // the answer to the first packet is lost
	}
	target := h.reach(to.Addr())
	switch {
	case effect == Drop, target == nil && effect == Pass:
		<-ctx.Done()
		return nil, ended(ctx)
	case effect == Refuse:
		return nil, syscall.ECONNREFUSED
	case effect == Reset:
		return nil, syscall.ECONNRESET
	case effect == NoRoute:
		return nil, syscall.ENETUNREACH
	}
	l, ok := target.socket(false, to).(*listener)
	if !ok {
		return nil, syscall.ECONNREFUSED
	}
	return l.offer(ctx, from, to)
}

// Crash closes everything that the host has open, as the kernel does when its
// programs are killed: streams are reset, ports refuse.
func (h *Host) Crash() {
	h.mu.Lock()
	sockets := make([]socket, 0, len(h.ports))
	for _, s := range h.ports {
		sockets = append(sockets, s)
	}
	h.mu.Unlock()
	for _, s := range sockets {
		_ = s.Close() // closing a socket of ours cannot fail
	}
	h.net.mu.Lock()
	var mine []*stream
	for s := range h.net.streams {
		if slices.Contains(h.addrs, s.halves[0].from.Addr()) || slices.Contains(h.addrs, s.halves[0].to.Addr()) {
			mine = append(mine, s)
		}
	}
	h.net.mu.Unlock()
	for _, s := range mine {
		s.reset()
	}
}

// source is the address that this host shows to another, or the invalid one
// when it has none of that family.
func (h *Host) source(to netip.Addr) netip.Addr {
	if to.IsLoopback() || slices.Contains(h.addrs, to) {
		return to
	}
	for _, a := range h.addrs {
		if a.Is4() == to.Is4() {
			return a
		}
	}
	return netip.Addr{}
}

func (h *Host) reach(to netip.Addr) *Host {
	if to.IsLoopback() {
		return h
	}
	return h.net.host(to)
}

func (h *Host) ephemeral() uint16 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ephemeralLocked()
}

func (h *Host) ephemeralLocked() uint16 {
	p := h.nextPort
	if h.nextPort++; h.nextPort == 0 {
		h.nextPort = firstPort
	}
	return p
}

func (h *Host) socket(udp bool, at netip.AddrPort) socket {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.ports[portKey{udp, at}]
}

// bind reserves an address for a socket and returns every address it answers
// on, the first of them to be shown.
func (h *Host) bind(network, address string, s socket) ([]netip.AddrPort, error) {
	addrs, port, err := h.parse(network, address)
	if err != nil {
		return nil, err
	}
	udp := strings.HasPrefix(network, "udp")
	h.mu.Lock()
	defer h.mu.Unlock()
	for port == 0 {
		if p := h.ephemeralLocked(); h.freeLocked(udp, addrs, p) {
			port = p
		}
	}
	if !h.freeLocked(udp, addrs, port) {
		return nil, syscall.EADDRINUSE
	}
	at := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		at[i] = netip.AddrPortFrom(a, port)
		h.ports[portKey{udp, at[i]}] = s
	}
	return at, nil
}

func (h *Host) freeLocked(udp bool, addrs []netip.Addr, port uint16) bool {
	return !slices.ContainsFunc(addrs, func(a netip.Addr) bool {
		return h.ports[portKey{udp, netip.AddrPortFrom(a, port)}] != nil
	})
}

func (h *Host) release(udp bool, at []netip.AddrPort) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, a := range at {
		delete(h.ports, portKey{udp, a})
	}
}

// parse reads "host:port"; an empty or unspecified host is every address of
// the host that fits the network.
func (h *Host) parse(network, address string) ([]netip.Addr, uint16, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, 0, err
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return nil, 0, fmt.Errorf("port %q, expected a number", service)
	}
	mine := append(slices.Clone(h.addrs), netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback())
	mine = slices.DeleteFunc(mine, func(a netip.Addr) bool { return !matches(network, a) })
	if host == "" {
		return mine, uint16(port), nil
	}
	if host == "localhost" {
		host = "127.0.0.1"
	}
	a, err := netip.ParseAddr(host)
	switch {
	case err != nil:
		return nil, 0, err
	case a.IsUnspecified():
		return mine, uint16(port), nil
	case !slices.Contains(mine, a.Unmap()):
		return nil, 0, syscall.EADDRNOTAVAIL
	}
	return []netip.Addr{a.Unmap()}, uint16(port), nil
}

// matches says whether an address belongs to a network like "tcp4" or "ip6".
func matches(network string, a netip.Addr) bool {
	switch {
	case strings.HasSuffix(network, "4"):
		return a.Unmap().Is4()
	case strings.HasSuffix(network, "6"):
		return a.Is6() && !a.Is4In6()
	}
	return true
}

// ended is the error that a dial gives when its context has ended, as the
// net package words it.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return os.ErrDeadlineExceeded
	}
	return ctx.Err()
}
