package server

import (
	"cmp"
	"context"
	"time"

	"varde/coordinator/internal/config"
	"varde/coordinator/internal/plan"
	"varde/proto/wire"
)

// secretsEvery is how often password files are read anew: a changed password
// reaches the probes without anybody thinking of it.
const secretsEvery = time.Minute

// keepPlan makes a new plan whenever what it is made of changes, and when a watch
// begins or ends.
func (s *Server) keepPlan(ctx context.Context) error {
	tick := time.NewTicker(secretsEvery)
	defer tick.Stop()
	for {
		changed, announced, now := s.authority.Changed(), s.windows.Changed(), time.Now()
		s.enacting.Lock()
		if err := s.makePlan(s.current()); err != nil {
			s.log.Error("make plan", "error", err) // the last good one stays
		}
		s.enacting.Unlock()
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		case <-announced:
		case <-time.After(time.Until(cmp.Or(s.windows.NextEdge(now), now.Add(maxAhead)))):
		case <-tick.C:
		}
	}
}

// makePlan makes the plan of a configuration, as it is while the watches of now are in
// force, and lets the history know the configuration.
func (s *Server) makePlan(c config.Config) error {
	in, _ := s.planInput(c).Watched(s.watches(time.Now()))
	if _, err := s.plans.Make(in); err != nil {
		return err
	}
	s.learn(c)
	return nil
}

// planInput is what a plan is made of without watches.
func (s *Server) planInput(c config.Config) plan.Input {
	in := plan.Input{
		Checks: c.Targets(), Authorities: s.authority.Authorities(), GossipKeys: s.authority.GossipKeys(),
		Coordinators: c.Advertise, Controls: c.Controls, MinProbes: c.MinProbes,
	}
	for _, r := range c.Regions {
		in.Regions = append(in.Regions, wire.Region{ID: r.ID, Name: r.Name})
	}
	for _, e := range s.authority.Roster() {
		in.Probes = append(in.Probes, plan.Probe{RosterEntry: e.Wire(), Recipient: e.Recipient})
	}
	return in
}

// current is the configuration in force.
func (s *Server) current() config.Config {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.config
}

// Reload makes c the configuration in force: plan, verdicts and pages follow.
// Data folder, listeners and retention stay as they are until a restart. An
// error changes nothing: whether there can be a plan of c shows first.
func (s *Server) Reload(c config.Config) error {
	s.enacting.Lock()
	defer s.enacting.Unlock()
	old := s.current()
	s.warnOfRestart(c, old)
	c.Data, c.Listen, c.Retention = old.Data, old.Listen, old.Retention
	site, err := s.newSite(c)
	if err != nil {
		return err
	}
	providers, err := providersOf(c)
	if err != nil {
		return err
	}
	policies, err := policiesOf(c)
	if err != nil {
		return err
	}
	if err := s.makePlan(c); err != nil {
		return err
	}
	s.providers.Store(&providers)
	s.policies.Store(&policies)
	s.mu.Lock()
	s.config, s.loaded = c, time.Now().UTC()
	s.mu.Unlock()
	s.site.Store(site)
	s.bulletins.Reload()
	s.mirrors.Set(targetsOf(c))
	s.authority.SetCoordinators(c.Advertise)
	return nil
}

// warnOfRestart names the keys that a reload does not change.
func (s *Server) warnOfRestart(c, old config.Config) {
	for _, k := range []struct {
		key          string
		got, inForce any
	}{
		{"data", c.Data, old.Data},
		{"listen.grpc", c.Listen.GRPC, old.Listen.GRPC},
		{"listen.public", c.Listen.Public, old.Listen.Public},
		{"listen.ops", c.Listen.Ops, old.Listen.Ops},
		{"retention", c.Retention, old.Retention},
	} {
		if k.got != k.inForce {
			s.log.Warn("key needs a restart to change", "key", k.key, "got", k.got, "in_force", k.inForce)
		}
	}
}

// Reloaded is told how each reading of the configuration after the first went:
// nil if it is in force. Operators see it.
func (s *Server) Reloaded(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unloaded = err
}

// lastReload is when the configuration in force was read, and why the one that
// was read last is not.
func (s *Server) lastReload() (loaded time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.loaded, s.unloaded
}
