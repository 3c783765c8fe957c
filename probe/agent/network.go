package agent

import (
	"net"

	"varde/checks"
)

// system is the machine's own network.
type system struct{ checks.System }

var _ Network = (*system)(nil)

func (*system) Listen(network, address string) (net.Listener, error) {
	return net.Listen(network, address)
}

func (*system) ListenPacket(network, address string) (net.PacketConn, error) {
	return net.ListenPacket(network, address)
}
