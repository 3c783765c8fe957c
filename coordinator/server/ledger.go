package server

import (
	"context"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/ops"
)

// Mail reads what became of test mails.
func (p past) Mail(ctx context.Context, q ops.MailQuery) (out ops.Mail, err error) {
	hq := history.MailQuery{Route: q.Route, Services: q.Services, From: q.From, To: q.To, Notable: q.Notable, Limit: q.Limit}
	if out.Sums, out.Routes, err = p.history.MailSums(ctx, hq); err != nil {
		return out, err
	}
	for _, w := range p.announcedIn(q.From, q.To) {
		if slices.ContainsFunc(p.current().Targets(), func(t checks.Target) bool {
			return t.Kind == checks.RoundTrip && slices.Contains(w.Services, t.Service) && (len(q.Services) == 0 || slices.Contains(q.Services, t.Service))
		}) {
			out.Windows = append(out.Windows, w)
		}
	}
	out.List, err = p.history.Mails(ctx, hq)
	return out, err
}

// Delays reads how long the mails of a route took.
func (p past) Delays(ctx context.Context, q ops.MailQuery, step time.Duration) ([]graph.DelayPoint, error) {
	steps, err := p.history.MailSteps(ctx, history.MailQuery{Route: q.Route, Services: q.Services, From: q.From, To: q.To}, step)
	out := make([]graph.DelayPoint, len(steps))
	for i, s := range steps {
		out[i] = graph.DelayPoint(s)
	}
	return out, err
}

// presentedFor is how long what a server showed last is taken for what it shows: a
// check may run once a day.
const presentedFor = 49 * time.Hour

// Presented reads what servers showed lately.
func (p past) Presented(ctx context.Context, check string) ([]ops.Presented, error) {
	list, err := p.history.Presented(ctx, check, time.Now().Add(-presentedFor))
	out := make([]ops.Presented, len(list))
	for i, one := range list {
		out[i] = ops.Presented(one)
	}
	return out, err
}

// Annotations reads what changed in what servers show.
func (p past) Annotations(ctx context.Context, q ops.AnnotationQuery) ([]ops.Annotation, error) {
	list, err := p.history.Annotations(ctx, history.AnnotationQuery(q))
	out := make([]ops.Annotation, len(list))
	for i, a := range list {
		out[i] = ops.Annotation{
			At: a.At, Check: a.Check, Region: a.Region, Probe: a.Probe, Family: a.Family, Kind: string(a.Kind), From: a.From, To: a.To,
		}
	}
	return out, err
}

// Findings reads what was found of configurations.
func (p past) Findings(ctx context.Context, check string) ([]ops.Findings, error) {
	list, err := p.history.Findings(ctx, check)
	out := make([]ops.Findings, len(list))
	for i, f := range list {
		out[i] = ops.Findings(f)
	}
	return out, err
}
