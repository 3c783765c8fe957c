package agent

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"sync"

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
	// accounts are those of the jobs.
	accounts map[login]*account
}

// job is one check of the plan, ready to run.
type job struct {
	target checks.Target
	// secret is the hash of the password that check was built with.
	secret [32]byte
	check  checks.Check
	// bare is check without its login; nil if there is none.
	bare     checks.Check
	families []checks.Family
	// guessed says that a resolver did not tell which families there are.
	guessed bool
}

// set makes the jobs of a plan and returns what to schedule, and whether some of
// that is a guess. A job whose target and secret did not change stays as it is.
func (w *workload) set(ctx context.Context, network checks.Network, p wire.Plan, region string, secrets map[string]string, log *slog.Logger) (entries []schedule.Entry, guessed bool) {
	w.mu.Lock()
	old := w.jobs
	w.mu.Unlock()
	jobs := make(map[string]job, len(p.Checks))
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
		guessed = guessed || jobs[t.ID].guessed
		for _, f := range jobs[t.ID].families {
			entries = append(entries, schedule.Entry{Target: t, Family: f})
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.jobs, w.revision = jobs, p.Number.Revision
	w.keepAccountsLocked()
	return entries, guessed
}

func newJob(t checks.Target, old job, network checks.Network, secrets map[string]string) (job, error) {
	var sum [32]byte
	if t.Login != nil {
		sum = sha256.Sum256([]byte(secrets[t.Login.Password.Name]))
	}
	if old.check != nil && old.secret == sum && reflect.DeepEqual(old.target, t) {
		return old, nil
	}
	env := checks.Env{Network: network, Password: func(name string) (string, error) {
		if s, ok := secrets[name]; ok {
			return s, nil
		}
		return "", fmt.Errorf("password %q is not among the secrets of this probe", name)
	}}
	j := job{target: t, secret: sum, families: old.families}
	var err error
	if j.check, err = catalog.New(t, env); err == nil && t.Login != nil {
		t.Login, t.Expect.Mailbox = nil, ""
		j.bare, err = catalog.New(t, env)
	}
	return j, err
}

// keepAccountsLocked forgets the logins that no job has any more: a password that
// was changed in the plan is tried at once.
func (w *workload) keepAccountsLocked() {
	kept := map[login]*account{}
	for _, j := range w.jobs {
		if j.bare != nil {
			if a := w.accounts[j.login()]; a != nil {
				kept[j.login()] = a
			}
		}
	}
	w.accounts = kept
}

// job returns the check of the given id and the revision of its plan.
func (w *workload) job(id string) (job, uint64, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	j, ok := w.jobs[id]
	return j, w.revision, ok
}
