package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"
)

// Phase is where in each interval a probe looks, from 0 up to every:
//
//	hash(check, family) mod every + (rank + region/regions) / n * every
//
// with the rank of self among the n members by hash(check, probe), and the turn
// of the members' region among those that look at the check. Intervals begin at
// multiples of every since 1970, so that a probe that starts again finds its
// place, that members who agree on who is there look at the check every/n
// apart, and that as many members of other regions look in between and not at
// the same time. The order of members does not matter, self counts as one of
// them, and nobody counts twice.
func Phase(e Entry, self string, members []string) time.Duration {
	every := e.Target.Every
	rank, n := rank(e.Target.ID, self, members)
	offset := time.Duration(hash(e.Target.ID, e.Family.String()) % uint64(every))
	share := every / time.Duration(n) * time.Duration(e.Region) / time.Duration(max(e.Regions, 1))
	return (offset + every*time.Duration(rank)/time.Duration(n) + share) % every
}

// rank is the place of self among the members, and how many there are.
func rank(check, self string, members []string) (rank, n int) {
	own := hash(check, self)
	n = 1
	for i, m := range members {
		if m == self || slices.Contains(members[:i], m) {
			continue
		}
		n++
		if h := hash(check, m); h < own || h == own && m < self {
			rank++
		}
	}
	return rank, n
}

// hash is the same on every machine and in every version. The zero byte keeps
// ("a", "bc") apart from ("ab", "c"); no id holds one.
func hash(a, b string) uint64 {
	sum := sha256.Sum256([]byte(a + "\x00" + b))
	return binary.BigEndian.Uint64(sum[:])
}

// slot is the first time not before at that lies at the given phase. It is read
// off the wall clock alone: all probes share that one.
func slot(at time.Time, every, phase time.Duration) time.Time {
	n := at.UnixNano()
	since := time.Duration(n) - phase
	return time.Unix(0, n+int64((every-since%every)%every)).UTC()
}

// follow is the run after one at last, at a phase that may be new: at least half
// an interval later and less than one and a half.
func follow(last time.Time, every, phase time.Duration) time.Time {
	return slot(last.Add((every+1)/2), every, phase)
}
