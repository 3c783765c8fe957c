package server

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"varde/coordinator/internal/control"
	"varde/coordinator/internal/evidence"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/journal"
	"varde/coordinator/internal/register"
	"varde/coordinator/internal/verdict"
)

// evidenceShare is the part of the journal's bound that evidence may take beside it:
// it is of some checks, for some hours, and is to last for a year.
const evidenceShare = 4

// openEvidence opens the archive of what is measured in incidents, and makes what keeps
// it there.
func (s *Server) openEvidence(ctx context.Context) (err error) {
	keep := s.opts.Config.Retention
	s.archive, err = s.journal.Archive(ctx, journal.ArchiveOptions{MaxAge: keep.Evidence, MaxBytes: keep.JournalMax / evidenceShare})
	if err != nil {
		return err
	}
	bucket, err := s.journal.Bucket(ctx, "evidence")
	if err != nil {
		return fmt.Errorf("open evidence: %w", err)
	}
	s.keeper, err = evidence.NewKeeper(evidence.Options{
		Journal: s.journal, Archive: s.archive, Store: bucket, Wants: s.wants, Logger: s.log.With("component", "evidence"),
	})
	return err
}

// wants are the incidents of which observations may still arrive.
func (s *Server) wants() []evidence.Want {
	oldest := time.Now().Add(-s.opts.Config.Retention.Journal - evidence.Margin)
	var out []evidence.Want
	for _, c := range s.incidents.All() {
		if c.Resolved.IsZero() || c.Resolved.After(oldest) {
			out = append(out, wantOf(c.Incident))
		}
	}
	return out
}

// wantOf is what is wanted of an incident; of a draft, that of its check.
func wantOf(i incident.Incident) evidence.Want {
	w := evidence.Want{Incident: i.ID, From: i.Started, Until: i.Resolved}
	for _, m := range i.Members {
		w.Checks = append(w.Checks, m.Check)
	}
	if len(w.Checks) == 0 {
		w.Checks = []string{i.Key.Check}
	}
	slices.Sort(w.Checks)
	w.Checks = slices.Compact(w.Checks)
	return w
}

var _ control.Evidence = (*Server)(nil)

// Evidence writes all that is known of an incident, and of those that are a part of it,
// as one file.
func (s *Server) Evidence(ctx context.Context, id string, w io.Writer) error {
	c, err := s.caseOf(ctx, id)
	if err != nil {
		return err
	}
	return evidence.Write(w, c)
}

// caseOf gathers what is known of an incident. Its observations are read from the
// archive while they are written.
func (s *Server) caseOf(ctx context.Context, id string) (evidence.Case, error) {
	of, ok := incident.WholeOf(s.incidents.All(), id)
	switch {
	case !ok:
		return evidence.Case{}, fmt.Errorf("incident %q: %w", id, register.ErrNoIncident)
	case of.ID != id:
		return evidence.Case{}, fmt.Errorf("incident %s is a part of %s: ask for that", id, of.ID)
	}
	c := evidence.Case{
		Incident: of.Case, Merged: of.Parts, World: *s.world.Load(), Coordinator: s.current().Name, Version: s.opts.Version, Written: time.Now().UTC(),
		Key: s.authority.PlanSigner(), Authority: s.authority.Authorities()[0],
	}
	if p, ok := s.plans.Current(); ok {
		c.Plan = p.Number.Revision
	}
	var err error
	if c.Signs, err = (cases{s}).Signs(ctx, of.Together()); err != nil {
		return c, fmt.Errorf("read signs of incident %s: %w", id, err)
	}
	var wants []evidence.Want
	for _, part := range append(slices.Clone(of.Parts), of.Case) {
		wants = append(wants, wantOf(part.Incident))
	}
	c.From, c.Until = windowOf(wants, c.Written)
	c.Observations = evidence.Read(ctx, s.archive, wants...)
	for _, p := range s.ingest.Probes() {
		c.Probes = append(c.Probes, evidence.Probe{Name: p.Name, Region: p.Region, Site: p.Site, ASN: p.ASN, Version: p.Version})
	}
	asked := checksIn(wants)
	for _, t := range s.current().Checks {
		if slices.Contains(asked, t.ID) {
			c.Checks = append(c.Checks, t.Target)
		}
	}
	if err := s.judgedIn(ctx, &c, asked); err != nil {
		return c, fmt.Errorf("read verdicts of incident %s: %w", id, err)
	}
	return c, nil
}

// windowOf is the time of several wants, up to now.
func windowOf(wants []evidence.Want, now time.Time) (from, until time.Time) {
	from = now
	for _, w := range wants {
		if at := w.From.Add(-evidence.Margin); at.Before(from) {
			from = at
		}
		if at := w.Until.Add(evidence.Margin); w.Until.IsZero() || at.After(now) {
			until = now
		} else if at.After(until) {
			until = at
		}
	}
	return from, until
}

func checksIn(wants []evidence.Want) []string {
	var out []string
	for _, w := range wants {
		out = append(out, w.Checks...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// judgedIn reads the verdicts of some checks in the window of a case, and what changed
// of their servers.
func (s *Server) judgedIn(ctx context.Context, c *evidence.Case, asked []string) error {
	told, err := s.history.Told(ctx, c.From, c.Until)
	if err != nil {
		return err
	}
	final, until, err := s.history.Final(ctx, c.From, c.Until)
	if err != nil {
		return err
	}
	c.Told, c.Final, c.FinalUntil = verdictsOf(told, asked, c.Until), verdictsOf(final, asked, c.Until), until
	for _, check := range asked {
		list, err := s.history.Annotations(ctx, history.AnnotationQuery{Check: check, From: c.From, To: c.Until, Limit: movesMax})
		if err != nil {
			return err
		}
		c.Moves = append(c.Moves, list...)
	}
	return nil
}

// movesMax bounds the changes of one check's server that are handed over.
const movesMax = 1000

// verdictsOf are those of some checks, as far as a time; one that goes on has no end.
func verdictsOf(spans []verdict.Span, asked []string, until time.Time) []evidence.Verdict {
	var out []evidence.Verdict
	for _, v := range spans {
		if !slices.Contains(asked, v.Series.Check) {
			continue
		}
		one := evidence.Verdict{Series: v.Series, State: v.State, From: v.From, Since: v.Since, Reason: v.Reason, Counts: v.Counts}
		if !v.To.IsZero() && v.To.Before(until) {
			one.To = &v.To
		}
		if v.Evidence.Part != "" {
			one.Evidence = &v.Evidence
		}
		out = append(out, one)
	}
	return out
}
