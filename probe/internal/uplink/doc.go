// Package uplink is the probe's way to the coordinator: it streams what is in
// the spool, takes new plans, and renews the certificate. It alone speaks gRPC
// on the probe's side.
//
// What it promises:
//
//   - A record leaves the spool only after the coordinator has said that it is
//     on disk there. What was not acknowledged is sent again, in order.
//   - Older epochs are handed over before the current one.
//   - One connection at a time. A coordinator that does not answer, or accepts
//     and falls silent, is left within 30 s and the next address is tried, with
//     full jitter between 0.5 and 30 s, so that a fleet does not come back as
//     one.
//   - When its context ends it has two seconds to hand over what is left.
package uplink

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"time"

	"varde/proto/wire"
)

// Spool is where records wait; see package spool for what it promises.
type Spool interface {
	Epochs() []string
	Next(epoch string, after uint64, limit int) ([]wire.Record, error)
	Ack(epoch string, through uint64) error
	Ready() <-chan struct{}
}

// State is what a probe says of itself.
type State struct {
	Epoch, Version string
	Plan           wire.PlanNumber
	// Spool is the number of records that wait.
	Spool uint64
	// MeshAddress is where the mesh answers; empty without one.
	MeshAddress string
	// Peers are the probes that the mesh holds for alive, sorted.
	Peers []string
	// Qualified is false while the probe's own controls fail; Reason says why.
	Qualified bool
	Reason    string
}

// Options configures an uplink. All of it is required but Dial and BatchAge.
type Options struct {
	// Dial opens a stream to host:port, by the system's network if nil.
	Dial func(ctx context.Context, address string) (net.Conn, error)
	// Coordinators are the addresses to try, asked anew before each attempt.
	Coordinators func() []string
	// TLS is the probe's side of mutual TLS, asked anew before each attempt.
	TLS   func() *tls.Config
	Spool Spool
	// State is asked at the start of a connection and every few seconds.
	State func() State
	// PlanNumber is the number of the plan that the probe has.
	PlanNumber func() wire.PlanNumber
	// OnPlan is handed every plan that comes.
	OnPlan func(wire.SignedPlan) error
	Logger *slog.Logger
	// BatchAge is how long a record waits for others to travel with, 500 ms if
	// zero.
	BatchAge time.Duration
}

// Timing of an uplink.
const (
	defaultBatchAge = 500 * time.Millisecond
	// stateEvery is how often a state is sent that did not change, and
	// stateLook how often it is looked at.
	stateEvery, stateLook = 30 * time.Second, 5 * time.Second
	// ackTimeout is how long a coordinator may take to acknowledge. Its journal
	// answers in milliseconds; one that takes longer than this is stuck.
	ackTimeout = 30 * time.Second
	// connectTimeout bounds one dial with its handshake.
	connectTimeout = 10 * time.Second
	// flushTime is what is left for handing over after the end.
	flushTime = 2 * time.Second
	// backoffMin and backoffMax bound the pause between attempts; an attempt
	// that lasted healthyAfter starts from the least again.
	backoffMin, backoffMax = 500 * time.Millisecond, 30 * time.Second
	healthyAfter           = time.Minute
	// window is how many batches may be on their way unacknowledged.
	window = 4
)

// Uplink is the way to the coordinator. Its methods may be called from many
// goroutines; Run once.
type Uplink struct {
	opts Options

	mu     sync.Mutex // protects all following fields
	status Status
}

// Status is how the uplink stands now.
type Status struct {
	// Connected is true from the first answer of a coordinator on.
	Connected bool
	// Coordinator is the address that is used, or was tried last.
	Coordinator string
	// Since is when Connected last changed.
	Since time.Time
	// LastAck is when a coordinator last acknowledged something; zero if never.
	LastAck time.Time
	// LastError is why the last connection ended or could not be made.
	LastError string
}

// New makes an uplink. It connects to nothing before Run.
func New(o Options) (*Uplink, error) {
	if o.Coordinators == nil || o.TLS == nil || o.Spool == nil || o.State == nil ||
		o.PlanNumber == nil || o.OnPlan == nil || o.Logger == nil {
		return nil, errors.New("uplink: an option is missing")
	}
	if o.Dial == nil {
		o.Dial = func(ctx context.Context, address string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", address)
		}
	}
	if o.BatchAge == 0 {
		o.BatchAge = defaultBatchAge
	}
	return &Uplink{opts: o, status: Status{Since: time.Now()}}, nil
}

// Status returns how the uplink stands now.
func (u *Uplink) Status() Status {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.status
}

// set changes the status under the lock.
func (u *Uplink) set(change func(*Status)) {
	u.mu.Lock()
	defer u.mu.Unlock()
	before := u.status.Connected
	change(&u.status)
	if u.status.Connected != before {
		u.status.Since = time.Now()
	}
}
