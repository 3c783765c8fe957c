package verdict

import (
	"slices"
	"time"

	"varde/coordinator/internal/availability"
)

// The numbers of the window in which partial loss is found.
const (
	// z99 is the two-sided 99 % quantile of the normal distribution.
	z99 = 2.58
	// failuresEach is how often each of several probes must have failed: what one
	// of them sees alone is its own.
	failuresEach = 3
	// keepOver is how long results are kept at least, which is long enough to see
	// that a probe was alone for strayFor.
	keepOver = strayFor + 2*time.Minute
	// maxTrials bounds what is kept, in results: with more than that in 10 min the
	// share is known well enough from the last of them.
	maxTrials = 2048
)

// trial is a scheduled result that was up or down: one of the sample of which
// shares are taken.
type trial struct {
	ended  time.Time
	probe  string
	failed bool
	// how is in what way it failed, nil where it did not.
	how *how
}

// try takes a scheduled vote into the sample, but no failure of a Down: there would
// be no room for what was before it, on which it depends whether more than that
// Down is wrong.
func (j *Judge) try(rule Rule, r *Result) {
	if j.base == Down && r.broken() {
		return
	}
	i := len(j.trials)
	for i > 0 && j.trials[i-1].ended.After(r.Ended) {
		i--
	}
	t := trial{ended: r.Ended, probe: r.Probe}
	if r.broken() { // mail that is late is none
		how := r.how()
		t.failed, t.how = true, &how
	}
	j.trials = slices.Insert(j.trials, i, t)
	old, keep := 0, max(keepOver, rule.ShareOver)
	for n := len(j.trials); n-old > rule.ShareRuns && (n-old > maxTrials || j.clock.Sub(j.trials[old].ended) > keep); {
		old++
	}
	j.trials = slices.Delete(j.trials, 0, old)
}

// sample is the part of the trials of which the share is taken now.
func (j *Judge) sample(rule Rule) []trial {
	runs := max(0, len(j.trials)-rule.ShareRuns)
	from, _ := slices.BinarySearchFunc(j.trials[:runs], j.clock.Add(-rule.ShareOver), func(t trial, at time.Time) int {
		return t.ended.Compare(at)
	})
	return j.trials[from:]
}

// excuse takes the failures since the given time out of the sample: they were
// told as Down.
func (j *Judge) excuse(since time.Time) {
	j.trials = slices.DeleteFunc(j.trials, func(t trial) bool { return t.failed && !t.ended.Before(since) })
}

// loss is what a sample says of the failures in it.
type loss struct {
	failed, runs int
	// over is the time from the first to the last run.
	over time.Duration
	// all are the probes that looked, failing those that ever failed, and often
	// those that did so often enough to count.
	all, failing, often int
	failures            []how
}

func lossIn(sample []trial) loss {
	l := loss{runs: len(sample)}
	if l.runs > 0 {
		l.over = sample[l.runs-1].ended.Sub(sample[0].ended)
	}
	each := make(map[string]int, 8)
	for _, t := range sample {
		n := each[t.probe]
		if t.failed {
			l.failed++
			l.failures = append(l.failures, *t.how)
			if n++; n == 1 {
				l.failing++
			} else if n == failuresEach {
				l.often++
			}
		}
		each[t.probe] = n
	}
	l.all = len(each)
	return l
}

func (l loss) share() float64 { return float64(l.failed) / float64(max(l.runs, 1)) }

// low is the lower end of the interval of the share.
func (l loss) low() float64 {
	low, _ := availability.Wilson(l.share(), float64(l.runs), z99)
	return low
}

// isLossy says whether the failures are more than a few by chance, and seen by at
// least the given number of probes.
func (l loss) isLossy(rule Rule, probes int) bool {
	return l.often >= probes && l.low() > rule.ShareBegins
}

// weighLoss looks whether too many runs fail, or no longer, after the vote r. While
// the series is down that is not asked: its failures say no more than that. A
// failure begins no loss, since it may belong to a Down that is on its way.
func (j *Judge) weighLoss(rule Rule, r *Result) {
	if j.base == Down || r.broken() && !j.lossy.on() {
		return
	}
	sample := j.sample(rule)
	failed := failures(sample)
	switch {
	case j.lossy.on() && float64(failed) < rule.ShareEnds*float64(max(1, len(sample))):
		l := lossIn(sample)
		j.lift(&j.lossy, shareReason(l), l.overShare(rule))
	case !j.lossy.on() && failed >= failuresEach:
		// While they cannot tell, the others are not well.
		_, probes, _ := rule.run(max(len(j.latest(rule, j.clock)), rule.MinProbes))
		if l := lossIn(sample); l.isLossy(rule, probes) {
			j.lossy = mark{onset(sample), lossReason(l), l.byShare(rule, probes)}
		}
	}
}

func failures(sample []trial) (n int) {
	for i := range sample {
		if sample[i].failed {
			n++
		}
	}
	return n
}

// onset is the failure with which a loss began: that at which the sum of the
// evidence for a fifth of the runs failing, against one in a hundred, last left
// zero (CUSUM).
func onset(sample []trial) time.Time {
	const failure, success = 3.0, -0.213 // ln(0.2/0.01), ln(0.8/0.99)
	var sum float64
	var at time.Time
	for _, t := range sample {
		if !t.failed {
			sum = max(0, sum+success)
			continue
		}
		if sum == 0 {
			at = t.ended
		}
		sum += failure
	}
	return at
}
