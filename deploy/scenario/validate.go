package scenario

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"varde/checks"
)

// validator collects what is wrong with a scenario.
type validator struct {
	of    Scenario
	found []*checks.FieldError
}

// maxProbes is how many probes of a region have an address.
const maxProbes = 250

// maxSeeds is how many plays of one scenario anybody waits for.
const maxSeeds = 1000

// faults are what is wrong with the scenario beyond its form.
func (s Scenario) faults() []*checks.FieldError {
	v := &validator{of: s}
	if s.Length <= 0 {
		v.add("length", "got none, expected how long it lasts")
	}
	if len(s.Regions) == 0 {
		v.add("regions", "got none, expected the number of probes in each")
	}
	if len(s.Checks) == 0 {
		v.add("checks", "got none, expected the interval of each kind")
	}
	if filepath.Base(s.Name) != s.Name || s.Name == "." || s.Name == ".." {
		v.add("name", "got %q, expected the name of a file", s.Name)
	}
	for id, probes := range s.Regions {
		if !checks.ValidID(id) {
			v.add("regions."+id, "got %q, expected an id such as eu-north", id)
		}
		if probes > maxProbes {
			v.add("regions."+id, "got %d, expected at most %d probes", probes, maxProbes)
		}
	}
	for name, c := range s.Checks {
		v.check("checks."+name, name, c)
	}
	if s.Noise.Flake > 1 {
		v.add("noise.flake", "got %g, expected a share of at most 1", float64(s.Noise.Flake))
	}
	if n := s.Noise.Seeds; n > maxSeeds {
		v.add("noise.seeds", "got %d, expected at most %d plays", n, maxSeeds)
	}
	for i, f := range s.Faults {
		v.fault(fmt.Sprintf("faults[%d]", i), f)
	}
	for i, w := range s.Maintenance {
		v.window(fmt.Sprintf("maintenance[%d]", i), w)
	}
	for i, e := range s.Expect {
		v.expectation(fmt.Sprintf("expect[%d]", i), e)
	}
	for i, e := range s.ExpectIncidents {
		v.incident(fmt.Sprintf("expect_incidents[%d]", i), e)
	}
	return v.found
}

func (v *validator) add(key, format string, args ...any) {
	v.found = append(v.found, &checks.FieldError{Field: key, Problem: fmt.Sprintf(format, args...)})
}

// check wants a check that can be made.
func (v *validator) check(at, name string, c Check) {
	ids := []string{name, c.Of(name)}
	if c.Kind != "" {
		v.oneOf(at+".kind", c.Kind, allKinds())
	} else {
		v.oneOf(at, name, allKinds())
		ids = nil // what is named like a kind has an id
	}
	for _, id := range ids {
		if !checks.ValidID(id) {
			v.add(at, "got %q, expected an id such as imap-banner", id)
		}
	}
	if c.Every < checks.MinEvery {
		v.add(at, "got %s, expected at least %s", c.Every, checks.MinEvery)
	}
	if c.Login != nil && !slices.Contains(canLogIn(), checks.Kind(c.Is(name))) {
		v.add(at+".login", "got %t, expected it on %s only", *c.Login, strings.Join(words(canLogIn()), ", "))
	}
}

func (v *validator) window(at string, w Window) {
	v.span(at, w.From, w.To)
	v.begins(at, w.From)
	v.allOf(at+".checks", w.Checks, v.checks())
	v.allOf(at+".regions", w.Regions, v.regions())
}

func (v *validator) fault(at string, f Fault) {
	v.span(at, f.From, f.To)
	v.begins(at, f.From)
	v.allOf(at+".regions", f.Regions, v.regions())
	v.allOf(at+".probes", f.Probes, v.of.Names())
	v.allOf(at+".checks", f.Checks, v.of.kinds())
	v.families(at, f.Families)
	if f.Share > 1 {
		v.add(at+".share", "got %g, expected a share above 0 and at most 1", f.Share)
	}
	if f.Coordinator != "" && f.Coordinator != "down" {
		v.add(at+".coordinator", "got %q, expected down", f.Coordinator)
	}
	for i, group := range f.Partition {
		v.allOf(fmt.Sprintf("%s.partition[%d]", at, i), group, v.regions())
	}
	what := 0
	for _, is := range []bool{f.Effect != "", f.Clock != 0, f.Coordinator != "", f.Partition != nil} {
		if is {
			what++
		}
	}
	if what != 1 {
		v.add(at, "got %d of effect, clock, coordinator and partition, expected one", what)
	}
	v.pulse(at+".pulse", f.Pulse)
	v.partition(at, f)
	v.selection(at, f)
	v.effect(at, f)
}

// pulse wants something that ends before it comes again.
func (v *validator) pulse(at string, p Pulse) {
	if p != (Pulse{}) && (p.For < time.Second || p.Every <= p.For) {
		v.add(at, "got for %s every %s, expected at least a second, and less than it takes to come again", p.For, p.Every)
	}
}

// partition wants each region on one side.
func (v *validator) partition(at string, f Fault) {
	if f.Partition != nil && len(f.Partition) == 0 {
		v.add(at+".partition", "got none, expected groups of regions")
	}
	sides := map[string]int{}
	for _, group := range f.Partition {
		for _, region := range group {
			if sides[region]++; sides[region] == 2 {
				v.add(at+".partition", "got %s in several groups, expected it in one", region)
			}
		}
	}
}

