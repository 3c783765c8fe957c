package scenario

import (
	"cmp"
	"errors"
	"slices"
	"time"

	"varde/checks"
	"varde/proto/document"
)

// Check is one check, in full or as its interval alone.
type Check struct {
	// Kind is what it asks, by its name if not given. All checks of a kind ask the
	// same server.
	Kind string `yaml:"kind"`
	// Service is what it belongs to, named like its kind if not given.
	Service string        `yaml:"service"`
	Every   time.Duration `yaml:"every"`
	// Login says whether it logs in, which it does if not given and where its kind
	// can.
	Login *bool `yaml:"login"`
}

// UnmarshalText reads the interval alone.
func (c *Check) UnmarshalText(b []byte) error {
	every, err := document.ParseDuration(string(b))
	if err != nil {
		return errors.New("an interval such as 30s, or kind, service, every and login")
	}
	c.Every = every
	return nil
}

// Is is the kind of the check of that name.
func (c Check) Is(name string) string { return cmp.Or(c.Kind, name) }

// Of is the service that the check of that name belongs to.
func (c Check) Of(name string) string { return cmp.Or(c.Service, c.Is(name)) }

// LogsIn says whether it logs in where its kind can.
func (c Check) LogsIn() bool { return c.Login == nil || *c.Login }

// canLogIn are the kinds of which a scenario has checks that log in.
func canLogIn() []checks.Kind { return effects()[AuthStall] }

// Services are those that the scenario's checks belong to, in order.
func (s Scenario) Services() (out []string) {
	for name, c := range s.Checks {
		out = append(out, c.Of(name))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// kinds are those of the scenario's checks, in order.
func (s Scenario) kinds() (out []string) {
	for name, c := range s.Checks {
		out = append(out, c.Is(name))
	}
	slices.Sort(out)
	return slices.Compact(out)
}
