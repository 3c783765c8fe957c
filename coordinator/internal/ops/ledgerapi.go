package ops

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"unicode"

	"varde/checks"
	"varde/coordinator/internal/mail"
)

// Limits of the lists of mails and annotations.
const (
	defaultMails = 1000
	maxMails     = 10_000
	// maxRoute is the longest name of a route, in bytes.
	maxRoute = 63
)

// route reads the name of a route; empty if not given.
func (q *question) route(name string) string {
	v := q.values.Get(name)
	if len(v) > maxRoute || slices.ContainsFunc([]rune(v), func(r rune) bool { return !unicode.IsPrint(r) }) {
		q.fail("%s %.64q, expected at most %d printable bytes", name, v, maxRoute)
		return ""
	}
	return v
}

// routes are the ways of the configured round trips.
func (n Now) routes() []string {
	var out []string
	for _, c := range n.Checks {
		if c.Kind == checks.RoundTrip {
			out = add(out, c.WithDefaults().Route)
		}
	}
	return out
}

func (s *Server) apiMail(w http.ResponseWriter, r *http.Request) {
	q := ask(r.URL.Query())
	q.only("route", "from", "to", "limit")
	query := MailQuery{Route: q.route("route"), Limit: q.number("limit", defaultMails, 1, maxMails)}
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		query.From, query.To = q.window(now.At)
		if q.err != nil {
			apiError(w, http.StatusBadRequest, q.err.Error())
			return nil
		}
		m, err := s.ledger.Mail(ctx, query)
		if err != nil {
			return fmt.Errorf("read mails: %w", err)
		}
		// A route that is configured no longer still has its mails.
		if query.Route != "" && m.Sums.Sent == 0 && !slices.Contains(now.routes(), query.Route) {
			apiError(w, http.StatusBadRequest, fmt.Sprintf("route %q is not configured, and no mail went that way then", query.Route))
			return nil
		}
		s.answer(w, struct {
			Sums   mail.Sums          `json:"sums"`
			Routes []mail.Route       `json:"routes"`
			Mails  []checks.MailEvent `json:"mails"`
		}{m.Sums, list(m.Routes), list(m.List)})
		return nil
	})
}

func (s *Server) apiAnnotations(w http.ResponseWriter, r *http.Request) {
	q := ask(r.URL.Query())
	q.only("check", "from", "to", "limit")
	query := AnnotationQuery{Check: q.id("check"), Limit: q.number("limit", defaultLimit, 1, maxLimit)}
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		query.From, query.To = q.window(now.At)
		now.expect(q, query.Check, "")
		if q.err != nil {
			apiError(w, http.StatusBadRequest, q.err.Error())
			return nil
		}
		found, err := s.servers.Annotations(ctx, query)
		if err != nil {
			return fmt.Errorf("read annotations: %w", err)
		}
		s.answer(w, list(found))
		return nil
	})
}

func (s *Server) apiFindings(w http.ResponseWriter, r *http.Request) {
	q := ask(r.URL.Query())
	q.only("check")
	check := q.id("check")
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		now.expect(q, check, "")
		if q.err != nil {
			apiError(w, http.StatusBadRequest, q.err.Error())
			return nil
		}
		found, err := s.servers.Findings(ctx, check)
		if err != nil {
			return fmt.Errorf("read findings: %w", err)
		}
		s.answer(w, list(found))
		return nil
	})
}
