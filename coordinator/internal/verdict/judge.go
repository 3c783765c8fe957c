package verdict

import (
	"slices"
	"time"
)

// Judge judges one series. The zero value has seen nothing and says Unknown. A
// Judge is a value: a copy made with Clone goes its own way.
type Judge struct {
	// base is what the last few results say: Unknown, Up, Down, or Slow where
	// mail is late; ground says since when and why.
	base   State
	ground mark
	// Beside it too many runs may fail, the series may have gone down too often,
	// and runs may take longer than usual.
	lossy, flapping, dragging mark
	// clock is the largest time that the judge was told of, heard that at which a
	// vote last came.
	clock, heard time.Time
	// failing is the start of the first failure of the run under way, which may
	// be older than the window; zero when the last vote was good. broken is the
	// same of failures that are not late mail: late mail ends that run.
	failing, broken time.Time
	// window are the results that can still matter for base, in order, Unknown
	// included.
	window []Result
	// streaks are since when the probes that fail now do so, by name.
	streaks []streak
	// trials are the sample of which shares are taken, in order.
	trials []trial
	// falls are when the series went down lately, fell since when it is down, as
	// far as is known, and rose when it last was no longer, while it is flapping.
	falls      []time.Time
	fell, rose time.Time
	// recent are the last good runs, usual is how long those take.
	recent []run
	usual  usual
	// admitted is when a login last succeeded.
	admitted time.Time
}

// State is the verdict now.
func (j *Judge) State() State {
	s, _ := j.stands()
	return s
}

// Since is when the state began; zero before the first change.
func (j *Judge) Since() time.Time {
	_, m := j.stands()
	return m.since
}

// Reason is why the state is what it is: what is missing at the given time where
// that is Unknown, which may be something else than at first.
func (j *Judge) Reason(rule Rule, at time.Time) string {
	s, m := j.stands()
	if s != Unknown {
		return m.reason
	}
	return j.lacking(rule, at).reason
}

// Evidence is what the state rests on: what began it, and what each probe says at
// the given time. Where the state is Unknown it is what is missing at that time.
func (j *Judge) Evidence(rule Rule, at time.Time) Evidence {
	s, m := j.stands()
	e := m.evidence
	if s == Unknown {
		e = j.lacking(rule, at).evidence
	}
	e.Probes = j.witnesses(rule.withDefaults(), at)
	return e
}

// Loss is how many of the scheduled runs failed of which the share is taken for
// Intermittent.
func (j *Judge) Loss(rule Rule) (failed, runs int) {
	l := lossIn(j.sample(rule.withDefaults()))
	return l.failed, l.runs
}

// lacking is what keeps the judge from knowing.
func (j *Judge) lacking(rule Rule, at time.Time) mark {
	voters := j.latest(rule, at)
	vague := j.vague(rule, at, voters)
	return mark{at, quorumReason(rule, len(voters), vague), byQuorum(rule, len(voters), vague)}
}

// Clone returns a judge that shares nothing with j.
func (j *Judge) Clone() Judge {
	c := *j
	c.window, c.trials, c.usual = slices.Clone(j.window), slices.Clone(j.trials), j.usual.clone()
	c.falls, c.recent, c.streaks = slices.Clone(j.falls), slices.Clone(j.recent), slices.Clone(j.streaks)
	return c
}

// Idle says that j knows nothing a new judge would not know: it is Unknown, no
// result counts any longer, and nothing was learnt lately.
func (j *Judge) Idle() bool { return j.base == Unknown && len(j.window) == 0 && j.heard.IsZero() }

// Observe takes one result at the time at, which is moved forward to the
// largest time seen so far if it is before that. It returns the changes in order:
// a quorum that was lost before at, and what the result brings about. A result
// that is too old to count, or was seen before, changes nothing. Series is left
// empty in the changes.
func (j *Judge) Observe(rule Rule, at time.Time, r Result) []Change {
	rule = rule.withDefaults()
	changes := j.advance(rule, at)
	if !j.insert(rule, r) {
		return changes
	}
	was := j.State()
	j.heard = j.clock
	if r.Scheduled {
		j.try(rule, &r)
	}
	j.decide(rule)
	j.settle(rule)
	j.weighLoss(rule, &r)
	if r.Scheduled && r.good() && !rule.Limited {
		j.weighPace(rule, &r)
	}
	if j.State() != was {
		changes = append(changes, j.turned(rule, was, j.clock))
	}
	return changes
}

// Advance moves the clock to at; a time before it changes nothing. The one
// change that time can bring is the loss of the quorum, dated to its instant if
// that lies before at: a result still counts when it is exactly 2 intervals old.
func (j *Judge) Advance(rule Rule, at time.Time) []Change { return j.advance(rule.withDefaults(), at) }

func (j *Judge) advance(rule Rule, at time.Time) []Change {
	if at.Before(j.clock) {
		return nil
	}
	var changes []Change
	if lost, ok := j.Expiry(rule); ok && at.After(lost) {
		was := j.State()
		j.clock = later(lost, j.clock) // the rule may have become stricter since
		m := j.lacking(rule, j.clock.Add(1))
		m.since = j.clock
		j.set(rule, Unknown, m)
		changes = append(changes, j.turned(rule, was, j.clock.Add(1)))
	}
	j.clock = at
	j.prune(rule)
	j.usual.turn(at)
	j.forgetFalls(rule)
	j.forget()
	return changes
}

// usually is a number of probes that is hardly ever exceeded.
const usually = 16

// Expiry is the instant after which the quorum is lost if no further result
// comes; ok is false while the state is Unknown.
func (j *Judge) Expiry(rule Rule) (at time.Time, ok bool) {
	if j.base == Unknown {
		return time.Time{}, false
	}
	ends := make([]time.Time, 0, usually)
	var room [usually]*Result
	for _, r := range j.voters(room[:0], rule, j.clock) {
		ends = append(ends, rule.expiry(r, currentFor))
	}
	if len(ends) < rule.MinProbes {
		return j.clock, true
	}
	slices.SortFunc(ends, time.Time.Compare)
	return ends[len(ends)-rule.MinProbes], true
}
