package incident

import (
	"maps"
	"slices"

	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// Impact is how grave an incident is, in the words of Atlassian Statuspage.
type Impact string

// The impacts, from the least.
const (
	NoImpact       Impact = "none"
	MinorImpact    Impact = "minor"
	MajorImpact    Impact = "major"
	CriticalImpact Impact = "critical"
)

// ImpactOf is how grave a status is: something slow, or failing at times, or of one
// depth only, is minor; one region, one family or one of several checks out is major;
// two thirds of the weight of all regions out is critical.
func ImpactOf(s status.Status) Impact {
	switch s {
	case status.Degraded:
		return MinorImpact
	case status.Partial:
		return MajorImpact
	case status.Major:
		return CriticalImpact
	}
	return NoImpact
}

func (i Impact) rank() int {
	for n, other := range []Impact{NoImpact, MinorImpact, MajorImpact, CriticalImpact} {
		if i == other {
			return n
		}
	}
	return 0
}

func worse(a, b Impact) Impact {
	if b.rank() > a.rank() {
		return b
	}
	return a
}

// Impact is how grave an incident is as of now: that of the gravest status of its
// services, if all that is not in it were well.
func (w World) Impact(i Incident) Impact { return w.atlas().impact(&i) }

func (a *atlas) impact(i *Incident) Impact {
	worst := NoImpact
	for _, service := range i.Services() {
		worst = worse(worst, ImpactOf(a.status(i, service)))
	}
	return worst
}

// Part is what an incident makes of a service in a region, if all that is not in the
// incident were well there.
type Part struct {
	Service string        `json:"service"`
	Region  string        `json:"region"`
	Status  status.Status `json:"status"`
	// State is the gravest verdict, unknown where nothing is known; Status is empty then.
	State verdict.State `json:"state"`
}

// Parts are what an incident makes of its services in the regions that it is or was in,
// in the order of the configuration.
func (w World) Parts(i Incident) []Part {
	a := w.atlas()
	var out []Part
	for _, service := range w.Services {
		if !i.some(func(m *Member) bool { return m.Service == service.ID }) {
			continue
		}
		parts := a.parts(&i, service.ID)
		for _, r := range w.Regions {
			if p, ok := parts[r.ID]; ok && i.some(func(m *Member) bool { return m.Service == service.ID && m.Region == r.ID }) {
				out = append(out, Part{Service: service.ID, Region: r.ID, Status: p.Status, State: p.State})
			}
		}
	}
	return out
}

// status is what a service comes to by an incident alone.
func (a *atlas) status(i *Incident, service string) status.Status {
	parts := a.parts(i, service)
	var regions []status.Component
	for _, id := range slices.Sorted(maps.Keys(parts)) {
		if parts[id].Known {
			regions = append(regions, status.Component{Status: parts[id].Status, Weight: a.regions[id].Weight})
		}
	}
	return status.OfService(regions)
}

// parts are what a service comes to in each region by an incident alone.
func (a *atlas) parts(i *Incident, service string) map[string]status.Part {
	readings := make(map[string][]status.Reading)
	add := func(s verdict.Series, state verdict.State) {
		readings[s.Region] = append(readings[s.Region], status.Reading{Check: s.Check, Depth: a.checks[s.Check].Depth, Family: s.Family, State: state})
	}
	for _, s := range a.judged(service, families(i.Members, familyOf)) {
		if i.member(s) == nil {
			add(s, verdict.Up)
		}
	}
	for _, m := range i.Members {
		if m.Service == service && !m.Gone {
			add(m.Series, m.State)
		}
	}
	out := make(map[string]status.Part, len(readings))
	for region, list := range readings {
		out[region] = status.OfRegion(list)
	}
	return out
}
