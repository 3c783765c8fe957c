package checks

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"time"
)

// ObservationJSON is an observation as users and other programs hold it: one
// object a line in recordings, the same in `check --json`, the API and
// evidence. Durations are milliseconds with one decimal. It is for those who
// decode with a decoder of their own; [Observation] is read and written as it by
// itself.
type ObservationJSON struct {
	Check     string    `json:"check"`
	Service   string    `json:"service"`
	Probe     string    `json:"probe"`
	Region    string    `json:"region"`
	Family    Family    `json:"family"`
	Epoch     string    `json:"epoch,omitempty"`
	Seq       uint64    `json:"seq"`
	Plan      uint64    `json:"plan,omitempty"`
	Trigger   Trigger   `json:"trigger"`
	Scheduled time.Time `json:"scheduled"`
	// EveryS is for how many seconds a scheduled run speaks, with three decimals; nil
	// where nothing says it, as in recordings of former versions.
	EveryS      *float64    `json:"every_s,omitempty"`
	Started     time.Time   `json:"started"`
	ElapsedMS   float64     `json:"elapsed_ms"`
	Outcome     Outcome     `json:"outcome"`
	FailedPhase Phase       `json:"failed_phase,omitempty"`
	Class       Class       `json:"class,omitempty"`
	Detail      string      `json:"detail,omitempty"`
	Address     string      `json:"address,omitempty"`
	Phases      []PhaseJSON `json:"phases"`
	TLS         *Handshake  `json:"tls,omitempty"`
	Presented   *Presented  `json:"presented,omitempty"`
}

// PhaseJSON is a PhaseTiming as it stands in an ObservationJSON.
type PhaseJSON struct {
	Name Phase   `json:"name"`
	MS   float64 `json:"ms"`
}

// MarshalJSON writes the observation in the form that the outside holds on to.
func (o Observation) MarshalJSON() ([]byte, error) {
	j := ObservationJSON{
		Check: o.Check, Service: o.Service, Probe: o.Probe, Region: o.Region,
		Family: o.Family, Epoch: o.Epoch, Seq: o.Seq, Plan: o.Plan, Trigger: o.Trigger,
		Scheduled: o.Scheduled.UTC(), Started: o.Started.UTC(), ElapsedMS: Milliseconds(o.Elapsed),
		Outcome: o.Outcome, FailedPhase: o.FailedPhase, Class: o.Class, Detail: o.Detail,
		Address: o.Address, Phases: make([]PhaseJSON, len(o.Phases)),
		TLS: o.TLS, Presented: o.Presented,
	}
	for i, p := range o.Phases {
		j.Phases[i] = PhaseJSON{p.Name, Milliseconds(p.Duration)}
	}
	if o.Trigger == Scheduled {
		every := float64(o.Every/time.Millisecond) / 1000
		j.EveryS = &every
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes. There is no observation without
// a family.
func (o *Observation) UnmarshalJSON(b []byte) error {
	var j ObservationJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	if j.Family == NoFamily {
		return errors.New("observation has no family, expected ipv4 or ipv6")
	}
	*o = j.Observation()
	return nil
}

// Observation is the observation that is written as j. Durations beyond 292 years
// make no sense in it: whoever reads what strangers wrote looks at them first.
func (j *ObservationJSON) Observation() Observation {
	o := Observation{
		Check: j.Check, Service: j.Service, Probe: j.Probe, Region: j.Region,
		Family: j.Family, Epoch: j.Epoch, Seq: j.Seq, Plan: j.Plan, Trigger: j.Trigger,
		Scheduled: j.Scheduled, Started: j.Started,
		Result: Result{
			Outcome: j.Outcome, FailedPhase: j.FailedPhase, Class: j.Class, Detail: j.Detail,
			Address: j.Address, Elapsed: duration(j.ElapsedMS),
			TLS: j.TLS, Presented: j.Presented,
		},
	}
	if j.EveryS != nil {
		o.Every = time.Duration(math.Round(*j.EveryS*1000)) * time.Millisecond
	}
	o.Phases = slices.Grow(o.Phases, len(j.Phases))
	for _, p := range j.Phases {
		o.Phases = append(o.Phases, PhaseTiming{p.Name, duration(p.MS)})
	}
	return o
}

// Milliseconds is d in milliseconds with one decimal, which is as exact as a
// measurement over a network can claim to be.
func Milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(100*time.Microsecond)) / 10
}

func duration(ms float64) time.Duration {
	return time.Duration(math.Round(ms*10)) * 100 * time.Microsecond
}
