package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Warnings returns what is allowed and probably not meant, one sentence each.
func (c Config) Warnings() []string {
	var out []string
	if len(c.Checks) == 0 {
		out = append(out, "checks: got none: nothing will be watched")
	}
	for i, s := range c.Services {
		if !slices.ContainsFunc(c.Checks, func(k Check) bool { return k.Service == s.ID }) {
			out = append(out, fmt.Sprintf("services[%d]: %s has no check: it will stay unknown", i, s.ID))
		}
	}
	return append(out, c.doubtfulControls()...)
}

// Hasty returns the checks that look more often than their floors allow, one sentence
// each. Load refuses them.
func (c Config) Hasty() []string {
	var out []string
	for i, k := range c.Checks {
		if problem, low := k.tooOften(); low {
			out = append(out, fmt.Sprintf("checks[%d].every: %s", i, problem))
		}
	}
	return out
}

// fewControls is the number under which one fault elsewhere can cost a probe its
// own judgement.
const fewControls = 3

// doubtfulControls says by what the probes could not tell their own faults from
// those of a service.
func (c Config) doubtfulControls() []string {
	var out []string
	if n := len(c.Controls); n < fewControls && len(c.Checks) > 0 {
		out = append(out, fmt.Sprintf(
			"controls: got %d: with at least %d, in networks of their own, a probe tells its own faults from those of a service", n, fewControls))
	}
	first := map[string]int{}
	for i, raw := range c.Controls {
		at := networkOf(raw)
		if j, twice := first[at]; twice {
			out = append(out, fmt.Sprintf("controls[%d]: stands in %s as controls[%d] does: both fail together", i, at, j))
			continue
		}
		first[at] = i
	}
	return out
}

// networkOf is where a control stands, as far as its URL tells: the /24 or /48 of an
// address, or else its host.
func networkOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	a, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	a, bits := a.Unmap(), 48
	if a.Is4() {
		bits = 24
	}
	p, err := a.WithZone("").Prefix(bits)
	if err != nil {
		return host
	}
	return p.String()
}
