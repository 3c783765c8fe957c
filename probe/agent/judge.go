package agent

import (
	"context"
	"fmt"
	"net/netip"

	"varde/checks"
)

// judge says who is to blame for the result of an attempt: our own network, where
// the controls do not answer either or else a port has never worked, or the target.
// It may wait for the controls for a second.
func (a *Agent) judge(ctx context.Context, f checks.Family, r checks.Result) checks.Result {
	r = a.ports.Judge(ctx, a.controls.Judge(ctx, f, r))
	if r.Outcome == checks.Down && unrouted(ctx, a.opts.Network, r) {
		r.Outcome, r.Class, r.Detail = checks.Unknown, checks.OwnNetwork, fmt.Sprintf("this machine has no route for %s (%s)", f, r.Class)
	}
	return r
}

// judgeMail is judge for the ends of a round trip, which are looked at over
// whatever family their names have.
func (a *Agent) judgeMail(ctx context.Context, r checks.Result) checks.Result {
	f := checks.IPv4
	if at, err := netip.ParseAddrPort(r.Address); err == nil && at.Addr().Is6() {
		f = checks.IPv6
	}
	return a.judge(ctx, f, r)
}
