package server

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/config"
	"varde/coordinator/internal/control"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/ops"
	"varde/coordinator/internal/report"
	"varde/coordinator/internal/report/archive"
)

// openReports opens the folder of reports, and makes what writes one every month.
func (s *Server) openReports(context.Context) (err error) {
	if s.reports, err = archive.Open(filepath.Join(s.opts.Config.Data, "reports")); err != nil {
		return err
	}
	s.reporting, err = archive.NewKeeper(archive.Options{Archive: s.reports, Source: months{s}, Logger: s.log.With("component", "reports")})
	return err
}

// months is the coordinator as reports are made of it.
type months struct{ *Server }

var (
	_ archive.Source  = months{}
	_ control.Reports = reportCommand{}
)

// Providers are those of whom a report is written by itself, besides the one of all.
func (m months) Providers() []string {
	c := m.current()
	if c.Reports == config.NoReports {
		return nil
	}
	return append([]string{""}, idsOf(c.Providers, func(p config.Provider) string { return p.ID })...)
}

// FinalUntil is the end of the time of which verdicts are final.
func (m months) FinalUntil(ctx context.Context) (time.Time, error) { return m.history.FinalUntil(ctx) }

// Began is when this coordinator was made.
func (m months) Began() time.Time { return m.began }

// Report gathers what was measured in a month. That of one provider is for its people to
// send on, and holds what everybody may read.
func (m months) Report(ctx context.Context, month report.Month, provider string) (report.Report, error) {
	r, err := m.begun(month, provider)
	if err != nil {
		return r, err
	}
	if r.FinalUntil, err = m.FinalUntil(ctx); err != nil {
		return r, err
	}
	for _, s := range m.current().Services {
		if provider != "" && s.Provider != provider {
			continue
		}
		one, err := m.service(ctx, month, s)
		if err != nil {
			return r, fmt.Errorf("read %s of %s: %w", s.ID, month, err)
		}
		r.Services = append(r.Services, one)
	}
	r.Regions = m.regionsIn(r.Services)
	if r.Incidents, err = m.incidentsIn(ctx, month, provider); err != nil {
		return r, fmt.Errorf("read incidents of %s: %w", month, err)
	}
	if provider != "" {
		r = r.Sent()
	}
	return r, nil
}

// begun is a report with nothing in it yet, of a month in which something can have been
// measured.
func (m months) begun(month report.Month, provider string) (report.Report, error) {
	c := m.current()
	r := report.Report{Month: month, Written: time.Now().UTC(), Began: m.began, Coordinator: c.Name, Version: m.opts.Version}
	if err := month.Begun(r.Written); err != nil {
		return r, err
	}
	if !m.began.Before(month.To()) {
		return r, fmt.Errorf("got month %s, expected one from %s on, in which this coordinator was made", month, report.MonthOf(m.began))
	}
	if provider == "" {
		return r, nil
	}
	i := slices.IndexFunc(c.Providers, func(p config.Provider) bool { return p.ID == provider })
	if i < 0 {
		ids := strings.Join(idsOf(c.Providers, func(p config.Provider) string { return p.ID }), ", ")
		if ids == "" {
			ids = "none: the configuration names no providers"
		}
		return r, fmt.Errorf("got provider %.80q, expected one of %s", provider, ids)
	}
	r.Provider = report.Provider{ID: provider, Name: c.Providers[i].Name}
	return r, nil
}

