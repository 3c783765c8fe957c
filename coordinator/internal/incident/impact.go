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

// status is what a service comes to by an incident alone.
func (a *atlas) status(i *Incident, service string) status.Status {
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
	var regions []status.Component
	for _, id := range slices.Sorted(maps.Keys(readings)) {
		if part := status.OfRegion(readings[id]); part.Known {
			regions = append(regions, status.Component{Status: part.Status, Weight: a.regions[id].Weight})
		}
	}
	return status.OfService(regions)
}
