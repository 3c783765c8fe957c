package statuspage

import "varde/coordinator/internal/status"

// rollup is the line over everything: Statuspage's status.indicator and
// status.description.
type rollup struct {
	Indicator   string `json:"indicator"`
	Description string `json:"description"`
}

// rollupOf is the worst of the services: nobody is helped by a mean.
func rollupOf(services []status.Status) rollup {
	switch status.Worst(services...) {
	case status.Major:
		return rollup{"critical", "Major Service Outage"}
	case status.Partial:
		return rollup{"major", "Partial System Outage"}
	case status.Degraded:
		return rollup{"minor", "Partially Degraded Service"}
	case status.Maintenance:
		return rollup{"maintenance", "Service Under Maintenance"}
	}
	return rollup{"none", "All Systems Operational"}
}
