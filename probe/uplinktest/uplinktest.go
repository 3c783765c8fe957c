// Package uplinktest helps to test what stands at either end of the uplink. It
// lends the probe's uplink to tests of the coordinator, because the compiler
// keeps the two programs apart everywhere else, and has a spool in memory.
package uplinktest

import "varde/probe/internal/uplink"

// Options are those of the probe's uplink.
type Options = uplink.Options

// Uplink is the probe's.
type Uplink = uplink.Uplink

// New makes an uplink.
func New(o Options) (*Uplink, error) { return uplink.New(o) }
