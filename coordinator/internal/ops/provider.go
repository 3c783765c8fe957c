package ops

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/page"
	"varde/coordinator/internal/verdict"
)

// Provider is one of several whose services the fleet watches. Its people see what
// is theirs, and the probes, which all share.
type Provider struct {
	// ID is that of Service.Provider.
	ID string
	// Token is what its people show, at least MinToken characters; empty where it has
	// none of its own.
	Token string
}

// rooms are the pages of single providers, each made when it is first entered.
type rooms struct {
	mu sync.Mutex // protects of
	of map[string]*Server
}

// room returns the pages that the people of a provider see, and those of all for the
// operators of the fleet, who belong to none.
func (s *Server) room(provider string) *Server {
	if provider == "" {
		return s
	}
	s.rooms.mu.Lock()
	defer s.rooms.mu.Unlock()
	r := s.rooms.of[provider]
	if r == nil {
		own := share{s, provider}
		r = &Server{
			live: own, history: own, observations: own, ledger: own, servers: own, incidents: own, reports: own, logger: s.logger, gate: s.gate, ready: s.ready, views: s.views,
			strips: page.NewMemo[struct{}, matrix](s.refresh), accounts: page.NewMemo[accountKey, account](accountFor), standing: page.NewMemo[struct{}, standing](noticesFor), refresh: s.refresh,
			hub: newHub(), rooms: &rooms{},
		}
		r.routes()
		s.rooms.of[provider] = r
	}
	return r
}

// entered are the rooms that somebody has entered, by provider.
func (s *Server) entered() map[string]*Server {
	s.rooms.mu.Lock()
	defer s.rooms.mu.Unlock()
	return maps.Clone(s.rooms.of)
}

// providerOf is the provider of a service.
func (s *Server) providerOf(service string) string {
	now, err := s.live.Now(context.Background())
	if err != nil {
		return ""
	}
	return now.serviceOf(service).Provider
}

// share is the facts as the people of one provider get them. Metrics are not among
// them: they are of the whole fleet.
type share struct {
	all      *Server
	provider string
}

var (
	_ Live         = share{}
	_ History      = share{}
	_ Observations = share{}
	_ Ledger       = share{}
	_ Servers      = share{}
	_ Incidents    = share{}
)

// Now leaves out the services of others and all that is said of their checks.
func (s share) Now(ctx context.Context) (Now, error) {
	now, err := s.all.live.Now(ctx)
	if err != nil {
		return Now{}, err
	}
	return now.of(s.provider), nil
}

// of is what a snapshot says of one provider.
func (n Now) of(provider string) Now {
	n.Services = kept(n.Services, func(x Service) bool { return x.Provider == provider })
	mine := func(service string) bool {
		return slices.ContainsFunc(n.Services, func(x Service) bool { return x.ID == service })
	}
	n.Checks = kept(n.Checks, func(c checks.Target) bool { return mine(c.Service) })
	n.Verdicts = kept(n.Verdicts, func(v Verdict) bool { return n.has(v.Check) })
	n.Changes = kept(n.Changes, func(c verdict.Change) bool { return n.has(c.Series.Check) })
	n.Notices = kept(n.Notices, func(x verdict.Notice) bool { return n.has(x.Check) })
	n.Own = nil // its operators are others
	n.Windows = kept(n.Windows, func(w Window) bool { return slices.ContainsFunc(w.Services, mine) })
	for i, w := range n.Windows {
		n.Windows[i].Services = kept(w.Services, mine)
	}
	return n
}

func kept[T any](list []T, keep func(T) bool) []T {
	return slices.DeleteFunc(slices.Clone(list), func(x T) bool { return !keep(x) })
}

// Matrix leaves out the strips of others.
func (s share) Matrix(ctx context.Context, w graph.Window) ([]Strip, error) {
	now, err := s.Now(ctx)
	if err != nil {
		return nil, err
	}
	strips, err := s.all.history.Matrix(ctx, w)
	return kept(strips, func(x Strip) bool { return now.has(x.Check) }), err
}

// Began is asked of a check that Now shows.
func (s share) Began(ctx context.Context, check string) (time.Time, error) {
	return s.all.history.Began(ctx, check)
}

// Last is asked of a series that Now shows.
func (s share) Last(ctx context.Context, series verdict.Series, before time.Time) (verdict.State, time.Time, error) {
	return s.all.history.Last(ctx, series, before)
}

