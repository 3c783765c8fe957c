package agent

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"sync"
	"time"

	"varde/checks"
	"varde/checks/catalog"
	"varde/probe/internal/schedule"
	"varde/proto/wire"
)

// workload is the set of checks that the plan gives to this probe.
type workload struct {
	mu sync.Mutex // protects all following fields
	// revision of the plan that jobs were made of.
	revision uint64
	jobs     map[string]job
}

// job is one check of the plan, ready to run.
type job struct {
	target checks.Target
	// secret is the hash of the password that check was built with.
	secret   [32]byte
	check    checks.Check
	families []checks.Family
}

// set makes the jobs of a plan and returns what to schedule. A job whose target
// and secret did not change stays as it is.
func (w *workload) set(ctx context.Context, network checks.Network, p wire.Plan, region string, secrets map[string]string, log *slog.Logger) []schedule.Entry {
	w.mu.Lock()
	old := w.jobs
	w.mu.Unlock()
	jobs := make(map[string]job, len(p.Checks))
	var entries []schedule.Entry
	for _, t := range p.Checks {
		if len(t.Regions) > 0 && !slices.Contains(t.Regions, region) {
			continue
		}
		j, err := newJob(t, old[t.ID], network, secrets)
		if err != nil {
			log.Error("check of plan cannot run here", "check", t.ID, "error", err)
			continue
		}
		jobs[t.ID] = j
	}
	refineFamilies(ctx, network, jobs)
	for _, t := range p.Checks {
		for _, f := range jobs[t.ID].families {
			entries = append(entries, schedule.Entry{Target: t, Family: f})
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs, w.revision = jobs, p.Number.Revision
	return entries
}

// refineFamilies looks up the families of all jobs at once: a resolver that is
// silent delays a plan by one look-up and not by one a check.
func refineFamilies(ctx context.Context, network checks.Network, jobs map[string]job) {
	var mu sync.Mutex // protects jobs
	var g sync.WaitGroup
	for id, j := range maps.Clone(jobs) {
		g.Go(func() {
			j.families = families(ctx, network, j.target, j.families)
			mu.Lock()
			defer mu.Unlock()
			jobs[id] = j
		})
	}
	g.Wait()
}

func newJob(t checks.Target, old job, network checks.Network, secrets map[string]string) (job, error) {
	var sum [32]byte
	if t.Login != nil {
		sum = sha256.Sum256([]byte(secrets[t.Login.Password.Name]))
	}
	if old.check != nil && old.secret == sum && reflect.DeepEqual(old.target, t) {
		return old, nil
	}
	c, err := catalog.New(t, checks.Env{Network: network, Password: func(name string) (string, error) {
		if s, ok := secrets[name]; ok {
			return s, nil
		}
		return "", fmt.Errorf("password %q is not among the secrets of this probe", name)
	}})
	return job{target: t, secret: sum, check: c, families: old.families}, err
}

// job returns the check of the given id and the revision of its plan.
func (w *workload) job(id string) (job, uint64, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	j, ok := w.jobs[id]
	return j, w.revision, ok
}

// familyLookup bounds the look-ups of one name.
const familyLookup = 3 * time.Second

// families says over which address families to run t: those that it names, else
// each that its name has, and of these those that this probe has a route for.
// Before is the answer of last time; it stands when the resolver does not
// answer, because a name that stops to resolve must be seen as a failure.
func families(ctx context.Context, network checks.Network, t checks.Target, before []checks.Family) []checks.Family {
	u, err := url.Parse(t.URL)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, familyLookup)
	defer cancel()
	var out []checks.Family
	found := false
	for _, f := range []checks.Family{checks.IPv4, checks.IPv6} {
		if len(t.Families) > 0 && !slices.Contains(t.Families, f) {
			continue
		}
		addr, known := lookup(ctx, network, u.Hostname(), f)
		found = found || addr.IsValid()
		switch {
		case known && addr.IsValid() && checks.Routed(ctx, network, addr):
			out = append(out, f)
		case known && !addr.IsValid() && slices.Contains(t.Families, f):
			out = append(out, f) // asked for by name: its absence is a finding
		case !known && (slices.Contains(before, f) || before == nil):
			out = append(out, f)
		}
	}
	if !found && len(out) == 0 && len(before) == 0 {
		return []checks.Family{checks.IPv4} // a name that does not exist is a finding too
	}
	if !found && len(out) == 0 {
		return before
	}
	return out
}

// lookup returns an address of host in the family. Known is false when the
// resolver did not say whether there is one.
func lookup(ctx context.Context, network checks.Network, host string, f checks.Family) (addr netip.Addr, known bool) {
	if ip, err := netip.ParseAddr(host); err == nil {
		if ip.Unmap().Is4() == (f == checks.IPv4) {
			return ip, true
		}
		return netip.Addr{}, true
	}
	addrs, err := network.LookupNetIP(ctx, map[checks.Family]string{checks.IPv4: "ip4", checks.IPv6: "ip6"}[f], host)
	if err == nil && len(addrs) > 0 {
		return addrs[0], true
	}
	return netip.Addr{}, checks.IsNoAddress(err)
}
