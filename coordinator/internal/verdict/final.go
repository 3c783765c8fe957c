package verdict

import (
	"slices"
	"time"
)

// Final judges the results of one series as a set, from where the judge stands:
// it sorts them, drops doubles, takes each at its own end and then moves on to
// until (not if that is zero). It returns the judge afterwards and the changes in
// order; from and results are left as they are.
//
// The order and the number of copies of results change nothing, and judging a
// span in two parts gives what judging it at once gives, whatever the parts, if
// every result of the second ends at or after until of the first.
func Final(s Series, rule Rule, from Judge, results []Result, until time.Time) (Judge, []Change) {
	j := from.Clone()
	sorted := make([]*Result, len(results)) // a result is large
	for i := range results {
		sorted[i] = &results[i]
	}
	slices.SortFunc(sorted, compare)
	var changes []Change
	for _, r := range sorted {
		changes = append(changes, j.Observe(rule, r.Ended, *r)...)
	}
	if !until.IsZero() {
		changes = append(changes, j.Advance(rule, until)...)
	}
	return j, named(s, changes)
}

// Span is a stretch of time in one state.
type Span struct {
	Series Series
	State  State
	// From is included, To is not; a zero To is an open end.
	From, To time.Time
	// Since, Reason, Counts and Evidence are those of the change that began the
	// state.
	Since    time.Time
	Reason   string
	Counts   Counts
	Evidence Evidence
}

// Spans returns the states of one series from the time from on, without gap and
// without overlap, the last one open. The changes must be in order; state is what
// held at from, and changes up to from only decide what holds there.
func Spans(s Series, state State, from time.Time, changes []Change) []Span {
	open := Span{Series: s, State: state, From: from, Since: from}
	var out []Span
	for _, c := range changes {
		at := later(c.At, from)
		if at.After(open.From) {
			open.To = at
			out = append(out, open)
		}
		open = Span{Series: s, State: c.To, From: at, Since: c.Since, Reason: c.Reason, Counts: c.Counts, Evidence: c.Evidence}
	}
	return append(out, open)
}
