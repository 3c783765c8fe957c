package verdict

import (
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
)

// The numbers of the window in which partial loss is found.
const (
	// The window is shareOver or shareRuns results, whichever is longer.
	shareOver = 10 * time.Minute
	shareRuns = 60
	// lossBegins is what the lower end of the interval of the share must exceed,
	// lossEnds what the share must fall under.
	lossBegins, lossEnds = 0.05, 0.02
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
	// class is how it failed.
	class checks.Class
}

// try takes a scheduled vote into the sample, but no failure of a Down: there would
// be no room for what was before it, on which it depends whether more than that
// Down is wrong.
func (j *Judge) try(r *Result) {
	if j.base == Down && r.broken() {
		return
	}
	i := len(j.trials)
	for i > 0 && j.trials[i-1].ended.After(r.Ended) {
		i--
	}
	t := trial{ended: r.Ended, probe: r.Probe}
	if r.broken() { // mail that is late is none
		t.failed, t.class = true, r.Class
	}
	j.trials = slices.Insert(j.trials, i, t)
	old := 0
	for n := len(j.trials); n-old > shareRuns && (n-old > maxTrials || j.clock.Sub(j.trials[old].ended) > keepOver); {
		old++
	}
	j.trials = j.trials[old:]
}

// sample is the part of the trials of which the share is taken now.
func (j *Judge) sample() []trial {
	i := max(0, len(j.trials)-shareRuns)
	for i > 0 && j.clock.Sub(j.trials[i-1].ended) <= shareOver {
		i--
	}
	return j.trials[i:]
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
	class               checks.Class
}

func lossIn(sample []trial) loss {
	l := loss{runs: len(sample)}
	if l.runs > 0 {
		l.over = sample[l.runs-1].ended.Sub(sample[0].ended)
	}
	each := make(map[string]int, 8)
	var failures []checks.Class
	for _, t := range sample {
		n := each[t.probe]
		if t.failed {
			l.failed++
			failures = append(failures, t.class)
			if n++; n == 1 {
				l.failing++
			} else if n == failuresEach {
				l.often++
			}
		}
		each[t.probe] = n
	}
	l.all, l.class = len(each), commonest(failures)
	return l
}

func (l loss) share() float64 { return float64(l.failed) / float64(max(l.runs, 1)) }

// isLossy says whether the failures are more than a few by chance, and seen by at
// least the given number of probes.
func (l loss) isLossy(probes int) bool {
	low, _ := availability.Wilson(l.share(), float64(l.runs), z99)
	return l.often >= probes && low > lossBegins
}

// weighLoss looks whether too many runs fail, or no longer, after the vote r. While
// the series is down that is not asked: its failures say no more than that. A
// failure begins no loss, since it may belong to a Down that is on its way.
func (j *Judge) weighLoss(r *Result, probes int) {
	if j.base == Down {
		return
	}
	sample := j.sample()
	failed := count(sample, trial.isFailed)
	switch {
	case j.lossy.on() && float64(failed) < lossEnds*float64(max(1, len(sample))):
		j.lift(&j.lossy, shareReason(lossIn(sample)))
	case !j.lossy.on() && !r.broken() && failed >= failuresEach:
		if l := lossIn(sample); l.isLossy(probes) {
			j.lossy = mark{onset(sample), lossReason(l)}
		}
	}
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
