// Package plan makes the one document by which the whole fleet works, out of
// the configuration and the roster, and seals to each probe the passwords that
// its checks need.
//
// It promises:
//
//   - the revision grows exactly when the content changed: making the same plan
//     again, also after a restart, gives the same bytes and the same number;
//   - a number that was handed out never stands for another content: a plan is
//     on disk before anybody sees it;
//   - whatever goes wrong, the last good plan stays;
//   - a password is readable by the probes that use it and by nobody else: it
//     is in no error, no log and no file of this package;
//   - the probes that log in with one account make no more connections at once
//     than a server can be expected to bear, see [MaxConnections].
package plan

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// MaxBytes is the largest encoded plan. A gRPC message takes 4 MiB by default,
// and the bundle of secrets travels in the same one.
const MaxBytes = 3 << 20

// What For answers when it has nothing.
var (
	ErrNoPlan    = errors.New("no plan was made yet")
	ErrNotInPlan = errors.New("probe is not in the roster of the newest plan")
)

// Options configures a Maker.
type Options struct {
	// Dir is where the newest plan is kept; made if missing. Required.
	Dir string
	// Key signs plans. Required.
	Key ed25519.PrivateKey
	// Logger is told of every new plan. Required.
	Logger *slog.Logger
}

// Input is what a plan is made of. The Maker keeps nothing of it.
type Input struct {
	// Checks are those of the configuration; a password file is read on this
	// machine and stays here.
	Checks  []checks.Target
	Regions []wire.Region
	// Probes is the roster.
	Probes []Probe
	// Authorities are DER certificates of the CA, the current one first.
	Authorities [][]byte
	// GossipKeys are 32 bytes each, the one to encrypt with first.
	GossipKeys [][]byte
	// Coordinators are host:port.
	Coordinators []string
	// Controls are URLs.
	Controls []string
	// MinProbes is how many probes a region needs for a verdict.
	MinProbes int
}

// Probe is one probe of the roster and the age key that its secrets are sealed
// to.
type Probe struct {
	wire.RosterEntry
	// Recipient is an X25519 one, "age1...".
	Recipient string
}

// Maker makes plans and hands them out. Its methods may be called from many
// goroutines at once.
type Maker struct {
	dir string
	key ed25519.PrivateKey
	log *slog.Logger

	making sync.Mutex // held while a plan is made

	mu      sync.RWMutex // protects all following fields
	kept    kept
	plan    wire.Plan
	changed chan struct{}
}

// Open reads the plan that was made last, if there is one.
func Open(o Options) (*Maker, error) {
	if o.Dir == "" || len(o.Key) != ed25519.PrivateKeySize || o.Logger == nil {
		return nil, errors.New("plan: Dir, Key and Logger are required")
	}
	m := &Maker{dir: o.Dir, key: o.Key, log: o.Logger, changed: make(chan struct{})}
	var err error
	if m.kept, err = readKept(o.Dir); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if len(m.kept.Plan) == 0 {
		return m, nil
	}
	// A plan signed with another key is none that a probe of ours would take;
	// its number counts on.
	if m.plan, err = m.kept.signed().Open(m.public(), ""); err != nil {
		m.log.Warn("kept plan is not used", "error", err)
		m.kept.Plan, m.kept.Signature, m.kept.Sealed = nil, nil, nil
	}
	return m, nil
}

func (m *Maker) public() ed25519.PublicKey { return m.key.Public().(ed25519.PublicKey) }

// Make makes a plan of in and reports whether it differs from the last one. On
// an error the last one stays. All password files that cannot be used are
// named at once, each by its check, key and path.
func (m *Maker) Make(in Input) (changed bool, err error) {
	m.making.Lock()
	defer m.making.Unlock()
	m.mu.RLock()
	old, number := m.kept, m.kept.number()
	m.mu.RUnlock()

	next, p, err := m.build(in, old)
	if err != nil {
		return false, fmt.Errorf("make plan: %w", err)
	}
	if next.Content == old.Content && len(old.Plan) > 0 {
		return false, nil
	}
	now := time.Now().UTC()
	p.Number, p.Issued = number.next(now), now
	if p, err = m.sign(&next, p); err != nil {
		return false, fmt.Errorf("make plan: %w", err)
	}
	if err := writeKept(m.dir, next); err != nil {
		return false, fmt.Errorf("make plan: %w", err)
	}
	m.mu.Lock()
	m.kept, m.plan = next, p
	close(m.changed)
	m.changed = make(chan struct{})
	m.mu.Unlock()
	for _, n := range next.notes {
		if !slices.Contains(old.notes, n) {
			m.log.Warn("more probes than an account bears", "effect", n.effect, "checks", n.checks, "user", n.user, "probes", n.probes, "may_log_in", n.chosen, "remedy", n.remedy)
		}
	}
	m.log.Info("plan made", "generation", p.Number.Generation, "revision", p.Number.Revision,
		"checks", len(p.Checks), "probes", len(p.Roster))
	return true, nil
}

