package spool

import "time"

// Stats is what a spool holds.
type Stats struct {
	// Epochs is how many have something to hand out, the current one included
	// in any case.
	Epochs int
	// Records were not acknowledged yet; a gap counts as one.
	Records uint64
	// Bytes is the size of the segments on disk.
	Bytes int64
	// Dropped observations were lost since Open: to the bound, to a disk that
	// would not take them or hung, or to damage.
	Dropped uint64
	// Oldest is about when the oldest of the records was made, at most one
	// segment too early; zero when there is none.
	Oldest time.Time
}

// Stats returns what the spool holds now.
func (s *Spool) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := Stats{Epochs: len(s.epochs), Dropped: s.dropped + s.refused.count()}
	st.Bytes = s.bytesLocked()
	for _, e := range s.epochs {
		st.Records += e.waiting()
		if st.Oldest.IsZero() {
			st.Oldest = e.oldest()
		}
	}
	return st
}
