package mirror

import (
	"fmt"
	"time"
)

// State is how a mirror does.
type State struct {
	// ID and URL are those of the target.
	ID, URL string
	// Tried says whether the server has answered or been given up since the start; Up
	// whether the last write of everything succeeded.
	Tried, Up bool
	// Refused says that the server answers, and does not take what it is sent.
	Refused bool
	// Since is when the trouble began, Words are what the server or the system said;
	// zero and empty without any.
	Since time.Time
	Words string
	// Behind is how many entries of the journal it has not taken yet.
	Behind uint64
	// Written, Dropped and Missed count points that the server took, points that it
	// did not take of batches of which it took the rest, and entries that the journal
	// did not hold any more when their turn came. They outlive the program.
	Written, Dropped, Missed uint64
	// DroppedAt and MissedAt are when it last happened, DroppedWords what the server
	// said to it.
	DroppedAt, MissedAt time.Time
	DroppedWords        string
}

func (m *mirror) state() State {
	last := m.options.Source.Last()
	m.mu.Lock()
	defer m.mu.Unlock()
	s := State{
		ID: m.target.ID, URL: m.target.URL, Tried: m.tried, Up: m.tried && len(m.troubles) == 0, Behind: last - min(m.place.Journal, last),
		Written: m.place.Written, Dropped: m.place.Refused, Missed: m.place.Missed,
		DroppedAt: m.place.RefusedAt, MissedAt: m.place.MissedAt, DroppedWords: m.place.Words,
	}
	for _, t := range m.troubles {
		s.Refused = s.Refused || t.refused
		if s.Since.IsZero() || t.since.Before(s.Since) {
			s.Since, s.Words = t.since, t.words
		}
	}
	return s
}

const (
	// troubledAfter is how long a server may be away before people hear of it: one
	// that is restarted is back before.
	troubledAfter = time.Minute
	// lossesFor is how long people hear of a loss.
	lossesFor = 24 * time.Hour
)

// Notice is something that an operator should mend.
type Notice struct{ Title, Detail string }

// Notices are what an operator should know of a mirror.
func (s State) Notices(now time.Time) []Notice {
	var out []Notice
	const clock = "2006-01-02 15:04"
	waiting := fmt.Sprintf("since %s UTC: %s (%d entries of the journal wait)", s.Since.UTC().Format(clock), s.Words, s.Behind)
	switch {
	case s.Refused:
		out = append(out, Notice{"Mirror " + s.ID + " is refused", waiting})
	case !s.Since.IsZero() && now.Sub(s.Since) >= troubledAfter:
		out = append(out, Notice{"Mirror " + s.ID + " is behind", waiting})
	}
	if now.Sub(s.DroppedAt) < lossesFor {
		out = append(out, Notice{"Mirror " + s.ID + " lacks points", fmt.Sprintf("%d were dropped by the server in all, last %s UTC: %s", s.Dropped, s.DroppedAt.UTC().Format(clock), s.DroppedWords)})
	}
	if now.Sub(s.MissedAt) < lossesFor {
		out = append(out, Notice{"Mirror " + s.ID + " lacks entries", fmt.Sprintf("%d were gone from the journal before the server took them, last %s UTC", s.Missed, s.MissedAt.UTC().Format(clock))})
	}
	return out
}
