package selfcheck

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"sync"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

const (
	// roundEvery is how often the control targets are tried at most.
	roundEvery = 15 * time.Second
	// patience is how long an observation waits for them.
	patience = time.Second
	// askTimeout bounds the question to one of them: a SYN that is lost is sent
	// again after 1 s (RFC 6298, section 2).
	askTimeout = 3 * time.Second
	// enough is how many must answer, where there are as many: one may be down by
	// itself.
	enough = 2
)

// ControlsOptions configures Controls.
type ControlsOptions struct {
	// Network is how the targets are asked. Required.
	Network checks.Network
	// Changed is told that Standing may answer differently; nil for nobody. It
	// must not wait.
	Changed func()
	// Logger is told when the probe stops to be qualified, and when it is again.
	// Required.
	Logger *slog.Logger
}

// Controls are targets in other networks by which a probe tells a fault of its
// own from one of the service that it looks at. They are asked when an attempt
// fails, at most every 15 s for each address family, and only whether they take
// a connection: one that refuses it has answered, and its network works.
//
// The probe is qualified in a family while two of them answer, or all of them
// where there are fewer. They are asked in that family where it is enough of them
// that have an address of it, otherwise in whichever they have. Without any, there
// is nothing to tell by: then every failure stands.
//
// Its methods may be called from many goroutines.
type Controls struct {
	opt ControlsOptions
	// asking ends with Close, and every round with it.
	asking context.Context
	end    context.CancelFunc
	asks   sync.WaitGroup

	mu      sync.Mutex // protects all following fields
	targets []checks.Endpoint
	rounds  map[checks.Family]*round
	// standing is what the last round of each family that is over has shown.
	standing map[checks.Family]standing
	disowned uint64
}

// standing is what a family's controls have shown.
type standing struct {
	qualified bool
	reason    string
}

// NewControls returns Controls without targets.
func NewControls(o ControlsOptions) *Controls {
	if o.Changed == nil {
		o.Changed = func() {}
	}
	c := &Controls{opt: o, rounds: map[checks.Family]*round{}, standing: map[checks.Family]standing{}}
	c.asking, c.end = context.WithCancel(context.Background())
	return c
}

// Close ends what is under way. Nothing is asked any more.
func (c *Controls) Close() {
	c.mu.Lock()
	c.targets = nil
	c.mu.Unlock()
	c.end()
	c.asks.Wait()
}

// Set says which targets there are: https://, http:// and tcp:// with a port.
// Others are left out.
func (c *Controls) Set(urls []string) {
	var targets []checks.Endpoint
	for _, raw := range urls {
		if e, ok := endpoint(raw); ok {
			targets = append(targets, e)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if sameTargets(c.targets, targets) {
		return
	}
	c.targets = targets
	clear(c.rounds)
	clear(c.standing)
	c.opt.Changed()
}

func sameTargets(a, b []checks.Endpoint) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i].String() != b[i].String() {
			return false
		}
	}
	return true
}

// endpoint is where a control target takes connections.
func endpoint(raw string) (checks.Endpoint, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" {
		return checks.Endpoint{}, false
	}
	port := map[string]uint16{"https": 443, "http": 80, "tcp": 0}[u.Scheme]
	if u.Port() != "" {
		n, err := strconv.ParseUint(u.Port(), 10, 16)
		if err != nil {
			return checks.Endpoint{}, false
		}
		port = uint16(n)
	}
	return checks.Endpoint{Scheme: u.Scheme, Host: u.Hostname(), Port: port, URL: u}, port != 0
}

// Judge returns the result of an attempt over a family with the blame where it
// belongs: own network instead of down where the controls do not answer either.
// It waits for them no longer than a second; what they have not said until then
// is not known, and so is whose fault it is.
func (c *Controls) Judge(ctx context.Context, f checks.Family, r checks.Result) checks.Result {
	if r.Outcome != checks.Down || answered(r) {
		return r
	}
	round := c.round(f)
	if round == nil {
		return r
	}
	words := round.wait(ctx, r.FailedPhase == checks.Resolve)
	if words == "" {
		return r
	}
	c.mu.Lock()
	c.disowned++
	c.mu.Unlock()
	r.Outcome, r.Class, r.Detail = checks.Unknown, checks.OwnNetwork, fmt.Sprintf("%s (%s)", words, r.Class)
	return r
}

// answered says whether the failure is what the server itself said, which came
// through our network.
func answered(r checks.Result) bool {
	switch r.Class {
	case checks.DNSTimeout, checks.DNSError, checks.ConnectTimeout, checks.ConnectReset, checks.Unreachable,
		checks.TLSTimeout, checks.GreetingTimeout, checks.AuthTimeout, checks.CommandTimeout, checks.Closed, checks.Late:
		return false
	}
	return true
}

// Doubt has the controls asked if it is time: an attempt over the family does not
// get on, and may have to be judged soon. It does not wait.
func (c *Controls) Doubt(f checks.Family) { c.round(f) }

// Recheck asks the controls of each family in which the probe is not qualified,
// if it is time. It does not wait. Whoever calls it every 15 s learns soon when the
// probe is well again.
func (c *Controls) Recheck() {
	c.mu.Lock()
	var sick []checks.Family
	for f, s := range c.standing {
		if !s.qualified {
			sick = append(sick, f)
		}
	}
	c.mu.Unlock()
	for _, f := range sick {
		c.round(f)
	}
}

// Standing says whether the probe is fit to judge, and why not. It is not judged
// before any control was asked.
func (c *Controls) Standing() (wire.Qualification, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	q, reason := wire.NotJudged, ""
	for _, f := range []checks.Family{checks.IPv6, checks.IPv4} {
		s, known := c.standing[f]
		switch {
		case known && !s.qualified:
			q, reason = wire.Disqualified, s.reason
		case known && q == wire.NotJudged:
			q = wire.Qualified
		}
	}
	return q, reason
}

// Disqualified is how many failures became unknown for the controls.
func (c *Controls) Disqualified() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.disowned
}

// round returns the round of a family that is under way, or was begun less than
// 15 s ago, or begins now; nil without targets.
func (c *Controls) round(f checks.Family) *round {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.targets) == 0 {
		return nil
	}
	if r := c.rounds[f]; r != nil && time.Since(r.began) < roundEvery {
		return r
	}
	r := newRound(f, c.targets)
	c.rounds[f] = r
	c.asks.Go(func() {
		r.run(c.asking, c.opt.Network)
		c.conclude(r)
	})
	return r
}

// conclude takes over what a round has shown, unless there are other targets by
// now.
func (c *Controls) conclude(r *round) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rounds[r.family] != r || c.asking.Err() != nil {
		return
	}
	was, known := c.standing[r.family]
	words, _, _ := r.judge(false)
	now := standing{qualified: words == ""}
	if !now.qualified {
		now.reason = fmt.Sprintf("%s over %s", words, r.family)
	}
	c.standing[r.family] = now
	if known && was == now {
		return
	}
	c.opt.Changed()
	switch {
	case !now.qualified:
		c.opt.Logger.Warn("this probe is not fit to judge, its failures are unknown", "reason", now.reason)
	case known:
		c.opt.Logger.Info("this probe is fit to judge again", "family", r.family)
	}
}