// selection wants a fault to hit somebody, and to say nothing that has no meaning.
func (v *validator) selection(at string, f Fault) {
	switch {
	case f.Effect == "" && f.Clock == 0 && (f.Regions != nil || f.Probes != nil || f.Checks != nil || f.Families != nil || f.Share != 0):
		v.add(at, "got regions, probes, checks, families or share, expected none: it hits all")
		return
	case f.Clock != 0 && (f.Checks != nil || f.Families != nil || f.Share != 0):
		v.add(at, "got checks, families or share, expected none: a probe has one clock")
	case f.Clock != 0 && slices.Contains(v.of.kinds(), string(checks.RoundTrip)):
		v.add(at+".clock", "got it beside a roundtrip, expected none: what becomes of a mail is dated by other clocks")
	case f.Share != 0 && (f.Effect == Stopped || f.Effect == NoCoordinator):
		v.add(at+".share", "got %g, expected none: %s is whole", f.Share, f.Effect)
	}
	if len(v.of.hit(f)) == 0 {
		v.add(at+".probes", "got none that is in regions (%s), expected one at least", strings.Join(f.Regions, ", "))
	}
}

// effect wants an effect to have a meaning where it is asked for.
func (v *validator) effect(at string, f Fault) {
	if f.Effect == "" {
		return
	}
	kinds, known := effects()[f.Effect]
	switch meant := strings.Join(words(kinds), ", "); {
	case !known:
		v.oneOf(at+".effect", string(f.Effect), words(allEffects()))
	case f.Effect.OfProbe():
		if f.Checks != nil || f.Families != nil {
			v.add(at, "got checks or families, expected none: %s hits a probe", f.Effect)
		}
	case len(f.Checks) == 0 && !slices.ContainsFunc(v.of.kinds(), f.Effect.Means):
		v.add(at+".effect", "got %s, expected one that has a meaning on a check: it has on %s", f.Effect, meant)
	case len(f.Checks) > 0 && !slices.ContainsFunc(f.Checks, f.Effect.Means):
		v.add(at+".checks", "got %s, expected a check on which %s has a meaning (%s)", strings.Join(f.Checks, ", "), f.Effect, meant)
	}
	if some := len(f.Families); f.Effect.OfMail() && some > 0 && some < len(v.of.families()) {
		v.add(at+".families", "got %s, expected none: a mail has no family", strings.Join(names(f.Families), ", "))
	}
}

func (v *validator) expectation(at string, e Expectation) {
	v.span(at, e.From, e.To)
	if time.Duration(e.To) > v.of.Length {
		v.add(at+".to", "got %s, expected at most length (%s)", e.To, v.of.Length)
	}
	v.oneOf(at+".region", e.Region, v.regions())
	v.oneOf(at+".check", e.Check, v.checks())
	v.families(at, e.Families)
	if len(e.State) == 0 {
		v.add(at+".state", "got none, expected a verdict")
	}
	v.allOf(at+".state", words(e.State), words([]State{Up, Slow, Intermittent, Down, Unknown}))
}

// incident wants an incident of something, somewhere.
func (v *validator) incident(at string, e ExpectedIncident) {
	v.span(at, e.From, e.To)
	if time.Duration(e.To) > v.of.Length {
		v.add(at+".to", "got %s, expected at most length (%s)", e.To, v.of.Length)
	}
	for key, list := range map[string][]string{".services": e.Services, ".regions": e.Regions} {
		if len(list) == 0 {
			v.add(at+key, "got none, expected all that it strikes")
		}
	}
	v.allOf(at+".services", e.Services, v.of.Services())
	v.allOf(at+".regions", e.Regions, v.regions())
}

func (v *validator) span(at string, from, to Offset) {
	if from >= to {
		v.add(at+".to", "got %s, expected a time after from (%s)", to, from)
	}
}

// begins wants what begins to do so while the scenario lasts.
func (v *validator) begins(at string, from Offset) {
	if time.Duration(from) >= v.of.Length {
		v.add(at+".from", "got %s, expected a time before length (%s)", from, v.of.Length)
	}
}

func (v *validator) families(at string, list []checks.Family) {
	v.allOf(at+".families", words(names(list)), words(names(v.of.families())))
}

func (v *validator) allOf(at string, list, known []string) {
	for i, word := range list {
		v.oneOf(fmt.Sprintf("%s[%d]", at, i), word, known)
	}
}

func (v *validator) oneOf(at, word string, known []string) {
	if !slices.Contains(known, word) {
		v.add(at, "got %q, expected one of %s", word, strings.Join(known, ", "))
	}
}

func (v *validator) regions() []string { return slices.Sorted(maps.Keys(v.of.Regions)) }

func (v *validator) checks() []string { return slices.Sorted(maps.Keys(v.of.Checks)) }

// families are those that the hosts have.
func (s Scenario) families() []checks.Family {
	if len(s.Families) == 0 {
		return []checks.Family{checks.IPv4}
	}
	return s.Families
}

func names(list []checks.Family) (out []string) {
	for _, f := range list {
		out = append(out, f.String())
	}
	return out
}

// words are values of some kind of text as text.
func words[T ~string](list []T) (out []string) {
	for _, x := range list {
		out = append(out, string(x))
	}
	return out
}
