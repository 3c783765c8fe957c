package fleettest

import (
	"context"
	"net"
	"net/netip"

	"varde/checks/checktest"
)

// network is what a probe's host reaches, with streams to private kinds marked as
// such.
type network struct {
	*checktest.Host
	fleet *Fleet
}

// DialContext dials as the host does.
func (n network) DialContext(ctx context.Context, protocol, address string) (net.Conn, error) {
	conn, err := n.Host.DialContext(ctx, protocol, address)
	if err != nil {
		return nil, err
	}
	at, err := netip.ParseAddrPort(address)
	if kind, watched := n.fleet.watched[at]; err == nil && watched && n.fleet.private(kind) {
		return private{conn}, nil
	}
	return conn, nil
}

// private is a stream on which nobody listens.
type private struct{ net.Conn }

// Private says so.
func (private) Private() {}
