package spool

import (
	"slices"

	"varde/proto/wire"
)

// maxRecent is how many of the newest observations stay in memory: as many as
// one batch takes to the coordinator, about 1 MB.
const maxRecent = wire.MaxRecords

// recent are the newest observations of the segment that is written to, without
// a hole up to its last one and as they would be read from it. They are there so
// that whoever keeps up need not have them read back.
type recent []wire.Record

// add takes the next one. When there are too many it forgets those before:
// whoever is that far behind reads the disk.
func (r *recent) add(rec wire.Record) {
	if len(*r) == maxRecent {
		*r = slices.Delete(*r, 0, maxRecent)
	}
	*r = append(*r, rec)
}

// after returns copies of up to n observations after the given number. It
// returns false when the first of them is not there.
func (r recent) after(seq uint64, n int) ([]wire.Record, bool) {
	if len(r) == 0 || seq+1 < r[0].First() {
		return nil, false
	}
	r = r[min(seq+1-r[0].First(), uint64(len(r))):]
	return slices.Clone(r[:min(n, len(r))]), true
}

// forget lets go of everything up to the given number.
func (r *recent) forget(through uint64) {
	if len(*r) == 0 || through < (*r)[0].First() {
		return
	}
	n := min(through+1-(*r)[0].First(), uint64(len(*r)))
	*r = slices.Delete(*r, 0, int(n))
}

// activateLocked makes g the segment that is written to, nil for none.
func (s *Spool) activateLocked(g *segment) {
	if s.active != nil {
		s.active.recent = nil
	}
	s.active = g
}
