package verdict

import (
	"cmp"
	"math/bits"
	"slices"
	"time"

	"varde/checks"
)

// The numbers by which a series is slow.
const (
	// recentRuns is of how many good runs the median is taken.
	recentRuns = 10
	// A baseline is ready after usualRuns good runs, or after usualOver if there
	// are recentRuns.
	usualRuns = 500
	usualOver = 24 * time.Hour
	// usualHours is how many hours it reaches back, of those in which something
	// was learnt.
	usualHours = 24
	// newUsual is after how long what is slow is the usual.
	newUsual = 7 * 24 * time.Hour
)

// run is how long one good run took, and which phase of it the longest.
type run struct {
	ended time.Time
	took  time.Duration
	phase checks.Phase
}

// usual is how long good runs take when all is well: the median of the medians of
// the last hours. It is made of few numbers, each of which one result more or less
// hardly ever moves: a late result must not make every later hour another.
type usual struct {
	// ready says that the baseline may be used; until then learnt is of how many
	// runs it was made, and began when.
	ready  bool
	learnt int
	began  time.Time
	// open are the runs of the hour that began at hour, closed the medians of the
	// hours before it, as bins, and typical the median of those.
	hour    time.Time
	open    []tally
	closed  []int
	typical int
}

// tally is how many runs fell into one bin.
type tally struct{ bin, n int }

// learn takes one run at the given time.
func (u *usual) learn(at time.Time, took time.Duration) {
	if len(u.open) == 0 {
		u.hour = at.Truncate(time.Hour)
	}
	bin := binOf(took)
	i, found := slices.BinarySearchFunc(u.open, bin, func(t tally, bin int) int { return cmp.Compare(t.bin, bin) })
	if !found {
		u.open = slices.Insert(u.open, i, tally{bin: bin})
	}
	u.open[i].n++
	if u.ready {
		return
	}
	if u.learnt++; u.learnt == 1 {
		u.began = at
	}
	if u.learnt >= usualRuns || u.learnt >= recentRuns && at.Sub(u.began) >= usualOver {
		u.ready, u.learnt, u.began = true, 0, time.Time{}
	}
}

// turn closes the hour under way if it is over.
func (u *usual) turn(at time.Time) {
	if len(u.open) == 0 || at.Sub(u.hour) < time.Hour {
		return
	}
	u.closed = append(u.closed, middle(u.open))
	u.closed = u.closed[max(0, len(u.closed)-usualHours):]
	u.open, u.hour = nil, time.Time{}
	u.sum()
}

// sum takes the median of the hours that are closed.
func (u *usual) sum() {
	sorted := slices.Clone(u.closed)
	slices.Sort(sorted)
	u.typical = 0
	if len(sorted) > 0 {
		u.typical = sorted[len(sorted)/2]
	}
}

// middle is the bin of the median.
func middle(open []tally) int {
	n := 0
	for _, t := range open {
		n += t.n
	}
	below := 0
	for _, t := range open {
		if below += t.n; 2*below > n {
			return t.bin
		}
	}
	return 0
}

// median is the usual time of a run, within 3 %; ok is false where that is not
// known yet.
func (u *usual) median() (d time.Duration, ok bool) {
	if len(u.closed) == 0 {
		return timeOf(middle(u.open)), u.ready
	}
	return timeOf(u.typical), u.ready
}

// clone returns a baseline that shares nothing with u.
func (u *usual) clone() usual {
	c := *u
	c.open, c.closed = slices.Clone(u.open), slices.Clone(u.closed)
	return c
}

// binOf is the bin of a duration: sixteen of them for every doubling, from 16 ms
// on, one a millisecond below. Whole numbers are the same on every machine.
func binOf(d time.Duration) int {
	ms := uint64(max(d, 0) / time.Millisecond)
	e := max(bits.Len64(ms)-5, 0)
	return e<<4 + int(ms>>e)
}

// timeOf is the lower end of a bin.
func timeOf(bin int) time.Duration {
	e := max(bin>>4-1, 0)
	return time.Duration(bin-e<<4) << e * time.Millisecond
}

// limit is what the median of good runs is compared with: it is slow above most,
// and no longer at least.
type limit struct {
	most, least time.Duration
	// usual is what is usual, zero where that is not known. Relative says that most
	// was made of it and is no limit of the check.
	usual    time.Duration
	relative bool
}

// limit is that of a rule; ok is false where there is none yet.
func (u *usual) limit(rule Rule) (l limit, ok bool) {
	if as, known := u.median(); known {
		l = limit{usual: as, relative: true, most: max(time.Duration(rule.SlowTimes*float64(as)), as+rule.SlowMore)}
	}
	if rule.SlowOver > 0 && (!l.relative || rule.SlowOver < l.most) {
		l.most, l.relative = rule.SlowOver, false
	}
	l.least = l.most * 3 / 4
	return l, l.most > 0
}

// weighPace looks whether good runs take longer than usual, or no longer, after
// one that took so long.
func (j *Judge) weighPace(rule Rule, r *Result) {
	if len(j.recent) == recentRuns {
		j.recent = slices.Delete(j.recent, 0, 1)
	}
	j.recent = append(j.recent, run{r.Ended, r.Elapsed, r.Phase})
	if l, ok := j.usual.limit(rule); ok && len(j.recent) == recentRuns {
		j.drag(rule, l, j.pace())
	}
	if j.State() == Up {
		j.usual.learn(j.clock, r.Elapsed)
	}
}

// drag compares the median of the last good runs with its limit.
func (j *Judge) drag(rule Rule, l limit, now time.Duration) {
	switch lasts := j.clock.Sub(j.dragging.since); {
	case !j.dragging.on():
		if now > l.most {
			i := slices.IndexFunc(j.recent, func(r run) bool { return r.took > l.most })
			j.dragging = mark{j.recent[i].ended, paceReason(now, l), byPace(rule, l, now, j.recent)}
		}
	case lasts >= newUsual && l.relative && (rule.SlowOver == 0 || now <= rule.SlowOver):
		j.usual = usual{}
		j.lift(&j.dragging, usualReason, after("time that slow", lasts, newUsual))
	case now <= l.least:
		j.lift(&j.dragging, paceReason(now, l), underPace(l, now))
	}
}

// pace is the median of the last good runs, of the two in the middle the faster.
func (j *Judge) pace() time.Duration {
	took := make([]time.Duration, 0, recentRuns)
	for _, r := range j.recent {
		took = append(took, r.took)
	}
	slices.Sort(took)
	return took[(len(took)-1)/2]
}
