// Package schedule says when a probe looks.
//
// What it promises:
//
//   - Runs come from the clock, never from the end of the run before: a target
//     that answers slowly is not looked at less often.
//   - The probes of a region look at a check evenly spaced, and those of other
//     regions in between, see [Phase]. When
//     the membership has changed and settled, each entry moves to its new phase
//     behind its next run; two runs of an entry are never planned closer than
//     half an interval or further apart than one and a half. There is no random
//     jitter.
//   - Every run has its own goroutine. One that is slow, or that panics, delays
//     no other, not even the next one of its own entry.
//   - The slots that the runs of an entry speak for never overlap: one ends where
//     the next run is planned, and where a shorter interval makes a run come before
//     the end of a slot, that run speaks for none.
//   - Slots that were slept through are not made up for: the entry goes on with
//     its next slot, and the lost ones are counted.
//
// Run.Scheduled is the time that was meant; how late a run is, its callback can
// see by its own clock.
package schedule

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"varde/checks"
)

const (
	// maxLate is how late a run may begin, if that is less than half of its
	// interval: what was slept through longer belongs to a slot that is over,
	// and a machine that wakes up must not do everything at once.
	maxLate = 5 * time.Second
	// maxWait is how long the clock is trusted: timers stand still while a
	// machine is suspended, and the wall clock may be set.
	maxWait = 15 * time.Second
	// maxAsleep bounds what is counted of one sleep: longer by far is a clock that
	// was wrong and has been set.
	maxAsleep = 7 * 24 * time.Hour
	// maxSpoken is the longest rest of a slot that keeps the runs of a shorter
	// interval from having their own: what a run has said for hours ahead was a
	// guess, and who looks more often shall be counted.
	maxSpoken = 15 * time.Minute
	// maxExtra is how many runs out of turn may wait to begin.
	maxExtra = 64
)

// Options configures a scheduler.
type Options struct {
	// Self is the name of this probe. Required.
	Self string
	// Run does one run. It should end by itself, since the scheduler waits for
	// all runs at its end. Its context ends with that of Scheduler.Run.
	// Required.
	Run func(ctx context.Context, r Run)
	// Members returns the live probes of the region, in any order, with or
	// without Self. It holds still by itself: who comes or goes for a moment must not
	// change it, since every change moves the phases. It must not call the scheduler.
	// Nil means that there are no others.
	Members func() []string
	// Settled says whether this probe has been there long enough to know its
	// members. Nil means always.
	Settled func() bool
	// Enrolled returns those who should be members, by whom it goes until Settled
	// says so for the first time: probes that all start at once are not to look at
	// once. Nil means nobody.
	Enrolled func() []string
	// Ahead is how far the clock is ahead by which it finds its phase. Nil means that
	// it is right.
	Ahead func() time.Duration
	// Panicked is told of a run that panicked, in the run's goroutine, after it
	// was logged. May be nil.
	Panicked func(r Run)
	// Logger is told of the first panic of an entry as an error, of the others
	// for debugging. Required.
	Logger *slog.Logger
}

// Entry is one thing to do every interval (Target.Every). The target is shared by
// whoever knows it and changed by nobody.
type Entry struct {
	Target *checks.Target
	Family checks.Family
	// Region is the turn of the probe's region among the Regions that look at
	// the target, from 0.
	Region, Regions int
}

// Run is one run of an entry.
type Run struct {
	Target *checks.Target
	Family checks.Family
	// Scheduled is the time for which the run was planned, in UTC.
	Scheduled time.Time
	// Speaks is for how long the run speaks: to the next planned one, at most one
	// interval; zero where the run before has spoken. Only of runs by the clock.
	Speaks time.Duration
	// Trigger is why it is made: the clock's turn, unless it came by Now.
	Trigger checks.Trigger
	// Bare leaves the login out; only of runs that came by Now.
	Bare bool
}

// Scheduler starts runs by the clock. Its methods may be called from many
// goroutines.
type Scheduler struct {
	opt   Options
	wake  chan struct{}
	extra chan Run    // see Now
	dirty atomic.Bool // the members changed since they were last taken over

	mu      sync.Mutex // protects all following fields
	members []string
	// settled says that the members were taken over once.
	settled bool
	entries map[key]*entry
	queue   queue // the same entries, the next one first
	// seen is when the queue was looked at last by the clock on the wall, in
	// nanoseconds since 1970; the end of time when its entries are new.
	seen  int64
	stats Stats
}

// Stats counts what a scheduler did since it was made.
type Stats struct {
	// Entries there are, and Running runs.
	Entries, Running int
	// Runs were started. Missed slots were not, because the machine slept or was
	// starved: those of a week at most for one sleep, or one clock that was set.
	// Panics are the runs that panicked.
	Runs, Missed, Panics uint64
}

// New returns a scheduler without entries.
func New(opt Options) (*Scheduler, error) {
	if opt.Self == "" || opt.Run == nil || opt.Logger == nil {
		return nil, errors.New("schedule: Self, Run and Logger are required")
	}
	if opt.Members == nil {
		opt.Members = func() []string { return nil }
	}
	if opt.Enrolled == nil {
		opt.Enrolled = func() []string { return nil }
	}
	if opt.Settled == nil {
		opt.Settled = func() bool { return true }
	}
	if opt.Ahead == nil {
		opt.Ahead = func() time.Duration { return 0 }
	}
	if opt.Panicked == nil {
		opt.Panicked = func(Run) {}
	}
	s := &Scheduler{opt: opt, wake: make(chan struct{}, 1), extra: make(chan Run, maxExtra), entries: map[key]*entry{}}
	s.dirty.Store(true)
	return s, nil
}

