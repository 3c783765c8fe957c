package control

import (
	"context"
	"net/http"
	"time"
)

// Rebuilding is how far the history is made again.
type Rebuilding struct {
	// Running says that it is under way.
	Running bool `json:"running"`
	// Since is the first hour that is made again.
	Since time.Time `json:"since,omitzero"`
	// Done entries of All of the journal were read.
	Done uint64 `json:"done"`
	All  uint64 `json:"all"`
}

// Rebuilder is what the rebuild command needs of the coordinator.
type Rebuilder interface {
	// Rebuild begins to make the history again of what the journal holds, or says how far
	// that is if it is under way.
	Rebuild(ctx context.Context) (Rebuilding, error)
	// Rebuilding says how far it is.
	Rebuilding(ctx context.Context) (Rebuilding, error)
}

var _ Rebuilder = (*Client)(nil)

func (s *Server) rebuildRoutes(mux *http.ServeMux) {
	mux.HandleFunc("POST /v1/rebuild", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(ctx context.Context) (Rebuilding, error) {
			b, err := s.rebuilder.Rebuild(ctx)
			if err == nil {
				s.logger.Info("history is made again", "since", b.Since)
			}
			return b, err
		})
	})
	mux.HandleFunc("GET /v1/rebuild", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, s.rebuilder.Rebuilding)
	})
}

// Rebuild begins to make the history again.
func (c *Client) Rebuild(ctx context.Context) (Rebuilding, error) {
	return call[Rebuilding](ctx, c, http.MethodPost, "/v1/rebuild", nil)
}

// Rebuilding says how far it is.
func (c *Client) Rebuilding(ctx context.Context) (Rebuilding, error) {
	return call[Rebuilding](ctx, c, http.MethodGet, "/v1/rebuild", nil)
}
