package verdict

import (
	"cmp"
	"time"

	"varde/checks"
)

// Series names what is judged: one check over one family from one region.
type Series struct {
	Check  string        `json:"check"`
	Region string        `json:"region"`
	Family checks.Family `json:"family"`
}

// String returns "imap-login/eu-north/ipv4".
func (s Series) String() string { return s.Check + "/" + s.Region + "/" + s.Family.String() }

// Compare orders series by check, region and family.
func (s Series) Compare(o Series) int {
	return cmp.Or(cmp.Compare(s.Check, o.Check), cmp.Compare(s.Region, o.Region), cmp.Compare(s.Family, o.Family))
}

// Rule is what the judgement of a check depends on.
type Rule struct {
	// Interval is how often each probe looks, for results that do not say so
	// themselves; at least a nanosecond.
	Interval time.Duration
	// MinProbes is the quorum: with fewer probes that have a current result the
	// verdict is Unknown. At least 1.
	MinProbes int
}

// The numbers of the rule.
const (
	// goodRun is how many good results in a row end a Down or a Slow.
	goodRun = 3
	// badRun and badRunOfTwo are K, in general and while two probes have a
	// current result. The first failing probe looks a second time in its own
	// burst, so that three probes give four results within one interval.
	badRun, badRunOfTwo = 4, 3
	// currentFor is how many intervals a result counts after its end.
	currentFor = 2
	// maxWindow bounds what a judge keeps of one series, in results, against a
	// probe that sends without end. It is far above what confirmations give.
	maxWindow = 1024
)

// expiry is the instant until which a result counts, if it does so for the given
// number of its intervals: those that were in force when it was made.
func (r Rule) expiry(of *Result, intervals time.Duration) time.Time {
	return of.Ended.Add(intervals * cmp.Or(of.Every, r.Interval))
}

// keep is for how many intervals any part of the rule may look at a result.
func (r Rule) keep() (intervals time.Duration) {
	if r.MinProbes > 1 {
		return currentFor
	}
	return badRun // a single probe may be enough, and needs longer
}

// run is the number of failures that make a Down, the number of probes that
// they and the good results must come from, and for how many intervals results
// of a run count, while n probes have a current result.
func (r Rule) run(n int) (failures, probes int, intervals time.Duration) {
	switch n {
	case 1:
		return badRun, 1, r.keep()
	case 2:
		return badRunOfTwo, 2, currentFor
	}
	return badRun, 2, currentFor
}

// Result is what a judge needs of one observation. Times are corrected by the
// clock offset of the probe.
type Result struct {
	Probe, Epoch string
	Seq          uint64
	Started      time.Time
	// Ended is the time that results are ordered by.
	Ended time.Time
	// Every is the interval that was in force, zero for that of the rule. A result
	// is current by it, so that a changed interval judges nothing anew.
	Every   time.Duration
	Outcome checks.Outcome
	// Class says how it failed; it is quoted in the reason of a Down. Late says
	// that the answer came too late, or has not come yet, and nothing else.
	Class checks.Class
}

// ResultOf returns the result of an observation whose times are corrected
// already. Runs that a person asked for are not judged: ok is false.
func ResultOf(o checks.Observation) (r Result, ok bool) {
	return Result{
		Probe: o.Probe, Epoch: o.Epoch, Seq: o.Seq,
		Started: o.Started, Ended: o.End(), Every: min(max(o.Every, 0), checks.MaxEvery), Outcome: o.Outcome, Class: o.Class,
	}, o.Trigger != checks.Manual
}

// votes says whether the result claims anything.
func (r Result) votes() bool { return r.Outcome != checks.Unknown }

// failed says whether the vote is not good, broken whether it is more than late:
// mail that takes long is no mail that cannot be sent.
func (r Result) failed() bool { return r.Outcome == checks.Down }

func (r Result) broken() bool { return r.failed() && r.Class != checks.Late }

func (r Result) good() bool { return r.Outcome == checks.Up }

// passable says whether the vote is good or only late.
func (r Result) passable() bool { return r.votes() && !r.broken() }

// Compare orders results by end, then by probe, epoch and sequence number, so
// that equal times cannot make an answer depend on the order of arrival.
func (r Result) Compare(o Result) int {
	return cmp.Or(r.Ended.Compare(o.Ended), cmp.Compare(r.Probe, o.Probe),
		cmp.Compare(r.Epoch, o.Epoch), cmp.Compare(r.Seq, o.Seq))
}

// Change is the moment at which a series went from one state to another.
type Change struct {
	Series   Series
	From, To State
	// At is when it was judged: the time given with the deciding result (its end,
	// in a final judgement), or the instant at which the quorum was lost.
	At time.Time
	// Since is when the new state began: for Down and Slow the start of the first
	// failed run of those that led to it, otherwise At.
	Since time.Time
	// Reason is a few words for people.
	Reason string
	Counts Counts
}

// Counts are the probes that a verdict rests on: by their latest current vote,
// and those that reported but could not tell.
type Counts struct {
	Up      int `json:"up"`
	Down    int `json:"down"`
	Unknown int `json:"unknown"`
}
