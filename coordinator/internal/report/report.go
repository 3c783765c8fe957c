package report

import (
	"slices"
	"time"

	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/mail"
)

// Report is what was measured in a month.
type Report struct {
	Month Month
	// Written is when it was.
	Written time.Time
	// FinalUntil is the end of the time of which verdicts are final: nothing that
	// arrives late is waited for any more. Zero if there is none.
	FinalUntil time.Time
	// Began is when the coordinator was made: it knows nothing from before.
	Began time.Time
	// Coordinator is the name of the one that writes, Version that of its program.
	Coordinator, Version string
	// Provider is the one whose services it is about; of all of them if its id is empty.
	Provider Provider
	// Public says that what only operators see was left out, see [Report.Sent].
	Public bool
	// Regions and Services stand in the order of the configuration.
	Regions  []Region
	Services []Service
	// Incidents are those of which something lies in the month, the oldest first.
	Incidents []Incident
}

// Provider is one of several whose services the fleet watches.
type Provider struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Region is one region of the fleet.
type Region struct{ ID, Name string }

// Service is one service in the month.
type Service struct {
	ID, Name string
	// Objective is the share of the time that was promised, from 0 to 1; zero for none.
	Objective float64
	availability.Numbers
	// Days are what was judged of each day, of every region in which the service is asked.
	Days []Days
	// Mail is what became of its test mails; RoundTrip says that some are sent.
	Mail      mail.Sums
	RoundTrip bool
}

// Days are the days of the month as one region saw them.
type Days struct {
	Region string
	// Weight is that of the region.
	Weight float64
	// Tallies hold one entry a day, from the first on; those that have not come are
	// missing.
	Tallies []graph.Tally
}

// Incident is an incident with what its trouble looked like.
type Incident struct {
	incident.Shown
	// Signs are sentences that say what was seen.
	Signs []string
}

// Sent is the report as everybody may read it: without the incidents that are not
// public, which are those that were recorded afterwards, drafts, and what a person hid.
func (r Report) Sent() Report {
	r.Public = true
	r.Incidents = slices.DeleteFunc(slices.Clone(r.Incidents), func(i Incident) bool { return !i.Public })
	return r
}

// to is the end of what the report is about: that of the month, or when it was written.
func (r Report) to() time.Time {
	if r.Over() {
		return r.Month.To()
	}
	return r.Written
}

// Over says whether the month was over when the report was written.
func (r Report) Over() bool { return !r.Written.Before(r.Month.To()) }

// Final says whether all of the month is judged for good.
func (r Report) Final() bool { return !r.FinalUntil.Before(r.Month.To()) }

// window is the month in days.
func (r Report) window() graph.Window {
	return graph.Window{From: r.Month.From(), To: r.Month.To(), Step: 24 * time.Hour}
}

func (r Report) regionName(id string) string {
	i := slices.IndexFunc(r.Regions, func(x Region) bool { return x.ID == id })
	if i < 0 {
		return id
	}
	return r.Regions[i].Name
}

// regionNames are names as in a sentence, each once, in the order of the configuration.
func (r Report) regionNames(ids []string) string {
	var out []string
	for _, x := range r.Regions {
		if slices.Contains(ids, x.ID) {
			out = append(out, x.Name)
		}
	}
	return graph.List(out)
}

func (r Report) serviceName(id string) string {
	i := slices.IndexFunc(r.Services, func(x Service) bool { return x.ID == id })
	if i < 0 {
		return id
	}
	return r.Services[i].Name
}

// objectives count what became of what was promised.
func (r Report) objectives() (o availability.Objectives) {
	for _, s := range r.Services {
		o.Add(s.Objective, s.Numbers)
	}
	return o
}

// incidentsOf are those of a service.
func (r Report) incidentsOf(service string) (out []Incident) {
	for _, i := range r.Incidents {
		if slices.Contains(i.Services, service) {
			out = append(out, i)
		}
	}
	return out
}
