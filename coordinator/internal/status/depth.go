package status

import "varde/checks"

// Depth is how far a check goes into a service.
type Depth uint8

// The depths, from the shallowest to the deepest.
const (
	// Lookup asks for a name.
	Lookup Depth = iota
	// Contact speaks with the server as a stranger may.
	Contact
	// Login shows a password.
	Login
	// Delivery sends a mail and looks for it.
	Delivery
)

var depthNames = [...]string{"name", "contact", "login", "delivery"}

// String returns "name", "contact", "login" or "delivery".
func (d Depth) String() string { return depthNames[min(int(d), len(depthNames)-1)] }

// DepthOf is the depth of a configured check.
func DepthOf(t checks.Target) Depth {
	switch t.Kind {
	case checks.RoundTrip:
		return Delivery
	case checks.DNS:
		return Lookup
	}
	for range t.Logins() {
		return Login
	}
	return Contact
}
