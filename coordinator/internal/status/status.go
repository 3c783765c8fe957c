package status

// Status is what is shown for a service.
type Status string

// The statuses, from best to worst. Maintenance was announced; any trouble that is
// found beside it stands over it.
const (
	Operational Status = "operational"
	Maintenance Status = "under_maintenance"
	Degraded    Status = "degraded_performance"
	Partial     Status = "partial_outage"
	Major       Status = "major_outage"
)

// Gravity is the rank of a status, 0 for operational, to compare two.
func (s Status) Gravity() int {
	for i, other := range []Status{Operational, Maintenance, Degraded, Partial, Major} {
		if s == other {
			return i
		}
	}
	return 0
}

// Worst is the gravest of some, operational if there are none.
func Worst(list ...Status) Status {
	worst := Operational
	for _, s := range list {
		if s.Gravity() > worst.Gravity() {
			worst = s
		}
	}
	return worst
}

// Region is a region of the configuration.
type Region struct {
	ID, Name string
	// Weight is the share of users there, in any unit.
	Weight float64
}
