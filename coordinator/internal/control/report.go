package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"varde/coordinator/internal/report"
)

// Reports is what the report command needs of the coordinator.
type Reports interface {
	// Report writes what was measured in a month, and says what is missing in it.
	Report(ctx context.Context, want WantedReport, w io.Writer) (gaps []string, err error)
}

// WantedReport is what is asked for.
type WantedReport struct {
	Month  report.Month
	Format report.Format
	// Provider is the id of the one whose services it is about; empty for all.
	Provider string
	// Public asks for what everybody may read; a report of one provider is always that.
	Public bool
}

var _ Reports = (*Client)(nil)

func (s *Server) reportRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/report", func(w http.ResponseWriter, r *http.Request) {
		s.send(w, r, "report", func(out io.Writer) error {
			want, err := wantedReport(r.URL.Query())
			if err != nil {
				return fmt.Errorf("read request: %w", err)
			}
			var body bytes.Buffer
			gaps, err := s.reports.Report(r.Context(), want, &body)
			if err != nil {
				return err
			}
			if err := json.NewEncoder(out).Encode(gaps); err != nil {
				return err
			}
			_, err = body.WriteTo(out)
			return err
		})
	})
}

func wantedReport(q url.Values) (want WantedReport, err error) {
	if want.Month, err = report.ParseMonth(q.Get("month")); err != nil {
		return want, err
	}
	if want.Format, err = report.ParseFormat(q.Get("format")); err != nil {
		return want, err
	}
	want.Provider = q.Get("provider")
	want.Public, err = strconv.ParseBool(q.Get("public"))
	return want, err
}

// reportStall is how long nothing may come: every minute of a month is read, of every
// series, before the first word is written, which takes 0.1 s for each.
const reportStall = 30 * time.Minute

// Report writes what was measured in a month to w, and says what is missing in it. After
// an error what was written is not to be used.
func (c *Client) Report(ctx context.Context, want WantedReport, w io.Writer) (gaps []string, err error) {
	q := url.Values{
		"month": {want.Month.String()}, "format": {string(want.Format)}, "provider": {want.Provider}, "public": {strconv.FormatBool(want.Public)},
	}
	head := &headed{rest: w}
	if err := c.fetch(ctx, "/v1/report?"+q.Encode(), reportStall, head); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(head.line, &gaps); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return gaps, nil
}

// headed takes the first line of what is written, and passes on the rest.
type headed struct {
	line []byte
	over bool
	rest io.Writer
}

// Write takes what belongs to the line.
func (h *headed) Write(b []byte) (int, error) {
	if h.over {
		return h.rest.Write(b)
	}
	first, rest, over := bytes.Cut(b, []byte("\n"))
	h.line, h.over = append(h.line, first...), over
	if len(h.line) > maxAnswer {
		return 0, errors.New("read answer: the first line has no end")
	}
	if len(rest) > 0 {
		if n, err := h.rest.Write(rest); err != nil {
			return len(b) - len(rest) + n, err
		}
	}
	return len(b), nil
}
