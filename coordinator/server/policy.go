package server

import (
	"varde/checks"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/status"
)

// fleetOf is what the history needs to know of a configuration. It has no probes: the
// roster is no part of it.
func fleetOf(c config.Config) *history.Config {
	out := &history.Config{MinProbes: c.MinProbes}
	for _, r := range c.Regions {
		out.Regions = append(out.Regions, history.Region{ID: r.ID, Weight: r.Weight})
	}
	for _, t := range c.Checks {
		out.Checks = append(out.Checks, history.Check{
			ID: t.ID, Service: t.Service, Depth: status.DepthOf(t.Target), Every: t.Every, Families: t.Families, Regions: t.Regions, Limited: t.Kind == checks.RoundTrip,
			MinProbes: t.Verdict.MinProbes, Verdict: t.Verdict.Parameters(),
		})
	}
	return out
}

// worldOf is what the rules of incidents need to know of a configuration, but for the
// series, which nobody configures.
func worldOf(c config.Config) incident.World {
	var w incident.World
	for _, r := range c.Regions {
		w.Regions = append(w.Regions, status.Region{ID: r.ID, Name: r.Name, Weight: r.Weight})
	}
	for _, s := range c.Services {
		w.Services = append(w.Services, incident.Service{ID: s.ID, Name: s.Name, Provider: s.Provider})
	}
	for _, t := range c.Checks {
		w.Checks = append(w.Checks, incident.Check{
			ID: t.ID, Service: t.Service, Kind: t.Kind, Depth: status.DepthOf(t.Target), Every: t.Every,
		})
	}
	return w
}
