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
	// Limited says that the check has a limit of its own for what is late, as a
	// round trip has. It is then not compared with what is usual.
	Limited bool
}

// The numbers of the rule.
const (
	// goodRun is how many good results in a row end a Down or a Slow.
	goodRun = 3
	// badRun and badRunOfTwo are K, in general and while two probes have a
	// current result. The first failing probe looks a second time in its own
	// burst, so that three probes give four results within one interval.
	badRun, badRunOfTwo = 4, 3
	// wide is how many probes are enough for a Down or a Slow, however many there
	// are, if no other one has looked since.
	wide = 4
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

// Change is the moment at which a series went from one state to another.
type Change struct {
	Series   Series
	From, To State
	// At is when it was judged: the time given with the deciding result (its end,
	// in a final judgement), or the instant at which the quorum was lost.
	At time.Time
	// Since is when the new state began, which may be long before At: for Down and
	// for mail that is late the start of the first failed run of those that led to
	// it, for Intermittent the failure or the Down with which it began, for what
	// takes longer than usual the first run of the last ten that did; otherwise At.
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
