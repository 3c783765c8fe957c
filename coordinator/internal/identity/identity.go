// Package identity says who belongs to the fleet: it holds the coordinator's
// certificate authority, the tokens by which probes join, the roster of those
// that did, and the keys of their mesh.
//
// It promises:
//
//   - one token enrols one probe, also when it is used twice at the same time
//     or on two coordinators: joining is one compare-and-set of one record;
//   - what is refused changes nothing;
//   - a probe that was removed is refused from its next call on, whatever its
//     certificate says, and the mesh gets a new key;
//   - the certificate and the roster decide who somebody is, never what he says
//     of himself;
//   - an expired certificate is good for renewing it and for nothing else, up
//     to 180 days, while the roster still holds its key;
//   - secrets of tokens are kept as hashes; no key and no secret is in an error
//     or a log.
package identity

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"varde/proto/wire"
)

// Lifetimes of what an Authority issues.
const (
	// CertificateLife is how long a certificate is good if Options do not say
	// otherwise. A probe renews its own when a third has passed, so that a
	// coordinator may be away for the other two.
	CertificateLife = 30 * 24 * time.Hour
	// LateRenewal is how long an expired certificate can still be renewed.
	LateRenewal = 180 * 24 * time.Hour
	// AuthorityYears is how long the CA's own certificate is good.
	AuthorityYears = 10
	// DefaultTTL and MaxTTL bound how long a token can be used.
	DefaultTTL = time.Hour
	MaxTTL     = 7 * 24 * time.Hour
	// KeyNotice is how long everybody knows the mesh's next key before the mesh
	// encrypts with it, after a probe was removed: a probe that takes the plan later
	// than that is alone until it has. KeyTransition is how long the mesh still
	// understands the former key from then on.
	KeyNotice     = 30 * time.Second
	KeyTransition = time.Hour

	// backdate covers clocks that are a little slow.
	backdate = 5 * time.Minute
	// keepExpired is how long an unused token is remembered, so that whoever
	// comes late is told why it does not work.
	keepExpired = 7 * 24 * time.Hour
)

// Options configures an Authority.
type Options struct {
	// Dir holds ca.pem, ca.key and plan.key; they are made if missing. Required.
	Dir string
	// Store holds roster, tokens and mesh keys. Required.
	Store Store
	// Coordinators are the host:port that tokens tell to probes.
	Coordinators []string
	// Life is how long a certificate is good, CertificateLife if zero.
	Life time.Duration
	// Logger is told who came and went. Required.
	Logger *slog.Logger
}

// Authority decides who belongs to the fleet. Its methods may be called from
// many goroutines at once.
type Authority struct {
	keys  keys
	roots *x509.CertPool
	store Store
	life  time.Duration
	log   *slog.Logger

	// writing is held while a record is changed, so that what is kept in
	// memory is in the order of the store.
	writing sync.Mutex

	mu           sync.RWMutex // protects all following fields
	records      map[string]record
	gossip       keyring
	coordinators []string
	changed      chan struct{}
	// ours are the certificates that were found to be ours, by their SHA-256, and whom
	// they name.
	ours map[[sha256.Size]byte]wire.Subject

	serving struct {
		mu          sync.Mutex // protects all following fields
		certificate *tls.Certificate
	}
}

// Open reads what Dir and Store hold and makes what is missing.
func Open(ctx context.Context, o Options) (*Authority, error) {
	if o.Dir == "" || o.Store == nil || o.Logger == nil {
		return nil, errors.New("identity: Dir, Store and Logger are required")
	}
	k, err := openKeys(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	a := &Authority{
		keys: k, roots: x509.NewCertPool(), store: o.Store, life: cmp.Or(o.Life, CertificateLife), log: o.Logger,
		records: map[string]record{}, coordinators: slices.Clone(o.Coordinators), changed: make(chan struct{}),
		ours: map[[sha256.Size]byte]wire.Subject{},
	}
	a.roots.AddCert(k.authority)
	if err := a.load(ctx); err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return a, nil
}

// Create makes the keys in dir that Open would make, and nothing else. It does
// no harm when they exist.
func Create(dir string) error {
	if _, err := openKeys(dir); err != nil {
		return fmt.Errorf("identity: %w", err)
	}
	return nil
}

// Run changes the mesh key when it is time, and forgets keys and tokens when theirs
// is over. It returns nil when ctx has ended.
func (a *Authority) Run(ctx context.Context) error {
	for {
		changed := a.Changed()
		timer := time.NewTimer(a.tidy(ctx, time.Now()))
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-changed:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// tidy drops what is over at the given time and returns how long to wait until
// something may be.
func (a *Authority) tidy(ctx context.Context, at time.Time) time.Duration {
	next := time.Hour
	if until, err := a.stepKeys(ctx, at); err != nil {
		a.log.Warn("change mesh key", "error", err)
		next = time.Minute
	} else if until > 0 {
		next = min(next, until)
	}
	if err := a.forgetTokens(ctx, at); err != nil {
		a.log.Warn("forget expired token", "error", err)
	}
	return next
}

// Changed returns a channel that is closed at the next change of roster,
// tokens or mesh keys. Take the channel first and read after that: a change in
// between is then not missed.
func (a *Authority) Changed() <-chan struct{} {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.changed
}

// announceLocked tells all who wait that something changed.
func (a *Authority) announceLocked() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// SetCoordinators replaces the addresses that later tokens and answers carry.
func (a *Authority) SetCoordinators(addresses []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.coordinators = slices.Clone(addresses)
}

// Coordinators are the host:port at which probes are told to reach us.
func (a *Authority) Coordinators() []string {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return slices.Clone(a.coordinators)
}

// Authorities are the DER certificates of the CA, the current one first.
func (a *Authority) Authorities() [][]byte { return [][]byte{slices.Clone(a.keys.authority.Raw)} }

// Made is when the CA was made.
func (a *Authority) Made() time.Time { return a.keys.authority.NotBefore.Add(backdate).UTC() }

// PlanKey is the key by which probes verify plans.
func (a *Authority) PlanKey() ed25519.PublicKey { return a.keys.plan.Public().(ed25519.PublicKey) }

// PlanSigner is the key that plans are signed with.
func (a *Authority) PlanSigner() ed25519.PrivateKey { return a.keys.plan }
