package uplink

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

// flushWithin bounds how long the end of the probe waits for the coordinator.
const flushWithin = 2 * time.Second

// errDone ends a session in good order.
var errDone = errors.New("session is done")

// way is how a coordinator is reached.
type way struct {
	// address is the coordinator's, relay the peer that passes on; empty for none.
	address, relay string
	dial           dialer
}

// connect opens a connection by the way.
func (u *Uplink) connect(ctx context.Context, w way) (*connection, error) {
	return connect(ctx, w.dial, u.opts.TLS(), w.address)
}

// session speaks to the coordinator at the end of a connection until that fails
// or ctx ends. When ctx ends it has two seconds to hand over what is in the
// spool.
func (u *Uplink) session(ctx context.Context, w way, conn *connection) error {
	client := vardev1.NewFleetServiceClient(conn)
	g, late := errgroup.WithContext(context.WithoutCancel(ctx))
	g.Go(func() error { return u.watchPlan(late, client) })
	g.Go(func() error { return u.report(late, ctx.Done(), w, client) })
	g.Go(func() error { return endSoon(ctx, late) })
	err := g.Wait()
	if cerr := conn.Close(); cerr != nil {
		err = errors.Join(err, cerr)
	}
	if errors.Is(err, errDone) {
		return nil
	}
	return conn.explain(err)
}

// endSoon ends the session two seconds after ctx.
func endSoon(ctx, session context.Context) error {
	select {
	case <-ctx.Done():
	case <-session.Done():
		return nil
	}
	flush := time.NewTimer(flushWithin)
	defer flush.Stop()
	select {
	case <-flush.C:
		return errDone
	case <-session.Done():
		return nil
	}
}

// watchPlan hands over every plan that comes.
func (u *Uplink) watchPlan(ctx context.Context, client vardev1.FleetServiceClient) error {
	have := u.opts.PlanNumber()
	s, err := client.WatchPlan(ctx, &vardev1.WatchPlanRequest{Generation: have.Generation, Revision: have.Revision})
	if err != nil {
		return fmt.Errorf("watch plan: %w", err)
	}
	for {
		m, err := s.Recv()
		if err != nil {
			return fmt.Errorf("watch plan: %w", causeOf(ctx, err))
		}
		if err := u.opts.OnPlan(wire.SignedPlanFromProto(m.GetPlan())); err != nil {
			// Its sender may be stolen or out of date; the plan we have stands.
			u.log.Error("plan is refused", "error", err)
			continue
		}
		u.StateChanged()
	}
}
