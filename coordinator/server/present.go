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
	"varde/coordinator/internal/status"
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
	out := ops.Now{At: now, Coordinator: c.Name, Checks: c.Targets(), Changes: p.changes.recent(now), Notices: p.history.Notices(), Windows: p.opsWindows(now), Own: p.mirrorNotices()}
	if plan, ok := p.plans.Current(); ok {
		out.Plan = plan.Number.Revision
	}
	newest := p.history.NewestObservation()
	for _, r := range c.Regions {
		out.Regions = append(out.Regions, ops.Region{ID: r.ID, Name: r.Name, Weight: r.Weight, Newest: newest[r.ID]})
	}
	for _, s := range c.Services {
		out.Services = append(out.Services, ops.Service{ID: s.ID, Name: s.Name, Provider: s.Provider, SLO: s.SLO})
	}
	services := servicesOf(c)
	for _, v := range p.history.Verdicts() {
		out.Verdicts = append(out.Verdicts, ops.Verdict{
			Series: v.Series, Service: services[v.Check], State: v.State,
			Since: v.Since, Reason: v.Reason, Counts: v.Counts, Evidence: v.Evidence,
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
	out := statuspage.Now{At: now, Began: s.began, Bulletins: s.bulletins.All(), Work: s.publicWork(now)}
	newest, measuring := s.history.NewestObservation(), measuring(s.ingest.Probes())
	for _, r := range c.Regions {
		out.Regions = append(out.Regions, statuspage.Region{
			ID: r.ID, Name: r.Name, Weight: r.Weight, Probes: measuring[r.ID], Newest: newest[r.ID],
		})
	}
	verdicts, active := s.history.Verdicts(), s.windows.Active(now)
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
			reading.Maintenance = maintained(active, service.ID, r.ID)
			reading.Late = reading.State == verdict.Slow && onlyLate(r.ID, made, verdicts)
			entry.Readings = append(entry.Readings, reading)
		}
		out.Services = append(out.Services, entry)
	}
	return out, nil
}

// checksOf lists the checks of a service that are made in a region.
func checksOf(c config.Config, service, region string) []checks.Target {
	var out []checks.Target
	for _, t := range c.Targets() {
		if t.Service == service && t.In(region) {
			out = append(out, t)
		}
	}
	return out
}

// recall finds the last verdict of a series that was not unknown, and until
// when it held; the zero time if there was none lately.
type recall func(verdict.Series) (verdict.State, time.Time, error)

// readingOf rolls up the verdicts of a service's checks in a region. Unknown says
// nothing as long as another says something, and then only makes the reading
// partial.
func readingOf(region string, made []checks.Target, verdicts []history.Verdict, last recall) (statuspage.Reading, error) {
	r := statuspage.Reading{Region: region}
	var readings []status.Reading
	unseen, gone := checkIDs(made), false
	for _, v := range verdicts {
		i := slices.IndexFunc(made, func(t checks.Target) bool { return t.ID == v.Check })
		if v.Region != region || i < 0 {
			continue
		}
		if v.State == verdict.Unknown {
			state, at, err := last(v.Series)
			if err != nil {
				return r, err
			}
			if at.After(r.LastAt) || at.Equal(r.LastAt) && state > r.Last {
				r.Last, r.LastAt = state, at
			}
			gone = gone || !at.IsZero()
			continue
		}
		readings = append(readings, status.Reading{Check: v.Check, Depth: status.DepthOf(made[i]), Family: v.Family, State: v.State, Since: v.Since})
		unseen = slices.DeleteFunc(unseen, func(check string) bool { return check == v.Check })
	}
	part := status.OfRegion(readings)
	r.State, r.Status, r.Scope, r.Since = part.State, part.Status, part.Scope, part.Since
	r.Partial = part.Known && (gone || len(unseen) > 0)
	if r.State == verdict.Intermittent {
		r.Failed, r.Runs = failing(region, checkIDs(made), verdicts)
	}
	return r, nil
}

func checkIDs(list []checks.Target) []string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = t.ID
	}
	return out
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
func onlyLate(region string, made []checks.Target, verdicts []history.Verdict) bool {
	slow := func(t checks.Target) bool {
		return slices.ContainsFunc(verdicts, func(v history.Verdict) bool {
			return v.Check == t.ID && v.Region == region && v.State == verdict.Slow
		})
	}
	return !slices.ContainsFunc(made, func(t checks.Target) bool { return slow(t) && t.Kind != checks.RoundTrip })
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
