package ingest

import (
	"crypto/tls"
	"slices"
	"sync"
	"time"

	"varde/proto/wire"
)

const (
	// maxStreams is how many streams of a kind one probe may have: one, and one
	// that a reconnect has left behind. A third ends the oldest.
	maxStreams = 2
	// handover is how long an older life of a probe may go on after a newer one
	// has begun: the last words of a program that is being replaced.
	handover = 5 * time.Second
	// moveEvery is how often one probe may change where it answers others: each
	// change is a new plan for the whole fleet.
	moveEvery = time.Minute
	// noticeLife is how long something that happened once is shown.
	noticeLife = 10 * time.Minute
)

// stream is one open stream of a probe.
type stream struct {
	Peer
	kind  string
	tls   tls.ConnectionState
	clock *clock
	// end takes the reason for which we end the stream.
	end chan error
	// opened and epoch are protected by the fleet's mutex. epoch is empty until
	// the probe has said it.
	opened time.Time
	epoch  string
}

// stop has the stream end for a reason. The first reason counts.
func (s *stream) stop(err error) {
	select {
	case s.end <- err:
	default:
	}
}

// member is what is known of one probe.
type member struct {
	// lastSeen is zero if it was never seen.
	lastSeen time.Time
	// state is what it said of itself last; the times are since when it is so.
	state                                wire.ProbeState
	qualifiedSince, relayedSince, lostAt time.Time
	// dropped counts the records of its gaps.
	dropped uint64
	// clock is that of the newest report stream.
	clock *clock
	open  []*stream // oldest first
	// at is where it answers others, as was recorded, at recorded.
	at       addresses
	recorded time.Time
	// cloned says which two lives were seen at once, refusal what was refused.
	cloned, refusal event
}

// addresses are where a probe answers others: its mesh, and its peer listener if
// it has one.
type addresses struct{ mesh, peer string }

// event is something that happened at a time.
type event struct {
	at   time.Time
	text string
}

// fleet is what is known of the probes now. It forgets with the process, but for
// when the journal last kept something of each.
type fleet struct {
	metrics *metrics

	mu      sync.Mutex // protects all following fields
	members map[string]*member
}

func newFleet(m *metrics) *fleet { return &fleet{metrics: m, members: map[string]*member{}} }

func (f *fleet) memberLocked(name string) *member {
	m := f.members[name]
	if m == nil {
		m = &member{}
		f.members[name] = m
	}
	return m
}

// heard notes when the journal last kept something of each probe.
func (f *fleet) heard(last map[string]time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for name, at := range last {
		f.memberLocked(name).lastSeen = at
	}
}

// kept counts what the gaps among batches that are on disk left out.
func (f *fleet) kept(batches []wire.Batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, b := range batches {
		for _, r := range b.Records {
			if r.Gap != nil {
				f.memberLocked(b.Probe).dropped += r.Gap.Last - r.Gap.First + 1
			}
		}
	}
}

// open notes a new stream. When there are too many, the oldest of the kind
// ends: it is the most likely to be one whose other end is gone.
func (f *fleet) open(kind string, c caller) *stream {
	s := &stream{Peer: c.Peer, kind: kind, tls: c.tls, clock: &clock{}, end: make(chan error, 1), opened: time.Now()}
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.memberLocked(s.Name)
	m.lastSeen = s.opened
	same := 0
	for _, o := range slices.Backward(m.open) {
		if o.kind == kind {
			if same++; same >= maxStreams {
				o.stop(errSuperseded)
			}
		}
	}
	m.open = append(m.open, s)
	if kind == "report" {
		m.clock = s.clock
	}
	f.metrics.streams.WithLabelValues(kind).Inc()
	return s
}

func (f *fleet) close(s *stream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.memberLocked(s.Name)
	m.open = slices.DeleteFunc(m.open, func(o *stream) bool { return o == s })
	f.metrics.streams.WithLabelValues(s.kind).Dec()
}

// streams returns all open streams.
func (f *fleet) streams() []*stream {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []*stream
	for _, m := range f.members {
		out = append(out, m.open...)
	}
	return out
}

// seen notes a message. One of an older life of the program, while a newer one
// has been there for longer than a handover takes, is that of a clone.
func (f *fleet) seen(s *stream, at time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.memberLocked(s.Name)
	m.lastSeen = at
	for _, o := range m.open {
		if s.epoch != "" && o.epoch != "" && o.epoch != s.epoch && o.opened.After(s.opened) && at.Sub(o.opened) > handover {
			m.cloned = event{at, "cloned probe: " + s.epoch + " and " + o.epoch + " report at the same time with one certificate"}
		}
	}
}

// refused notes that something of a message could not be taken.
func (f *fleet) refused(s *stream, at time.Time, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.memberLocked(s.Name).refusal = event{at, err.Error()}
}

// update notes what a probe says of itself and reports whether its addresses are
// to be recorded. One whose mesh has yet to begin says nothing of them.
func (f *fleet) update(s *stream, state wire.ProbeState, at time.Time) (moved bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.memberLocked(s.Name)
	s.epoch = state.Epoch
	m.said(state, at)
	now := addresses{state.MeshAddress, state.PeerAddress}
	if now.mesh == "" || now == m.at || !m.recorded.IsZero() && at.Sub(m.recorded) < moveEvery {
		return false
	}
	m.at, m.recorded = now, at
	return true
}

// unrecorded notes that the addresses could not be recorded, so that it is tried
// again.
func (f *fleet) unrecorded(name string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.memberLocked(name).at = addresses{}
}
