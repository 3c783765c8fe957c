package server

import (
	"context"
	"slices"
	"strings"
	"time"

	"varde/checks"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/ingest"
	"varde/coordinator/internal/ops"
	"varde/coordinator/internal/presence"
	"varde/coordinator/internal/statuspage"
	"varde/coordinator/internal/verdict"
	"varde/proto/wire"
)

// present is what is known at this moment, as both kinds of pages ask for it.
type present struct{ *Server }

var _ ops.Live = present{}

// Now is the snapshot of the operators' pages.
func (p present) Now(context.Context) (ops.Now, error) {
	c, now := p.current(), time.Now().UTC()
	out := ops.Now{At: now, Coordinator: c.Name, Checks: c.Checks, Changes: p.changes.recent(now), Notices: p.history.Notices()}
	if plan, ok := p.plans.Current(); ok {
		out.Plan = plan.Number.Revision
	}
	newest := p.history.NewestObservation()
	for _, r := range c.Regions {
		out.Regions = append(out.Regions, ops.Region{ID: r.ID, Name: r.Name, Newest: newest[r.ID]})
	}
	for _, s := range c.Services {
		out.Services = append(out.Services, ops.Service{ID: s.ID, Name: s.Name, SLO: s.SLO})
	}
	services := servicesOf(c)
	for _, v := range p.history.Verdicts() {
		out.Verdicts = append(out.Verdicts, ops.Verdict{
			Series: v.Series, Service: services[v.Check], State: v.State,
			Since: v.Since, Reason: v.Reason, Counts: v.Counts,
		})
	}
	for _, probe := range p.ingest.Probes() {
		out.Probes = append(out.Probes, opsProbe(probe))
	}
	return out, nil
}

func servicesOf(c config.Config) map[string]string {
	out := make(map[string]string, len(c.Checks))
	for _, t := range c.Checks {
		out[t.ID] = t.Service
	}
	return out
}

func opsProbe(p ingest.Probe) ops.Probe {
	out := ops.Probe{
		Name: p.Name, Region: p.Region, Site: p.Site, ASN: p.ASN, Version: p.Version, Epoch: p.Epoch,
		State: p.State, LastSeen: p.LastSeen,
		Plan: p.Plan.Revision, Spool: p.Spool, MeshAddress: p.MeshAddress, Peers: p.Peers,
		Qualified: p.Qualified, QualifiedSince: p.QualifiedSince, Reason: p.Reason,
		Relay: p.Relay, RelayedSince: p.RelayedSince, Faults: p.Faults,
		Counts: p.Counts, LostAt: p.LostAt, Notice: strings.Join(p.Notices, "; "),
	}
	if p.ClockKnown {
		out.ClockOffset = &p.ClockOffset
	}
	return out
}

// measuring counts the probes of each region that report now and do not hold
// themselves unfit to judge.
func measuring(probes []ingest.Probe) map[string]int {
	out := map[string]int{}
	for _, p := range probes {
		if p.State == presence.Connected && p.Qualified != wire.Disqualified {
			out[p.Region]++
		}
	}
	return out
}

// publicPresent is the present as everybody may see it.
func (s *Server) publicPresent(ctx context.Context) (statuspage.Now, error) {
	c, now := s.current(), time.Now().UTC()
	out := statuspage.Now{At: now, Began: s.began}
	newest, measuring := s.history.NewestObservation(), measuring(s.ingest.Probes())
	for _, r := range c.Regions {
		out.Regions = append(out.Regions, statuspage.Region{
			ID: r.ID, Name: r.Name, Weight: r.Weight, Probes: measuring[r.ID], Newest: newest[r.ID],
		})
	}
	verdicts := s.history.Verdicts()
	last := func(series verdict.Series) (verdict.State, time.Time, error) { return s.lastKnown(ctx, series, now) }
	for _, service := range c.Services {
		entry := statuspage.Service{ID: service.ID, Name: service.Name}
		for _, r := range c.Regions {
			made := checksOf(c, service.ID, r.ID)
			if len(made) == 0 {
				continue
			}
			reading, err := readingOf(r.ID, made, verdicts, last)
			if err != nil {
				return statuspage.Now{}, err
			}
			reading.Late = reading.State == verdict.Slow && onlyLate(c, r.ID, made, verdicts)
			entry.Readings = append(entry.Readings, reading)
		}
		out.Services = append(out.Services, entry)
	}
	return out, nil
}

