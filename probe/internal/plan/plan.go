// Package plan keeps the newest plan of the fleet, verified and on disk, so that
// a probe which is cut off goes on with the plan that it has.
//
// What it promises:
//
//   - A plan is taken only when the coordinator's key has signed it, its sealed
//     secrets are those that it names for this probe, and its number is larger.
//   - What Offer has taken survives a crash: the file is replaced as a whole.
//   - A damaged file is put aside and told of; the probe then waits for a plan
//     as if it had none.
package plan

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"varde/proto/wire"
)

// ErrOld says that a plan is not newer than the one there is.
var ErrOld = errors.New("plan is not newer than the one in force")

// file is where the plan stands in the state folder.
const file = "plan.pb"

// Options configures a store.
type Options struct {
	// Dir is the state folder. Required.
	Dir string
	// Probe is the name that the plan knows this probe by. Required.
	Probe string
	// Key is what plans are signed with. Required.
	Key ed25519.PublicKey
	// Logger is told of a damaged file. Required.
	Logger *slog.Logger
}

// Store holds the newest plan. Its methods may be called from many goroutines.
type Store struct {
	opts    Options
	changed chan struct{}

	mu     sync.Mutex // protects all following fields
	plan   wire.Plan
	bundle []byte
	ok     bool
}

// Open reads the plan on disk, if there is one.
func Open(o Options) (*Store, error) {
	if o.Dir == "" || o.Probe == "" || len(o.Key) != ed25519.PublicKeySize || o.Logger == nil {
		return nil, errors.New("plan: Dir, Probe, Key and Logger are required")
	}
	s := &Store{opts: o, changed: make(chan struct{}, 1)}
	path := filepath.Join(o.Dir, file)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	if err := s.read(b); err != nil {
		o.Logger.Error("plan on disk is damaged, waiting for another", "file", path, "kept_as", path+".damaged", "error", err)
		if err := os.Rename(path, path+".damaged"); err != nil {
			return nil, fmt.Errorf("put damaged plan aside: %w", err)
		}
	}
	return s, nil
}

func (s *Store) read(b []byte) error {
	signed, err := wire.UnmarshalSignedPlan(b)
	if err != nil {
		return err
	}
	p, err := signed.Open(s.opts.Key, s.opts.Probe)
	if err != nil {
		return err
	}
	s.plan, s.bundle, s.ok = p, signed.Bundle, true
	return nil
}

// Offer takes a plan if it is genuine and newer. It is on disk and in force
// when changed is true. ErrOld, wire.ErrPlanSignature and any other error leave
// everything as it was.
func (s *Store) Offer(signed wire.SignedPlan) (changed bool, err error) {
	p, err := signed.Open(s.opts.Key, s.opts.Probe)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ok && !p.Number.After(s.plan.Number) {
		return false, fmt.Errorf("%w: got %d.%d, have %d.%d", ErrOld,
			p.Number.Generation, p.Number.Revision, s.plan.Number.Generation, s.plan.Number.Revision)
	}
	b, err := signed.Marshal()
	if err != nil {
		return false, err
	}
	if err := replace(filepath.Join(s.opts.Dir, file), b); err != nil {
		return false, fmt.Errorf("keep plan: %w", err)
	}
	s.plan, s.bundle, s.ok = p, signed.Bundle, true
	select {
	case s.changed <- struct{}{}:
	default: // one signal may stand for many plans
	}
	return true, nil
}

// Current returns the newest plan and the sealed secrets that came with it;
// false while there is none. The caller changes nothing in it.
func (s *Store) Current() (p wire.Plan, bundle []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plan, s.bundle, s.ok
}

// Changed is signalled after Offer has taken a plan. It is for one reader.
func (s *Store) Changed() <-chan struct{} { return s.changed }

// replace writes a file so that at any moment either the old or the new
// content is there as a whole.
func replace(path string, b []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(b) // CreateTemp made it 0600
	if err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), path); err != nil {
		return err
	}
	dir, openErr := os.Open(filepath.Dir(path))
	if openErr != nil {
		return openErr
	}
	return errors.Join(dir.Sync(), dir.Close())
}
