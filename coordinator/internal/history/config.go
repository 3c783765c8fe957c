package history

import (
	"cmp"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// Config is what the history needs to know of the fleet. It is never changed
// after it was handed over; a change is a new one.
type Config struct {
	// MinProbes is the quorum of a region, for checks that have none of their own.
	MinProbes int
	Regions   []Region
	Checks    []Check
	// Probes is the roster: every enrolled probe.
	Probes []Probe
}

// Region is a unit of verdicts with its share of users, in any unit.
type Region struct {
	ID     string
	Weight float64
}

// Check is one configured check.
type Check struct {
	ID, Service string
	// Depth is how far it goes into the service.
	Depth status.Depth
	// Every is the interval of each probe.
	Every time.Duration
	// Regions restricts the check; none means all.
	Regions []string
	// Families restricts the check; none means each that its name has.
	Families []checks.Family
	// Limited says that the check has a limit of its own for what is late.
	Limited bool
	// MinProbes is the quorum of the check, that of its region if zero.
	MinProbes int
	// Verdict are the parameters of its verdicts.
	Verdict verdict.Parameters
}

// Probe is one enrolled probe.
type Probe struct{ Name, Region string }

// Rules are the rules by which the checks are judged, by their ids.
func (c *Config) Rules() verdict.Rules {
	rules := make(verdict.Rules, len(c.Checks))
	for _, check := range c.Checks {
		rules[check.ID] = verdict.Rule{
			Interval: check.Every, MinProbes: c.quorum(check.ID), Limited: check.Limited, Parameters: check.Verdict,
		}
	}
	return rules
}

// quorum is how many probes a region needs for a verdict of the check.
func (c *Config) quorum(id string) int {
	k, _ := c.check(id)
	return max(cmp.Or(k.MinProbes, c.MinProbes), 1)
}

// probesIn is how many probes the roster has in the region.
func (c *Config) probesIn(region string) (n int) {
	for _, p := range c.Probes {
		if p.Region == region {
			n++
		}
	}
	return n
}

// looksFrom says whether the roster has the probe in the region; that no probe is named is
// true of every region.
func (c *Config) looksFrom(probe, region string) bool {
	return probe == "" || slices.Contains(c.Probes, Probe{probe, region})
}

func (c *Config) weight(region string) float64 {
	for _, r := range c.Regions {
		if r.ID == region {
			return r.Weight
		}
	}
	return 0
}

// check returns the check of the id; ok is false when it is not configured.
func (c *Config) check(id string) (k Check, ok bool) {
	for i := range c.Checks { // a check is large to hand to a function
		if c.Checks[i].ID == id {
			return c.Checks[i], true
		}
	}
	return Check{}, false
}

// asks returns the check of the id; ok is false when it is not configured, or when
// the roster has no such probe where it is to run.
func (c *Config) asks(id, probe string) (k Check, ok bool) {
	k, ok = c.check(id)
	return k, ok && slices.ContainsFunc(c.Probes, func(p Probe) bool {
		return p.Name == probe && k.in(p.Region)
	})
}

// Bounded returns the observation with its interval cut to the configured one:
// what a probe claims to speak for by one look must not be longer.
func (c *Config) Bounded(o checks.Observation) checks.Observation {
	if k, ok := c.check(o.Check); ok {
		o.Every = min(o.Every, k.Every)
	}
	return o
}

// knows says whether the series is of a configured check, or was observed before:
// a probe that names others must not fill the disk with them.
func (s *Store) knows(series verdict.Series) bool {
	_, known := s.series.find(series)
	if !known {
		_, known = s.options.Config().check(series.Check)
	}
	return known
}

// asked says the same of a check.
func (s *Store) asked(check string) bool {
	_, known := s.options.Config().check(check)
	return known || s.series.hasCheck(check)
}

func (c *Config) has(region string) bool {
	return slices.ContainsFunc(c.Regions, func(r Region) bool { return r.ID == region })
}

// Serves says whether a series counts for a service in its region: its check is one of
// the service that asks there, over that family. A series without family stands for
// a check of which nothing is known.
func (c *Config) Serves(service string, s verdict.Series) bool {
	return Query{Service: service, Region: s.Region}.wants(c, s)
}

// in says whether the check is made in the region.
func (k Check) in(region string) bool {
	return len(k.Regions) == 0 || slices.Contains(k.Regions, region)
}

// over says whether the check is made over the family.
func (k Check) over(family checks.Family) bool {
	return len(k.Families) == 0 || slices.Contains(k.Families, family)
}
