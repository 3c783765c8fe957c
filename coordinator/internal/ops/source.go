package ops

import (
	"context"
	"encoding/json"
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/verdict"
)

// Live is what is known at this moment.
type Live interface {
	// Now returns a snapshot. It is called for every answer that shows the
	// present, so it must be cheap; what it returns is not changed.
	Now(ctx context.Context) (Now, error)
}

// History is what was seen in the past. Every method must return when ctx
// ends.
type History interface {
	// Matrix returns one strip for each check and each region that runs it. It
	// is called at most once per Options.Refresh.
	Matrix(ctx context.Context, w graph.Window) ([]Strip, error)
	// Began returns when the oldest observation of a check was made that History
	// knows; zero if there is none.
	Began(ctx context.Context, check string) (time.Time, error)
	// Last returns the last verdict of a series before a time that was not
	// unknown, and until when it held; the zero time if there was none lately.
	Last(ctx context.Context, s verdict.Series, before time.Time) (verdict.State, time.Time, error)
	// Probe returns how a probe was. Steps are those of the window.
	Probe(ctx context.Context, probe string, w graph.Window) (ProbeHistory, error)
	// Check returns what each region saw of one check, in any order.
	Check(ctx context.Context, q CheckQuery) (CheckHistory, error)
	// Availability returns the numbers of one service or one check.
	Availability(ctx context.Context, q AvailabilityQuery) (Availability, error)
	// Numbers returns all that is said of one service.
	Numbers(ctx context.Context, q NumbersQuery) (availability.Numbers, error)
	// Latency returns the percentiles of one check, oldest first. Steps without
	// a completed run may be missing or have N = 0.
	Latency(ctx context.Context, q LatencyQuery) ([]graph.LatencyPoint, error)
}

// Observations are the raw results that the journal still holds.
type Observations interface {
	// Observations returns at most q.Limit of them, those that ended last first,
	// and where to go on: zero when there are no more.
	Observations(ctx context.Context, q ObservationQuery) ([]checks.Observation, Cursor, error)
}

// Now is one snapshot of the present.
type Now struct {
	// At is the time for which the snapshot holds.
	At time.Time
	// Coordinator is the name of this coordinator, Plan the revision of the
	// plan in force.
	Coordinator string
	Plan        uint64
	// Regions, Services and Checks stand in the order of the configuration.
	Regions  []Region
	Services []Service
	Checks   []checks.Target
	// Verdicts are those of every series, in any order.
	Verdicts []Verdict
	// Probes is the roster, by name.
	Probes []Probe
	// Changes are those of the last 24 hours, newest first.
	Changes []verdict.Change
	// Notices are what was found beside the verdicts, by check.
	Notices []verdict.Notice
	// Own are what is to be mended of the coordinator itself.
	Own []Own
	// Windows are those that people announced and that are not over, in order of their
	// beginning.
	Windows []Window
}

// Own is something of the coordinator itself that its operators should mend.
type Own struct{ Title, Detail string }

// Window is a stretch of time that a person announced.
type Window struct {
	ID string
	// Kind is maintenance or watch.
	Kind string
	// Services are those that it is about; Regions restricts it, none means all.
	Services, Regions []string
	From, To          time.Time
	Title, By         string
}

// Region is one region of the fleet.
type Region struct {
	ID, Name string
	// Weight is the share of users there, in any unit.
	Weight float64
	// Newest is when the newest observation from there was made; zero if there
	// is none.
	Newest time.Time
}

// Service is one service of the configuration.
type Service struct {
	ID, Name string
	// Provider is the id of whose service it is; empty where there is one provider.
	Provider string
	// SLO is its objective in per cent; zero if it has none.
	SLO float64
}

// Verdict is what one region says of one check over one family.
type Verdict struct {
	verdict.Series
	Service string
	State   verdict.State
	// Since is when State began; zero if that is not known.
	Since  time.Time
	Reason string
	// Counts are of probes, by their latest current vote.
	Counts verdict.Counts
	// Evidence is what Reason says, as data.
	Evidence verdict.Evidence
}

