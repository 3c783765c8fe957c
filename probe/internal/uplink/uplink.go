package uplink

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"varde/proto/wire"
)

// Spool keeps records until they are acknowledged. *spool.Spool is one.
type Spool interface {
	// Epochs returns those that have something to send, oldest first, and then
	// the current one.
	Epochs() []string
	// Next returns up to limit records after a number, the first one after+1,
	// none when there is no more.
	Next(epoch string, after uint64, limit int) ([]wire.Record, error)
	// Ack says that everything up to a number is safe.
	Ack(epoch string, through uint64) error
	// Renew begins a new epoch, and moves to it what the current one has to
	// send.
	Renew() error
	// Ready is signalled after something was added.
	Ready() <-chan struct{}
}

// Options configures an Uplink.
type Options struct {
	// Coordinators returns the host:port to try, in this order. Required.
	Coordinators func() []string
	// TLS returns the client's side of a handshake: certificate, pinned CA and
	// the coordinator's name. Required.
	TLS func() *tls.Config
	// Spool is what is sent. Required.
	Spool Spool
	// State returns what the probe says of itself. Required.
	State func() wire.ProbeState
	// PlanNumber returns the number of the plan in force. Required.
	PlanNumber func() wire.PlanNumber
	// OnPlan is given every plan that arrives; it verifies it. One that it
	// refuses does not come again. Required.
	OnPlan func(wire.SignedPlan) error
	// Dial opens a stream to host:port; a net.Dialer if nil.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Relays returns the peers that may pass a connection on, the best one first.
	// They are asked when no coordinator has answered for twenty seconds. None if
	// nil.
	Relays func() []Relay
	// Changed is called when a coordinator is met or left, or says for the first
	// time where it sees the probe come from. It must not wait, and may be nil.
	Changed func()
	// Ahead is how far the clock is ahead by which a coordinator that asks for the
	// time is answered; not at all if nil.
	Ahead func() time.Duration
	// Batch is how many records are sent together at most, 1,000 if zero and at
	// most that; Age is how long the first of them waits for others, 100 ms if
	// zero.
	Batch int
	Age   time.Duration
	// Window is how many batches are sent before the first is acknowledged; 4
	// if zero. It keeps a line full whose round trip is a fifth of a second.
	Window int
	// Logger is required.
	Logger *slog.Logger
}

// Status is how the uplink stands.
type Status struct {
	// Connected is true while a coordinator answers; Coordinator is its
	// address, or the one tried last. Since is when that began or ended.
	Connected   bool
	Coordinator string
	Since       time.Time
	// Relay is the peer that passes the connection on; empty for a direct one.
	// Relayed counts the connections that had one.
	Relay   string
	Relayed uint64
	// SeenFrom is the IP address that the coordinator sees the probe come from
	// when it comes by itself; empty until it has said so.
	SeenFrom string
	// LastAck is when a coordinator last acknowledged something; zero if never.
	LastAck time.Time
	// LastError says why the last connection ended or failed; empty if none
	// did.
	LastError string
}

// Uplink carries a probe's records to whichever coordinator answers.
type Uplink struct {
	opts Options
	log  *slog.Logger
	// changed says that the probe's state is worth sending.
	changed chan struct{}
	// random returns a number in [0, 1).
	random func() float64

	// detourAt is when peers are asked; for Run alone.
	detourAt time.Time
	// sent is the last number of each epoch that any stream has sent; for the one
	// that there is.
	sent map[string]uint64

	mu     sync.Mutex // protects status
	status Status
}

// New makes an Uplink. It starts nothing.
func New(o Options) (*Uplink, error) {
	if o.Coordinators == nil || o.TLS == nil || o.Spool == nil || o.State == nil ||
		o.PlanNumber == nil || o.OnPlan == nil || o.Logger == nil {
		return nil, errors.New("uplink: all options but Dial, Relays, Changed, Ahead, Batch, Age and Window are required")
	}
	if o.Relays == nil {
		o.Relays = func() []Relay { return nil }
	}
	if o.Changed == nil {
		o.Changed = func() {}
	}
	if o.Ahead == nil {
		o.Ahead = func() time.Duration { return 0 }
	}
	if o.Dial == nil {
		o.Dial = dialTCP
	}
	o.Batch = min(cmp.Or(o.Batch, wire.MaxRecords), wire.MaxRecords)
	o.Age = cmp.Or(o.Age, 100*time.Millisecond)
	o.Window = cmp.Or(o.Window, 4)
	return &Uplink{opts: o, log: o.Logger, changed: make(chan struct{}, 1), random: rand.Float64, sent: map[string]uint64{}}, nil
}

