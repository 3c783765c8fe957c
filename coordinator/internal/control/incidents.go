package control

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"varde/coordinator/internal/bulletin"
	"varde/coordinator/internal/incident"
)

// Incidents is what the commands on incidents need of the coordinator.
type Incidents interface {
	// ListIncidents lists those of which something lies after a time, the newest first.
	ListIncidents(ctx context.Context, since time.Time) ([]incident.Shown, error)
	// ShowIncident returns one of them. An id that is not known is an error.
	ShowIncident(ctx context.Context, id string) (Incident, error)
	// OrderIncident does what a person wants and returns the incident that shows it.
	OrderIncident(ctx context.Context, id string, o incident.Order) (incident.Shown, error)
	// Bulletins returns what the pages tell of an incident, and what waits for a person.
	Bulletins(ctx context.Context, id string) ([]bulletin.Bulletin, error)
	// OrderBulletin does what a person wants with what a page tells of an incident.
	OrderBulletin(ctx context.Context, page, id string, o bulletin.Order) (bulletin.Bulletin, error)
}

// Incident is one incident with what it looks like.
type Incident struct {
	incident.Shown
	Signs []incident.Sign `json:"signs"`
}

// ListIncidents lists incidents.
func (c *Client) ListIncidents(ctx context.Context, since time.Time) ([]incident.Shown, error) {
	return call[[]incident.Shown](ctx, c, http.MethodGet, "/v1/incidents?since="+url.QueryEscape(since.UTC().Format(time.RFC3339)), nil)
}

// ShowIncident returns one incident.
func (c *Client) ShowIncident(ctx context.Context, id string) (Incident, error) {
	return call[Incident](ctx, c, http.MethodGet, "/v1/incidents/"+url.PathEscape(id), nil)
}

// OrderIncident has something done with an incident.
func (c *Client) OrderIncident(ctx context.Context, id string, o incident.Order) (incident.Shown, error) {
	return call[incident.Shown](ctx, c, http.MethodPost, "/v1/incidents/"+url.PathEscape(id), o)
}

// Bulletins returns what the pages tell of an incident.
func (c *Client) Bulletins(ctx context.Context, id string) ([]bulletin.Bulletin, error) {
	return call[[]bulletin.Bulletin](ctx, c, http.MethodGet, "/v1/incidents/"+url.PathEscape(id)+"/told", nil)
}

// OrderBulletin has something done with what a page tells of an incident.
func (c *Client) OrderBulletin(ctx context.Context, page, id string, o bulletin.Order) (bulletin.Bulletin, error) {
	return call[bulletin.Bulletin](ctx, c, http.MethodPost, "/v1/incidents/"+url.PathEscape(id)+"/told/"+url.PathEscape(page), o)
}

// incidentRoutes adds what is asked about incidents.
func (s *Server) incidentRoutes(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/incidents", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(ctx context.Context) ([]incident.Shown, error) {
			since, err := time.Parse(time.RFC3339, r.URL.Query().Get("since"))
			if err != nil {
				return nil, fmt.Errorf("read request: since: %w", err)
			}
			return s.incidents.ListIncidents(ctx, since)
		})
	})
	mux.HandleFunc("GET /v1/incidents/{id}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(ctx context.Context) (Incident, error) { return s.incidents.ShowIncident(ctx, r.PathValue("id")) })
	})
	mux.HandleFunc("POST /v1/incidents/{id}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(ctx context.Context) (incident.Shown, error) {
			o, err := request[incident.Order](w, r)
			if err != nil {
				return incident.Shown{}, err
			}
			return s.incidents.OrderIncident(ctx, r.PathValue("id"), o)
		})
	})
	mux.HandleFunc("GET /v1/incidents/{id}/told", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(ctx context.Context) ([]bulletin.Bulletin, error) {
			return s.incidents.Bulletins(ctx, r.PathValue("id"))
		})
	})
	mux.HandleFunc("POST /v1/incidents/{id}/told/{page}", func(w http.ResponseWriter, r *http.Request) {
		answer(w, r, func(ctx context.Context) (bulletin.Bulletin, error) {
			o, err := request[bulletin.Order](w, r)
			if err != nil {
				return bulletin.Bulletin{}, err
			}
			return s.incidents.OrderBulletin(ctx, r.PathValue("page"), r.PathValue("id"), o)
		})
	})
}