// MarshalJSON writes the verdict as /api/v1/verdicts publishes it.
func (v Verdict) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Check   string        `json:"check"`
		Service string        `json:"service"`
		Region  string        `json:"region"`
		Family  checks.Family `json:"family"`
		State   verdict.State `json:"state"`
		Since   *time.Time    `json:"since"`
		Reason  string        `json:"reason"`
		Up      int           `json:"up"`
		Down    int           `json:"down"`
		Unknown int           `json:"unknown"`

		Evidence verdict.Evidence `json:"evidence"`
	}{v.Check, v.Service, v.Region, v.Family, v.State, known(v.Since), v.Reason, v.Counts.Up, v.Counts.Down, v.Counts.Unknown, v.Evidence})
}

// Strip is one check in one region over a window.
type Strip struct {
	Check, Region string
	// Tallies hold one entry a step, oldest first.
	Tallies []graph.Tally
	// P50 is the median of the newest completed runs; zero if there are none.
	P50 time.Duration
	// Phase is where most of the newest failed runs ended; empty if none did.
	Phase checks.Phase
}

// CheckQuery asks what was seen of one check.
type CheckQuery struct {
	Check string
	// Region is empty for all, Family none for all, Probe empty for all. What a probe saw
	// stands beside the verdicts of its region.
	Region string
	Family checks.Family
	Probe  string
	Window graph.Window
}

// CheckHistory is one check over a window.
type CheckHistory struct {
	Regions []CheckRegion
	// Classes are the failures, most frequent first. None means that they are
	// not known, and the page leaves them out.
	Classes []ClassHistory
	// Windows are those that people announced for the service of the check and of which
	// something lies in the time asked for, withdrawn ones left out.
	Windows []Window
}

// CheckRegion is what one region saw of a check.
type CheckRegion struct {
	Region string
	// Tallies hold one entry a step, oldest first.
	Tallies  []graph.Tally
	Uptime   graph.Ratio
	Coverage float64
	// Latency is that of whole runs that completed, oldest first.
	Latency []graph.LatencyPoint
	// Phases name what Medians hold, in the order they run. None means that
	// they are not known, and the page leaves them out.
	Phases  []checks.Phase
	Medians []graph.StackPoint
}

// ClassHistory is how often runs ended in one class.
type ClassHistory struct {
	Class checks.Class
	// Regions are the ids of those in which it was seen.
	Regions []string
	// Counts hold one number a step.
	Counts []int
}

// AvailabilityQuery asks for numbers. Exactly one of Service and Check is
// given.
type AvailabilityQuery struct {
	Service, Check string
	// Region is empty for all.
	Region   string
	From, To time.Time
	// Step is the width of the points; zero asks for none.
	Step time.Duration
}

// Availability is what the slots of a window add up to.
type Availability struct {
	Sums
	// Points are the steps, oldest first.
	Points []AvailabilityPoint
}

// Sums are the numbers of one stretch of time.
type Sums struct {
	// Ratio is up / (up + down), unknown left out.
	Ratio graph.Ratio
	// Coverage is the share that was looked at, 0 to 1.
	Coverage          float64
	Up, Down, Unknown time.Duration
	// Low and High are the ends of the 95 % interval of Ratio.
	Low, High float64
	// WithoutMaintenance is the ratio of the time that was not announced maintenance.
	WithoutMaintenance graph.Ratio
}

// AvailabilityPoint is one step that begins at At.
type AvailabilityPoint struct {
	At time.Time
	Sums
}

// LatencyQuery asks for percentiles.
type LatencyQuery struct {
	Check string
	// Region is empty for all, Phase for whole runs.
	Region   string
	Phase    checks.Phase
	From, To time.Time
	// Step is the width of the points; never zero.
	Step time.Duration
}

// ObservationQuery asks for raw results. What is empty restricts nothing.
type ObservationQuery struct {
	Check, Probe, Region string
	// Checks are those of which any will do.
	Checks []string
	// Epoch and Seq, together with Probe, name one observation.
	Epoch    string
	Seq      uint64
	Family   checks.Family
	Outcomes []checks.Outcome
	// From and To bound the end of the run, [From, To).
	From, To time.Time
	// After is where an earlier answer said to go on.
	After Cursor
	Limit int
}

// known is t in UTC, or nil for the zero time, which is null in JSON.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
