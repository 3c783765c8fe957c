package uplink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	vardev1 "varde/proto/varde/v1"
)

// Alone is how long no coordinator has been heard before peers are asked for help,
// here to pass the connection on.
const Alone = 20 * time.Second

const (
	// detourAgain is how long peers are left alone when none of them could help,
	// and lookBack how often the direct way is tried while one does.
	detourAgain = 30 * time.Second
	lookBack    = 30 * time.Second
	// headStart is what the direct way has before the first peer is asked: where a
	// coordinator is back, nobody else is needed.
	headStart = 2 * time.Second
	// trialWithin bounds the first answer over a direct connection.
	trialWithin = 10 * time.Second
)

// errDetour is why an attempt ended for which there was no more time.
var errDetour = fmt.Errorf("no coordinator for %s, asking peers", Alone)

// Relay is a peer that may pass a connection on.
type Relay struct {
	// Name is the peer's.
	Name string
	// Dial opens a stream to the coordinator at host:port, through the peer.
	Dial func(ctx context.Context, coordinator string) (net.Conn, error)
}

func (u *Uplink) hasRelays() bool { return len(u.opts.Relays()) > 0 }

func (u *Uplink) isDetourDue() bool { return !time.Now().Before(u.detourAt) && u.hasRelays() }

// detour goes through peers when no coordinator was heard for long enough, until
// none of them helps or the direct way leads to one again, where it stays then.
// It returns how long the longest connection lasted.
func (u *Uplink) detour(ctx context.Context) (longest time.Duration) {
	if !u.isDetourDue() {
		return 0
	}
	relayed, stop := context.WithCancel(ctx)
	defer stop()
	var w way
	var conn *connection
	var looking sync.WaitGroup
	looking.Go(func() {
		w, conn = u.lookBack(relayed)
		stop() // what the relayed connection has in flight, it may finish
	})
	select {
	case <-relayed.Done():
	case <-time.After(headStart):
		longest = u.throughPeers(relayed)
	}
	stop()
	looking.Wait()
	u.detourAt = time.Now().Add(detourAgain)
	if conn != nil {
		longest = max(longest, u.stay(ctx, w, conn))
	}
	return longest
}

// throughPeers asks one peer after another, and stays with each as long as it
// lasts.
func (u *Uplink) throughPeers(ctx context.Context) (longest time.Duration) {
	tried := map[string]bool{}
	for ctx.Err() == nil {
		r, ok := untried(u.opts.Relays(), tried)
		if !ok {
			break
		}
		tried[r.Name] = true
		for _, a := range u.opts.Coordinators() {
			lasted := u.through(ctx, way{address: a, relay: r.Name, dial: r.Dial})
			longest = max(longest, lasted)
			if lasted >= healthy {
				clear(tried) // others may help by now
			}
			if ctx.Err() != nil {
				break
			}
		}
	}
	return longest
}

func (u *Uplink) through(ctx context.Context, w way) (lasted time.Duration) {
	conn, err := u.connect(ctx, w)
	if err == nil {
		err = u.session(ctx, w, conn)
	}
	return u.left(w, err)
}

func untried(relays []Relay, tried map[string]bool) (r Relay, ok bool) {
	for _, r := range relays {
		if !tried[r.Name] {
			return r, true
		}
	}
	return Relay{}, false
}

// lookBack tries the direct way again and again until it leads to a coordinator
// that answers; then it returns the connection. It returns none when ctx ends.
func (u *Uplink) lookBack(ctx context.Context) (way, *connection) {
	for {
		for _, a := range u.opts.Coordinators() {
			w := way{address: a, dial: u.opts.Dial}
			conn, err := u.try(ctx, w)
			if err == nil {
				return w, conn
			}
			u.log.Debug("still no direct way to a coordinator", "address", a, "error", err)
		}
		select {
		case <-ctx.Done():
			return way{}, nil
		case <-time.After(lookBack):
		}
	}
}

// try opens a connection and has the coordinator answer over it: a network under
// attack may let a handshake through and nothing else.
func (u *Uplink) try(ctx context.Context, w way) (*connection, error) {
	conn, err := u.connect(ctx, w)
	if err != nil {
		return nil, err
	}
	asking, cancel := context.WithTimeoutCause(ctx, trialWithin, fmt.Errorf("no answer within %s", trialWithin))
	defer cancel()
	if err := u.greet(asking, vardev1.NewFleetServiceClient(conn)); err != nil {
		return nil, errors.Join(conn.explain(causeOf(asking, err)), conn.Close())
	}
	return conn, nil
}

// greet asks for a mark and waits until it comes.
func (u *Uplink) greet(ctx context.Context, client vardev1.FleetServiceClient) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := client.Report(ctx)
	if err != nil {
		return err
	}
	epochs := u.opts.Spool.Epochs()
	if err := stream.Send(resume(epochs[len(epochs)-1])); err != nil {
		return err
	}
	for {
		m, err := stream.Recv()
		if err != nil || m.GetMark() != nil {
			return err
		}
	}
}

// resume asks for the mark of an epoch.
func resume(epoch string) *vardev1.ReportRequest {
	return &vardev1.ReportRequest{Kind: &vardev1.ReportRequest_Resume{Resume: &vardev1.Resume{Epoch: epoch}}}
}
