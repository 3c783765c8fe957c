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
	// Checks maps a name to the check of that name.
	Checks map[string]Check `yaml:"checks"`
	// Families are those that all hosts have, IPv4 if not given.
	Families []checks.Family `yaml:"families"`
	Noise    Noise           `yaml:"noise"`
	Faults   []Fault         `yaml:"faults"`
	// Maintenance is what is announced before the play begins. It changes no verdict,
	// but what the page says and what the numbers are.
	Maintenance []Window      `yaml:"maintenance"`
	Expect      []Expectation `yaml:"expect"`
	// ExpectIncidents are all the incidents that there are beside those of the noise;
	// nothing is said of any if not given.
	ExpectIncidents []ExpectedIncident `yaml:"expect_incidents"`
}

// Window is a time for which maintenance is announced.
type Window struct {
	From Offset `yaml:"from"`
	To   Offset `yaml:"to"`
	// Checks and Regions say of what and where; all of them if not given.
	Checks  []string `yaml:"checks"`
	Regions []string `yaml:"regions"`
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
	// Seeds is how many plays there are, the first with Seed and each other one with
	// the next; one if not given.
	Seeds int `yaml:"seeds"`
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

// among says whether an empty list, which means all, or a list has x.
func among[T comparable](list []T, x T) bool { return len(list) == 0 || slices.Contains(list, x) }
