package agent

import (
	"context"
	"net/netip"
	"time"

	"varde/checks"
)

// recheckEvery is how often a probe that is not fit to judge tries its controls.
const recheckEvery = 15 * time.Second

// lastAddressWithin bounds the look at an address that a name had before.
const lastAddressWithin = 2 * time.Second

// judge says who is to blame for the result of an attempt: our own network, where
// the controls do not answer or a port has never worked, or the target. It may
// wait for the controls for a second.
func (a *Agent) judge(ctx context.Context, j job, f checks.Family, r checks.Result) checks.Result {
	r = a.ports.Judge(ctx, a.controls.Judge(ctx, f, r))
	switch {
	case r.Outcome == checks.Up:
		a.work.found(series{j.target.ID, f}, r.Address)
	case r.Outcome == checks.Down && r.FailedPhase == checks.Resolve:
		r.Detail += a.stillAnswers(ctx, series{j.target.ID, f})
	}
	return r
}

// stillAnswers says whether the address that a target had last takes connections,
// now that its name does not resolve: an attack on the DNS alone leaves the mail
// where it is.
func (a *Agent) stillAnswers(ctx context.Context, s series) string {
	at, known := a.work.lastAddress(s)
	if !known {
		return ""
	}
	r := checks.Record(ctx, lastAddressWithin, func(ctx context.Context, r *checks.Recorder) error {
		return r.Dial(ctx, a.opts.Network, s.family, checks.Endpoint{Host: at.Addr().String(), Port: at.Port()})
	})
	if r.Outcome == checks.Up || r.Class == checks.ConnectRefused {
		return "; its last address still answers"
	}
	return "; its last address does not answer either"
}

// followControls finds out when a probe that was not fit to judge is so again.
func (a *Agent) followControls(ctx context.Context) error {
	tick := time.NewTicker(recheckEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			a.controls.Recheck()
		}
	}
}

// series is one check over one family.
type series struct {
	check  string
	family checks.Family
}

// found notes where a check was up.
func (w *workload) found(s series, address string) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return // a round trip has two
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addresses[s] = at
}

// lastAddress is where a check was up last.
func (w *workload) lastAddress(s series) (at netip.AddrPort, known bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, known = w.addresses[s]
	return at, known
}

// judgeMail is judge for the ends of a round trip, which are looked at over
// whatever family their names have.
func (a *Agent) judgeMail(j job) func(context.Context, checks.Result) checks.Result {
	return func(ctx context.Context, r checks.Result) checks.Result {
		f := checks.IPv4
		if at, err := netip.ParseAddrPort(r.Address); err == nil && at.Addr().Is6() {
			f = checks.IPv6
		}
		return a.judge(ctx, j, f, r)
	}
}
