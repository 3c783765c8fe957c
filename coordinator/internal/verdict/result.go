package verdict

import (
	"cmp"
	"time"

	"varde/checks"
)

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
	// Elapsed is how long the run took.
	Elapsed time.Duration
	// Scheduled says that the run came from the clock. Those that look again after
	// a failure are no sample: they count for Down and for nothing that is a share.
	Scheduled bool
	// Login says that the run came as far as to show its password.
	Login bool
	// Class says how it failed; it is quoted in the reason of a Down. Late says
	// that the answer came too late, or has not come yet, and nothing else.
	Class checks.Class
	// Phase is where it failed; of a good run the phase that took longest.
	Phase checks.Phase
	// Network is that of the address that was dialled, empty where none was found.
	Network string
}

// ResultOf returns the result of an observation whose times are corrected
// already. Runs that a person asked for are not judged: ok is false.
func ResultOf(o checks.Observation) (r Result, ok bool) {
	r = Result{
		Probe: o.Probe, Epoch: o.Epoch, Seq: o.Seq,
		Started: o.Started, Ended: o.End(), Every: min(max(o.Every, 0), checks.MaxEvery), Outcome: o.Outcome, Class: o.Class,
		Elapsed: min(max(o.Elapsed, 0), checks.MaxEvery), Scheduled: o.Trigger == checks.Scheduled, Phase: o.FailedPhase, Network: o.Network(),
	}
	var longest time.Duration
	for _, t := range o.Phases {
		r.Login = r.Login || t.Name == checks.Auth
		if r.good() && t.Duration > longest {
			r.Phase, longest = t.Name, t.Duration
		}
	}
	return r, o.Trigger != checks.Manual
}

// refused says that the server did not take the password.
func (r *Result) refused() bool { return r.Login && r.Class == checks.AuthRejected }

// votes says whether the result claims anything.
func (r *Result) votes() bool { return r.Outcome != checks.Unknown }

// failed says whether the vote is not good, broken whether it is more than late:
// mail that takes long is no mail that cannot be sent.
func (r *Result) failed() bool { return r.Outcome == checks.Down }

func (r *Result) broken() bool { return r.failed() && r.Class != checks.Late }

func (r *Result) good() bool { return r.Outcome == checks.Up }

// passable says whether the vote is good or only late.
func (r *Result) passable() bool { return r.votes() && !r.broken() }

// how is in what way a run failed.
type how struct {
	class   checks.Class
	phase   checks.Phase
	network string
}

func (r *Result) how() how { return how{r.Class, r.Phase, r.Network} }

// Compare orders results by end, then by probe, epoch and sequence number, so
// that equal times cannot make an answer depend on the order of arrival.
func (r Result) Compare(o Result) int { return compare(&r, &o) }

func compare(r, o *Result) int {
	if c := r.Ended.Compare(o.Ended); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(r.Probe, o.Probe), cmp.Compare(r.Epoch, o.Epoch), cmp.Compare(r.Seq, o.Seq))
}
