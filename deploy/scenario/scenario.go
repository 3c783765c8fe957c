// Package scenario is the plot of a play for a fleet, and its judge: which faults
// hit whom and when, and what the fleet must and must not say of them.
//
//   - A scenario is one YAML file, strictly decoded: every fault of the file is
//     told at once, with file, line and key.
//   - Times are relative to the start. What is left to chance follows from the
//     seed alone.
//   - Judging is a function of the scenario and of the verdicts. Whoever plays a
//     scenario, and how, is not known here.
package scenario

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"varde/checks"
	"varde/proto/document"
)

// Scenario is one file.
type Scenario struct {
	// Name is that of the file, without ".yaml", if not given.
	Name   string        `yaml:"name"`
	Length time.Duration `yaml:"length"`
	// Regions maps the id of a region to the number of its probes, which are named
	// "<region>-1" and so on.
	Regions map[string]int `yaml:"regions"`
	// Checks maps a kind to its interval; a check and its service are named like
	// the kind.
	Checks map[string]time.Duration `yaml:"checks"`
	// Families are those that all hosts have, IPv4 if not given.
	Families []checks.Family `yaml:"families"`
	Noise    Noise           `yaml:"noise"`
	Faults   []Fault         `yaml:"faults"`
	Expect   []Expectation   `yaml:"expect"`
}

// Noise is what goes wrong for no reason that anybody wrote down.
type Noise struct {
	// Flake is the share of single runs that fail.
	Flake Amount `yaml:"flake"`
	// Local is how often a day each probe has a fault of its own, of 120 s in the
	// mean. Nineteen in twenty are of its uplink.
	Local Amount `yaml:"local"`
	// Path is how often a day a region does not reach the provider, for 180 s in
	// the mean. That is true, so it is expected to be found.
	Path Amount `yaml:"path"`
	// Seed chooses one of many plays, 1 if not given.
	Seed int `yaml:"seed"`
}

// Fault is something that goes wrong for a while.
type Fault struct {
	From Offset `yaml:"from"`
	To   Offset `yaml:"to"`
	// Regions, Probes, Checks and Families say who and what is hit; all of them
	// if not given.
	Regions  []string        `yaml:"regions"`
	Probes   []string        `yaml:"probes"`
	Checks   []string        `yaml:"checks"`
	Families []checks.Family `yaml:"families"`
	Effect   Effect          `yaml:"effect"`
	// Share is the share of runs that are hit, all if not given. An uplink fails for
	// that share of the time, and then for all that its probe does.
	Share float64 `yaml:"share"`
	// Coordinator is "down" while there is none.
	Coordinator string `yaml:"coordinator"`
	// Partition lists groups of regions between which no probe reaches another;
	// regions that it does not name are one more.
	Partition [][]string `yaml:"partition"`
}

// Expectation is a verdict that must be told.
type Expectation struct {
	Region string `yaml:"region"`
	Check  string `yaml:"check"`
	// Families are those in which it holds, all if not given.
	Families []checks.Family `yaml:"families"`
	// State lists the verdicts of which any will do.
	State States `yaml:"state"`
	From  Offset `yaml:"from"`
	To    Offset `yaml:"to"`
	// History says that only the final record has to show it, because nobody was
	// there who could have been told.
	History bool `yaml:"history"`
	// permitted says that it is true but so short that it may go unseen.
	permitted bool
}

// Offset is a time after the start of a scenario.
type Offset time.Duration

// UnmarshalText reads a duration, or zero.
func (o *Offset) UnmarshalText(b []byte) error {
	if zero, err := time.ParseDuration(string(b)); err == nil && zero == 0 {
		*o = 0
		return nil
	}
	d, err := document.ParseDuration(string(b))
	if err != nil {
		return errors.New("a time after the start such as 0s, 90s or 2h20m")
	}
	*o = Offset(d)
	return nil
}

// String writes the offset as time.Duration does.
func (o Offset) String() string { return time.Duration(o).String() }

// Amount is a number that is not negative.
type Amount float64

// maxAmount is more than anybody needs.
const maxAmount = 1000

// UnmarshalText reads one.
func (a *Amount) UnmarshalText(b []byte) error {
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(f >= 0 && f <= maxAmount) {
		return fmt.Errorf("a number from 0 to %d", maxAmount)
	}
	*a = Amount(f)
	return nil
}

// State is a verdict, as the API writes it.
type State string

// The states.
const (
	Up           State = "up"
	Slow         State = "slow"
	Intermittent State = "intermittent"
	Down         State = "down"
	Unknown      State = "unknown"
)

// blames says whether it is said of a service that it is in trouble.
func (s State) blames() bool { return s != Up && s != Unknown }

// States are some of them, written as one word or as a list.
type States []State

// UnmarshalText reads the one word.
func (s *States) UnmarshalText(b []byte) error {
	*s = States{State(b)}
	return nil
}

// Load reads the scenario in a file. The error holds every fault of the file.
func Load(path string) (Scenario, error) {
	var s Scenario
	doc, err := document.Load(path, &s)
	if err != nil {
		return Scenario{}, err
	}
	if s.Name == "" {
		s.Name = strings.TrimSuffix(filepath.Base(path), ".yaml")
	}
	return s, doc.Err(s.faults()...)
}

// Names are the names of all probes, in order.
func (s Scenario) Names() (names []string) {
	for _, region := range slices.Sorted(maps.Keys(s.Regions)) {
		for n := range s.Regions[region] {
			names = append(names, fmt.Sprintf("%s-%d", region, n+1))
		}
	}
	return names
}

// Hits says whether a fault hits the runs of a check by a probe over a family
// while it lasts.
func (f Fault) Hits(probe, region, check string, family checks.Family) bool {
	return f.HitsProbe(probe, region) && among(f.Checks, check) && among(f.Families, family)
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

// among says whether an empty list, which means all, or a list has x.
func among[T comparable](list []T, x T) bool { return len(list) == 0 || slices.Contains(list, x) }
