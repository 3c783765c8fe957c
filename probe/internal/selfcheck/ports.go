package selfcheck

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"varde/checks"
)

const (
	// fresh is for how long a connection shows that the network works.
	fresh = 10 * time.Minute
	// controlEvery is how often the control targets of a port are asked.
	controlEvery = 15 * time.Minute
)

// isMail says whether a port is one of those that hosters block.
func isMail(port uint16) bool {
	return slices.Contains([]uint16{25, 110, 143, 465, 587, 993, 995}, port)
}

// Options configures Ports.
type Options struct {
	// Dir is where what was found out is kept. Required.
	Dir string
	// Network is how control targets are asked. Required.
	Network checks.Network
	// Online says whether something else of the probe is connected now; never if
	// nil.
	Online func() bool
	// Logger is told of every port that seems blocked, and of a disk that takes
	// no record. Required.
	Logger *slog.Logger
}

// Ports is what this probe knows of its outbound ports.
//
// Many hosters block the ports of mail for what goes out. A probe on such a host
// would call every mail server down. So it remembers for each of these ports
// whether any connection to it, to whatever host, has ever come about. As long
// as none has, a connection that is not answered, or that has no way, is a fault
// of our own network and not the server's, unless nothing else worked at the first
// of them either, which then was no matter of ports. Once a port has worked its
// failures are the server's for ever, or until the record is lost.
//
// A server that refuses has read what we sent, so a refusal stays the server's.
// All other ports are left alone.
//
// What is given up for it: a server that is dead from the very first look on,
// and the only one on its port, is unknown and not down. A control target on
// that port ends the doubt: it is asked at such a failure, and if it answers the
// port works. Without one, the first connection to any server on the port does.
//
// Its methods may be called from many goroutines.
type Ports struct {
	opt Options

	mu       sync.Mutex // protects all following fields
	ports    map[uint16]record
	controls map[uint16][]checks.Endpoint
	// asked is when the control targets of a port were asked last.
	asked map[uint16]time.Time
	// worked is when a connection last came about, to whatever port.
	worked time.Time
}

// record is what is known of one port. Both times are zero for one that was never
// tried.
type record struct {
	// Worked is when it worked for the first time.
	Worked time.Time `json:"worked,omitzero"`
	// Failing is since when it has failed, if it never worked.
	Failing time.Time `json:"failing,omitzero"`
}

// Blocked is an outbound port that has never worked.
type Blocked struct {
	Port uint16
	// Since is the first failure.
	Since time.Time
}

// Open reads what the probe found out before. A record that cannot be read is
// logged and begun anew.
func Open(o Options) *Ports {
	p := &Ports{opt: o, asked: map[uint16]time.Time{}}
	var err error
	if p.ports, err = read(o.Dir); err != nil {
		o.Logger.Error("what was known of outbound ports is lost", "error", err)
		p.ports = map[uint16]record{}
	}
	return p
}

// SetControls says which targets there are to tell a blocked port by: those at one
// of the ports of mail.
func (p *Ports) SetControls(urls []string) {
	controls := map[uint16][]checks.Endpoint{}
	for _, e := range endpoints(urls) {
		if isMail(e.Port) {
			controls[e.Port] = append(controls[e.Port], e)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.controls = controls
}

// Blocked are the ports that have failed and never worked, in order.
func (p *Ports) Blocked() []Blocked {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Blocked
	for _, port := range slices.Sorted(maps.Keys(p.ports)) {
		if r := p.ports[port]; r.Worked.IsZero() {
			out = append(out, Blocked{port, r.Failing})
		}
	}
	return out
}

// Judge learns from a result, and returns it with the blame where it belongs: own
// network instead of down where the port is probably blocked. It may ask a
// control target first.
func (p *Ports) Judge(ctx context.Context, r checks.Result) checks.Result {
	at, err := netip.ParseAddrPort(r.Address)
	if err != nil {
		return r
	}
	if connected(r) {
		p.works(at.Port())
		return r
	}
	silent := r.Class == checks.ConnectTimeout || r.Class == checks.Unreachable
	if !silent || !isMail(at.Port()) || !p.doubts(at.Port()) || p.controlled(ctx, at.Port()) {
		return r
	}
	r.Outcome, r.Class, r.Detail = checks.Unknown, checks.OwnNetwork, fmt.Sprintf(
		"outbound port %d has never worked from this probe: its hoster may block it (%s)", at.Port(), r.Class)
	return r
}

// connected says whether a result came from behind a connection.
func connected(r checks.Result) bool {
	return r.FailedPhase != checks.Connect && slices.ContainsFunc(r.Phases, func(p checks.PhaseTiming) bool {
		return p.Name == checks.Connect
	})
}

// works notes that a connection to the port came about.
func (p *Ports) works(port uint16) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.worked = time.Now()
	if isMail(port) && p.ports[port].Worked.IsZero() {
		p.ports[port] = record{Worked: p.worked.UTC()}
		p.saveLocked()
	}
}

// doubts notes that a connection to the port failed, and says whether that may be
// our own fault.
func (p *Ports) doubts(port uint16) bool {
	online := p.opt.Online != nil && p.opt.Online()
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.ports[port]
	if !r.Worked.IsZero() {
		return false
	}
	if r.Failing.IsZero() {
		if !online && time.Since(p.worked) > fresh {
			return false
		}
		p.ports[port] = record{Failing: time.Now().UTC()}
		p.saveLocked()
		p.opt.Logger.Warn("outbound port has never worked from here, the hoster may block it: ask it to open the port", "port", port)
	}
	return true
}

func (p *Ports) saveLocked() {
	if err := write(p.opt.Dir, p.ports); err != nil {
		p.opt.Logger.Error("what is known of outbound ports is lost when the probe stops", "error", err)
	}
}

// controlled asks the control targets of a port, if there are any and it is time,
// and says whether one of them took a connection: then the port works. A refusal
// proves less here than to [Controls]: the hoster may have sent it, and what has
// worked once is believed for ever.
func (p *Ports) controlled(ctx context.Context, port uint16) bool {
	p.mu.Lock()
	controls := p.controls[port]
	if last, asked := p.asked[port]; len(controls) == 0 || asked && time.Since(last) < controlEvery {
		p.mu.Unlock()
		return false
	}
	p.asked[port] = time.Now()
	p.mu.Unlock()
	answers := make(chan bool)
	asks := 0
	for _, c := range controls {
		for _, f := range []checks.Family{checks.IPv4, checks.IPv6} {
			asks++
			go func() { answers <- ask(ctx, p.opt.Network, f, c).took }()
		}
	}
	answered := false
	for range asks {
		answered = <-answers || answered
	}
	if answered {
		p.works(port)
	}
	return answered
}
