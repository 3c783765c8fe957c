package ops

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
)

// drawn are the numbers of one graph, exactly those that the page draws: a row for each
// mark. A value that is nil is not known.
type drawn struct {
	// Check is empty where the graph is of no single one.
	Check string    `json:"check,omitempty"`
	Graph string    `json:"graph"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	StepS float64   `json:"step_s"`
	// Columns name the values of a row; the first is the start of its step.
	Columns []string `json:"columns"`
	Rows    [][]any  `json:"rows"`
}

// graphs are the graphs of a check of which there are numbers.
func graphs() []string { return []string{"availability", "latency", "phases", "failures"} }

// apiGraph answers /api/v1/graphs/latency.csv and its like.
func (s *Server) apiGraph(w http.ResponseWriter, r *http.Request) {
	name, format, _ := strings.Cut(r.PathValue("file"), ".")
	if name == "mail" && (format == "csv" || format == "json") {
		s.apiMailGraph(w, r, format)
		return
	}
	if name == "probe" && (format == "csv" || format == "json") {
		s.apiProbeGraph(w, r, format)
		return
	}
	if !slices.Contains(graphs(), name) || format != "csv" && format != "json" {
		s.missing(w, r)
		return
	}
	q := ask(r.URL.Query())
	q.only("check", "range", "from", "to", "region", "family", "probe")
	id, c := q.id("check"), q.scope()
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		if id == "" {
			q.fail("no check given, expected check=ID")
		}
		if now.expect(q, id, c.region); q.err == nil {
			c = now.from(q, c)
		}
		if q.err != nil {
			apiError(w, http.StatusBadRequest, q.err.Error())
			return nil
		}
		c, err := s.settle(ctx, c, id, now.At)
		if err != nil {
			return err
		}
		window := c.window(now.At)
		h, err := s.history.Check(ctx, CheckQuery{Check: id, Region: c.region, Family: c.family, Probe: c.probe, Window: window})
		if err != nil {
			return fmt.Errorf("read history of %s: %w", id, err)
		}
		d := h.drawn(name, window)
		d.Check = id
		return s.send(w, d, format)
	})
}

// send writes the numbers as "csv" or "json".
func (s *Server) send(w http.ResponseWriter, d drawn, format string) error {
	if format == "csv" {
		return d.csv(w)
	}
	s.answer(w, d)
	return nil
}

// apiMailGraph answers with the delays of all routes, as the page of mails draws them.
func (s *Server) apiMailGraph(w http.ResponseWriter, r *http.Request, format string) {
	q := ask(r.URL.Query())
	q.only("range")
	sp := q.span(mailSpans(), "24h")
	if q.err != nil {
		apiError(w, http.StatusBadRequest, q.err.Error())
		return
	}
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		window := graph.Last(sp.length, sp.step, now.At)
		m, err := s.ledger.Mail(ctx, MailQuery{From: window.From, To: window.To, Notable: true, Limit: 1})
		if err != nil {
			return fmt.Errorf("read mails: %w", err)
		}
		routes, series, err := s.delays(ctx, now, m.Routes, window)
		if err != nil {
			return err
		}
		d := newDrawn("mail", window)
		d.Columns = []string{"t", "route", "sent", "arrived", "late", "pending", "lost", "unknown", "longest_delay_s"}
		for i, points := range series {
			for _, p := range points {
				if p.Sent > 0 {
					d.add(p.At, routes[i].Route, p.Sent, p.Arrived, p.Late, p.Pending, p.Lost, p.Unknown, p.Longest.Seconds())
				}
			}
		}
		return s.send(w, d, format)
	})
}

func newDrawn(name string, w graph.Window) drawn {
	return drawn{Graph: name, From: w.From, To: w.To, StepS: w.Step.Seconds(), Rows: [][]any{}}
}

// drawn are the numbers of one of graphs.
func (h CheckHistory) drawn(name string, w graph.Window) drawn {
	d := newDrawn(name, w)
	switch name {
	case "availability":
		d.availability(h, w)
	case "latency":
		d.Columns = []string{"t", "region", "n", "p50_ms", "p95_ms", "p99_ms"}
		for _, r := range h.Regions {
			for _, p := range r.Latency {
				if p.N > 0 {
					d.add(p.At, r.Region, p.N, checks.Milliseconds(p.P50), checks.Milliseconds(p.P95), checks.Milliseconds(p.P99))
				}
			}
		}
	case "phases":
		d.Columns = []string{"t", "region", "phase", "median_ms"}
		for _, r := range h.Regions {
			for _, p := range r.Medians {
				for k, phase := range r.Phases[:min(len(r.Phases), len(p.Medians))] {
					d.add(p.At, r.Region, string(phase), checks.Milliseconds(p.Medians[k]))
				}
			}
		}
	case "failures":
		d.Columns = []string{"t", "class", "outcome", "runs"}
		for _, c := range h.Classes {
			for i, n := range c.Counts {
				if n > 0 {
					d.add(w.Start(i), string(c.Class), c.Class.Outcome().String(), n)
				}
			}
		}
	}
	return d
}

// availability adds a row for each cell of the strips. A step that has not come has none.
func (d *drawn) availability(h CheckHistory, w graph.Window) {
	d.Columns = []string{"t", "region", "worst", "looked", "passed_s", "down_s", "intermittent_s", "slow_s", "maintenance_s"}
	for _, r := range h.Regions {
		for i, t := range r.Tallies[:min(len(r.Tallies), w.Cells())] {
			if t.Length > 0 {
				d.add(w.Start(i), r.Region, t.Mark().String(), t.Coverage, t.Length.Seconds(), t.Down.Seconds(), t.Intermittent.Seconds(), t.Slow.Seconds(), t.Maintenance.Seconds())
			}
		}
	}
}

func (d *drawn) add(at time.Time, values ...any) {
	d.Rows = append(d.Rows, append([]any{at.UTC()}, values...))
}

// csv writes the rows as RFC 4180 has it, with a header.
func (d drawn) csv(w http.ResponseWriter) error {
	w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", strings.TrimPrefix(d.Check+"-"+d.Graph+".csv", "-")))
	out := csv.NewWriter(w)
	err := out.Write(d.Columns)
	for _, row := range d.Rows {
		words := make([]string, len(row))
		for i, v := range row {
			switch v := v.(type) {
			case time.Time:
				words[i] = v.Format(time.RFC3339)
			case nil: // not known
			case float64:
				words[i] = strconv.FormatFloat(v, 'f', -1, 64)
			default:
				words[i] = fmt.Sprint(v)
			}
		}
		if err == nil {
			err = out.Write(words)
		}
	}
	if out.Flush(); err == nil {
		err = out.Error()
	}
	return err
}
