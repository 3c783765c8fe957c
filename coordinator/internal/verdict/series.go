package verdict

import (
	"cmp"
	"fmt"
	"strings"
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

// ParseSeries reads what [Series.String] writes.
func ParseSeries(text string) (Series, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return Series{}, fmt.Errorf("series: got %.200q, expected CHECK/REGION/FAMILY", text)
	}
	s := Series{Check: parts[0], Region: parts[1]}
	if err := s.Family.UnmarshalText([]byte(parts[2])); err != nil {
		return Series{}, fmt.Errorf("series: got %.200q: %w", text, err)
	}
	return s, nil
}

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
	Parameters
}

// The numbers of the rule that cannot be set.
const (
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
func (r *Rule) expiry(of *Result, intervals time.Duration) time.Time {
	return of.Ended.Add(intervals * cmp.Or(of.Every, r.Interval))
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
	// Evidence is what the change rests on.
	Evidence Evidence
}

// Counts are the probes that a verdict rests on: by their latest current vote,
// and those that reported but could not tell.
type Counts struct {
	Up      int `json:"up"`
	Down    int `json:"down"`
	Unknown int `json:"unknown"`
}
