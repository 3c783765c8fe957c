package server

import (
	"context"
	"time"

	"varde/coordinator/internal/config"
	"varde/coordinator/internal/plan"
	"varde/proto/wire"
)

// secretsEvery is how often password files are read anew: a changed password
// reaches the probes without anybody thinking of it.
const secretsEvery = time.Minute

// keepPlan makes a new plan whenever what it is made of changes.
func (s *Server) keepPlan(ctx context.Context) error {
	tick := time.NewTicker(secretsEvery)
	defer tick.Stop()
	for {
		changed := s.authority.Changed()
		if err := s.makePlan(); err != nil {
			s.log.Error("make plan", "error", err) // the last good one stays
		}
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-s.reloaded:
		case <-tick.C:
		}
	}
}

func (s *Server) makePlan() error {
	c := s.current()
	in := plan.Input{
		Checks: c.Checks, Authorities: s.authority.Authorities(), GossipKeys: s.authority.GossipKeys(),
		Coordinators: c.Advertise, Controls: c.Controls,
	}
	for _, r := range c.Regions {
		in.Regions = append(in.Regions, wire.Region{ID: r.ID, Name: r.Name})
	}
	for _, e := range s.authority.Roster() {
		in.Probes = append(in.Probes, plan.Probe{RosterEntry: e.Wire(), Recipient: e.Recipient})
	}
	if _, err := s.plans.Make(in); err != nil {
		return err
	}
	s.learn()
	return nil
}

// current is the configuration in force.
func (s *Server) current() config.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config
}

// Reload makes c the configuration in force: plan, verdicts and pages follow.
// Data folder, listeners and retention stay as they are until a restart. An
// error changes nothing.
func (s *Server) Reload(c config.Config) error {
	old := s.current()
	if c.Data != old.Data || c.Listen != old.Listen || c.Retention != old.Retention {
		s.log.Warn("data, listen and retention change only with a restart")
		c.Data, c.Listen, c.Retention = old.Data, old.Listen, old.Retention
	}
	site, err := s.newSite(c)
	if err != nil {
		return err
	}
	s.site.Store(site)
	s.mu.Lock()
	s.config, s.loaded = c, time.Now().UTC()
	s.mu.Unlock()
	s.authority.SetCoordinators(c.Advertise)
	select {
	case s.reloaded <- struct{}{}:
	default: // one signal is enough for two changes
	}
	return nil
}