// Probe is how a probe that all share was, but for what it saw fail, which may be at
// others.
func (s share) Probe(ctx context.Context, probe string, w graph.Window) (ProbeHistory, error) {
	h, err := s.all.history.Probe(ctx, probe, w)
	h.Pulses = slices.Clone(h.Pulses)
	for i := range h.Pulses {
		h.Pulses[i].Down = 0
	}
	return h, err
}

// Check is asked of a check that Now shows.
func (s share) Check(ctx context.Context, q CheckQuery) (CheckHistory, error) {
	return s.all.history.Check(ctx, q)
}

// Availability is asked of a service or check that Now shows.
func (s share) Availability(ctx context.Context, q AvailabilityQuery) (Availability, error) {
	return s.all.history.Availability(ctx, q)
}

// Numbers are asked of a service that Now shows.
func (s share) Numbers(ctx context.Context, q NumbersQuery) (availability.Numbers, error) {
	return s.all.history.Numbers(ctx, q)
}

// Latency is asked of a check that Now shows.
func (s share) Latency(ctx context.Context, q LatencyQuery) ([]graph.LatencyPoint, error) {
	return s.all.history.Latency(ctx, q)
}

// Observations lists those of the provider's own checks.
func (s share) Observations(ctx context.Context, q ObservationQuery) ([]checks.Observation, Cursor, error) {
	now, err := s.Now(ctx)
	if err != nil || len(now.Checks) == 0 {
		return nil, Cursor{}, err
	}
	for _, c := range now.Checks {
		q.Checks = append(q.Checks, c.ID)
	}
	return s.all.observations.Observations(ctx, q)
}

// Mail is of the provider's own services.
func (s share) Mail(ctx context.Context, q MailQuery) (Mail, error) {
	own, err := s.services(ctx, q.Services)
	if err != nil || len(own) == 0 {
		return Mail{}, err
	}
	q.Services = own
	return s.all.ledger.Mail(ctx, q)
}

// Delays are of the provider's own services.
func (s share) Delays(ctx context.Context, q MailQuery, step time.Duration) ([]graph.DelayPoint, error) {
	own, err := s.services(ctx, q.Services)
	if err != nil || len(own) == 0 {
		return nil, err
	}
	q.Services = own
	return s.all.ledger.Delays(ctx, q, step)
}

// services are the provider's own of those that are asked for, of all if none is.
func (s share) services(ctx context.Context, asked []string) ([]string, error) {
	now, err := s.Now(ctx)
	var out []string
	for _, x := range now.Services {
		if len(asked) == 0 || slices.Contains(asked, x.ID) {
			out = append(out, x.ID)
		}
	}
	return out, err
}

// Presented leaves out what the servers of others showed.
func (s share) Presented(ctx context.Context, check string) ([]Presented, error) {
	list, err := s.all.servers.Presented(ctx, check)
	return ofOwn(ctx, s, list, err, func(p Presented) string { return p.Check })
}

// Annotations leaves out what changed at others.
func (s share) Annotations(ctx context.Context, q AnnotationQuery) ([]Annotation, error) {
	list, err := s.all.servers.Annotations(ctx, q)
	return ofOwn(ctx, s, list, err, func(a Annotation) string { return a.Check })
}

// Findings leaves out what was found at others.
func (s share) Findings(ctx context.Context, check string) ([]Findings, error) {
	list, err := s.all.servers.Findings(ctx, check)
	return ofOwn(ctx, s, list, err, func(f Findings) string { return f.Check })
}

// ofOwn keeps what is about a check of the provider's own.
func ofOwn[T any](ctx context.Context, s share, list []T, err error, check func(T) string) ([]T, error) {
	if err != nil {
		return nil, err
	}
	now, err := s.Now(ctx)
	return kept(list, func(x T) bool { return now.has(check(x)) }), err
}

// Overlapping leaves out the incidents of others, and which they are.
func (s share) Overlapping(ctx context.Context, from, to time.Time) (Register, error) {
	found, err := s.all.incidents.Overlapping(ctx, from, to)
	return found.of(s.provider), err
}

// Signs are asked of an incident that Overlapping shows.
func (s share) Signs(ctx context.Context, i incident.Incident) ([]incident.Sign, error) {
	return s.all.incidents.Signs(ctx, i)
}

// Act is done with an incident that Overlapping shows.
func (s share) Act(ctx context.Context, id string, o incident.Order) (string, error) {
	return s.all.incidents.Act(ctx, id, o)
}
