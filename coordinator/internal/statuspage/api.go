package statuspage

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"time"

	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// The documents below have the names, the order and the types of the fields
// that Atlassian Statuspage publishes under /api/v2, so that readers made for
// it need no adapter.

type apiPage struct {
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	URL       string  `json:"url"`
	TimeZone  string  `json:"time_zone"`
	UpdatedAt apiTime `json:"updated_at"`
}

type apiComponent struct {
	ID                 string        `json:"id"`
	Name               string        `json:"name"`
	Status             status.Status `json:"status"`
	CreatedAt          apiTime       `json:"created_at"`
	UpdatedAt          apiTime       `json:"updated_at"`
	Position           int           `json:"position"`
	Description        *string       `json:"description"`
	Showcase           bool          `json:"showcase"`
	StartDate          string        `json:"start_date"`
	GroupID            *string       `json:"group_id"`
	PageID             string        `json:"page_id"`
	Group              bool          `json:"group"`
	OnlyShowIfDegraded bool          `json:"only_show_if_degraded"`
	Components         []string      `json:"components,omitempty"`
	// weight is that of its region, gap says that not all of it is measured.
	weight float64
	gap    bool
}

// apiTime is RFC 3339 in UTC with milliseconds, as Statuspage writes it.
type apiTime time.Time

// MarshalJSON writes the time with exactly three decimals.
func (t apiTime) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format(`"2006-01-02T15:04:05.000Z"`)), nil
}

// latest is the later of two times.
func (t apiTime) latest(other apiTime) apiTime {
	if time.Time(other).After(time.Time(t)) {
		return other
	}
	return t
}

func described(words string) *string { return &words }

// apiDocument is one of the published documents: the page, and one or more of
// the parts below it.
type apiDocument struct {
	Page       apiPage        `json:"page"`
	Components []apiComponent `json:"components,omitzero"`
	Incidents  []apiIncident  `json:"incidents,omitzero"`
	Scheduled  []apiIncident  `json:"scheduled_maintenances,omitzero"`
	Status     *rollup        `json:"status,omitempty"`
}

// document is the published document of a name.
func (s scene) document(name string) (apiDocument, error) {
	components, all := s.components()
	d := apiDocument{Page: apiPage{
		ID: apiID(s.page.ID), Name: s.page.Title, URL: s.page.URL, TimeZone: "Etc/UTC", UpdatedAt: apiTime(s.began),
	}}
	// The time of drawing would make every answer another one.
	for _, c := range components {
		d.Page.UpdatedAt = d.Page.UpdatedAt.latest(c.UpdatedAt)
	}
	for _, b := range s.told {
		d.Page.UpdatedAt = d.Page.UpdatedAt.latest(apiTime(b.Updated()))
	}
	for _, w := range s.work {
		d.Page.UpdatedAt = d.Page.UpdatedAt.latest(apiTime(w.updated(s.at)))
	}
	switch name {
	case "summary":
		d.Components, d.Incidents, d.Status = components, s.incidents(components, true), &all
		d.Scheduled = s.scheduled(components, workScheduled, workInProgress)
	case "status":
		d.Status = &all
	case "components":
		d.Components = components
	case "incidents", "incidents/unresolved":
		d.Incidents = s.incidents(components, name != "incidents")
	case "scheduled-maintenances":
		d.Scheduled = s.scheduled(components, workScheduled, workInProgress, workCompleted)
	case "scheduled-maintenances/upcoming":
		d.Scheduled = s.scheduled(components, workScheduled)
	case "scheduled-maintenances/active":
		d.Scheduled = s.scheduled(components, workInProgress)
	default:
		return apiDocument{}, fmt.Errorf("document %q does not exist", name)
	}
	return d, nil
}

// apiNames are the documents that there are.
func apiNames() []string {
	return []string{"summary", "status", "components", "incidents", "incidents/unresolved", "scheduled-maintenances", "scheduled-maintenances/upcoming", "scheduled-maintenances/active"}
}

// components lists each service as a group, followed by its regions.
func (s scene) components() ([]apiComponent, rollup) {
	out := make([]apiComponent, 0, len(s.services)*(len(s.regions)+1))
	var services []status.Status
	gaps := false
	for i, service := range s.services {
		group := s.component(service.Name, i+1, service.ID)
		group.Group = true
		children := s.children(service, group.ID)
		parts := make([]status.Component, len(children))
		for k, c := range children {
			gaps = gaps || c.gap
			parts[k] = status.Component{Status: c.Status, Weight: c.weight}
			group.Components = append(group.Components, c.ID)
			group.UpdatedAt = group.UpdatedAt.latest(c.UpdatedAt)
		}
		if len(children) == 0 {
			group.Description, gaps = described("No data yet"), true
		}
		group.Status = status.OfService(parts)
		services = append(services, group.Status)
		out = append(append(out, group), children...)
	}
	all := rollupOf(services)
	if gaps && all.Indicator == "none" {
		all.Description = "All Measured Systems Operational"
		if !s.anyUp() {
			all.Description = s.silence()
		}
	}
	return out, all
}

// silence says that nothing is measured.
func (s scene) silence() string {
	if newest := s.newest(); !newest.IsZero() {
		return "No data since " + moment(newest, s.at)
	}
	return "No data yet"
}

// component fills in what groups and their members share; key names it for
// ever.
func (s scene) component(name string, position int, key string) apiComponent {
	return apiComponent{
		ID: apiID(s.page.ID + "/" + key), Name: name, Position: position, PageID: apiID(s.page.ID),
		CreatedAt: apiTime(s.began), UpdatedAt: apiTime(s.began), StartDate: s.began.Format(time.DateOnly),
	}
}

// children are the components of one service, one for each region.
func (s scene) children(service Service, group string) []apiComponent {
	var out []apiComponent
	for _, region := range s.regions {
		r, ok := service.reading(region.ID)
		if !ok {
			continue
		}
		c := s.component(region.Name, len(out)+1, service.ID+"/"+region.ID)
		c.GroupID, c.Status, c.weight, c.gap = &group, r.status(), region.Weight, r.Partial
		changed := r.Since
		switch {
		case r.Maintenance:
			c.Status = status.Maintenance
		case r.State == verdict.Unknown:
			c.Status, c.gap = status.Of(r.Last), true
			words := "No data yet"
			if !r.LastAt.IsZero() {
				words, changed = "No data since "+moment(r.LastAt, s.at), r.LastAt
			}
			c.Description = &words
		case r.Scope != status.Scope{}:
			c.Description = described(capital(scopeWords(r.Scope)))
		case r.Partial:
			c.Description = described("A part is not measured")
		}
		if !changed.IsZero() {
			c.UpdatedAt = apiTime(changed)
		}
		out = append(out, c)
	}
	return out
}

// apiID makes a stable id of the kind that Statuspage gives, twelve lower-case
// letters and digits, of the ids in our configuration.
func apiID(key string) string {
	const length = 12
	sum := sha256.Sum256([]byte("varde component " + key))
	digits := new(big.Int).SetBytes(sum[:]).Text(36)
	return digits[len(digits)-length:]
}
