package ops

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/mail"
)

// mailView is what the page of the ledger shows.
type mailView struct {
	Bar          bar
	Headline     string
	Words, Range string
	Ranges       []rangeView
	Drawn        drawnView
	Script       template.JS
	Letters      template.HTML
	Axis         template.HTML
	Occasions    []occasionView
	Keys         []mailKey
	Routes       []routeView
	// More are the mails that are not listed because there are too many.
	Mails   []mailLine
	More    int
	Notices []string
}

type mailKey struct {
	Key  template.HTML
	Text string
}

type routeView struct {
	Route, Sentence string
	Usual           string
	Picture         template.HTML
}

// mailLine is one mail of which an operator should know.
type mailLine struct {
	Sent                stamp
	Route, Probe, Check string
	Glyph               template.HTML
	Class, State        string
	Delay, Notice       string
}

// Limits of the page of the ledger.
const (
	// mailLines is how many mails are listed, and mailRoutes how many routes.
	mailLines  = 100
	mailRoutes = 50
)

// mailSpans are the windows of the ledger.
func mailSpans() []span {
	const day = 24 * time.Hour
	return []span{
		{"24h", "24 hours", day, 15 * time.Minute},
		{"7d", "7 days", 7 * day, 2 * time.Hour},
		{"30d", "30 days", 30 * day, 6 * time.Hour},
		{"90d", "90 days", 90 * day, 12 * time.Hour},
		{"1y", "1 year", 365 * day, day},
	}
}

func (s *Server) mailPage(w http.ResponseWriter, r *http.Request) {
	q := ask(r.URL.Query())
	sp := q.span(mailSpans(), "24h")
	if q.err != nil {
		s.refuse(w, r, http.StatusBadRequest, q.err.Error())
		return
	}
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		v, err := s.mailOf(ctx, now, sp)
		if err != nil {
			return err
		}
		s.views.graphs.policy.Set(w.Header())
		s.show(w, r, http.StatusOK, "mail.html", "varde: mail", v)
		return nil
	})
}

func (s *Server) mailOf(ctx context.Context, now Now, sp span) (mailView, error) {
	w := graph.Last(sp.length, sp.step, now.At)
	m, err := s.ledger.Mail(ctx, MailQuery{From: w.From, To: w.To, Notable: true, Limit: mailLines + 1})
	if err != nil {
		return mailView{}, fmt.Errorf("read mails: %w", err)
	}
	v := mailView{
		Bar: s.bar(now, "Mail"), Headline: mailHeadline(now, m.Sums), Words: sp.words, Range: sp.name, Axis: w.Axis("", "now"),
		Keys: []mailKey{
			{graph.DelayKey("db"), "arrived in time, as high as the longest delay"},
			{graph.DelayKey("dlate"), "late"},
			{graph.DelayKey("dlost"), "lost"},
			{graph.DelayKey("dopen"), "not found yet, or nobody can tell"},
		},
	}
	v.Drawn, v.Script = drawnView{w.From.UnixMilli(), w.To.UnixMilli(), w.Step.Milliseconds(), "range=" + sp.name, true}, s.views.graphs.source
	for _, x := range mailSpans() {
		v.Ranges = append(v.Ranges, rangeView{x.name, x.name == sp.name})
	}
	occasions, err := s.occasions(ctx, func(check string) bool { return now.checkOf(check).Kind == checks.RoundTrip }, w, m.Windows)
	if err != nil {
		return mailView{}, err
	}
	lines, letters := lettered(begun(occasions, w))
	for i, x := range occasions {
		v.Occasions = append(v.Occasions, now.occasionView(x, letters[0][i]))
	}
	if len(lines) > 0 {
		v.Letters = w.Letters(lines)
	}
	if v.Routes, err = s.routeViews(ctx, now, m.Routes, w, sp, lines); err != nil {
		return mailView{}, err
	}
	if len(m.List) > mailLines {
		m.List, v.More = m.List[:mailLines], 1
	}
	for _, one := range m.List {
		v.Mails = append(v.Mails, now.mailLine(one))
	}
	v.Notices = mailNotices(m.Routes)
	return v, nil
}

