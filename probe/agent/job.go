package agent

import (
	"crypto/sha256"
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"varde/checks"
	"varde/checks/catalog"
)

// job is one check of the plan, ready to run.
type job struct {
	// target is the plan's own, shared with the schedule and changed by nobody.
	target *checks.Target
	// secrets is the hash of the secrets that check was built with; empty without any.
	secrets string
	check   checks.Check
	// bare is check without its login; nil if there is none.
	bare checks.Check
	// seats are its logins, by their keys in the configuration; nil without any.
	seats    map[string]seat
	families []checks.Family
	// guessed says that a resolver did not tell which families there are.
	guessed bool
	// problem is why check does not run, for the log; nil if it does.
	problem error
}

// newJob makes the job of a target in env, to which the secrets are added, or takes
// the old one if nothing has changed: with the new target, so that the plan before
// can go.
func newJob(t *checks.Target, old *job, env checks.Env, secrets map[string]string) (j *job, made bool) {
	sum := hashOf(t, secrets)
	if old != nil && old.secrets == sum && reflect.DeepEqual(old.target, t) {
		kept := *old
		kept.target = t
		return &kept, false
	}
	j = &job{target: t, secrets: sum, seats: seats(t, secrets)}
	if old != nil {
		j.families = old.families
	}
	env.Password = func(name string) (string, error) {
		if s, ok := secrets[name]; ok {
			return s, nil
		}
		return "", fmt.Errorf("password %q is not among the secrets of this probe", name)
	}
	if j.problem = belowFloor(t); j.problem == nil {
		j.problem = j.build(env)
	}
	if j.problem != nil {
		j.check, j.bare = declined{j.problem.Error()}, nil
	}
	return j, true
}

// build makes the checks of the job.
func (j *job) build(env checks.Env) (err error) {
	if j.check, err = catalog.New(*j.target, env); err != nil {
		return err
	}
	if bare, ok := withoutLogin(*j.target); ok && j.target.Login != nil {
		j.bare, err = catalog.New(bare, env)
	}
	return err
}

// belowFloor says what is wrong with a plan that asks too often: it is not from a
// coordinator of ours, or not from a good one.
func belowFloor(t *checks.Target) error {
	floor := t.Floor()
	if t.Every >= floor {
		return nil
	}
	return fmt.Errorf("the plan asks every %s, expected at least %s for a service without consent", t.Every, floor)
}

// hashOf is a hash of the secrets of a target; empty where it has none.
func hashOf(t *checks.Target, secrets map[string]string) string {
	var all []byte
	for field, s := range t.Secrets() {
		all = fmt.Appendf(all, "%s %x\n", field, sha256.Sum256([]byte(secrets[s.Name])))
	}
	if all == nil {
		return ""
	}
	sum := sha256.Sum256(all)
	return string(sum[:])
}

// seats are the logins of a target by their keys in the configuration.
func seats(t *checks.Target, secrets map[string]string) (out map[string]seat) {
	for field, l := range t.Logins() {
		at := place{t.Kind, hostOf(t.URL)}
		switch field {
		case submitLogin:
			at = place{checks.SMTP, hostOf(t.Submit.URL)}
		case receiveLogin:
			at = place{checks.IMAP, hostOf(t.Receive.URL)}
		}
		if out == nil {
			out = map[string]seat{}
		}
		out[field] = seat{login{l.User, sha256.Sum256([]byte(secrets[l.Password.Name]))}, at}
	}
	return out
}

// The logins of a job.
const (
	ownLogin     = "login"
	submitLogin  = "submit.login"
	receiveLogin = "receive.login"
)

// hostOf is the host of a URL in the one form that it has here.
func hostOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

// door is where the job's server meets this probe.
func (j job) door(f checks.Family) door {
	return door{place{j.target.Kind, hostOf(j.target.Address())}, f}
}
