package provider

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"varde/checks"
)

// Silence is a server that accepts, reads and never answers: what a service
// behind a filter that swallows its packets looks like after the handshake.
type Silence struct{ listener *listener }

// NewSilence opens the socket, with net.Listen if listen is nil.
func NewSilence(listen func(network, address string) (net.Listener, error)) (*Silence, error) {
	if listen == nil {
		listen = net.Listen
	}
	l, err := listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open silence: %w", err)
	}
	return &Silence{track(l)}, nil
}

// Address returns where the silence is, host:port.
func (s *Silence) Address() string { return s.listener.Addr().String() }

// Close closes the socket and every connection.
func (s *Silence) Close() error { return s.listener.Close() }

// Run keeps silent until ctx ends and returns after its last connection is closed.
func (s *Silence) Run(ctx context.Context) error {
	var g errgroup.Group
	stop := context.AfterFunc(ctx, func() { _ = s.Close() }) // Accept reports it
	defer stop()
	for {
		c, err := s.listener.Accept()
		if err != nil {
			err = errors.Join(s.Close(), g.Wait(), err)
			if ctx.Err() != nil {
				return nil
			}
			return fmt.Errorf("keep silence: %w", err)
		}
		g.Go(func() error {
			// How the reading ends says nothing: clients give up.
			_, _ = io.Copy(io.Discard, c)
			_ = c.Close()
			return nil
		})
	}
}

// Detour is a network on which one service can be led into silence.
type Detour struct {
	inner     checks.Network
	service   checks.Endpoint
	silence   string
	broken    atomic.Bool
	mu        sync.Mutex // protects addresses
	addresses map[netip.Addr]bool
}

var _ checks.Network = (*Detour)(nil)

// NewDetour returns a network that is inner until Break is called. The service
// is the one at an endpoint; silence is the address of a Silence.
func NewDetour(inner checks.Network, service checks.Endpoint, silence string) *Detour {
	d := &Detour{inner: inner, service: service, silence: silence, addresses: map[netip.Addr]bool{}}
	if a, err := netip.ParseAddr(service.Host); err == nil {
		d.addresses[a.Unmap()] = true
	}
	return d
}

// Break leads every new connection to the service into silence.
func (d *Detour) Break() { d.broken.Store(true) }

// Heal lets new connections through again.
func (d *Detour) Heal() { d.broken.Store(false) }

// LookupNetIP asks the inner network and remembers the service's addresses.
func (d *Detour) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	found, err := d.inner.LookupNetIP(ctx, network, host)
	if host == d.service.Host {
		d.mu.Lock()
		for _, a := range found {
			d.addresses[a.Unmap()] = true
		}
		d.mu.Unlock()
	}
	return found, err
}

// DialContext dials the service, or silence while it is broken.
func (d *Detour) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if d.broken.Load() && d.isService(address) {
		return d.inner.DialContext(ctx, "tcp4", d.silence)
	}
	return d.inner.DialContext(ctx, network, address)
}

// NameServers are those of the inner network.
func (d *Detour) NameServers() []netip.AddrPort { return d.inner.NameServers() }

func (d *Detour) isService(address string) bool {
	at, err := netip.ParseAddrPort(address)
	if err != nil || at.Port() != d.service.Port {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.addresses[at.Addr().Unmap()]
}
