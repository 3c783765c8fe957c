package agent

import (
	"context"
	"net/netip"
	"time"

	"varde/checks"
	"varde/probe/internal/confirm"
)

// lastAddressWithin bounds the look at an address that a name had before.
const lastAddressWithin = 2 * time.Second

// learn takes in what a run that was up shows: where the target is, and how long its
// phases take, which a look out of turn, perhaps without the login, does not show.
func (a *Agent) learn(j job, o checks.Observation) {
	if o.Outcome != checks.Up {
		return
	}
	s := confirm.Series{Check: o.Check, Family: o.Family}
	a.work.found(s, o.Address)
	if o.Trigger == checks.Scheduled && mayConfirm(j) {
		a.confirming.usual.Learn(s, o.Phases)
	}
}

// found notes where a check was up.
func (w *workload) found(s confirm.Series, address string) {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return // it dialled nobody
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