// build makes everything of the next plan but number, time and signature.
func (m *Maker) build(in Input, old kept) (kept, wire.Plan, error) {
	p := wire.Plan{
		Checks: named(in.Checks), Regions: in.Regions, Authorities: in.Authorities, GossipKeys: in.GossipKeys,
		Coordinators: in.Coordinators, Controls: in.Controls, Roster: roster(in.Probes),
	}
	next := kept{Sealed: map[string]sealed{}, notes: assign(p.Checks, in)}
	secrets, err := readSecrets(p.Checks)
	if err != nil {
		return kept{}, wire.Plan{}, err
	}
	for _, probe := range in.Probes {
		s, err := m.seal(probe, secrets, old.Sealed[probe.Name])
		if err != nil {
			return kept{}, wire.Plan{}, fmt.Errorf("seal secrets to %s: %w", probe.Name, err)
		}
		if s == nil {
			continue
		}
		next.Sealed[probe.Name] = *s
		if p.Bundles == nil {
			p.Bundles = map[string][32]byte{}
		}
		p.Bundles[probe.Name] = sha256.Sum256(s.Bundle)
	}
	next.Content, err = m.content(p)
	return next, p, err
}

// content is a hash of all that a plan says, number and time left out, and of
// the key that it is signed with.
func (m *Maker) content(p wire.Plan) (digest, error) {
	p.Number, p.Issued = wire.PlanNumber{}, time.Time{}
	s, err := wire.SignPlan(p, m.key)
	if err != nil {
		return digest{}, err
	}
	return sha256.Sum256(slices.Concat(m.public(), s.Plan)), nil
}

// sign completes next and returns the plan as a probe will read it.
func (m *Maker) sign(next *kept, p wire.Plan) (wire.Plan, error) {
	s, err := wire.SignPlan(p, m.key)
	if err != nil {
		return wire.Plan{}, err
	}
	if len(s.Plan) > MaxBytes {
		return wire.Plan{}, fmt.Errorf("plan has %d bytes, expected at most %d", len(s.Plan), MaxBytes)
	}
	next.Generation, next.Revision = p.Number.Generation, p.Number.Revision
	next.Plan, next.Signature = s.Plan, s.Signature
	return s.Open(m.public(), "")
}

// For returns the newest plan for one probe. Its errors are
// ErrNoPlan and ErrNotInPlan; what Changed announces may be another answer.
func (m *Maker) For(probe string) (wire.SignedPlan, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if len(m.kept.Plan) == 0 {
		return wire.SignedPlan{}, ErrNoPlan
	}
	if !slices.ContainsFunc(m.plan.Roster, func(r wire.RosterEntry) bool { return r.Name == probe }) {
		return wire.SignedPlan{}, fmt.Errorf("%w: %s", ErrNotInPlan, probe)
	}
	return m.kept.signed(), nil
}

// Current returns the newest plan, false when none was made yet. The caller
// changes nothing in it.
func (m *Maker) Current() (wire.Plan, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.plan, len(m.kept.Plan) > 0
}

// Changed returns a channel that is closed when the next plan is made. Take
// the channel first and read after that: a plan in between is then not missed.
func (m *Maker) Changed() <-chan struct{} {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.changed
}

// Knows lists the secrets that a probe was given, by name: the passwords to
// change when its machine fell into other hands.
func (m *Maker) Knows(probe string) []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Clone(m.kept.Sealed[probe].Names)
}

// named gives every check's secret its name in the plan and drops what only
// this machine understands. The files stay in the result for readSecrets; wire
// carries no path.
func named(targets []checks.Target) []checks.Target {
	out := slices.Clone(targets)
	for i, t := range out {
		out[i] = t.NameSecrets()
	}
	return out
}

// roster is the probes as a plan carries them, in an order of their names.
func roster(probes []Probe) []wire.RosterEntry {
	var out []wire.RosterEntry
	for _, p := range probes {
		out = append(out, p.RosterEntry)
	}
	slices.SortFunc(out, func(x, y wire.RosterEntry) int { return strings.Compare(x.Name, y.Name) })
	return out
}