// mailHeadline is the promise, as it was measured.
func mailHeadline(now Now, s mail.Sums) string {
	switch {
	case s.Sent > 0:
		return s.Sentence(now.At)
	case len(now.routes()) == 0:
		return "No round trip is configured, so no mail is followed."
	}
	return "No test mail was sent."
}

// delays are those of the configured routes, and of others that have mails.
func (s *Server) delays(ctx context.Context, now Now, routes []mail.Route, w graph.Window) ([]mail.Route, [][]graph.DelayPoint, error) {
	for _, name := range now.routes() {
		if !slices.ContainsFunc(routes, func(r mail.Route) bool { return r.Route == name }) {
			routes = append(routes, mail.Route{Route: name})
		}
	}
	routes = routes[:min(len(routes), mailRoutes)]
	series := make([][]graph.DelayPoint, len(routes))
	for i, r := range routes {
		var err error
		if series[i], err = s.ledger.Delays(ctx, MailQuery{Route: r.Route, From: w.From, To: w.To}, w.Step); err != nil {
			return nil, nil, fmt.Errorf("read delays of %s: %w", r.Route, err)
		}
	}
	return routes, series, nil
}

// routeViews draw the routes with one scale.
func (s *Server) routeViews(ctx context.Context, now Now, routes []mail.Route, w graph.Window, sp span, lines []time.Time) ([]routeView, error) {
	routes, series, err := s.delays(ctx, now, routes, w)
	if err != nil {
		return nil, err
	}
	scale := graph.DelayScale(series...)
	var out []routeView
	for i, r := range routes {
		v := routeView{Route: r.Route, Sentence: r.Sentence(now.At)}
		if v.Sentence == "" {
			v.Sentence = "No test mail was sent."
		}
		if r.Arrived > 0 {
			v.Usual = "half within " + graph.AtMost(r.P50) + ", 95 of 100 within " + graph.AtMost(r.P95)
		}
		v.Picture = graph.Delays{
			Words:  graph.Words{ID: fmt.Sprintf("d_%d", i), Title: "Delays of " + r.Route + ", " + sp.words, Desc: v.Sentence},
			Window: w, Points: series[i], Scale: scale, Lines: lines,
		}.HTML()
		out = append(out, v)
	}
	return out, nil
}

// mailMark is the shape of a state: only lost mail is trouble without a doubt.
func mailMark(s checks.MailState) graph.Mark {
	switch s {
	case checks.MailArrived:
		return graph.Up
	case checks.MailLate:
		return graph.Slow
	case checks.MailLost:
		return graph.Down
	}
	return graph.Unknown
}

func (n Now) mailLine(m checks.MailEvent) mailLine {
	mark := mailMark(m.State)
	v := mailLine{
		Sent:  stamp{m.Sent.UTC().Format(time.RFC3339), when(m.Sent, n.At)},
		Route: m.Route, Probe: m.Probe, Check: m.Check, Glyph: mark.Glyph(), Class: mark.Class(), State: string(m.State),
	}
	switch {
	case !m.Found.IsZero():
		v.Delay = graph.Delay(m.Delay())
	case m.State == checks.MailPending || m.State == checks.MailLate:
		v.Delay = "not found for " + graph.Span(n.At.Sub(m.Sent))
	}
	var notices []string
	if m.Junk {
		notices = append(notices, "found among the junk")
	}
	for _, r := range []struct{ name, result string }{{"SPF", m.SPF}, {"DKIM", m.DKIM}, {"DMARC", m.DMARC}} {
		if speaksAgainst(r.result) {
			notices = append(notices, r.name+" "+r.result)
		}
	}
	v.Notice = strings.Join(notices, ", ")
	return v
}

// speaksAgainst says whether a result of RFC 8601 section 2.7 is held against a
// mail.
func speaksAgainst(result string) bool {
	return !slices.Contains([]string{"", "pass", "none", "neutral"}, result)
}

// mailNotices are what is odd about mails that arrived.
func mailNotices(routes []mail.Route) []string {
	var out []string
	for _, r := range routes {
		if r.Junk > 0 {
			out = append(out, fmt.Sprintf("%s: %s among the junk.", r.Route, graph.Count(r.Junk, "mail")+" of "+graph.Thousands(r.Arrived)+" found"))
		}
	}
	return out
}
