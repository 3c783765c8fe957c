// Package checks says what may be asked of a service and what may be answered.
//
// A [Target] is one configured question. The catalog turns it into a [Check],
// which is immutable and may be used from many goroutines at once. One call of
// Attempt is one fresh connection over one address family and gives one
// [Result]:
//
//   - what is wrong with the target stands in the Result, never in an error;
//   - what is wrong with us is [Unknown], which is neither up nor down;
//   - an attempt ends at the deadline of its context or at the timeout of its
//     target, whichever is first, whatever the server does.
//
// The package imports nothing else of the project, so that both programs and
// every tool can speak of observations without knowing one another.
package checks

import (
	"context"
	"crypto/x509"
	"net/netip"
	"time"
)

// A Check asks one question of one service.
type Check interface {
	// Attempt asks once, over the given family only. It returns after its last
	// goroutine has, at the latest when ctx ends or the target's timeout has
	// passed. When ctx is cancelled for a reason of ours the outcome is Unknown.
	Attempt(ctx context.Context, family Family) Result
}

// Env is what a check needs of the world around it.
type Env struct {
	// Network resolves and dials. Required.
	Network Network
	// Roots are the authorities that a server's certificate is verified
	// against when the target names none of its own; nil means the system's.
	Roots *x509.CertPool
	// Chains remembers the chains of certificates that were verified; it is
	// shared by all checks of one agent. Nil means that every run verifies.
	Chains *Chains
	// Password returns the secret of the given name (Secret.Name). It is
	// called once, when the check is built. Nil means that no check may log in.
	Password func(name string) (string, error)
}

// Result is what one attempt saw.
type Result struct {
	// Outcome is Unknown in the zero value: it claims nothing.
	Outcome Outcome
	// FailedPhase and Class say where and how it failed; empty when up.
	FailedPhase Phase
	Class       Class
	// Detail is at most DetailMax printable characters, in our words or the
	// server's. It never holds a secret.
	Detail string
	// Address is the address that was dialled, with its port; empty when no
	// address was found.
	Address string
	// Elapsed is the time from the start to the end of the attempt.
	Elapsed time.Duration
	// Phases are the phases that ran, in order, the failed one last. One that ran
	// again stands once, where it last ran, with all its time.
	Phases []PhaseTiming
	// TLS is what the server showed in the handshake, whether it was believed
	// or not; nil where there was none, or nothing was shown.
	TLS *Handshake
	// Presented is what else the server showed; nil if nothing. It stays on
	// the machine that looked.
	Presented *Presented
}

// DetailMax is the largest length of a Result's Detail, in characters: a probe
// keeps no more of a server's words.
const DetailMax = 256

// PhaseTiming is how long one phase of an attempt took.
type PhaseTiming struct {
	Name     Phase
	Duration time.Duration
}

// Observation is the result of running one check once from one probe.
type Observation struct {
	// Check and Service are the ids of the configuration.
	Check, Service string
	// Probe and Region say who looked and from where. The coordinator sets
	// them from the probe's certificate.
	Probe, Region string
	Family        Family
	// Epoch and Seq name the observation for ever, together with Probe. Seq
	// counts from 1 in each epoch; 0 means that none was given.
	Epoch string
	Seq   uint64
	// Plan is the revision of the plan that asked for the run.
	Plan    uint64
	Trigger Trigger
	// Scheduled is the time for which the run was planned, Started when it
	// began, both by the probe's own clock.
	Scheduled, Started time.Time
	// Every is for how long a scheduled observation speaks, its slot is [Scheduled,
	// Scheduled+Every): the interval in force, less where the next run is planned
	// sooner, and zero where the run before has spoken.
	Every time.Duration
	Result
}

// End is the time at which the attempt ended.
func (o Observation) End() time.Time { return o.Started.Add(o.Elapsed) }

// Lengths of the prefixes by which addresses are taken for one network: what a
// provider is routed by on the internet, and what a null route or a scrubber takes
// at a time (RFC 7454 section 6.1.3, RFC 6177).
const (
	networkBits4 = 24
	networkBits6 = 48
)

// Network is the network of the address that was dialled, "192.0.2.0/24" or
// "2001:db8:1::/48"; empty where no address was found.
func (o Observation) Network() string {
	at, err := netip.ParseAddrPort(o.Address)
	if err != nil {
		return ""
	}
	return NetworkOf(at.Addr())
}

// NetworkOf is the network of an address; empty for that of no host.
func NetworkOf(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	bits := networkBits6
	if a.Is4() {
		bits = networkBits4
	}
	network, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return network.String()
}
