package control

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"varde/coordinator/internal/recording"
)

// Exporter is what the export command needs of the coordinator.
type Exporter interface {
	// Export writes observations of the journal as JSON lines.
	Export(ctx context.Context, want recording.Wanted, w io.Writer) error
}

var _ Exporter = (*Client)(nil)

func (s *Server) exportRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/observations", func(w http.ResponseWriter, r *http.Request) {
		s.send(w, r, "observations", func(out io.Writer) error {
			want, err := wanted(r.URL.Query())
			if err != nil {
				return fmt.Errorf("read request: %w", err)
			}
			return s.exporter.Export(r.Context(), want, out)
		})
	})
}

func wanted(q url.Values) (recording.Wanted, error) {
	want := recording.Wanted{Check: q.Get("check"), Service: q.Get("service"), Probe: q.Get("probe"), Region: q.Get("region")}
	for name, at := range map[string]*time.Time{"from": &want.From, "to": &want.To} {
		if text := q.Get(name); text != "" {
			var err error
			if *at, err = time.Parse(time.RFC3339Nano, text); err != nil {
				return want, err
			}
		}
	}
	return want, nil
}

// Export writes observations of the journal to w as JSON lines. After an error what was
// written is not to be used.
func (c *Client) Export(ctx context.Context, want recording.Wanted, w io.Writer) error {
	q := url.Values{"check": {want.Check}, "service": {want.Service}, "probe": {want.Probe}, "region": {want.Region}}
	for name, at := range map[string]time.Time{"from": want.From, "to": want.To} {
		if !at.IsZero() {
			q.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	return c.fetch(ctx, "/v1/observations?"+q.Encode(), exportStall, w)
}

// exportStall is how long nothing may come: a large journal is read to its end for a
// few lines.
const exportStall = 10 * time.Minute
