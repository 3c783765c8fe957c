package checks

import (
	"encoding/json"
	"errors"
	"math"
	"time"
)

// observationJSON is an observation as users and other programs hold it: one
// object a line in recordings, the same in `check --json`, the API and
// evidence. Durations are milliseconds with one decimal.
type observationJSON struct {
	Check       string      `json:"check"`
	Service     string      `json:"service"`
	Probe       string      `json:"probe"`
	Region      string      `json:"region"`
	Family      Family      `json:"family"`
	Epoch       string      `json:"epoch,omitempty"`
	Seq         uint64      `json:"seq"`
	Plan        uint64      `json:"plan,omitempty"`
	Trigger     Trigger     `json:"trigger"`
	Scheduled   time.Time   `json:"scheduled"`
	Started     time.Time   `json:"started"`
	ElapsedMS   float64     `json:"elapsed_ms"`
	Outcome     Outcome     `json:"outcome"`
	FailedPhase Phase       `json:"failed_phase,omitempty"`
	Class       Class       `json:"class,omitempty"`
	Detail      string      `json:"detail,omitempty"`
	Address     string      `json:"address,omitempty"`
	Phases      []phaseJSON `json:"phases"`
	TLS         *Handshake  `json:"tls,omitempty"`
	Presented   *Presented  `json:"presented,omitempty"`
}

type phaseJSON struct {
	Name Phase   `json:"name"`
	MS   float64 `json:"ms"`
}

// MarshalJSON writes the observation in the form that the outside holds on to.
// Every is not in it: whoever reads a recording has the configuration.
func (o Observation) MarshalJSON() ([]byte, error) {
	j := observationJSON{
		Check: o.Check, Service: o.Service, Probe: o.Probe, Region: o.Region,
		Family: o.Family, Epoch: o.Epoch, Seq: o.Seq, Plan: o.Plan, Trigger: o.Trigger,
		Scheduled: o.Scheduled.UTC(), Started: o.Started.UTC(), ElapsedMS: Milliseconds(o.Elapsed),
		Outcome: o.Outcome, FailedPhase: o.FailedPhase, Class: o.Class, Detail: o.Detail,
		Address: o.Address, Phases: make([]phaseJSON, len(o.Phases)),
		TLS: o.TLS, Presented: o.Presented,
	}
	for i, p := range o.Phases {
		j.Phases[i] = phaseJSON{p.Name, Milliseconds(p.Duration)}
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes. There is no observation without
// a family.
func (o *Observation) UnmarshalJSON(b []byte) error {
	var j observationJSON
	if err := json.Unmarshal(b, &j); err != nil {
		return err
	}
	if j.Family == NoFamily {
		return errors.New("observation has no family, expected ipv4 or ipv6")
	}
	*o = Observation{
		Check: j.Check, Service: j.Service, Probe: j.Probe, Region: j.Region,
		Family: j.Family, Epoch: j.Epoch, Seq: j.Seq, Plan: j.Plan, Trigger: j.Trigger,
		Scheduled: j.Scheduled, Started: j.Started,
		Result: Result{
			Outcome: j.Outcome, FailedPhase: j.FailedPhase, Class: j.Class, Detail: j.Detail,
			Address: j.Address, Elapsed: duration(j.ElapsedMS),
			TLS: j.TLS, Presented: j.Presented,
		},
	}
	for _, p := range j.Phases {
		o.Phases = append(o.Phases, PhaseTiming{p.Name, duration(p.MS)})
	}
	return nil
}

// Milliseconds is d in milliseconds with one decimal, which is as exact as a
// measurement over a network can claim to be.
func Milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(100*time.Microsecond)) / 10
}

func duration(ms float64) time.Duration {
	return time.Duration(math.Round(ms*10)) * 100 * time.Microsecond
}
