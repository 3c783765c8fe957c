package config

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"varde/checks"
	"varde/coordinator/internal/verdict"
)

// Check is one configured check: what the probes are told of it, and how the
// coordinator judges what they see.
type Check struct {
	checks.Target `yaml:",inline"`
	// Verdict are figures of the rule by which it is judged. No probe is told.
	Verdict Verdict `yaml:"verdict"`
}

// Verdict are the figures of the rule that may be set for a check. What is left out
// is the default; verdict.Parameters says what each does.
type Verdict struct {
	Failures int `yaml:"failures"`
	Good     int `yaml:"good"`
	// MinProbes is the quorum of the check, that of the configuration if not given.
	MinProbes   int           `yaml:"min_probes"`
	Share       Percent       `yaml:"share"`
	ShareEnds   Percent       `yaml:"share_ends"`
	ShareOver   time.Duration `yaml:"share_over"`
	ShareRuns   int           `yaml:"share_runs"`
	Falls       int           `yaml:"falls"`
	FallsWithin time.Duration `yaml:"falls_within"`
	Calm        time.Duration `yaml:"calm"`
	SlowTimes   float64       `yaml:"slow_times"`
	SlowMore    time.Duration `yaml:"slow_more"`
	SlowOver    time.Duration `yaml:"slow_over"`
}

// Parameters are the figures as the rule takes them.
func (v Verdict) Parameters() verdict.Parameters {
	return verdict.Parameters{
		Failures: v.Failures, Good: v.Good,
		ShareOver: v.ShareOver, ShareRuns: v.ShareRuns, ShareBegins: v.Share.share(), ShareEnds: v.ShareEnds.share(),
		Falls: v.Falls, FallsWithin: v.FallsWithin, Calm: v.Calm,
		SlowTimes: v.SlowTimes, SlowMore: v.SlowMore, SlowOver: v.SlowOver,
	}
}

// Percent is a share in percent, written "10%".
type Percent float64

// UnmarshalText reads "10%" or "2.5%". The error says what is expected.
func (p *Percent) UnmarshalText(b []byte) error {
	digits, ok := strings.CutSuffix(string(b), "%")
	f, err := strconv.ParseFloat(digits, 64)
	if !ok || err != nil || !(f > 0 && f < 100) {
		return errors.New("a share such as 5%")
	}
	*p = Percent(f)
	return nil
}

// String writes it as it is read.
func (p Percent) String() string { return strconv.FormatFloat(float64(p), 'g', -1, 64) + "%" }

func (p Percent) share() float64 { return float64(p) / 100 }

// Targets are the checks as probes are told of them.
func (c Config) Targets() []checks.Target {
	return collect(c.Checks, func(k Check) checks.Target { return k.Target })
}

// Limits of the figures of a rule, those of what a judge keeps beside.
const (
	minFailures  = 2
	minFalls     = 2
	minShareRuns = 10
	minOver      = time.Minute
	minWithin    = 10 * time.Minute
	maxWithin    = 24 * time.Hour
	minSlow      = time.Millisecond
	maxTimes     = 100
)

// verdict finds what is wrong with the figures of a check.
func (v *validator) verdict(at string, k Check) {
	r := k.Verdict
	v.whole(at+".failures", r.Failures, minFailures, verdict.MaxRun)
	v.whole(at+".good", r.Good, 1, verdict.MaxRun)
	v.whole(at+".min_probes", r.MinProbes, 1, maxMinProbes)
	v.whole(at+".share_runs", r.ShareRuns, minShareRuns, verdict.MaxShareRuns)
	v.whole(at+".falls", r.Falls, minFalls, verdict.MaxFalls)
	v.time(at+".share_over", r.ShareOver, minOver, verdict.MaxShareOver)
	v.time(at+".falls_within", r.FallsWithin, minWithin, maxWithin)
	v.time(at+".calm", r.Calm, minOver, maxWithin)
	if begins := r.Parameters().WithDefaults().ShareBegins; r.ShareEnds.share() >= begins {
		v.add(at+".share_ends", "got %s, expected less than %s, at which it begins", r.ShareEnds, Percent(100*begins))
	}
	v.slow(at, k)
}

// slow finds what is wrong with what a check takes for slow.
func (v *validator) slow(at string, k Check) {
	r := k.Verdict
	if k.Kind == checks.RoundTrip {
		for _, x := range []struct {
			key string
			set bool
		}{{"slow_times", r.SlowTimes != 0}, {"slow_more", r.SlowMore != 0}, {"slow_over", r.SlowOver != 0}} {
			if x.set {
				v.add(at+"."+x.key, "got one for a roundtrip, expected none: late says what is slow")
			}
		}
		return
	}
	if r.SlowTimes != 0 && !(r.SlowTimes > 1 && r.SlowTimes <= maxTimes) {
		v.add(at+".slow_times", "got %v, expected above 1 and at most %d", r.SlowTimes, maxTimes)
	}
	v.time(at+".slow_more", r.SlowMore, minSlow, checks.MaxEvery)
	v.time(at+".slow_over", r.SlowOver, minSlow, checks.MaxEvery)
	if r.SlowOver >= k.Timeout && k.Timeout > 0 {
		v.add(at+".slow_over", "got %s, expected less than the timeout, %s: what takes longer has failed", short(r.SlowOver), short(k.Timeout))
	}
}

// whole and time bound what was given; zero was not.
func (v *validator) whole(path string, n, least, most int) {
	if n != 0 && (n < least || n > most) {
		v.add(path, "got %d, expected %d to %d", n, least, most)
	}
}

func (v *validator) time(path string, d, least, most time.Duration) {
	if d != 0 && (d < least || d > most) {
		v.add(path, "got %s, expected %s to %s", short(d), short(least), short(most))
	}
}
