package server

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"varde/coordinator/internal/control"
	"varde/coordinator/internal/identity"
	"varde/coordinator/internal/ops"
	"varde/coordinator/internal/presence"
	"varde/proto/wire"
)

// NewProbe is a probe that shall join.
type NewProbe = control.NewProbe

// AddProbe makes the token by which one machine joins under a name.
func (s *Server) AddProbe(ctx context.Context, p NewProbe) (token string, err error) {
	i, err := roster{s}.AddProbe(ctx, p)
	return i.Token, err
}

// serveControl answers the commands on the unix socket.
func (s *Server) serveControl(ctx context.Context) error {
	if !s.opts.Socket {
		return nil
	}
	c, err := control.New(control.Options{Roster: roster{s}, Reporter: s, Incidents: cases{s}, Evidence: s, Windows: announced{s}, Backup: s, Exporter: s, Rebuilder: rebuilds{s}, Reports: reportCommand{months{s}}, Logger: s.log.With("component", "control"), Wrap: s.timings.of("control")})
	if err != nil {
		return err
	}
	l, err := control.Listen(ctx, s.opts.Config.Data)
	if err != nil {
		return err
	}
	return c.Serve(ctx, l)
}

// roster is what the commands on probes ask of the coordinator.
type roster struct{ server *Server }

var _ control.Roster = roster{}

// AddProbe makes a token. A region that is not configured is an error: its
// verdicts would appear nowhere.
func (r roster) AddProbe(ctx context.Context, p control.NewProbe) (control.Invitation, error) {
	c := r.server.current()
	ids := make([]string, len(c.Regions))
	for i, region := range c.Regions {
		ids[i] = region.ID
	}
	if !slices.Contains(ids, p.Region) {
		return control.Invitation{}, fmt.Errorf("region %q is not in the configuration, expected one of %s", p.Region, strings.Join(ids, ", "))
	}
	ttl := p.TTL
	if ttl == 0 {
		ttl = identity.DefaultTTL
	}
	replaced := slices.ContainsFunc(r.server.authority.Pending(), func(t identity.Pending) bool {
		return t.Name == p.Name && invitation(t) == presence.Invited
	})
	token, err := r.server.authority.AddProbe(ctx, identity.NewProbe{
		Name: p.Name, Region: p.Region, Site: p.Site, ASN: p.ASN, TTL: ttl,
	})
	if err != nil {
		return control.Invitation{}, err
	}
	return control.Invitation{Token: token.String(), Expires: time.Now().Add(ttl).UTC(), Replaced: replaced}, nil
}

// RemoveProbe revokes a probe and says which passwords it knew.
func (r roster) RemoveProbe(ctx context.Context, name string) (control.Removal, error) {
	secrets := r.server.plans.Knows(name)
	if _, err := r.server.authority.Remove(ctx, name); err != nil {
		return control.Removal{}, err
	}
	return control.Removal{Secrets: secrets}, nil
}

// invitation is the state of a probe that has not joined.
func invitation(t identity.Pending) presence.State {
	if time.Now().Before(t.Expires) {
		return presence.Invited
	}
	return presence.Expired
}

// Probes lists the roster and the open invitations.
func (r roster) Probes(context.Context) ([]control.Probe, error) {
	ends := map[string]time.Time{}
	for _, e := range r.server.authority.Roster() {
		ends[e.Name] = e.NotAfter
	}
	out := []control.Probe{}
	for _, p := range r.server.ingest.Probes() {
		out = append(out, control.Probe{
			Name: p.Name, Region: p.Region, Site: p.Site, ASN: p.ASN, State: p.State, Version: p.Version,
			LastSeen: p.LastSeen, Expires: ends[p.Name], PlanRevision: p.Plan.Revision, Spool: p.Spool,
			Qualified: p.Qualified, Relay: p.Relay,
		})
	}
	for _, t := range r.server.authority.Pending() {
		out = append(out, control.Probe{
			Name: t.Name, Region: t.Region, Site: t.Site, ASN: t.ASN, State: invitation(t), Expires: t.Expires,
		})
	}
	slices.SortFunc(out, func(a, b control.Probe) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

var _ control.Reporter = (*Server)(nil)

// Status is what the coordinator says of itself.
func (s *Server) Status(ctx context.Context) (control.Status, error) {
	c, at := s.current(), s.Addresses()
	out := control.Status{
		Name: c.Name, Version: s.opts.Version, Started: s.started, Config: s.opts.ConfigPath,
		GRPC: at.GRPC, Public: at.Public, Ops: at.Ops, Checks: len(c.Checks),
	}
	var err error
	if out.Loaded, err = s.lastReload(); err != nil {
		out.ReloadError = err.Error()
	}
	if b, ok, err := s.history.Rebuilding(ctx); err == nil && ok {
		out.Notices = append(out.Notices, fmt.Sprintf("the history since %s is made again: %d of %d messages are read", b.Since.Format(time.RFC3339), b.Done, b.All))
	}
	if err := s.ready(ctx); err != nil {
		out.Notices = append(out.Notices, "not ready: "+err.Error())
	}
	number := wire.PlanNumber{}
	if p, ok := s.plans.Current(); ok {
		number = p.Number
	}
	out.PlanRevision = number.Revision
	var probes []ops.Probe
	for _, p := range s.ingest.Probes() {
		out.Probes++
		if p.State == presence.Connected {
			out.Connected++
		}
		for _, n := range p.Notices {
			out.Notices = append(out.Notices, p.Name+": "+n)
		}
		probes = append(probes, opsProbe(p))
	}
	out.Notices = append(out.Notices, ops.ProbeNotices(probes, time.Now())...)
	out.Notices = append(out.Notices, ops.Alerts(s.history.Notices(), time.Now())...)
	out.Notices = append(out.Notices, s.endingCertificates(ctx)...)
	for _, n := range s.mirrorNotices() {
		out.Notices = append(out.Notices, n.Title+" "+n.Detail)
	}
	out.Notices = append(out.Notices, s.newReports()...)
	if first, last := s.journal.Bounds(); first <= last {
		out.JournalFirst, out.JournalLast = first, last
		if out.JournalSince, err = s.journal.Oldest(ctx); err != nil {
			return out, err
		}
	}
	for _, at := range s.history.NewestObservation() {
		if at.After(out.NewestObservation) {
			out.NewestObservation = at
		}
	}
	return out, nil
}

// Peers are the members of the mesh that a probe said it sees, by name.
func (s *Server) Peers(probe string) []string {
	for _, p := range s.ingest.Probes() {
		if p.Name == probe {
			return p.Peers
		}
	}
	return nil
}

// RemoveProbe revokes a probe at once and returns the names of the passwords
// that it knew.
func (s *Server) RemoveProbe(ctx context.Context, name string) (secrets []string, err error) {
	r, err := roster{s}.RemoveProbe(ctx, name)
	return r.Secrets, err
}

// CertificateEnd is when the newest certificate of a probe ends; the zero time
// if there is no such probe.
func (s *Server) CertificateEnd(probe string) time.Time {
	for _, e := range s.authority.Roster() {
		if e.Name == probe {
			return e.NotAfter
		}
	}
	return time.Time{}
}
