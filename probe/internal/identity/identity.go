// Package identity is who a probe is: its key, which never leaves the machine,
// its certificate, and whom it believes.
//
// It promises:
//
//   - an identity is one file: it is there as a whole or not at all, and a join
//     that fails leaves the state folder as it was;
//   - a coordinator is believed because the pinned CA vouches for it under the
//     name wire.CoordinatorName, never for its address, and whatever the clock
//     of this machine says;
//   - a certificate is renewed when a third of its life has passed, and the old
//     one is used until the new one is on disk;
//   - no key and no secret is in an error or a log.
package identity

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"filippo.io/age"

	"varde/proto/wire"
)

// maxBundle bounds the sealed secrets of a probe, in bytes.
const maxBundle = 1 << 20

// maxAuthorities is more than a CA and its successor.
const maxAuthorities = 8

// ErrNotJoined says that a folder holds no identity.
var ErrNotJoined = errors.New("this machine has not joined a fleet: run `varde-probe join TOKEN`")

// Options says where an identity is kept.
type Options struct {
	// Dir is the probe's state folder. Required.
	Dir string
	// Logger is told of renewals; none if nil.
	Logger *slog.Logger
}

// Identity is one enrolled probe. Its methods may be called from many
// goroutines at once.
type Identity struct {
	dir string
	log *slog.Logger

	writing sync.Mutex // held while the file is replaced
	now     atomic.Pointer[state]
}

// state is the file and what is read from it; it never changes.
type state struct {
	file      file
	key       signer
	leaf      *x509.Certificate
	roots     *x509.CertPool
	recipient *age.X25519Identity
}

// Load reads the identity of a state folder, ErrNotJoined if there is none.
func Load(dir string) (*Identity, error) { return Open(Options{Dir: dir}) }

// Open is Load with a logger.
func Open(o Options) (*Identity, error) {
	f, err := readFile(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	s, err := f.parse()
	if err != nil {
		return nil, fmt.Errorf("identity: read %s: %w", path(o.Dir), err)
	}
	return o.identity(s), nil
}

func (o Options) identity(s *state) *Identity {
	i := &Identity{dir: o.Dir, log: o.Logger}
	if i.log == nil {
		i.log = slog.New(slog.DiscardHandler)
	}
	i.now.Store(s)
	return i
}

// Name is the probe's name, as its certificate says.
func (i *Identity) Name() string { return i.now.Load().file.Name }

// Region is where the probe stands, as its certificate says.
func (i *Identity) Region() string { return i.now.Load().file.Region }

// Site is the place that its operator named; may be empty.
func (i *Identity) Site() string { return i.now.Load().file.Site }

// PlanKey is the key by which plans are verified.
func (i *Identity) PlanKey() ed25519.PublicKey { return slices.Clone(i.now.Load().file.PlanKey) }

// Coordinators are the host:port that the coordinator named when the probe
// joined. A plan may know better.
func (i *Identity) Coordinators() []string { return slices.Clone(i.now.Load().file.Coordinators) }

// NotAfter is when the certificate ends.
func (i *Identity) NotAfter() time.Time { return i.now.Load().leaf.NotAfter }

// SetAuthorities replaces the CAs that the probe believes: those of the newest
// plan, whose signature the caller has verified. Nothing is written when they
// are the same.
func (i *Identity) SetAuthorities(ders [][]byte) error {
	err := i.replace(func(f *file) error {
		if slices.EqualFunc(f.Authorities, ders, bytes.Equal) {
			return errSame
		}
		f.Authorities = ders
		return nil
	})
	if err != nil {
		return fmt.Errorf("set authorities: %w", err)
	}
	return nil
}

// OpenBundle opens the secrets that were sealed to this probe, by name.
func (i *Identity) OpenBundle(sealed []byte) (map[string]string, error) {
	if len(sealed) > maxBundle {
		return nil, fmt.Errorf("open secrets: %d bytes, expected at most %d", len(sealed), maxBundle)
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), i.now.Load().recipient)
	if err != nil {
		return nil, fmt.Errorf("open secrets: %w", err)
	}
	plain, err := io.ReadAll(r) // no longer than what it was sealed in
	if err != nil {
		return nil, fmt.Errorf("open secrets: %w", err)
	}
	secrets, err := wire.UnmarshalSecrets(plain)
	if err != nil {
		return nil, fmt.Errorf("open secrets: %w", err)
	}
	return secrets, nil
}

// errSame ends a replacement that would change nothing.
var errSame = errors.New("nothing to change")

// replace changes the file as a whole and uses it from then on. On an error
// both stay as they were.
func (i *Identity) replace(change func(*file) error) error {
	i.writing.Lock()
	defer i.writing.Unlock()
	f := i.now.Load().file
	if err := change(&f); errors.Is(err, errSame) {
		return nil
	} else if err != nil {
		return err
	}
	s, err := f.parse()
	if err != nil {
		return err
	}
	if err := f.write(i.dir); err != nil {
		return err
	}
	i.now.Store(s)
	return nil
}
