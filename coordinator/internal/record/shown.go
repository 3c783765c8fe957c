package record

import (
	"time"

	"varde/coordinator/internal/incident"
)

// Shown is an incident as people see it, with what they said of it: in
// /api/v1/incidents and in reports. What has no time yet is null.
type Shown struct {
	ID           string          `json:"id"`
	Title        string          `json:"title"`
	Services     []string        `json:"services"`
	Regions      []string        `json:"regions"`
	Status       incident.Stage  `json:"status"`
	Impact       incident.Impact `json:"impact"`
	Started      *time.Time      `json:"started_at"`
	Detected     *time.Time      `json:"detected_at"`
	Recovered    *time.Time      `json:"recovered_at"`
	Resolved     *time.Time      `json:"resolved_at"`
	Intermittent bool            `json:"intermittent"`
	Draft        bool            `json:"draft"`
	Public       bool            `json:"public"`
	FalseAlarm   *incident.Mark  `json:"false_alarm"`
	Merged       []string        `json:"merged"`
	Summary      string          `json:"summary"`
}

// OfShown is what is published of an incident.
func OfShown(i incident.Shown) Shown {
	return Shown{
		ID: i.ID, Title: i.Title, Services: list(i.Services), Regions: list(i.Regions), Status: i.Stage, Impact: i.Impact,
		Started: given(i.Started), Detected: given(i.Detected), Recovered: given(i.Recovered), Resolved: given(i.Resolved),
		Intermittent: i.Intermittent, Draft: i.Draft, Public: i.Public, FalseAlarm: i.FalseAlarm, Merged: list(i.Merged), Summary: i.Summary,
	}
}

// list is a list that is never null.
func list(items []string) []string { return append([]string{}, items...) }
