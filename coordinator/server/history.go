package server

import (
	"context"
	"path/filepath"
	"time"

	"varde/coordinator/internal/config"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/ops"
	"varde/coordinator/internal/verdict"
)

// openHistory opens what is drawn, and makes the readers that write it.
func (s *Server) openHistory(ctx context.Context) (err error) {
	c := s.opts.Config
	s.learn(c)
	s.history, err = history.Open(history.Options{
		Dir: filepath.Join(c.Data, "history"), Source: source{s.journal}, Config: s.fleet.Load,
		Retention:   history.Retention{Minutes: c.Retention.Minutes, Hours: c.Retention.Hours, Days: c.Retention.Days},
		Maintenance: s.maintenance, Logger: s.log.With("component", "history"),
	})
	if err != nil {
		return err
	}
	if s.told, err = history.NewTold(history.ToldOptions{Store: s.history, Changed: s.verdictsChanged}); err != nil {
		return err
	}
	if s.rollup, err = history.NewRollup(s.history); err != nil {
		return err
	}
	if s.final, err = history.NewFinal(history.FinalOptions{Store: s.history, Judged: s.hourJudged}); err != nil {
		return err
	}
	return s.changes.load(ctx, s.history)
}

// learn gives the history what it needs to know of the fleet as it is now.
func (s *Server) learn(c config.Config) {
	out := fleetOf(c)
	for _, e := range s.authority.Roster() {
		out.Probes = append(out.Probes, history.Probe{Name: e.Name, Region: e.Region})
	}
	s.fleet.Store(out)
	if s.meter != nil {
		s.meter.Learn(c.Targets())
	}
	s.learnWorld(c)
}

// hourJudged is told of every hour whose final verdicts are on disk.
func (s *Server) hourJudged(hour time.Time) { s.incidents.Judged(hour) }

// verdictsChanged is told of every change after it is on disk.
func (s *Server) verdictsChanged(list []verdict.Change) {
	s.changes.add(list)
	s.incidents.Told()
	services := map[string]string{}
	for _, t := range s.current().Checks {
		services[t.ID] = t.Service
	}
	for _, c := range list {
		if s.ops != nil {
			s.ops.PublishVerdict(ops.Verdict{
				Series: c.Series, Service: services[c.Series.Check], State: c.To,
				Since: c.Since, Reason: c.Reason, Counts: c.Counts, Evidence: c.Evidence,
			})
		}
	}
}

// changesKept is how long changes of verdict are listed.
const changesKept = 24 * time.Hour

// since is the oldest time of a list that ends now.
func since(now time.Time) time.Time { return now.Add(-changesKept) }
