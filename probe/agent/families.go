package agent

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"varde/checks"
	"varde/checks/catalog"
	"varde/probe/internal/schedule"
)

const (
	// familyLookup bounds the look-ups of one name, familyLookups those of all.
	familyLookup, familyLookups = 3 * time.Second, 6 * time.Second
	// lookupsAtOnce is how many names are looked up at once: each takes a socket,
	// and memory that a probe of 10,000 checks does not have for all of them.
	lookupsAtOnce = 512
)

// refineFamilies looks up the families of all jobs, many at once: a resolver that
// is silent delays a plan by one look-up or two and not by one a check. What did
// not get its turn until then is a guess.
func refineFamilies(ctx context.Context, network checks.Network, jobs map[string]*job) {
	ctx, cancel := context.WithTimeout(ctx, familyLookups)
	defer cancel()
	var g errgroup.Group
	g.SetLimit(lookupsAtOnce)
	for _, j := range jobs {
		g.Go(func() error {
			j.families, j.guessed = families(ctx, network, *j.target, j.families)
			return nil
		})
	}
	_ = g.Wait() // there are no errors
}

// families says over which address families to run t: those that it names, else
// each that its name has, and of these those that this probe has a route for. An
// address has one by itself, which it keeps while there is no route: then the runs
// say so, and not a silence of minutes. Before is the answer of last time; it stands
// when the resolver does not answer, because a name that stops to resolve must be
// seen as a failure. Then the answer is a guess.
func families(ctx context.Context, network checks.Network, t checks.Target, before []checks.Family) (out []checks.Family, guessed bool) {
	ctx, cancel := context.WithTimeout(ctx, familyLookup)
	defer cancel()
	found := false
	for _, f := range []checks.Family{checks.IPv4, checks.IPv6} {
		if len(t.Families) > 0 && !slices.Contains(t.Families, f) {
			continue
		}
		addr, known := catalog.Address(ctx, network, t, f)
		found, guessed = found || addr.IsValid(), guessed || !known
		switch {
		case known && addr.IsValid() && (isAddress(t, addr) || checks.Routed(ctx, network, addr)):
			out = append(out, f)
		case known && !addr.IsValid() && slices.Contains(t.Families, f):
			out = append(out, f) // asked for by name: its absence is a finding
		case !known && (slices.Contains(before, f) || before == nil):
			out = append(out, f)
		}
	}
	if !found && len(out) == 0 && len(before) == 0 {
		return []checks.Family{checks.IPv4}, guessed // a name that does not exist is a finding too
	}
	if !found && len(out) == 0 {
		return before, guessed
	}
	return out, guessed
}

// isAddress says whether a target names an address itself.
func isAddress(t checks.Target, addr netip.Addr) bool {
	named, err := netip.ParseAddr(hostOf(t.Address()))
	return err == nil && named == addr
}

// withoutDead leaves out the families that are dead on this machine though it has routes
// for them: every run would fail, and say nothing of the service.
func (a *Agent) withoutDead(entries []schedule.Entry) []schedule.Entry {
	return slices.DeleteFunc(entries, func(e schedule.Entry) bool { return a.controls.Dead(e.Family) })
}

// familiesChanged has the plan applied anew: a family has died, or lives again.
func (a *Agent) familiesChanged() {
	select {
	case a.refit <- struct{}{}:
	default: // it will be anyway
	}
}

// unasked says whether a run failed only because there is no such family: the
// name has none of it, perhaps of the other, and nobody named this one; or it was
// a guess, and the probe has no route for it. That says nothing of the service.
func (j job) unasked(ctx context.Context, network checks.Network, f checks.Family, r checks.Result) bool {
	ctx, cancel := context.WithTimeout(ctx, familyLookup)
	defer cancel()
	switch {
	case r.Class == checks.DNSError && r.FailedPhase == checks.Resolve && len(j.target.Families) == 0:
		other := checks.IPv4
		if f == other {
			other = checks.IPv6
		}
		return j.absent(ctx, network, f) && !j.absent(ctx, network, other)
	case j.guessed:
		return unrouted(ctx, network, r)
	}
	return false
}

// unrouted says whether a run failed because this machine has no route to where it
// went.
func unrouted(ctx context.Context, network checks.Network, r checks.Result) bool {
	at, err := netip.ParseAddrPort(r.Address)
	return r.Class == checks.Unreachable && err == nil && !checks.Routed(ctx, network, at.Addr())
}

// absent says whether the name of the job is known to have no address of f.
func (j job) absent(ctx context.Context, network checks.Network, f checks.Family) bool {
	addr, known := catalog.Address(ctx, network, *j.target, f)
	return known && !addr.IsValid()
}
