package verdict

import (
	"cmp"
	"time"
)

// Parameters are the figures of the rule that may be set for a check. Zero is the
// default, which methods and simulation gave; see [Parameters.WithDefaults].
type Parameters struct {
	// Failures is K, how many results in a row must fail for a Down, 4 by default
	// and at least 2. While exactly two probes have a current result one fewer is
	// enough, but two. The first failing probe looks a second time in its own burst,
	// so that three probes give four results within one interval.
	Failures int
	// Good is how many good results in a row end a Down or a Slow, 3 by default.
	Good int
	// ShareOver and ShareRuns are the sample of which the share of failures is
	// taken: the results of that time or that many, whichever is longer; 10 min and
	// 60 by default.
	ShareOver time.Duration
	ShareRuns int
	// ShareBegins is what the Wilson lower bound of that share must exceed for
	// Intermittent, 0.05 by default, and ShareEnds what the share must fall under
	// for it to end, two fifths of ShareBegins by default.
	ShareBegins, ShareEnds float64
	// A series that goes down Falls times within FallsWithin is Intermittent until
	// it has not been down for Calm: 3, an hour and 30 min by default.
	Falls             int
	FallsWithin, Calm time.Duration
	// Slow is what takes longer than SlowTimes the usual time and SlowMore more than
	// that: 3 and 500 ms by default.
	SlowTimes float64
	SlowMore  time.Duration
	// SlowOver is what is slow whatever is usual. Zero is no such limit.
	SlowOver time.Duration
}

// WithDefaults returns the parameters with everything filled in that was left
// zero and has a default.
func (p Parameters) WithDefaults() Parameters {
	begins := cmp.Or(p.ShareBegins, 0.05)
	return Parameters{
		Failures:    cmp.Or(p.Failures, 4),
		Good:        cmp.Or(p.Good, 3),
		ShareOver:   cmp.Or(p.ShareOver, 10*time.Minute),
		ShareRuns:   cmp.Or(p.ShareRuns, 60),
		ShareBegins: begins,
		ShareEnds:   cmp.Or(p.ShareEnds, begins*2/5),
		Falls:       cmp.Or(p.Falls, 3),
		FallsWithin: cmp.Or(p.FallsWithin, time.Hour),
		Calm:        cmp.Or(p.Calm, 30*time.Minute),
		SlowTimes:   cmp.Or(p.SlowTimes, 3),
		SlowMore:    cmp.Or(p.SlowMore, 500*time.Millisecond),
		SlowOver:    p.SlowOver,
	}
}

// The largest parameters for which a judge keeps what it needs.
const (
	// MaxRun bounds Failures and Good.
	MaxRun = 20
	// MaxFalls bounds Falls.
	MaxFalls = 20
	// MaxShareRuns bounds ShareRuns, MaxShareOver bounds ShareOver: of more results
	// than 2048 in that time the share is taken of the last of them.
	MaxShareRuns = 1000
	MaxShareOver = 24 * time.Hour
)

// withDefaults fills in the parameters of the rule.
func (r Rule) withDefaults() Rule {
	r.Parameters = r.WithDefaults()
	return r
}

// run is the number of failures that make a Down, the number of probes that
// they and the good results must come from, and for how many intervals results
// of a run count, while n probes have a current result: as long as a run of
// scheduled results takes.
func (r Rule) run(n int) (failures, probes int, intervals time.Duration) {
	n = max(n, 1)
	failures, probes = r.Failures, min(n, 2)
	if n == 2 {
		failures = max(failures-1, 2)
	}
	longest := max(failures, r.Good)
	return failures, probes, max(currentFor, time.Duration((longest+n-1)/n))
}

// keep is for how many intervals any part of the rule may look at a result: the
// fewer probes are enough, the longer a run takes.
func (r Rule) keep() (intervals time.Duration) {
	_, _, intervals = r.run(r.MinProbes)
	return intervals
}
