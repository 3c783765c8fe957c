package control

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"varde/coordinator/internal/plan"
	"varde/coordinator/internal/register"
)

// Windows is what the commands on maintenance and watches need of the coordinator.
type Windows interface {
	// ListWindows lists those of a kind of which something lies after a time, in order
	// of their beginning.
	ListWindows(ctx context.Context, kind register.Kind, since time.Time) ([]Window, error)
	// AddWindow announces one.
	AddWindow(ctx context.Context, w register.Window) (Window, error)
	// CancelWindow takes one of a kind back. An id that is not known is an error.
	CancelWindow(ctx context.Context, kind register.Kind, id, by string) (Window, error)
}

// Window is one window as it stands now.
type Window struct {
	register.Window
	// State is coming, active, over or cancelled.
	State string `json:"state"`
	// Providers are the names of those whose services it is about, where there are
	// several.
	Providers []string `json:"providers,omitempty"`
	// Checks is how a watch that is active or coming has its checks asked.
	Checks []plan.Watched `json:"checks,omitempty"`
}

// cancelling is a request to cancel a window.
type cancelling struct {
	Kind register.Kind `json:"kind"`
	By   string        `json:"by"`
}

// ListWindows lists windows.
func (c *Client) ListWindows(ctx context.Context, kind register.Kind, since time.Time) ([]Window, error) {
	q := url.Values{"kind": {string(kind)}, "since": {since.UTC().Format(time.RFC3339)}}
	return call[[]Window](ctx, c, http.MethodGet, "/v1/windows?"+q.Encode(), nil)
}

// AddWindow announces a window.
func (c *Client) AddWindow(ctx context.Context, w register.Window) (Window, error) {
	return call[Window](ctx, c, http.MethodPost, "/v1/windows", w)
}

// CancelWindow takes a window back.
func (c *Client) CancelWindow(ctx context.Context, kind register.Kind, id, by string) (Window, error) {
	return call[Window](ctx, c, http.MethodPost, "/v1/windows/"+url.PathEscape(id)+"/cancel", cancelling{kind, by})
}

// windowRoutes adds what is asked about windows.
func (s *Server) windowRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/windows", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(ctx context.Context) ([]Window, error) {
			q := r.URL.Query()
			since, err := time.Parse(time.RFC3339, q.Get("since"))
			if err != nil {
				return nil, fmt.Errorf("read request: since: %w", err)
			}
			return s.windows.ListWindows(ctx, register.Kind(q.Get("kind")), since)
		})
	})
	mux.HandleFunc("POST /v1/windows", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(ctx context.Context) (Window, error) {
			n, err := request[register.Window](w, r)
			if err != nil {
				return Window{}, err
			}
			return s.windows.AddWindow(ctx, n)
		})
	})
	mux.HandleFunc("POST /v1/windows/{id}/cancel", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(ctx context.Context) (Window, error) {
			c, err := request[cancelling](w, r)
			if err != nil {
				return Window{}, err
			}
			return s.windows.CancelWindow(ctx, c.Kind, r.PathValue("id"), c.By)
		})
	})
}
