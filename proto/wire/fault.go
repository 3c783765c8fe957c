package wire

import (
	"net/netip"
	"strconv"
)

// Fault is something about a probe's host or network that its operator should
// mend, in one word for programs.
type Fault string

// The faults.
const (
	// FaultUDPBlocked: members of the mesh answer over TCP and not over UDP.
	FaultUDPBlocked Fault = "udp_blocked"
	// FaultNAT: the address that others see is none of the machine's own.
	FaultNAT Fault = "nat"
	// FaultUnreachable: no other member has reached this one by itself.
	FaultUnreachable Fault = "unreachable"
	// FaultNoIPv4 and FaultNoIPv6: control targets answer over the other family
	// alone, so that no check runs over this one.
	FaultNoIPv4 Fault = "no_ipv4"
	FaultNoIPv6 Fault = "no_ipv6"
)

// peerPort is the port by which probes help one another, in words: no number of it
// is handed to Advice.
const peerPort = "TCP on the port of peer.bind (or set peer.bind: off)"

// Advice says what is wrong, what to do and what it costs until then. Mesh is
// where the mesh of the probe answers, "192.0.2.10:7946". A fault of a newer
// program is its own advice.
func (f Fault) Advice(mesh string) string {
	port := "on the port of mesh.bind"
	if at, err := netip.ParseAddrPort(mesh); err == nil {
		port = strconv.Itoa(int(at.Port()))
	}
	switch f {
	case FaultUDPBlocked:
		return "UDP does not reach this probe; open UDP " + port + " in the firewall: the mesh goes on over TCP"
	case FaultNAT:
		return "this probe is behind NAT; forward TCP and UDP " + port + " and " + peerPort + " to it and set mesh.advertise to the address outside: " +
			"it goes on, but no probe that is cut off can use it"
	case FaultUnreachable:
		return "no other probe has reached this one by itself; open TCP " + port + " and " + peerPort + " in the firewall: " +
			"it goes on with what it asks for itself"
	case FaultNoIPv4:
		return noFamily("IPv4", "IPv6")
	case FaultNoIPv6:
		return noFamily("IPv6", "IPv4")
	}
	return string(f)
}

func noFamily(dead, alive string) string {
	return "no control answers over " + dead + ", and over " + alive + " they do; mend its " + dead + " or take the address away: " +
		"it goes on over " + alive + " alone"
}
