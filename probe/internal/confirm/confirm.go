// Package confirm says when a failure shall be looked at again, and by whom: at
// once, by the probe that met it and by as many others of its region as the plan
// says, so that a region knows within seconds what it would know after an interval.
//
// What it promises:
//
//   - Of one check and family there is at most one burst in 20 s that a probe
//     begins or takes part in, whoever asks. Whoever has heard of a burst that he
//     was not asked to join asks nobody for as long, and looks again by himself;
//     then he hears of no other for as long again.
//   - Whoever holds the key of the mesh can cause extra looks within that bound,
//     and within [Options.Bound] for all checks together in any 20 s. Where he does
//     that, and elsewhere for half of the time, he can keep a probe from asking
//     others. He can do nothing else: no hint says anything of a service.
//   - A check that logs in is confirmed without the login, unless it was the login
//     that failed, or what comes after it; then by one other probe. A round trip is
//     never confirmed.
//
// It decides and keeps count. Who runs the checks, and sends what there is to
// send, is the agent.
package confirm

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

const (
	// Rest is for how long a check and family is left alone after a burst.
	Rest = 20 * time.Second
	// maxSkew is how far a hint's time may be from ours: twice what the
	// coordinator corrects of a clock.
	maxSkew = time.Minute
)

// Series is one check over one family.
type Series struct {
	Check  string
	Family checks.Family
}

// Options configures Bursts.
type Options struct {
	// Self is this probe. Required.
	Self string
	// Neighbours returns the living probes of the region that have the check, in any
	// order, with or without Self. It must not wait. Required.
	Neighbours func(check string) []string
	// Others returns how many of them are asked about a check without a login.
	// Required.
	Others func(check string) int
	// Enrolled says whether a probe is in the roster of this region. Required.
	Enrolled func(probe string) bool
	// Bound is how many looks others may cause here within any Rest, of all checks
	// together. Required.
	Bound func() int
}

// Bursts keeps count of the looks that follow failures. Its methods may be called
// from many goroutines.
type Bursts struct {
	opt Options

	mu sync.Mutex // protects all following fields
	// begun is when a series was last looked at again here, heard when it was last
	// minded that others were asked to.
	begun, heard map[Series]time.Time
	// obeyed is when others caused the looks of the last Rest, the oldest first.
	obeyed []time.Time
	counts Counts
}

// Counts is how often something happened; all of them only grow.
type Counts struct {
	// Asked looks of others were asked for, Refused requests of others were not
	// obeyed.
	Asked, Refused uint64
}

// New returns Bursts that have seen nothing.
func New(o Options) *Bursts {
	return &Bursts{opt: o, begun: map[Series]time.Time{}, heard: map[Series]time.Time{}}
}

// Begin says whether a failure of the series is to be looked at again now, and what
// to tell the others, each hint to those that it asks: there is none where nobody is
// asked, as after a burst that another has begun. Login says that the login, or
// something behind it, failed.
func (b *Bursts) Begin(s Series, login bool) (hints []wire.Hint, ok bool) {
	now := time.Now()
	n := b.opt.Others(s.Check)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.restsLocked(s, now) {
		return nil, false
	}
	b.begun[s] = now
	switch last, known := b.heard[s]; {
	case known && now.Sub(last) < Rest:
		n = 0
	case login:
		n = min(n, 1)
	}
	asked := choose(s, now, b.opt.Self, b.opt.Neighbours(s.Check), n)
	b.counts.Asked += uint64(len(asked))
	for part := range slices.Chunk(asked, wire.MaxAsked) {
		hints = append(hints, wire.Hint{
			Check: s.Check, Family: s.Family, Asker: b.opt.Self, Asked: part, Login: login, At: now, ID: rand.Uint64(),
		})
	}
	return hints, true
}

// Hear takes a hint of another probe and says whether to look. Whoever hears of a
// burst asks nobody himself; whoever takes part in it does not look once more. The
// mesh brings the same hint only once in as long as it may be old or early.
func (b *Bursts) Hear(h wire.Hint) (look bool) {
	now := time.Now()
	asked := slices.Contains(h.Asked, b.opt.Self)
	b.mu.Lock()
	defer b.mu.Unlock()
	if h.Asker == b.opt.Self || !b.opt.Enrolled(h.Asker) {
		return b.refuseLocked(asked)
	}
	s := Series{h.Check, h.Family}
	if now.Sub(h.At).Abs() > maxSkew {
		return b.refuseLocked(asked)
	}
	if !asked {
		if last, known := b.heard[s]; !known || now.Sub(last) >= 2*Rest {
			b.heard[s] = now
		}
		return false
	}
	if b.restsLocked(s, now) {
		return b.refuseLocked(true)
	}
	b.obeyed = slices.DeleteFunc(b.obeyed, func(at time.Time) bool { return now.Sub(at) >= Rest })
	if len(b.obeyed) >= b.opt.Bound() {
		return b.refuseLocked(true)
	}
	b.begun[s] = now
	b.obeyed = append(b.obeyed, now)
	return true
}

// refuseLocked counts a request that is not obeyed. A hint for somebody else asks
// for nothing.
func (b *Bursts) refuseLocked(asked bool) bool {
	if asked {
		b.counts.Refused++
	}
	return false
}

// restsLocked says whether there was a burst of the series within Rest.
func (b *Bursts) restsLocked(s Series, now time.Time) bool {
	last, known := b.begun[s]
	return known && now.Sub(last) < Rest
}

// Refuse counts a request that was not obeyed for a reason of the caller's.
func (b *Bursts) Refuse() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.counts.Refused++
}

// Keep forgets every series but those that are still looked at.
func (b *Bursts) Keep(still func(check string) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, times := range []map[Series]time.Time{b.begun, b.heard} {
		maps.DeleteFunc(times, func(s Series, _ time.Time) bool { return !still(s.Check) })
	}
}

// Counts returns how often something happened so far.
func (b *Bursts) Counts() Counts {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.counts
}

// choose returns up to n of the neighbours, without self: those with the highest
// hash of series, minute and name (rendezvous hashing), so that each of several
// probes that fail at once asks the same ones, and not the same for ever.
func choose(s Series, at time.Time, self string, neighbours []string, n int) []string {
	type candidate struct {
		name string
		rank uint64
	}
	var all []candidate
	for _, name := range neighbours {
		if name != self {
			all = append(all, candidate{name, rank(s, at, name)})
		}
	}
	slices.SortFunc(all, func(x, y candidate) int {
		return cmp.Or(cmp.Compare(y.rank, x.rank), strings.Compare(x.name, y.name))
	})
	var out []string
	for _, c := range all[:min(n, len(all))] {
		out = append(out, c.name)
	}
	return out
}

func rank(s Series, at time.Time, name string) uint64 {
	b := append([]byte(s.Check), 0, byte(s.Family))
	b = binary.BigEndian.AppendUint64(b, uint64(at.Unix()/60))
	sum := sha256.Sum256(append(b, name...))
	return binary.BigEndian.Uint64(sum[:])
}
