package agent

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"sync"

	"varde/checks"
	"varde/probe/internal/confirm"
	"varde/probe/internal/schedule"
	"varde/proto/wire"
)

// workload is the set of checks that the plan gives to this probe.
type workload struct {
	// chains are the certificates that any of the checks has verified.
	chains checks.Chains

	mu sync.Mutex // protects all following fields
	// revision of the plan that jobs were made of.
	revision uint64
	jobs     map[string]*job
	// accounts and logins are those of the jobs, made as they are used.
	accounts map[seat]*account
	logins   map[login]*loginRecord
	// doors are those that were shut in our face.
	doors map[door]*shut
	// addresses are where checks were up last.
	addresses map[confirm.Series]netip.AddrPort
}

func newWorkload() *workload {
	return &workload{accounts: map[seat]*account{}, logins: map[login]*loginRecord{}, doors: map[door]*shut{}, addresses: map[confirm.Series]netip.AddrPort{}}
}

// set makes the jobs of a plan and returns what to schedule, and whether some of
// that is a guess. A job whose target and secrets did not change stays as it is.
func (w *workload) set(ctx context.Context, network checks.Network, p wire.Plan, self wire.Subject, secrets map[string]string, log *slog.Logger) (entries []schedule.Entry, guessed bool) {
	w.mu.Lock()
	old := w.jobs
	w.mu.Unlock()
	jobs := make(map[string]*job, len(p.Checks))
	for i := range p.Checks {
		t := &p.Checks[i]
		if !wanted(t, self) {
			continue
		}
		j, made := newJob(t, old[t.ID], checks.Env{Network: network, Chains: &w.chains}, secrets)
		if made && j.problem != nil {
			log.Error("check of plan does not run here", "check", t.ID, "error", j.problem)
		}
		jobs[t.ID] = j
	}
	refineFamilies(ctx, network, jobs)
	entries = make([]schedule.Entry, 0, len(jobs))
	for _, j := range jobs {
		guessed = guessed || j.guessed
		for _, f := range j.families {
			entries = append(entries, entry(j.target, f, p, self.Region))
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs, w.revision = jobs, p.Number.Revision
	w.forgetLocked()
	return entries, guessed
}

// wanted says whether a probe is to look at a target. One that may not log in
// would see less than was asked for, and is no witness of it.
func wanted(t *checks.Target, self wire.Subject) bool {
	if len(t.Regions) > 0 && !slices.Contains(t.Regions, self.Region) {
		return false
	}
	return t.MayLogIn(self.Name)
}

// entry is the place of a target in the schedule. Nobody, whoever signed the
// plan, makes this probe look more often than the target's floor.
func entry(t *checks.Target, f checks.Family, p wire.Plan, region string) schedule.Entry {
	if floor := t.Floor(); t.Every < floor {
		slower := *t
		slower.Every = floor
		t = &slower
	}
	e := schedule.Entry{Target: t, Family: f}
	for _, r := range p.Regions {
		if len(t.Regions) > 0 && !slices.Contains(t.Regions, r.ID) {
			continue
		}
		if r.ID == region {
			e.Region = e.Regions
		}
		e.Regions++
	}
	return e
}

// forgetLocked forgets what no job meets any more: a password that was changed in
// the plan is tried at once.
func (w *workload) forgetLocked() {
	doors, places, logins := map[door]bool{}, map[seat]bool{}, map[login]bool{}
	for _, j := range w.jobs {
		doors[j.door(checks.IPv4)], doors[j.door(checks.IPv6)] = true, true
		for _, s := range j.seats {
			places[s], logins[s.login] = true, true
		}
	}
	maps.DeleteFunc(w.addresses, func(s confirm.Series, _ netip.AddrPort) bool { return w.jobs[s.Check] == nil })
	maps.DeleteFunc(w.doors, func(d door, _ *shut) bool { return !doors[d] })
	maps.DeleteFunc(w.accounts, func(s seat, _ *account) bool { return !places[s] })
	maps.DeleteFunc(w.logins, func(l login, _ *loginRecord) bool { return !logins[l] })
}

// job returns the check of the given id and the revision of its plan.
func (w *workload) job(id string) (job, uint64, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	j, ok := w.jobs[id]
	if !ok {
		return job{}, w.revision, false
	}
	return *j, w.revision, true
}
