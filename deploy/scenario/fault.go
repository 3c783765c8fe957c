package scenario

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"time"

	"varde/checks"
)

// Fault is something that goes wrong for a while.
type Fault struct {
	From Offset `yaml:"from"`
	To   Offset `yaml:"to"`
	// Regions, Probes, Checks and Families say who and what is hit; all of them
	// if not given. Checks are kinds here: a fault is one of servers, and all checks
	// of a kind ask the same.
	Regions  []string        `yaml:"regions"`
	Probes   []string        `yaml:"probes"`
	Checks   []string        `yaml:"checks"`
	Families []checks.Family `yaml:"families"`
	Effect   Effect          `yaml:"effect"`
	// Share is the share of runs that are hit, all if not given. An uplink fails for
	// that share of the time, and then for all that its probe does.
	Share float64 `yaml:"share"`
	// Pulse lets it come and go.
	Pulse Pulse `yaml:"pulse"`
	// Clock is by how much the clocks of probes are wrong.
	Clock Skew `yaml:"clock"`
	// Coordinator is "down" while there is none.
	Coordinator string `yaml:"coordinator"`
	// Partition lists groups of regions between which no probe reaches another;
	// regions that it does not name are one more.
	Partition [][]string `yaml:"partition"`
}

// Pulse is how something comes and goes: it lasts for a while, and comes again in
// every so long from its beginning on.
type Pulse struct {
	For   time.Duration `yaml:"for"`
	Every time.Duration `yaml:"every"`
}

// Skew is by how much a clock is ahead; it is behind where that is negative.
type Skew time.Duration

// UnmarshalText reads a duration with its sign, but not zero.
func (s *Skew) UnmarshalText(b []byte) error {
	d, err := time.ParseDuration(string(b))
	if err != nil || d == 0 {
		return errors.New("how far the clock is ahead such as 20s, or -20s for behind")
	}
	*s = Skew(d)
	return nil
}

// String writes the skew as time.Duration does.
func (s Skew) String() string { return time.Duration(s).String() }

// Hits says whether a fault hits the runs of a kind of check by a probe over a
// family while it lasts.
func (f Fault) Hits(probe, region, kind string, family checks.Family) bool {
	return f.HitsProbe(probe, region) && among(f.Checks, kind) && among(f.Families, family)
}

// HitsProbe says whether a fault hits anything of a probe while it lasts.
func (f Fault) HitsProbe(probe, region string) bool {
	return among(f.Regions, region) && among(f.Probes, probe)
}

// Whole says whether the fault hits every run that it can.
func (f Fault) Whole() bool { return f.Share == 0 || f.Share == 1 }

// Compare puts what shows earlier in a run first; it is 0 where neither does.
func (f Fault) Compare(other Fault) int { return cmp.Compare(f.Effect.layer(), other.Effect.layer()) }

// hit are the names of the probes of which a fault hits anything, in order.
func (s Scenario) hit(f Fault) []string {
	return slices.DeleteFunc(s.Names(), func(name string) bool {
		return !f.HitsProbe(name, name[:strings.LastIndexByte(name, '-')])
	})
}

// At says whether the fault lasts at a time after the start.
func (f Fault) At(d time.Duration) bool { return time.Duration(f.From) <= d && d < time.Duration(f.To) }
