package statuspage

import (
	"cmp"
	"slices"
	"time"

	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/status"
)

// apiIncident is an incident, or announced work, as Statuspage publishes it.
type apiIncident struct {
	ID           string         `json:"id"`
	Name         string         `json:"name"`
	Status       string         `json:"status"`
	Impact       string         `json:"impact"`
	CreatedAt    apiTime        `json:"created_at"`
	UpdatedAt    apiTime        `json:"updated_at"`
	MonitoringAt *apiTime       `json:"monitoring_at"`
	ResolvedAt   *apiTime       `json:"resolved_at"`
	Shortlink    string         `json:"shortlink"`
	StartedAt    apiTime        `json:"started_at"`
	PageID       string         `json:"page_id"`
	Updates      []apiUpdate    `json:"incident_updates"`
	Components   []apiComponent `json:"components"`
	ScheduledFor *apiTime       `json:"scheduled_for,omitempty"`
	Until        *apiTime       `json:"scheduled_until,omitempty"`
}

type apiUpdate struct {
	ID         string        `json:"id"`
	Status     string        `json:"status"`
	Body       string        `json:"body"`
	IncidentID string        `json:"incident_id"`
	CreatedAt  apiTime       `json:"created_at"`
	UpdatedAt  apiTime       `json:"updated_at"`
	DisplayAt  apiTime       `json:"display_at"`
	Affected   []apiAffected `json:"affected_components"`
	Deliver    bool          `json:"deliver_notifications"`
	Tweet      *string       `json:"custom_tweet"`
	TweetID    *string       `json:"tweet_id"`
}

type apiAffected struct {
	Code string        `json:"code"`
	Name string        `json:"name"`
	Old  status.Status `json:"old_status"`
	New  status.Status `json:"new_status"`
}

// maxAPIIncidents is how many a document lists, as Statuspage does.
const maxAPIIncidents = 50

// incidents are those that the page tells of, the newest first; only those that go on if
// that is wanted.
func (s scene) incidents(components []apiComponent, unresolved bool) []apiIncident {
	out := []apiIncident{}
	for _, b := range s.told {
		if len(out) < maxAPIIncidents && (!unresolved || b.Open()) {
			out = append(out, s.apiIncident(b, components))
		}
	}
	return out
}

func (s scene) apiIncident(b Bulletin, components []apiComponent) apiIncident {
	id := apiID(s.page.ID + "/incident/" + b.Incident)
	out := apiIncident{
		ID: id, Name: b.Title, Status: string(b.Stage), Impact: string(cmp.Or(b.Impact, incident.NoImpact)), CreatedAt: apiTime(b.Told), UpdatedAt: apiTime(b.Updated()),
		MonitoringAt: given(b.Monitoring), ResolvedAt: given(b.Resolved), StartedAt: apiTime(b.Started), PageID: apiID(s.page.ID),
		Updates: []apiUpdate{}, Components: []apiComponent{}, Shortlink: s.link("/incident/" + b.Incident),
	}
	for _, p := range b.Parts {
		if i := s.componentOf(components, p); i >= 0 {
			out.Components = append(out.Components, components[i])
		}
	}
	was := map[[2]string]status.Status{}
	for _, u := range b.Updates {
		x := apiUpdate{
			ID: apiID(s.page.ID + "/update/" + u.ID), Status: string(u.Stage), Body: u.Text, IncidentID: id, Deliver: true,
			CreatedAt: apiTime(u.At), UpdatedAt: apiTime(u.At).latest(apiTime(u.Edited)), DisplayAt: apiTime(u.At), Affected: []apiAffected{},
		}
		for _, p := range u.Parts {
			key, now := [2]string{p.Service, p.Region}, cmp.Or(p.Status, was[[2]string{p.Service, p.Region}], status.Operational)
			old := cmp.Or(was[key], status.Operational)
			if i := s.componentOf(components, p); i >= 0 {
				x.Affected = append(x.Affected, apiAffected{components[i].ID, components[i].Name, old, now})
			}
			was[key] = now
		}
		out.Updates = append(out.Updates, x)
	}
	slices.Reverse(out.Updates)
	return out
}

// componentOf is the place of the component of a service in a region, -1 if the page has
// none.
func (s scene) componentOf(components []apiComponent, p incident.Part) int {
	id := apiID(s.page.ID + "/" + p.Service + "/" + p.Region)
	return slices.IndexFunc(components, func(c apiComponent) bool { return c.ID == id })
}

// given is a time, or nil where there is none.
func given(t time.Time) *apiTime {
	if t.IsZero() {
		return nil
	}
	return new(apiTime(t))
}
