package uplink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

// errFlushed ends a session that has nothing more to hand over.
var errFlushed = errors.New("everything is handed over")

// Run keeps a connection to a coordinator until ctx ends, and then for as long
// as handing over the rest takes, at most two seconds.
func (u *Uplink) Run(ctx context.Context) error {
	pause := backoffMin
	for turn := 0; ctx.Err() == nil; turn++ {
		addresses := u.opts.Coordinators()
		if len(addresses) == 0 {
			return errors.New("uplink: no address of a coordinator is known")
		}
		address := addresses[turn%len(addresses)]
		began := time.Now()
		err := u.session(ctx, address)
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) >= healthyAfter {
			pause = backoffMin
		}
		wait := time.Duration(rand.Int64N(int64(pause))) + time.Millisecond
		u.opts.Logger.Warn("coordinator lost", "address", address, "error", plain(err), "retry_in", wait)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		pause = min(2*pause, backoffMax)
	}
	return nil
}

// session is one connection from its dial to its end.
func (u *Uplink) session(ctx context.Context, address string) (err error) {
	u.set(func(s *Status) { s.Coordinator = address })
	defer func() {
		u.set(func(s *Status) { s.Connected, s.LastError = false, fmt.Sprint(plain(err)) })
	}()
	cc, err := connect(ctx, u.opts.Dial, u.opts.TLS(), address)
	if err != nil {
		return err
	}
	defer func() { _ = cc.Close() }() // what it carried has ended, with an error or not
	// The connection outlives ctx for as long as the flush may take.
	live, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	defer context.AfterFunc(ctx, func() {
		flush := time.AfterFunc(flushTime, end)
		context.AfterFunc(live, func() { flush.Stop() })
	})()
	g, both := errgroup.WithContext(live)
	g.Go(func() error { return u.watchPlan(both, cc) })
	g.Go(func() error { return u.report(both, ctx.Done(), cc) })
	return g.Wait()
}

// watchPlan takes every plan that the coordinator sends.
func (u *Uplink) watchPlan(ctx context.Context, cc *grpc.ClientConn) error {
	n := u.opts.PlanNumber()
	stream, err := vardev1.NewFleetServiceClient(cc).WatchPlan(ctx,
		&vardev1.WatchPlanRequest{Generation: n.Generation, Revision: n.Revision})
	if err != nil {
		return err
	}
	for {
		resp, err := stream.Recv()
		if err != nil {
			return err
		}
		if err := u.opts.OnPlan(wire.SignedPlanFromProto(resp.GetPlan())); err != nil {
			u.opts.Logger.Warn("plan refused", "error", err)
		}
	}
}