// Set makes entries all that there is to do. Entries that are there already and
// have the same interval keep their times, and those that have a longer one now
// their next time, so that no planned run is lost; runs under way are left alone. An entry with an interval below checks.MinEvery is
// refused and logged. Of two entries of one check and family the later stands.
func (s *Scheduler) Set(entries []Entry) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.adoptLocked(); !s.settled {
		s.members = s.opt.Enrolled()
	}
	now := time.Now()
	old := s.entries
	s.entries = make(map[key]*entry, len(entries))
	for _, n := range entries {
		if n.Target.Every < checks.MinEvery {
			s.opt.Logger.Error("check is not scheduled, its interval is too short",
				"check", n.Target.ID, "every", n.Target.Every, "min", checks.MinEvery)
			continue
		}
		k := key{n.Target.ID, n.Family}
		s.entries[k] = s.entryLocked(n, old[k], now)
	}
	s.queue = slices.AppendSeq(s.queue[:0:0], maps.Values(s.entries))
	heap.Init(&s.queue)
	s.seen = math.MaxInt64
	select {
	case s.wake <- struct{}{}:
	default: // it will look anyway
	}
}

// entryLocked is the entry for n; old is what was there before, nil for none.
func (s *Scheduler) entryLocked(n Entry, old *entry, now time.Time) *entry {
	e := &entry{Entry: n}
	if old != nil {
		e.last, e.panicked = old.last, old.panicked
		if old.spoken.Sub(now) <= maxSpoken {
			e.spoken = old.spoken
		}
		if old.Target.Every <= n.Target.Every {
			e.due = old.due
			return e
		}
	}
	every, phase := n.Target.Every, s.phaseLocked(e)
	e.due = slot(now, every, phase)
	if next := follow(e.last, every, phase); !e.last.IsZero() && next.After(e.due) {
		e.due = next
	}
	return e
}

// Now has a run made at once and out of turn, while Run lasts. It moves no entry
// and is in no count of runs. It returns false, and the run is not made, where too
// many wait for theirs. It does not wait.
func (s *Scheduler) Now(r Run) bool {
	select {
	case s.extra <- r:
		return true
	default:
		return false
	}
}

// MembersChanged says that Members may answer differently from now on. It does
// not wait.
func (s *Scheduler) MembersChanged() { s.dirty.Store(true) }

// Stats returns what was done so far.
func (s *Scheduler) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.Entries = len(s.entries)
	return st
}

// adoptLocked takes the members over when they have changed and this probe knows
// them.
func (s *Scheduler) adoptLocked() {
	if !s.dirty.Swap(false) {
		return
	}
	if !s.opt.Settled() {
		s.dirty.Store(true)
		return
	}
	s.settled = true
	members := slices.Clone(s.opt.Members())
	slices.Sort(members)
	if members = slices.Compact(members); !slices.Equal(members, s.members) {
		s.members = members
		s.opt.Logger.Info("probes of the region settled", "members", len(members))
	}
}

func (s *Scheduler) phaseLocked(e *entry) time.Duration {
	every := e.Target.Every
	return (Phase(e.Entry, s.opt.Self, s.members) + every - s.opt.Ahead()%every) % every
}

// Run starts runs until ctx ends, and returns nil when the last of them has
// ended. A scheduler runs once.
func (s *Scheduler) Run(ctx context.Context) error {
	var runs sync.WaitGroup
	defer runs.Wait()
	for ctx.Err() == nil {
		due, wait := s.due(time.Now())
		for _, e := range due {
			runs.Go(func() { s.do(ctx, e) })
		}
		select {
		case <-ctx.Done():
		case <-s.wake:
		case r := <-s.extra:
			runs.Go(func() { s.do(ctx, r) })
		case <-time.After(wait):
		}
	}
	return nil
}

// due plans the next runs of all entries whose time has come, and returns those
// that begin now and how long to wait for the next one.
func (s *Scheduler) due(now time.Time) (runs []Run, wait time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rewindLocked(now)
	for len(s.queue) > 0 && !s.queue[0].due.After(now) {
		e := s.queue[0]
		s.adoptLocked()
		every, phase := e.Target.Every, s.phaseLocked(e)
		if late := now.Sub(e.due); late <= min(maxLate, every/2) {
			next := follow(e.due, every, phase)
			runs = append(runs, Run{Target: e.Target, Family: e.Family, Scheduled: e.due, Speaks: e.speak(next), Trigger: checks.Scheduled})
			e.last, e.due = e.due, next
		} else {
			s.stats.Missed += 1 + uint64(min(late, maxAsleep)/every)
			e.due = slot(now, every, phase)
		}
		heap.Fix(&s.queue, 0)
	}
	s.stats.Runs += uint64(len(runs))
	s.stats.Running += len(runs)
	wait = maxWait
	if len(s.queue) > 0 {
		wait = min(wait, s.queue[0].due.Sub(now))
	}
	return runs, wait
}

// rewindLocked plans anew when the clock was set back so far that an entry would
// wait longer than one interval and a half. It looks at all of them: what is far
// for a short interval can be near for the long one that comes first. While the
// clock goes on nothing gets further away, and nothing is looked at: of 10,000
// entries a thousand come up every second.
func (s *Scheduler) rewindLocked(now time.Time) {
	back := now.UnixNano() < s.seen
	s.seen = now.UnixNano()
	if !back {
		return
	}
	rewound := false
	for _, e := range s.queue {
		if e.due.Sub(now) > e.Target.Every*3/2 {
			e.due, rewound = slot(now, e.Target.Every, s.phaseLocked(e)), true
			e.spoken = time.Time{}
		}
	}
	if rewound {
		heap.Init(&s.queue)
	}
}
