package ops

import (
	"encoding/json"
	"time"

	"varde/checks"
	"varde/coordinator/internal/presence"
	"varde/proto/wire"
)

// Probe is one probe of the roster.
type Probe struct {
	Name, Region, Site string
	// ASN is its network; zero if nobody said.
	ASN     uint32
	Version string
	// Epoch is the life of its program; empty if it never said anything of itself.
	Epoch string
	// State is whether it reports now; LastSeen is when anything came from it,
	// zero if nothing ever did.
	State    presence.State
	LastSeen time.Time
	// ClockOffset is how far its clock is ahead of ours, nil while that was not
	// measured.
	ClockOffset *time.Duration
	// Plan is the revision that it runs, Spool the number of observations that
	// it still has to send, as it said last.
	Plan  uint64
	Spool uint64
	// MeshAddress is where its mesh answers, empty without one, and Peers are the
	// members that it sees there, itself included.
	MeshAddress string
	Peers       []string
	// Qualified says whether it held itself fit to judge when it last reported, since
	// QualifiedSince, and Reason why not.
	Qualified      wire.Qualification
	QualifiedSince time.Time
	Reason         string
	// Relay is the probe that passes its connection on, since RelayedSince; empty
	// for a direct one.
	Relay        string
	RelayedSince time.Time
	// Faults are what its operator should mend.
	Faults []wire.Fault
	// Counts is how often something happened since its program started. LostAt is
	// when its spool was last said to have lost records; zero if it was not.
	Counts wire.Counts
	LostAt time.Time
	// Notice is what else an operator should know, in a few words.
	Notice string
}

// connected says whether the probe reports now.
func (p Probe) connected() bool { return p.State == presence.Connected }

// fitness is whether the probe holds itself fit to judge now: nobody knows that of
// one that does not report.
func (p Probe) fitness() wire.Qualification {
	if !p.connected() {
		return wire.NotJudged
	}
	return p.Qualified
}

// unfit says whether what the probe sees may be its own fault.
func (p Probe) unfit() bool { return p.fitness() == wire.Disqualified }

// relayed says whether the probe reports now through another one.
func (p Probe) relayed() bool { return p.connected() && p.Relay != "" }

// MarshalJSON writes the probe as /api/v1/probes publishes it.
func (p Probe) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Name          string             `json:"name"`
		Region        string             `json:"region"`
		Site          string             `json:"site"`
		ASN           uint32             `json:"asn"`
		Version       string             `json:"version"`
		State         presence.State     `json:"state"`
		LastSeen      *time.Time         `json:"last_seen"`
		ClockOffsetMS *float64           `json:"clock_offset_ms"`
		PlanRevision  *uint64            `json:"plan_revision"`
		Spool         *uint64            `json:"spool"`
		Qualified     wire.Qualification `json:"qualified"`
		Reason        string             `json:"reason"`
		Relay         string             `json:"relay"`
		Faults        []wire.Fault       `json:"faults"`
		Counts        *wire.Counts       `json:"counts"`
		Notice        string             `json:"notice,omitempty"`
	}{
		p.Name, p.Region, p.Site, p.ASN, p.Version, p.State, known(p.LastSeen), p.offsetMS(), said(p, &p.Plan), said(p, &p.Spool),
		p.fitness(), p.Reason, p.Relay, list(p.Faults), said(p, &p.Counts), p.Notice,
	})
}

// said is a thing that a probe says of itself, nil if it never did.
func said[T any](p Probe, of *T) *T {
	if p.Epoch == "" {
		return nil
	}
	return of
}

func (p Probe) offsetMS() *float64 {
	if p.ClockOffset == nil {
		return nil
	}
	return new(checks.Milliseconds(*p.ClockOffset))
}
