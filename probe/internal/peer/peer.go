// Package peer is how probes help one another: a probe that is cut off from the
// coordinator gets the newest plan from any other, and its records through to
// the coordinator.
//
// What it promises:
//
//   - Only probes of the fleet speak here, at both ends: whoever shows no
//     certificate of a CA of the plan, for a key, name and region of its roster,
//     hears nothing. A probe that was removed is one of those, and its tunnels
//     end when the plan says so.
//   - Bytes are passed on to a coordinator that the signed plan names, and to
//     nobody else.
//   - What is passed on is the other probe's own mutual TLS with the
//     coordinator: here it can neither be read nor made up.
//   - Helping costs no more than [MaxTunnels] connections at a time and 256 kB
//     a second each way, plans included, and nobody can hold on to anything by
//     saying nothing.
//   - Run ends everything that it began.
package peer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"

	"golang.org/x/time/rate"

	"varde/proto/wire"
)

const (
	// DefaultBind is where a probe listens for others: at every address, of both
	// families where the machine has both.
	DefaultBind = "[::]:7947"
	// MaxTunnels is how many connections are passed on at a time.
	MaxTunnels = 4
	// maxBytes is how many bytes a second go through each way, in all.
	maxBytes = 256 << 10
	// chunk is how many bytes are passed on at once, and how far a line that was
	// quiet may run ahead of maxBytes.
	chunk = 16 << 10
)

// Network is what a probe listens and dials with.
type Network interface {
	// DialContext opens a stream over "tcp".
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	// Listen takes streams over "tcp" at a literal address.
	Listen(network, address string) (net.Listener, error)
}

// Plans knows the newest plan. *plan.Store is one.
type Plans interface {
	// Current returns the plan that says who belongs to the fleet.
	Current() (p wire.Plan, bundle []byte, ok bool)
	// Newer returns it as it was signed, if it is larger than a number.
	Newer(than wire.PlanNumber) (signed wire.SignedPlan, ok bool)
}

// Options configures a Peer. All of them but Bind and Changed are required.
type Options struct {
	// Bind is IP:port to listen on; port 0 picks one. Empty for a probe that helps
	// nobody, and does not Run.
	Bind    string
	Network Network
	// Certificate is what this probe shows: its own, at that moment.
	Certificate func() *tls.Certificate
	Plans       Plans
	// Changed is called when Port does not return any more what it did. It must not
	// wait.
	Changed func()
	Logger  *slog.Logger
}

// Peer is this probe as the others see it, and how it speaks to them. Its
// methods may be called from many goroutines, before, during and after Run.
type Peer struct {
	opt      Options
	up, down *rate.Limiter
	// answers has one element for each plan that is being handed out.
	answers chan struct{}
	relayed atomic.Uint64

	mu       sync.Mutex // protects all following fields
	port     uint16
	visitors []net.Conn // whose request was not read yet, the oldest first
	tunnels  []*tunnel  // the oldest first
}

// New makes a Peer. It starts nothing.
func New(opt Options) (*Peer, error) {
	if opt.Network == nil || opt.Certificate == nil || opt.Plans == nil || opt.Logger == nil {
		return nil, errors.New("peer: all options but Bind and Changed are required")
	}
	if opt.Changed == nil {
		opt.Changed = func() {}
	}
	if _, err := netip.ParseAddrPort(opt.Bind); err != nil && opt.Bind != "" {
		return nil, fmt.Errorf("peer: bind %q, expected IP:port", opt.Bind)
	}
	return &Peer{
		opt: opt, up: rate.NewLimiter(maxBytes, chunk), down: rate.NewLimiter(maxBytes, chunk),
		answers: make(chan struct{}, maxAnswers),
	}, nil
}

// Port is where it listens now; 0 while it does not.
func (p *Peer) Port() uint16 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.port
}

// Relayed counts the connections that were passed on.
func (p *Peer) Relayed() uint64 { return p.relayed.Load() }
