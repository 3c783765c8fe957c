package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// Source is a recording.
type Source interface {
	// Read calls fn with the observations in order of arrival, one at a time, until fn
	// returns an error. Of each fn keeps nothing but texts. Every call gives the same.
	// None speaks for longer than the policy says: checks.MaxEvery stands for that.
	Read(ctx context.Context, fn func(*checks.Observation) error) error
}

// Options of a replay.
type Options struct {
	// Source is what was recorded. Required.
	Source Source
	// Policies are what it is judged by, side by side. At least one.
	Policies []Policy
	// Shards is how many goroutines judge, as many as there are processors if zero.
	Shards int
	// patience and aside are how many items wait in a shard, and how many late ones it
	// holds in memory, parcel how many are given to it at a time, for tests.
	patience, aside, parcel int
}

// Read is what was read.
type Read struct {
	// Observations counts the lines, or records, as they stand there.
	Observations int
	// From is the start of the earliest run, To the largest end: the clock in the end.
	From, To time.Time
	// Again says that so much came so late that it was read twice.
	Again bool
}

// Run judges a recording by each policy. If it cannot be read to its end, nothing was
// judged.
func Run(ctx context.Context, o Options) ([]Outcome, Read, error) {
	if o.Source == nil || len(o.Policies) == 0 {
		return nil, Read{}, errors.New("replay: Source and Policies are required")
	}
	r := newRun(o)
	err := r.pass(ctx, true)
	if err == nil && r.unfinished() {
		err = r.repeat(ctx)
	}
	for _, s := range r.shards {
		err = errors.Join(err, s.aside.close())
	}
	if err != nil {
		return nil, Read{}, err
	}
	return r.outcomes(), r.read, nil
}

// run is one replay under way.
type run struct {
	o       Options
	rules   []verdict.Rules
	shards  []*shard
	courses map[verdict.Series]place
	read    Read
}

// place is where a series is judged.
type place struct {
	shard  int
	course *course
}

func newRun(o Options) *run {
	r := &run{o: o, courses: make(map[verdict.Series]place)}
	for _, p := range o.Policies {
		r.rules = append(r.rules, p.Fleet.Rules())
	}
	n := o.Shards
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	for range n {
		s := newShard(r.rules)
		s.patience, s.aside.most = cmp.Or(o.patience, patience), cmp.Or(o.aside, maxAside)
		r.shards = append(r.shards, s)
	}
	return r
}

// unfinished says that so much came so late that the recording must be read again.
func (r *run) unfinished() bool {
	return slices.ContainsFunc(r.shards, (*shard).unfinished)
}

// repeat reads the recording again, for the shards in which something came too late.
func (r *run) repeat(ctx context.Context) error {
	for _, s := range r.shards {
		if s.unfinished() {
			s.rewind()
		}
	}
	return r.pass(ctx, false)
}

// pass reads the recording once.
func (r *run) pass(ctx context.Context, first bool) error {
	g, ctx := errgroup.WithContext(ctx)
	d := newDealer(r, !first)
	for k, s := range r.shards {
		g.Go(func() error { return d.hands[k].judge(s) })
	}
	g.Go(func() error { return d.deal(ctx) })
	if err := g.Wait(); err != nil {
		return err
	}
	got := d.read
	if !first && (got.Observations != r.read.Observations || !got.To.Equal(r.read.To)) {
		return fmt.Errorf("the recording changed while it was read: got %d observations, then %d", r.read.Observations, got.Observations)
	}
	r.read = got
	return r.end(first)
}

// end judges what is left in the shards that took part in a pass.
func (r *run) end(first bool) error {
	_, until := r.window()
	var g errgroup.Group
	for _, s := range r.shards {
		if first || s.again {
			g.Go(func() error { return s.end(r.read.To, until) })
		}
	}
	return g.Wait()
}

// window is the time that availability is counted over, in whole minutes.
func (r *run) window() (from, until time.Time) {
	from = r.read.From
	for _, p := range r.courses {
		if due := p.course.due; !due.IsZero() && due.Before(from) {
			from = due
		}
	}
	until = r.read.To.Truncate(time.Minute)
	if until.Before(r.read.To) {
		until = until.Add(time.Minute)
	}
	return from.Truncate(time.Minute), until
}

// place finds the shard of a series; a new one goes to the next in turn.
func (r *run) place(s verdict.Series) place {
	p, ok := r.courses[s]
	if !ok {
		shard := len(r.courses) % len(r.shards)
		p = place{shard, newCourse(s, len(r.courses)/len(r.shards), r.o.Policies, r.rules)}
		r.courses[s] = p
		r.shards[shard].courses = append(r.shards[shard].courses, p.course)
	}
	return p
}
