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
	// Batch is how many records are sent together at most, 1,000 if zero and at
	// most that; Age is how long the first of them waits for others, 500 ms if
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

	mu     sync.Mutex // protects status
	status Status
}

// New makes an Uplink. It starts nothing.
func New(o Options) (*Uplink, error) {
	if o.Coordinators == nil || o.TLS == nil || o.Spool == nil || o.State == nil ||
		o.PlanNumber == nil || o.OnPlan == nil || o.Logger == nil {
		return nil, errors.New("uplink: all options but Dial, Batch, Age and Window are required")
	}
	if o.Dial == nil {
		o.Dial = dialTCP
	}
	o.Batch = min(cmp.Or(o.Batch, wire.MaxRecords), wire.MaxRecords)
	o.Age = cmp.Or(o.Age, 500*time.Millisecond)
	o.Window = cmp.Or(o.Window, 4)
	return &Uplink{opts: o, log: o.Logger, changed: make(chan struct{}, 1), random: rand.Float64}, nil
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
	for failures := 0; ctx.Err() == nil; {
		failures++
		if u.round(ctx) >= healthy {
			failures = 1
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause(failures, u.random())):
		}
	}
	return nil
}

// round tries every coordinator once and stays with each as long as it lasts.
// It returns the longest time that one did.
func (u *Uplink) round(ctx context.Context) (longest time.Duration) {
	addresses := u.opts.Coordinators()
	if len(addresses) == 0 {
		u.left("", errNoCoordinators)
	}
	for _, a := range addresses {
		if ctx.Err() != nil {
			break
		}
		err := u.session(ctx, a)
		longest = max(longest, u.left(a, err))
	}
	return longest
}

// met notes that a coordinator answers.
func (u *Uplink) met(address string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.status.Connected {
		return
	}
	u.status.Connected, u.status.Coordinator, u.status.Since = true, address, time.Now()
	u.log.Info("coordinator answers", "address", address)
}

// acked notes that a coordinator has acknowledged something.
func (u *Uplink) acked() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.status.LastAck = time.Now()
}

// left notes that a coordinator does not answer, or no more, and returns how
// long it did. What is said again and again is logged once.
func (u *Uplink) left(address string, err error) (lasted time.Duration) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := time.Now()
	level := slog.LevelDebug
	if u.status.Connected {
		lasted = now.Sub(u.status.Since)
	}
	if u.status.Connected || u.status.Since.IsZero() {
		u.status.Since = now
	}
	text := ""
	if err != nil {
		text = err.Error()
		if u.status.Connected || u.status.LastError != text {
			level = slog.LevelWarn
		}
	}
	u.status.Connected, u.status.Coordinator, u.status.LastError = false, address, text
	u.log.Log(context.Background(), level, "no coordinator", "address", address, "lasted", lasted, "error", text)
	return lasted
}
