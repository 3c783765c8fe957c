package selfcheck

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

const (
	// roundEvery is how often the control targets are tried at most.
	roundEvery = 15 * time.Second
	// earlyEvery is how often one may be tried ahead of that.
	earlyEvery = time.Minute
	// patience is how long an observation waits for them.
	patience = time.Second
	// enough is how many must answer, where there are as many: one may be down by
	// itself.
	enough = 2
)

// ControlsOptions configures Controls. Who is told something must not wait, nor
// ask the Controls while it is told.
type ControlsOptions struct {
	// Network is how the targets are asked. Required.
	Network checks.Network
	// Changed is told that Standing or Faults may answer differently; nil for
	// nobody.
	Changed func()
	// Families is told that Dead answers differently; nil for nobody.
	Families func()
	// Logger is told when the probe stops to be qualified, and when it is again.
	// Required.
	Logger *slog.Logger
}

// Controls are targets in other networks by which a probe tells a fault of its
// own from one of the service that it looks at. They are asked when an attempt
// fails or does not get on, at most every 15 s and over both address families at
// once, and only whether they take a connection: one that refuses it has answered,
// its network works, and nothing is read or sent.
//
// The probe is qualified in a family while two of them answer, or all of them
// where there are fewer. They are counted in that family where it is enough of them
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
	last    *round // the one that is under way, or was; nil before the first
	// early is when a round was last begun ahead of its time.
	early time.Time
	// standing is that of the families in which something has failed.
	standing map[checks.Family]standing
	again    *time.Timer // begins the next round while the probe is not well
	disowned uint64
}

// NewControls returns Controls without targets.
func NewControls(o ControlsOptions) *Controls {
	nobody := func() {}
	if o.Changed == nil {
		o.Changed = nobody
	}
	if o.Families == nil {
		o.Families = nobody
	}
	c := &Controls{opt: o, standing: map[checks.Family]standing{}}
	c.asking, c.end = context.WithCancel(context.Background())
	return c
}

// Close ends what is under way. Nothing is asked any more.
func (c *Controls) Close() {
	c.mu.Lock()
	c.end()
	c.restLocked()
	c.mu.Unlock()
	c.asks.Wait()
}

// Set says which targets there are: https://, http:// and tcp:// with a port.
// Others are left out. Other targets than before begin a new judgement.
func (c *Controls) Set(urls []string) {
	targets := endpoints(urls)
	c.mu.Lock()
	defer c.mu.Unlock()
	if slices.EqualFunc(c.targets, targets, func(a, b checks.Endpoint) bool { return a.String() == b.String() }) {
		return
	}
	left := slices.ContainsFunc(slices.Collect(maps.Values(c.standing)), func(s standing) bool { return s.dead })
	c.targets, c.last = targets, nil
	clear(c.standing)
	c.restLocked()
	c.opt.Changed()
	if left {
		c.opt.Families()
	}
}

// Judge returns the result of an attempt over a family with the blame where it
// belongs: own network instead of down where the controls do not answer either.
//
// It waits for them no longer than a second, and takes silence for an answer then:
// an unknown too many claims nothing, a down too many does. A round that began
// when the attempt hesitated is mostly over by now. Whether the probe is fit to
// judge at all is decided by the whole round, which a lost packet or a slow way
// does not spoil.
func (c *Controls) Judge(ctx context.Context, f checks.Family, r checks.Result) checks.Result {
	if r.Outcome != checks.Down || answered(r) {
		return r
	}
	round := c.doubt(f, time.Now().Add(-r.Elapsed))
	if round == nil {
		return r
	}
	words := round.wait(ctx, f, r.FailedPhase == checks.Resolve)
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
func (c *Controls) Doubt(f checks.Family) { c.doubt(f, time.Time{}) }

// Disqualified is how many failures became unknown for the controls.
func (c *Controls) Disqualified() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.disowned
}

// doubt returns the round that is under way, or was begun less than 15 s ago, or
// begins now; nil without targets. From now on the probe says how it stands in the
// family.
//
// A round that passed before the attempt began says nothing of an uplink that died
// between the two: then one more is begun ahead of its time, once a minute at most.
func (c *Controls) doubt(f checks.Family, attempt time.Time) *round {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.targets) == 0 || c.asking.Err() != nil {
		return nil
	}
	_, known := c.standing[f]
	if !known {
		c.standing[f] = standing{}
	}
	early := c.last != nil && c.last.began.Before(attempt) && c.standing[f].qualified == wire.Qualified && time.Since(c.early) >= earlyEvery
	if early {
		c.early = time.Now()
	}
	if !c.beginLocked(early) && !known {
		c.weighLocked(f)
		c.followLocked()
	}
	return c.last
}

// beginLocked begins a round if it is time for one, or early.
func (c *Controls) beginLocked(early bool) bool {
	if c.asking.Err() != nil || c.last != nil && !early && time.Since(c.last.began) < roundEvery {
		return false
	}
	r := newRound(c.targets)
	c.last = r
	c.asks.Go(func() { r.run(c.asking, c.opt.Network, func() { c.conclude(r) }) })
	return true
}
