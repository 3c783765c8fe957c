// Package record holds what was judged of a stretch of time in the form that other
// programs hold on to: the object of `replay --json`, which is also what a played
// scenario leaves behind, and the numbers of a service, which are the same in
// /api/v1/numbers and in reports.
//
// Services and regions are ids, times RFC 3339 in UTC, and an end that is still open
// is null. Lists are never null.
package record

import (
	"time"

	"varde/checks"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
)

// Record is what was judged of a stretch of time.
type Record struct {
	Verdicts     []Verdict      `json:"verdicts"`
	Incidents    []Incident     `json:"incidents"`
	Availability []Availability `json:"availability"`
}

// New returns a record of nothing.
func New() Record {
	return Record{Verdicts: []Verdict{}, Incidents: []Incident{}, Availability: []Availability{}}
}

// Verdict is a stretch of time in which a series had one verdict. The verdicts of
// one series follow one another without gap or overlap.
type Verdict struct {
	Check  string        `json:"check"`
	Region string        `json:"region"`
	Family checks.Family `json:"family"`
	State  string        `json:"state"`
	From   time.Time     `json:"from"`
	// To is nil while the verdict stands.
	To *time.Time `json:"to"`
}

// OfSpan is what is recorded of a span.
func OfSpan(s verdict.Span) Verdict {
	return Verdict{
		Check: s.Series.Check, Region: s.Series.Region, Family: s.Series.Family,
		State: s.State.String(), From: s.From.UTC(), To: given(s.To),
	}
}

// Incident is a span of bad verdicts with one cause.
type Incident struct {
	ID       string   `json:"id"`
	Services []string `json:"services"`
	Regions  []string `json:"regions"`
	// Status is investigating, identified, monitoring or resolved.
	Status    string    `json:"status"`
	StartedAt time.Time `json:"started_at"`
	// DetectedAt is when it was told, nil where nobody was told in time.
	DetectedAt *time.Time `json:"detected_at"`
	// ResolvedAt is nil while it is not resolved.
	ResolvedAt *time.Time `json:"resolved_at"`
	Summary    string     `json:"summary"`
}

// OfIncident is what is recorded of an incident.
func OfIncident(w incident.World, i incident.Incident) Incident {
	return Incident{
		ID: i.ID, Services: i.Services(), Regions: i.Regions(), Status: string(i.Stage), StartedAt: i.Started.UTC(),
		DetectedAt: given(i.Detected), ResolvedAt: given(i.Resolved), Summary: incident.Summary(w, i),
	}
}

// Availability is how well a service could be reached in a region.
type Availability struct {
	Service string `json:"service"`
	Region  string `json:"region"`
	// Availability is up / (up + down), nil where nothing is known.
	Availability *float64 `json:"availability"`
	// Coverage is the share of the minutes in which enough probes looked.
	Coverage float64 `json:"coverage"`
}

// given is the time in UTC, nil if it is zero.
func given(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
