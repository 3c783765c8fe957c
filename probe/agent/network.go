package agent

import (
	"net"

	"varde/checks"
)

// system is the machine's own network.
type system struct{ checks.System }

var _ Network = (*system)(nil)

// Listen takes streams.
func (*system) Listen(network, address string) (net.Listener, error) {
	return net.Listen(network, address)
}

// ListenPacket takes datagrams.
func (*system) ListenPacket(network, address string) (net.PacketConn, error) {
	return net.ListenPacket(network, address)
}

// Through is the machine's own network, but for checks, which look through n.
// A local fleet breaks a service for one region by it.
func Through(n checks.Network) Network { return through{n, &system{}} }

type through struct {
	checks.Network
	own *system
}

// Listen takes streams on the machine itself.
func (t through) Listen(network, address string) (net.Listener, error) {
	return t.own.Listen(network, address)
}

// ListenPacket takes datagrams on the machine itself.
func (t through) ListenPacket(network, address string) (net.PacketConn, error) {
	return t.own.ListenPacket(network, address)
}