// service reads what was measured of one service.
func (m months) service(ctx context.Context, month report.Month, s config.Service) (report.Service, error) {
	out := report.Service{ID: s.ID, Name: s.Name, Objective: ops.Service{SLO: s.SLO}.Objective()}
	to := month.To()
	if now := time.Now().UTC(); now.Before(to) {
		to = now
	}
	var err error
	out.Numbers, err = m.history.Numbers(ctx, history.NumbersQuery{Service: s.ID, From: month.From(), To: to, Objective: out.Objective, Curve: true})
	if err != nil {
		return out, err
	}
	c := m.current()
	order := idsOf(c.Regions, func(r config.Region) string { return r.ID })
	slices.SortFunc(out.Regions, func(a, b availability.RegionFigures) int {
		return cmp.Compare(slices.Index(order, a.Region), slices.Index(order, b.Region))
	})
	for _, region := range c.Regions {
		if len(checksOf(c, s.ID, region.ID)) == 0 {
			continue
		}
		d := report.Days{Region: region.ID, Weight: region.Weight}
		q := window(history.Query{Service: s.ID, Region: region.ID}, graph.Window{From: month.From(), To: to, Step: 24 * time.Hour})
		if d.Tallies, err = m.tallies(ctx, q); err != nil {
			return out, err
		}
		out.Days = append(out.Days, d)
	}
	out.Mail, _, err = m.history.MailSums(ctx, history.MailQuery{Services: []string{s.ID}, From: month.From(), To: to})
	out.RoundTrip = slices.ContainsFunc(c.Checks, func(t config.Check) bool { return t.Service == s.ID && t.Kind == checks.RoundTrip })
	return out, err
}

// regionsIn are those in which some services are asked.
func (m months) regionsIn(services []report.Service) (out []report.Region) {
	for _, r := range m.current().Regions {
		asked := func(s report.Service) bool {
			return slices.ContainsFunc(s.Days, func(d report.Days) bool { return d.Region == r.ID })
		}
		if slices.ContainsFunc(services, asked) {
			out = append(out, report.Region{ID: r.ID, Name: r.Name})
		}
	}
	return out
}

// What their trouble looked like is looked up of so many incidents of a report, and for so
// long: each minute of one that the journal still holds is read, about 50 ms.
const (
	signedMax    = 100
	signedWithin = 2 * time.Minute
)

// incidentsIn are the incidents of a month, the oldest first; of one provider those that
// are of its services alone.
func (m months) incidentsIn(ctx context.Context, month report.Month, provider string) ([]report.Incident, error) {
	w := *m.world.Load()
	cases := m.incidents.Overlapping(month.From(), month.To())
	mine := func(id string) bool {
		return provider == "" || slices.ContainsFunc(w.Services, func(s incident.Service) bool { return s.ID == id && s.Provider == provider })
	}
	var out []report.Incident
	until := time.Now().Add(signedWithin)
	for _, x := range incident.Wholes(cases) {
		shown := incident.View(w, x.Case, x.Parts...)
		if slices.ContainsFunc(shown.Services, func(id string) bool { return !mine(id) }) {
			continue
		}
		one := report.Incident{Shown: shown}
		if len(out) < signedMax && time.Now().Before(until) {
			signs, err := m.signsOf(ctx, x.Together())
			if err != nil {
				return nil, err
			}
			one.Signs = signs
		}
		out = append(out, one)
	}
	return out, nil
}

// signsOf are the words of what an incident looks like.
func (m months) signsOf(ctx context.Context, i incident.Incident) (out []string, err error) {
	signs, err := cases(m).Signs(ctx, i)
	for _, s := range signs {
		out = append(out, s.Words)
	}
	return out, err
}

// reportCommand is months as the command asks for them.
type reportCommand struct{ months }

// Report writes a report in the form that is asked for.
func (c reportCommand) Report(ctx context.Context, want control.WantedReport, w io.Writer) ([]string, error) {
	r, err := c.months.Report(ctx, want.Month, want.Provider)
	if err != nil {
		return nil, err
	}
	if want.Public {
		r = r.Sent()
	}
	b, err := r.Write(want.Format)
	if err != nil {
		return nil, err
	}
	_, err = w.Write(b)
	return r.Gaps(), err
}

// newReportFor is how long a report is told as new, after the end of its month.
const newReportFor = 7 * 24 * time.Hour

// newReports says which reports are new, a line each; none while the folder cannot be
// read.
func (s *Server) newReports() (out []string) {
	list, _ := s.reports.List()
	for _, n := range list {
		if n.Provider == "" && time.Since(n.Month.To()) < newReportFor {
			out = append(out, "the report of "+n.Month.Name()+" is written: see "+ops.ReportPath(n, report.HTML)+" on the operators' pages")
		}
	}
	return out
}