// Status returns how the uplink stands now.
func (u *Uplink) Status() Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.status
}

// StateChanged has the state sent now instead of within thirty seconds. It does
// not block.
func (u *Uplink) StateChanged() {
	select {
	case u.changed <- struct{}{}:
	default:
	}
}

// healthy is how long a connection must have lasted for the next pause to be
// short again.
const healthy = time.Minute

// errNoCoordinators is what there is to say before any address is known.
var errNoCoordinators = errors.New("no address of a coordinator is known")

// Run keeps the probe connected until ctx ends. Then it sends what is in the
// spool, for at most two seconds and only where it is connected, and returns
// after its last goroutine has.
func (u *Uplink) Run(ctx context.Context) error {
	u.detourAt = time.Now().Add(Alone)
	for failures := 0; ctx.Err() == nil; {
		failures++
		if max(u.detour(ctx), u.round(ctx)) >= healthy {
			failures = 1
		}
		wait := pause(failures, u.random())
		if u.hasRelays() {
			wait = min(wait, time.Until(u.detourAt))
		}
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return nil
}

// round tries every coordinator once and stays with each as long as it lasts,
// until it is time for a detour. It returns the longest time that one did.
func (u *Uplink) round(ctx context.Context) (longest time.Duration) {
	addresses := u.opts.Coordinators()
	if len(addresses) == 0 {
		u.left(way{}, errNoCoordinators)
	}
	for _, a := range addresses {
		if ctx.Err() != nil || u.isDetourDue() {
			break
		}
		longest = max(longest, u.direct(ctx, way{address: a, dial: u.opts.Dial}))
	}
	return longest
}

// direct tries one coordinator and stays with it as long as it lasts, which it
// returns. It does not wait for an answer when peers could be asked.
func (u *Uplink) direct(ctx context.Context, w way) (lasted time.Duration) {
	dialing, cancel := ctx, func() {}
	if u.hasRelays() {
		dialing, cancel = context.WithDeadlineCause(ctx, u.detourAt, errDetour)
	}
	conn, err := u.connect(dialing, w)
	cancel()
	if err != nil {
		return u.left(w, err)
	}
	return u.stay(ctx, w, conn)
}

// stay speaks over a direct connection as long as it lasts, which it returns.
func (u *Uplink) stay(ctx context.Context, w way, conn *connection) (lasted time.Duration) {
	err := u.session(ctx, w, conn)
	lasted = u.left(w, err)
	if _, no := errors.AsType[*Refusal](err); no {
		// It is there, and any other way leads to the same no: it is asked again first.
		u.detourAt = time.Now().Add(longestPause + Alone)
	} else if lasted > 0 {
		u.detourAt = conn.line.lastHeard().Add(Alone)
	}
	return lasted
}

// met notes that a coordinator answers.
func (u *Uplink) met(w way) {
	u.mu.Lock()
	was := u.status.Connected
	if !was {
		u.status.Connected, u.status.Coordinator, u.status.Relay, u.status.Since = true, w.address, w.relay, time.Now()
		if w.relay != "" {
			u.status.Relayed++
		}
	}
	u.mu.Unlock()
	if !was {
		u.log.Info("coordinator answers", "address", w.address, "relay", w.relay)
		u.opts.Changed()
	}
}

// seen notes where the coordinator sees this probe come from.
func (u *Uplink) seen(w way, from string) {
	if w.relay != "" || from == "" {
		return
	}
	u.mu.Lock()
	was := u.status.SeenFrom
	u.status.SeenFrom = from
	u.mu.Unlock()
	if was != from {
		u.opts.Changed()
	}
}

// acked notes that a coordinator has acknowledged something.
func (u *Uplink) acked() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.status.LastAck = time.Now()
}

// left notes that a coordinator does not answer, or no more, and returns how
// long it did. What is said again and again is logged once.
func (u *Uplink) left(w way, err error) (lasted time.Duration) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	u.mu.Lock()
	now, before := time.Now(), u.status
	if before.Connected {
		lasted = now.Sub(before.Since)
	}
	if before.Connected || before.Since.IsZero() {
		u.status.Since = now
	}
	u.status.Connected, u.status.Coordinator, u.status.Relay, u.status.LastError = false, w.address, "", text
	u.mu.Unlock()
	level := slog.LevelDebug
	if err != nil && (before.Connected || before.LastError != text) {
		level = slog.LevelWarn
	}
	u.log.Log(context.Background(), level, "no coordinator", "address", w.address, "relay", w.relay, "lasted", lasted, "error", text)
	if before.Connected {
		u.opts.Changed()
	}
	return lasted
}
