// Package plan keeps the newest signed plan of a probe on disk, so that a probe
// that starts while no coordinator answers knows what to do.
//
// What it promises:
//
//   - Nothing is kept that the coordinator did not sign, and no sealed secrets
//     that the plan does not name for this probe.
//   - Only a larger number replaces a plan, whoever offers it: a peer cannot
//     bring back an old one.
//   - What is on disk is a whole plan, the old one or the new one, also after a
//     crash in the middle. It is kept in the bytes that were signed.
//   - A disk that takes no plan keeps none from being obeyed: it is in force all
//     the same, and written as soon as that is possible.
//   - A file that cannot be used is put aside as plan.pb.damaged and treated as
//     none; the probe starts without a plan and asks for one.
package plan

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"varde/checks"
	"varde/proto/durable"
	"varde/proto/wire"
)

const (
	file    = "plan.pb"
	damaged = "plan.pb.damaged"
	// maxBytes bounds what is read and taken: some thousand checks with
	// certificates of their own.
	maxBytes = 16 << 20
)

// Options configures a store.
type Options struct {
	// Dir is the folder that the plan is kept in. Required; it must exist.
	Dir string
	// Probe is the name of this probe. Required.
	Probe string
	// Key verifies plans. Required.
	Key ed25519.PublicKey
	// Logger is slog.Default if nil.
	Logger *slog.Logger
}

// Store is the newest plan. Its methods may be called from many goroutines.
type Store struct {
	opt     Options
	changed chan struct{}

	offers sync.Mutex // held by Offer and Keep, so that two do not overtake one another
	// unkept is the plan in force while it could not be written. Guarded by offers.
	unkept []byte

	mu     sync.Mutex // protects all following fields
	have   bool
	plan   wire.Plan
	signed wire.SignedPlan
}

// Open reads the plan in opt.Dir. One that is damaged or not signed by opt.Key
// is logged, put aside and treated as none; an error means that the folder
// cannot be used.
func Open(opt Options) (*Store, error) {
	if opt.Logger == nil {
		opt.Logger = slog.Default()
	}
	switch {
	case opt.Dir == "":
		return nil, errors.New("plan: no folder given")
	case !checks.ValidID(opt.Probe):
		return nil, fmt.Errorf("plan: probe %q, expected an id", opt.Probe)
	case len(opt.Key) != ed25519.PublicKeySize:
		return nil, fmt.Errorf("plan: key has %d bytes, expected %d", len(opt.Key), ed25519.PublicKeySize)
	}
	s := &Store{opt: opt, changed: make(chan struct{}, 1)}
	if info, err := os.Stat(opt.Dir); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("plan: %s is no folder", opt.Dir)
	}
	b, err := read(s.path(file))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	} else if err != nil {
		return nil, fmt.Errorf("read plan: %w", err)
	}
	if err := s.load(b); err != nil {
		opt.Logger.Error("plan on disk cannot be used, going on without one",
			"file", s.path(file), "kept_as", s.path(damaged), "error", err)
		if err := os.Rename(s.path(file), s.path(damaged)); err != nil {
			return nil, fmt.Errorf("put damaged plan aside: %w", err)
		}
	}
	return s, nil
}

func (s *Store) path(name string) string { return filepath.Join(s.opt.Dir, name) }

// read returns a file, of which it reads no more than one byte too many.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxBytes+1))
}

func (s *Store) load(b []byte) error {
	if len(b) > maxBytes {
		return fmt.Errorf("more than %d bytes", maxBytes)
	}
	signed, err := wire.UnmarshalSignedPlan(b)
	if err != nil {
		return err
	}
	p, err := signed.Open(s.opt.Key, s.opt.Probe)
	if err != nil {
		return err
	}
	s.have, s.plan, s.signed = true, p, signed
	return nil
}

// Offer takes the plan if it is signed and larger than the one that is there,
// and returns when it is on disk; changed is true then, and also with the error
// of a disk that did not take it. Any other error leaves the plan that was there:
// wire.ErrPlanSignature for one that somebody else made, others for one that is
// not larger or not for this probe.
func (s *Store) Offer(signed wire.SignedPlan) (changed bool, err error) {
	s.offers.Lock()
	defer s.offers.Unlock()
	p, err := signed.Open(s.opt.Key, s.opt.Probe)
	if err != nil {
		return false, err
	}
	if have, _, ok := s.Current(); ok && !p.Number.After(have.Number) {
		return false, fmt.Errorf("plan is not newer: got %d.%d, have %d.%d",
			p.Number.Generation, p.Number.Revision, have.Number.Generation, have.Number.Revision)
	}
	b, err := signed.Marshal()
	if err != nil {
		return false, fmt.Errorf("encode plan: %w", err)
	}
	if len(b) > maxBytes {
		return false, fmt.Errorf("plan: %d bytes, expected at most %d", len(b), maxBytes)
	}
	s.unkept = b
	err = s.keep()
	s.mu.Lock()
	s.have, s.plan, s.signed = true, p, signed
	s.mu.Unlock()
	select {
	case s.changed <- struct{}{}:
	default: // a signal is waiting already
	}
	return true, err
}

// Keep writes the plan in force if the disk did not take it before.
func (s *Store) Keep() error {
	s.offers.Lock()
	defer s.offers.Unlock()
	return s.keep()
}

func (s *Store) keep() error {
	if s.unkept == nil {
		return nil
	}
	if err := durable.Replace(s.path(file), s.unkept); err != nil {
		return err
	}
	s.unkept = nil
	return nil
}

// Current returns the newest plan and the sealed secrets that belong to it,
// which are empty if this probe needs none; ok is false while there is no plan.
// Neither must be changed by the caller.
func (s *Store) Current() (p wire.Plan, bundle []byte, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plan, s.signed.Bundles[s.opt.Probe], s.have
}

// Newer returns the newest plan as it was signed if it is larger than a number:
// what a probe hands on to another.
func (s *Store) Newer(than wire.PlanNumber) (signed wire.SignedPlan, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.signed, s.have && s.plan.Number.After(than)
}

// Changed is signalled after a plan was taken. One signal may stand for several.
func (s *Store) Changed() <-chan struct{} { return s.changed }
