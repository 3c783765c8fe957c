package statuspage

import "varde/coordinator/internal/verdict"

// Status is what is published for a component, in the words of Atlassian
// Statuspage (components[].status).
type Status string

// The statuses, from best to worst. Maintenance was announced and is not
// compared.
const (
	Operational Status = "operational"
	Degraded    Status = "degraded_performance"
	Partial     Status = "partial_outage"
	Major       Status = "major_outage"
	Maintenance Status = "under_maintenance"
)

// StatusOf is the status of one service in one region:
//
//	up            operational
//	slow          degraded_performance
//	intermittent  degraded_performance
//	down          major_outage      (all of this component is out)
//	unknown       operational       (only if there never was a verdict; else
//	                                the last known one is passed instead)
//
// Statuspage has no word for "not measured". Whoever publishes an unknown says
// so in the component's description.
func StatusOf(s verdict.State) Status {
	switch s {
	case verdict.Slow, verdict.Intermittent:
		return Degraded
	case verdict.Down:
		return Major
	}
	return Operational
}

// Combine is the status of a service, made of those of its regions:
//
//	out in two thirds of the regions or more   major_outage
//	out in any region                          partial_outage
//	degraded in any region                     degraded_performance
//	maintenance in any region                  under_maintenance
//	otherwise                                  operational
func Combine(regions []Status) Status {
	var out, degraded, maintenance int
	for _, s := range regions {
		switch s {
		case Major, Partial:
			out++
		case Degraded:
			degraded++
		case Maintenance:
			maintenance++
		}
	}
	switch {
	case out > 0 && 3*out >= 2*len(regions):
		return Major
	case out > 0:
		return Partial
	case degraded > 0:
		return Degraded
	case maintenance > 0:
		return Maintenance
	}
	return Operational
}

// rollup is the line over everything: Statuspage's status.indicator and
// status.description.
type rollup struct {
	Indicator   string `json:"indicator"`
	Description string `json:"description"`
}

// rollupOf is the worst of the services: nobody is helped by a mean.
func rollupOf(services []Status) rollup {
	worst := Operational
	rank := map[Status]int{Maintenance: 1, Degraded: 2, Partial: 3, Major: 4}
	for _, s := range services {
		if rank[s] > rank[worst] {
			worst = s
		}
	}
	switch worst {
	case Major:
		return rollup{"critical", "Major Service Outage"}
	case Partial:
		return rollup{"major", "Partial System Outage"}
	case Degraded:
		return rollup{"minor", "Partially Degraded Service"}
	case Maintenance:
		return rollup{"maintenance", "Service Under Maintenance"}
	}
	return rollup{"none", "All Systems Operational"}
}