// checksOf lists the checks of a service that are made in a region.
func checksOf(c config.Config, service, region string) []string {
	var out []string
	for _, t := range c.Checks {
		if t.Service == service && (len(t.Regions) == 0 || slices.Contains(t.Regions, region)) {
			out = append(out, t.ID)
		}
	}
	return out
}

// recall finds the last verdict of a series that was not unknown, and until
// when it held; the zero time if there was none lately.
type recall func(verdict.Series) (verdict.State, time.Time, error)

// readingOf is the worst of the verdicts of a service's checks in a region,
// since when the first of the worst. Unknown is the best of all: it says
// nothing as long as another says something, and then only makes the reading
// partial.
func readingOf(region string, made []string, verdicts []history.Verdict, last recall) (statuspage.Reading, error) {
	r := statuspage.Reading{Region: region}
	unseen, gone := slices.Clone(made), false
	for _, v := range verdicts {
		switch {
		case v.Region != region || !slices.Contains(made, v.Check):
			continue
		case v.State == verdict.Unknown:
			state, at, err := last(v.Series)
			if err != nil {
				return r, err
			}
			if at.After(r.LastAt) || at.Equal(r.LastAt) && state > r.Last {
				r.Last, r.LastAt = state, at
			}
			gone = gone || !at.IsZero()
			continue
		case v.State > r.State || v.State == r.State && before(v.State, v.Since, r.Since):
			r.State, r.Since = v.State, v.Since
		}
		unseen = slices.DeleteFunc(unseen, func(check string) bool { return check == v.Check })
	}
	r.Partial = r.State != verdict.Unknown && (gone || len(unseen) > 0)
	if r.State == verdict.Intermittent {
		r.Failed, r.Runs = failing(region, made, verdicts)
	}
	return r, nil
}

// failing is how many of the last runs failed of those checks that are intermittent;
// nothing where all of the failures were told as down.
func failing(region string, made []string, verdicts []history.Verdict) (failed, runs int) {
	for _, v := range verdicts {
		if v.Region == region && v.State == verdict.Intermittent && slices.Contains(made, v.Check) && v.Failed > 0 {
			failed, runs = failed+v.Failed, runs+v.Runs
		}
	}
	return failed, runs
}

// onlyLate says whether all of the checks made in a region that are slow are round
// trips, which are slow when mail is late.
func onlyLate(c config.Config, region string, made []string, verdicts []history.Verdict) bool {
	slow := func(t checks.Target) bool {
		return slices.Contains(made, t.ID) && slices.ContainsFunc(verdicts, func(v history.Verdict) bool {
			return v.Check == t.ID && v.Region == region && v.State == verdict.Slow
		})
	}
	return !slices.ContainsFunc(c.Checks, func(t checks.Target) bool { return slow(t) && t.Kind != checks.RoundTrip })
}

// before says which of two times a service in the given state counts from:
// trouble from the first that had it, health from the last that found it.
func before(state verdict.State, a, b time.Time) bool {
	if state == verdict.Up {
		return a.After(b)
	}
	return a.Before(b)
}

// lastKnownFor is how far back a last known verdict is looked for.
const lastKnownFor = 7 * 24 * time.Hour

// lastKnown is the last verdict of a series that was not unknown, and when it
// ended; the zero time if there was none.
func (s *Server) lastKnown(ctx context.Context, series verdict.Series, now time.Time) (verdict.State, time.Time, error) {
	spans, err := s.history.Spans(ctx, series, now.Add(-lastKnownFor), now)
	if err != nil {
		return verdict.Unknown, time.Time{}, err
	}
	for _, span := range slices.Backward(spans) {
		if span.State != verdict.Unknown && !span.To.IsZero() {
			return span.State, span.To, nil
		}
	}
	return verdict.Unknown, time.Time{}, nil
}
