// Package uplinktest lends the probe's uplink to tests of the coordinator, so
// that both ends of the wire can be tested against one another. The compiler
// keeps the two programs apart everywhere else.
package uplinktest

import "varde/probe/internal/uplink"

// Options and Uplink are those of the probe.
type (
	Options = uplink.Options
	Uplink  = uplink.Uplink
)

// New makes an uplink.
func New(o Options) (*Uplink, error) { return uplink.New(o) }
