package scenario

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"
)

// What noise is made of.
const (
	day       = 24 * time.Hour
	localMean = 2 * time.Minute
	pathMean  = 3 * time.Minute
	// uplinkShare is the share of a probe's own faults that hit its controls too.
	uplinkShare = 0.95
	// slot is for how long an uplink that fails for a share of the time stays as it
	// is: as long as an answer of the controls counts.
	slot = 15 * time.Second
)

// Chance is a source of numbers that are fixed by a seed and by what they are for.
// Purposes that are nearly the same give numbers that have nothing in common.
func (s Scenario) Chance(purpose string) *rand.Rand {
	return rand.New(rand.NewChaCha8(sha256.Sum256(fmt.Appendf(nil, "%d %s", max(s.Noise.Seed, 1), purpose))))
}

// Sown are the plays of a scenario, one for each of its seeds. If seeds is above zero
// and the scenario has a seed, there is one for each from 1 to that.
func (s Scenario) Sown(seeds int) []Scenario {
	first, plays := max(s.Noise.Seed, 1), max(s.Noise.Seeds, 1)
	if seeds > 0 && s.Noise.Seed > 0 {
		first, plays = 1, seeds
	}
	if plays == 1 && (seeds == 0 || s.Noise.Seed == 0) {
		return []Scenario{s}
	}
	var out []Scenario
	for n := range plays {
		one := s
		one.Noise.Seed, one.Noise.Seeds = first+n, 0
		one.Name = fmt.Sprintf("%s-seed-%d", s.Name, one.Noise.Seed)
		out = append(out, one)
	}
	return out
}

// Unfold returns the scenario with its noise as faults, and as expectations what
// of it is true. What comes and goes is one fault each time that it comes, and
// uplinks that fail for a share of the time fail wholly, now and then.
func (s Scenario) Unfold() Scenario {
	s.Faults, s.Expect, s.ExpectIncidents = s.pulses(), slices.Clone(s.Expect), slices.Clone(s.ExpectIncidents)
	s.Faults = s.uplinks()
	s.flakes()
	for _, region := range slices.Sorted(maps.Keys(s.Regions)) {
		s.path(region)
	}
	for _, probe := range s.Names() {
		s.local(probe)
	}
	s.Noise = Noise{Seed: s.Noise.Seed}
	return s
}

// pulses are the faults with those that come and go in pieces.
func (s Scenario) pulses() (out []Fault) {
	for _, f := range s.Faults {
		pulse := f.Pulse
		if pulse == (Pulse{}) {
			out = append(out, f)
			continue
		}
		for end := min(f.To, Offset(s.Length)); f.From < end; f.From += Offset(pulse.Every) {
			piece := f
			piece.To, piece.Pulse = min(f.From+Offset(pulse.For), end), Pulse{}
			out = append(out, piece)
		}
	}
	return out
}

// uplinks are the faults with those of uplinks in pieces, so that the runs of a
// probe, its controls and its words to the coordinator have one fate.
func (s Scenario) uplinks() (out []Fault) {
	for _, f := range s.Faults {
		if f.Effect != OwnNetwork || f.Whole() {
			out = append(out, f)
			continue
		}
		for _, probe := range s.hit(f) {
			chance := s.Chance(fmt.Sprint("uplink of ", probe, f.From))
			end := min(f.To, Offset(s.Length))
			for at := f.From; at < end; at += Offset(slot) {
				if chance.Float64() < f.Share {
					out = append(out, Fault{From: at, To: min(at+Offset(slot), end), Probes: []string{probe}, Effect: OwnNetwork})
				}
			}
		}
	}
	return out
}

// flakes fail half of the time in silence and else at once.
func (s *Scenario) flakes() {
	if s.Noise.Flake == 0 {
		return
	}
	share := float64(s.Noise.Flake) / 2
	s.Faults = append(s.Faults,
		Fault{To: Offset(s.Length), Effect: ConnectTimeout, Share: share},
		Fault{To: Offset(s.Length), Effect: ConnectReset, Share: share})
}

// path cuts a region off from the provider now and then. What is shorter than two
// intervals may go unseen.
func (s *Scenario) path(region string) {
	chance := s.Chance("path of " + region)
	for f := range s.spells(chance, float64(s.Noise.Path), pathMean) {
		f.Regions, f.Effect = []string{region}, ConnectTimeout
		s.Faults = append(s.Faults, f)
		cause := ExpectedIncident{Services: s.Services(), Regions: f.Regions, From: f.From, To: f.To, ofNoise: true}
		for _, check := range slices.Sorted(maps.Keys(s.Checks)) {
			short := time.Duration(f.To-f.From) < 2*s.Checks[check].Every
			s.Expect = append(s.Expect, Expectation{
				Region: region, Check: check, State: States{Down}, From: f.From, To: f.To, permitted: short,
			})
			cause.permitted = cause.permitted || short
		}
		if s.ExpectIncidents != nil {
			s.ExpectIncidents = append(s.ExpectIncidents, cause)
		}
	}
}

// local gives a probe faults of its own.
func (s *Scenario) local(probe string) {
	chance := s.Chance("faults of " + probe)
	for f := range s.spells(chance, float64(s.Noise.Local), localMean) {
		f.Probes, f.Effect = []string{probe}, ConnectTimeout
		if chance.Float64() < uplinkShare {
			f.Effect = OwnNetwork
		}
		s.Faults = append(s.Faults, f)
	}
}

// spells are when something happens that comes by chance, so often a day and for
// so long in the mean. It ends with the scenario.
func (s Scenario) spells(chance *rand.Rand, daily float64, mean time.Duration) func(yield func(Fault) bool) {
	return func(yield func(Fault) bool) {
		if daily == 0 {
			return
		}
		wait := func(mean float64) time.Duration {
			return time.Duration(chance.ExpFloat64() * mean).Truncate(time.Millisecond)
		}
		for at := wait(float64(day) / daily); at < s.Length; at += wait(float64(day) / daily) {
			f := Fault{From: Offset(at), To: Offset(min(at+wait(float64(mean))+time.Millisecond, s.Length))}
			if !yield(f) {
				return
			}
			at = time.Duration(f.To)
		}
	}
}
