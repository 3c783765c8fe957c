package ops

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
)

// answer sends v as JSON.
func (s *Server) answer(w http.ResponseWriter, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		s.logger.Error("answer cannot be written", "error", err)
		apiError(w, http.StatusInternalServerError, "the answer could not be written")
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(append(body, '\n'))
}

// apiError sends what was wrong.
func apiError(w http.ResponseWriter, status int, problem string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	// A string always marshals.
	body, _ := json.Marshal(struct {
		Error string `json:"error"`
	}{problem})
	_, _ = w.Write(append(body, '\n'))
}

// ours says that the facts could not be read; the cause is for the log.
func (s *Server) ours(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody waits any more
	}
	s.logger.Warn("facts cannot be read", "path", r.URL.Path, "error", err)
	s.refuse(w, r, http.StatusServiceUnavailable, "the facts cannot be read now, please try again")
}

// bounded gives a reading its time.
func bounded(r *http.Request) (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), readTimeout)
}

// withNow reads the present and hands it on.
func (s *Server) withNow(w http.ResponseWriter, r *http.Request, use func(ctx context.Context, now Now) error) {
	ctx, cancel := bounded(r)
	defer cancel()
	now, err := s.live.Now(ctx)
	if err == nil {
		err = use(ctx, now)
	}
	if err != nil {
		s.ours(w, r, err)
	}
}

func (s *Server) apiVerdicts(w http.ResponseWriter, r *http.Request) {
	s.withNow(w, r, func(_ context.Context, now Now) error {
		out := slices.Clone(now.Verdicts)
		slices.SortFunc(out, func(a, b Verdict) int { return a.Compare(b.Series) })
		s.answer(w, list(out))
		return nil
	})
}

func (s *Server) apiProbes(w http.ResponseWriter, r *http.Request) {
	s.withNow(w, r, func(_ context.Context, now Now) error {
		s.answer(w, list(now.Probes))
		return nil
	})
}

// list makes an empty list [] and not null.
func list[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// expect refuses names that are not configured.
func (n Now) expect(q *question, check, region string) {
	if check != "" && !slices.ContainsFunc(n.Checks, func(c checks.Target) bool { return c.ID == check }) {
		q.fail("check %q is not configured", check)
	}
	if region != "" && !slices.ContainsFunc(n.Regions, func(r Region) bool { return r.ID == region }) {
		q.fail("region %q is not configured", region)
	}
}

// sumsJSON is one stretch of time in the numbers of /api/v1/availability.
type sumsJSON struct {
	Availability *float64 `json:"availability"`
	Coverage     float64  `json:"coverage"`
	UpS          float64  `json:"up_s"`
	DownS        float64  `json:"down_s"`
	UnknownS     float64  `json:"unknown_s"`
	Low          *float64 `json:"low"`
	High         *float64 `json:"high"`
	// WithoutMaintenance is the ratio of what was not announced maintenance.
	WithoutMaintenance *float64 `json:"without_maintenance"`
}

func (s Sums) json() sumsJSON {
	out := sumsJSON{Coverage: s.Coverage, UpS: s.Up.Seconds(), DownS: s.Down.Seconds(), UnknownS: s.Unknown.Seconds()}
	if s.Ratio.Known {
		out.Availability, out.Low, out.High = &s.Ratio.Value, &s.Low, &s.High
	}
	if s.WithoutMaintenance.Known {
		out.WithoutMaintenance = &s.WithoutMaintenance.Value
	}
	return out
}

func (s *Server) apiAvailability(w http.ResponseWriter, r *http.Request) {
	q := ask(r.URL.Query())
	q.only("service", "check", "region", "from", "to", "step")
	query := AvailabilityQuery{Service: q.id("service"), Check: q.id("check"), Region: q.id("region")}
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		query.From, query.To = q.window(now.At)
		query.Step = q.step(query.From, query.To)
		now.expect(q, query.Check, query.Region)
		if (query.Service == "") == (query.Check == "") {
			q.fail("expected exactly one of service and check")
		}
		if query.Service != "" && !slices.ContainsFunc(now.Services, func(x Service) bool { return x.ID == query.Service }) {
			q.fail("service %q is not configured", query.Service)
		}
		if q.err != nil {
			apiError(w, http.StatusBadRequest, q.err.Error())
			return nil
		}
		a, err := s.history.Availability(ctx, query)
		if err != nil {
			return fmt.Errorf("read availability: %w", err)
		}
		s.answer(w, a.json())
		return nil
	})
}

type availabilityJSON struct {
	sumsJSON
	Points []availabilityPointJSON `json:"points"`
}

type availabilityPointJSON struct {
	T time.Time `json:"t"`
	sumsJSON
}

func (a Availability) json() availabilityJSON {
	out := availabilityJSON{a.Sums.json(), make([]availabilityPointJSON, 0, len(a.Points))}
	for _, p := range a.Points {
		out.Points = append(out.Points, availabilityPointJSON{p.At.UTC(), p.json()})
	}
	return out
}

type latencyJSON struct {
	Points []latencyPointJSON `json:"points"`
}

type latencyPointJSON struct {
	T   time.Time `json:"t"`
	N   int       `json:"n"`
	P50 float64   `json:"p50_ms"`
	P95 float64   `json:"p95_ms"`
	P99 float64   `json:"p99_ms"`
}

func (s *Server) apiLatency(w http.ResponseWriter, r *http.Request) {
	q := ask(r.URL.Query())
	q.only("check", "region", "phase", "from", "to", "step")
	query := LatencyQuery{Check: q.id("check"), Region: q.id("region"), Phase: checks.Phase(q.oneOf("phase", phases()))}
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		query.From, query.To = q.window(now.At)
		query.Step = q.step(query.From, query.To)
		now.expect(q, query.Check, query.Region)
		if query.Check == "" {
			q.fail("no check given, expected check=ID")
		}
		if q.err != nil {
			apiError(w, http.StatusBadRequest, q.err.Error())
			return nil
		}
		points, err := s.history.Latency(ctx, query)
		if err != nil {
			return fmt.Errorf("read latency: %w", err)
		}
		s.answer(w, latencyOf(points))
		return nil
	})
}

// latencyOf leaves out the points in which no run completed.
func latencyOf(points []graph.LatencyPoint) latencyJSON {
	out := latencyJSON{[]latencyPointJSON{}}
	for _, p := range points {
		if p.N > 0 {
			out.Points = append(out.Points, latencyPointJSON{
				p.At.UTC(), p.N, checks.Milliseconds(p.P50), checks.Milliseconds(p.P95), checks.Milliseconds(p.P99),
			})
		}
	}
	return out
}
