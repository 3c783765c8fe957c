package agent

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"varde/checks"
	"varde/probe/internal/confirm"
)

// lastAddressWithin bounds the look at an address that a name had before.
const lastAddressWithin = 2 * time.Second

// judge says who is to blame for the result of an attempt: our own network, where
// the controls do not answer either or else a port has never worked, or the target.
// It may wait for the controls for a second.
func (a *Agent) judge(ctx context.Context, j job, f checks.Family, r checks.Result) checks.Result {
	r = a.ports.Judge(ctx, a.controls.Judge(ctx, f, r))
	switch {
	case r.Outcome == checks.Up:
		a.work.found(confirm.Series{Check: j.target.ID, Family: f}, r.Address)
	case r.Outcome == checks.Down && unrouted(ctx, a.opts.Network, r):
		r.Outcome, r.Class, r.Detail = checks.Unknown, checks.OwnNetwork, fmt.Sprintf("this machine has no route for %s (%s)", f, r.Class)
	case r.Outcome == checks.Down && r.FailedPhase == checks.Resolve:
		r.Detail = extended(r.Detail, a.stillAnswers(ctx, confirm.Series{Check: j.target.ID, Family: f}))
	}
	return r
}

// stillAnswers says whether the address that a target had last takes connections,
// now that its name does not resolve: an attack on the DNS alone leaves the mail
// where it is.
func (a *Agent) stillAnswers(ctx context.Context, s confirm.Series) string {
	at, known := a.work.lastAddress(s)
	if !known {
		return ""
	}
	r := checks.Record(ctx, lastAddressWithin, func(ctx context.Context, r *checks.Recorder) error {
		return r.Dial(ctx, a.opts.Network, s.Family, checks.Endpoint{Host: at.Addr().String(), Port: at.Port()})
	})
	if r.Outcome == checks.Up || r.Class == checks.ConnectRefused {
		return "; addresses still answer"
	}
	return "; addresses do not answer either"
}

// extended is detail with words behind it, which are ASCII, and as much of itself
// as leaves room for them.
func extended(detail, words string) string {
	r := []rune(detail)
	return string(r[:min(len(r), checks.DetailMax-len(words))]) + words
}

// found notes where a check was up.
func (w *workload) found(s confirm.Series, address string) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return // a round trip has two
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.addresses[s] = at
}

// lastAddress is where a check was up last.
func (w *workload) lastAddress(s confirm.Series) (at netip.AddrPort, known bool) {
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
