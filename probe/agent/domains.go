package agent

import (
	"context"
	"slices"
	"strings"
	"time"

	"varde/checks"
	"varde/checks/mailpolicy"
	"varde/probe/internal/schedule"
	"varde/proto/wire"
)

// What a domain publishes about its mail is compared with what its server shows
// once an hour: the first time within minutes, later at this probe's own time.
const (
	domainEvery = time.Hour
	domainFirst = time.Minute
	domainTurn  = 30 * time.Second
)

// followDomains looks at the domains of checks until ctx ends.
func (a *Agent) followDomains(ctx context.Context) error {
	next := map[string]time.Time{}
	for ctx.Err() == nil {
		jobs := a.work.withDomain()
		for id := range next {
			if !slices.ContainsFunc(jobs, func(j job) bool { return j.target.ID == id }) {
				delete(next, id)
			}
		}
		for _, j := range jobs {
			now, id := time.Now(), j.target.ID
			if next[id].IsZero() {
				next[id] = now.Add(domainFirst + a.spread(j)/20)
			}
			if now.Before(next[id]) || a.work.isShut(j) {
				continue
			}
			next[id] = now.Add(domainEvery)
			a.lookAtDomain(ctx, j)
		}
		select {
		case <-ctx.Done():
		case <-time.After(domainTurn):
		}
	}
	return nil
}

// spread is this probe's place in the hour, so that a region does not look all at
// once.
func (a *Agent) spread(j job) time.Duration {
	t := &checks.Target{ID: j.target.ID, Every: domainEvery}
	return schedule.Phase(schedule.Entry{Target: t, Family: checks.IPv4}, a.identity.Name(), a.regionRoster())
}

// lookAtDomain tells what is found about one domain. A look that could not be
// made to its end leaves what was found before.
func (a *Agent) lookAtDomain(ctx context.Context, j job) {
	log := a.opts.Logger.With("check", j.target.ID, "domain", j.target.Domain)
	server, err := mailpolicy.New(*j.target, checks.Env{Network: a.opts.Network})
	if err != nil {
		log.Debug("domain is not looked at", "error", err) // the check says it too
		return
	}
	list, err := server.Look(ctx)
	if err != nil {
		log.Debug("domain could not be looked at", "error", err)
		return
	}
	e := wire.Event{At: time.Now(), Findings: &checks.Findings{
		Check: j.target.ID, Service: j.target.Service, List: list[:min(len(list), checks.FindingsMax)],
	}}
	if err := a.spool.AppendEvent(e); err != nil {
		log.Debug("findings are lost until the next look", "error", err)
	}
}

// withDomain are the jobs that name whose mail their server takes, in order.
func (w *workload) withDomain() []job {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []job
	for _, j := range w.jobs {
		if j.target.Domain != "" && j.problem == nil {
			out = append(out, *j)
		}
	}
	slices.SortFunc(out, func(x, y job) int { return strings.Compare(x.target.ID, y.target.ID) })
	return out
}

// isShut says whether the job's server turned this probe away.
func (w *workload) isShut(j job) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range []checks.Family{checks.IPv4, checks.IPv6} {
		if s := w.doors[j.door(f)]; s != nil && s.resting(time.Now()) {
			return true
		}
	}
	return false
}
