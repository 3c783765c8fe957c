package control

import (
	"context"
	"io"
	"net/http"
	"net/url"
)

// Evidence is what the evidence command needs of the coordinator.
type Evidence interface {
	// Evidence writes all that is known of an incident as one file. An error before the
	// first byte is that of an incident of which there is nothing.
	Evidence(ctx context.Context, incident string, w io.Writer) error
}

var _ Evidence = (*Client)(nil)

func (s *Server) evidenceRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/incidents/{id}/evidence", func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		s.send(w, r, "evidence of "+id, func(out io.Writer) error { return s.evidence.Evidence(r.Context(), id, out) })
	})
}

// Evidence writes all that the coordinator knows of an incident to w. After an error
// what was written is not to be used.
func (c *Client) Evidence(ctx context.Context, incident string, w io.Writer) error {
	return c.fetch(ctx, "/v1/incidents/"+url.PathEscape(incident)+"/evidence", stall, w)
}
