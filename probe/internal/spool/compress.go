package spool

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
)

// unfinished is where a compressed segment is written before it takes the place of
// the plain one. It stands above the epochs, so that none of them is kept from
// going by it.
const unfinished = "compressing"

// compressLocked has the segments compressed that need not stay plain, unless
// that is going on. Nobody waits for it but Close.
func (s *Spool) compressLocked() {
	if _, g := s.plainLocked(); g == nil || s.compressing {
		return
	}
	s.compressing = true
	d := s.disk
	s.work.Go(func() { s.compressAll(d) })
}

// plainLocked is the oldest segment that is to be compressed. The newest that is
// not written to any more is left alone: an uplink that keeps up is about to
// have it acknowledged, and never has anything compressed.
func (s *Spool) plainLocked() (in *epoch, oldest *segment) {
	found := 0
	for _, e := range slices.Backward(s.epochs) {
		for _, g := range slices.Backward(e.segs) {
			if g == s.active || g.last <= e.mark.Acked {
				continue
			}
			if found++; found > 1 && !g.compressed && !g.incompressible {
				in, oldest = e, g
			}
		}
	}
	return in, oldest
}

func (s *Spool) compressAll(d disk) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for !s.closed {
		e, g := s.plainLocked()
		if g == nil {
			break
		}
		s.unfinishedBytes = 0
		err := s.compressOneLocked(d, e, g)
		if errors.Is(err, errTorn) || errors.Is(err, errLarge) {
			g.incompressible = true // what is damaged in it is found by whoever reads it
			continue
		}
		if err != nil {
			// On a full disk the plain segment is as good.
			s.opt.Logger.Debug("spool segment stays as it is", "file", g.path, "error", err)
			break
		}
	}
	s.unfinishedBytes, s.compressing = 0, false
}

// compressOneLocked puts the compressed form of g in its place. It lets go of mu
// while it reads and writes: g may be cut, dropped or acknowledged meanwhile.
func (s *Spool) compressOneLocked(d disk, e *epoch, g *segment) error {
	plain, path := *g, filepath.Join(s.opt.Dir, unfinished)
	s.mu.Unlock()
	b, err := plain.compress()
	s.mu.Lock()
	if err != nil {
		return err
	}
	s.unfinishedBytes = int64(len(b))
	s.makeRoomLocked(0)
	s.mu.Unlock()
	err = writeWhole(d, path, b)
	s.mu.Lock()
	if err == nil && (!slices.Contains(s.epochs, e) || !slices.Contains(e.segs, g) || g.size != plain.size) {
		return os.Remove(path)
	}
	if err == nil {
		err = d.rename(path, g.path)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(path))
	}
	// The name need not be on disk: after a power loss either of the two may be there.
	g.compressed, g.size, g.index, s.unfinishedBytes = true, int64(len(b)), nil, 0
	return nil
}
