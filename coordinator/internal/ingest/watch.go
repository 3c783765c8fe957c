package ingest

import (
	"context"

	"google.golang.org/grpc"

	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

// WatchPlan sends the newest plan if the probe has an older one, and every
// later one.
func (i *Ingest) WatchPlan(m *vardev1.WatchPlanRequest, out grpc.ServerStreamingServer[vardev1.WatchPlanResponse]) error {
	ctx := out.Context()
	s := i.fleet.open("plan", callerOf(ctx))
	defer i.fleet.close(s)
	have := wire.PlanNumber{Generation: m.GetGeneration(), Revision: m.GetRevision()}
	for {
		changed := i.opts.Plans.Changed()
		if p, ok := i.opts.Plans.Current(); ok && p.Number.After(have) {
			signed, err := i.opts.Plans.For(s.Name)
			if err != nil {
				// It is in the roster and not yet in the plan: the next one.
				i.log.Debug("no plan for probe", "probe", s.Name, "error", err)
			} else if err := out.Send(&vardev1.WatchPlanResponse{Plan: wire.SignedPlanToProto(signed)}); err != nil {
				return err
			} else {
				have = p.Number
			}
		}
		select {
		case <-changed:
		case err := <-s.end:
			return err
		case <-i.stopping:
			return errStopping
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
