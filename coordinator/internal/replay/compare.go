package replay

import (
	"math"
	"slices"
	"time"

	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/record"
	"varde/coordinator/internal/verdict"
)

// Comparison is what two policies say of one recording, side by side: with it
// thresholds are chosen on evidence.
type Comparison struct {
	Policy  Side `json:"policy"`
	Against Side `json:"against"`
	// States is how long the series were in each state by final verdicts, added up over
	// all of them, in the order of gravity.
	States []StateTime `json:"states"`
	// Availability is by service and region, as far as both policies know them.
	Availability []Pair `json:"availability"`
}

// Side is one of the two.
type Side struct {
	// Config is the file of the configuration.
	Config string        `json:"config"`
	Record record.Record `json:"record"`
	// Alarms is how many incidents were told; Unshown of them are not in the final
	// record, and of Afterwards, which are, nobody was told in time.
	Alarms     int `json:"alarms"`
	Unshown    int `json:"unshown"`
	Afterwards int `json:"recorded_afterwards"`
	// Missed are the incidents of the other side that have none here of the same
	// service and time.
	Missed []string `json:"missed"`
	// Delay is from the start of an incident to when it was told.
	Delay Delay `json:"delay_s"`
}

// Delay are figures of a list of delays in seconds, nil where it is empty: the
// smallest that is not below the given share of them.
type Delay struct {
	P50 *float64 `json:"p50"`
	P95 *float64 `json:"p95"`
	Max *float64 `json:"max"`
}

// StateTime is how long the series were in a state, in seconds.
type StateTime struct {
	State   string  `json:"state"`
	Policy  float64 `json:"policy_s"`
	Against float64 `json:"against_s"`
}

// Pair is the availability of a service in a region by both policies; nil where one
// knows nothing.
type Pair struct {
	Service string   `json:"service"`
	Region  string   `json:"region"`
	Policy  *float64 `json:"policy"`
	Against *float64 `json:"against"`
}

// Compare puts the outcomes of two policies for one recording, of which read tells,
// side by side.
func Compare(policy, against Outcome, configs [2]string, read Read) Comparison {
	c := Comparison{Policy: policy.side(configs[0]), Against: against.side(configs[1]), Availability: []Pair{}}
	c.Policy.Missed = missed(against.Incidents, policy.Incidents, read.To)
	c.Against.Missed = missed(policy.Incidents, against.Incidents, read.To)
	was, now := policy.inStates(read.To), against.inStates(read.To)
	for s := range verdict.States {
		c.States = append(c.States, StateTime{verdict.State(s).String(), was[s].Seconds(), now[s].Seconds()})
	}
	for _, a := range c.Policy.Record.Availability {
		i := slices.IndexFunc(c.Against.Record.Availability, func(b record.Availability) bool {
			return a.Service == b.Service && a.Region == b.Region
		})
		if i >= 0 {
			c.Availability = append(c.Availability, Pair{a.Service, a.Region, a.Availability, c.Against.Record.Availability[i].Availability})
		}
	}
	return c
}

func (o *Outcome) side(config string) Side {
	s := Side{Config: config, Record: o.Record(), Alarms: o.Alarms, Unshown: len(o.Unshown)}
	var delays []time.Duration
	for _, i := range o.Incidents {
		if i.Detected.IsZero() {
			s.Afterwards++
			continue
		}
		delays = append(delays, i.Detected.Sub(i.Started))
	}
	slices.Sort(delays)
	s.Delay = Delay{share(delays, 0.5), share(delays, 0.95), share(delays, 1)}
	return s
}

// share is the smallest of a sorted list that is not below the given share of it.
func share(sorted []time.Duration, q float64) *float64 {
	if len(sorted) == 0 {
		return nil
	}
	at := int(math.Ceil(q*float64(len(sorted)))) - 1
	s := sorted[max(at, 0)].Seconds()
	return &s
}

// missed are the ids of the incidents of one list with none in the other of the same
// service at the same time.
func missed(list, other []incident.Incident, until time.Time) []string {
	out := []string{}
	for i := range list {
		if !slices.ContainsFunc(other, func(o incident.Incident) bool { return meet(&list[i], &o, until) }) {
			out = append(out, list[i].ID)
		}
	}
	return out
}

// meet says whether two incidents have a service and an instant in common.
func meet(a, b *incident.Incident, until time.Time) bool {
	if a.Started.After(over(b, until)) || b.Started.After(over(a, until)) {
		return false
	}
	return slices.ContainsFunc(a.Services(), func(s string) bool { return slices.Contains(b.Services(), s) })
}

// over is when the trouble of an incident was over, until if it is not.
func over(i *incident.Incident, until time.Time) time.Time {
	if i.Recovered.IsZero() {
		return until
	}
	return i.Recovered
}

// inStates adds up how long the series were in each state.
func (o *Outcome) inStates(until time.Time) (out [verdict.States]time.Duration) {
	for _, s := range o.Spans {
		end := s.To
		if end.IsZero() {
			end = until
		}
		out[s.State] += max(end.Sub(s.From), 0)
	}
	return out
}
