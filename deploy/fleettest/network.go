package fleettest

import (
	"context"
	"net"
	"net/netip"
	"time"

	"varde/checks/checktest"
)

// network is what a probe's host reaches, with streams to private kinds marked as
// such.
type network struct {
	*checktest.Host
	fleet *Fleet
	probe *member
}

// resend is after how long Linux sends again what nobody has answered to
// (tcp_syn_linear_timeouts).
const resend = time.Second

// await waits while the probe is cut off, or until the context ends: who asks in the
// last second of it is answered in the next. Else a run would fail for which the
// controls, asked a second later, vouch.
func (n network) await(ctx context.Context) {
	for n.fleet.cutOff(n.probe) {
		select {
		case <-time.After(resend):
		case <-ctx.Done():
			return
		}
	}
}

// LookupNetIP asks as the host does.
func (n network) LookupNetIP(ctx context.Context, protocol, host string) ([]netip.Addr, error) {
	n.await(ctx)
	return n.Host.LookupNetIP(ctx, protocol, host)
}

// DialContext dials as the host does.
func (n network) DialContext(ctx context.Context, protocol, address string) (net.Conn, error) {
	n.await(ctx)
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

// InMemoryOnly says so.
func (private) InMemoryOnly() {}
