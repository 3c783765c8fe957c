package wire

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/types/known/timestamppb"

	"varde/checks"
	vardev1 "varde/proto/varde/v1"
)

// ProbeState is what a probe says of itself, all of it every time.
type ProbeState struct {
	// Epoch is that of the running program, Version the program's.
	Epoch, Version string
	// Plan is the number of the plan in force.
	Plan PlanNumber
	// Spool counts the records that no coordinator has acknowledged.
	Spool uint64
	// MeshAddress is where its mesh answers, "192.0.2.10:7946"; empty without a
	// mesh.
	MeshAddress string
	// Peers are the probes that its mesh holds for alive, itself included.
	Peers []string
	// Qualified says whether the probe is fit to judge; when it is not, Reason
	// says why.
	Qualified Qualification
	Reason    string
	// PeerAddress is where its peer listener answers, "192.0.2.10:7947"; empty
	// where it has none.
	PeerAddress string
	// Relay is the probe that passes this connection on; empty for a direct one.
	Relay string
	// Faults are what its operator should mend.
	Faults []Fault
	// Counts is how often something happened since the program started.
	Counts Counts
}

// Qualification says whether a probe is fit to judge, by its own controls.
type Qualification uint8

// The qualifications.
const (
	// NotJudged claims nothing: no control was tried.
	NotJudged Qualification = iota
	// Qualified has controls that answer.
	Qualified
	// Disqualified has controls that fail: the fault may be the probe's own.
	Disqualified
)

// claim is true or false, and nil for a probe that was not judged.
func (q Qualification) claim() *bool {
	if q == NotJudged {
		return nil
	}
	qualified := q == Qualified
	return &qualified
}

func qualificationOf(claim *bool) Qualification {
	switch {
	case claim == nil:
		return NotJudged
	case *claim:
		return Qualified
	}
	return Disqualified
}

// MarshalJSON writes true or false, and null for a probe that was not judged.
func (q Qualification) MarshalJSON() ([]byte, error) { return json.Marshal(q.claim()) }

// UnmarshalJSON reads what MarshalJSON wrote.
func (q *Qualification) UnmarshalJSON(text []byte) error {
	var claim *bool
	if err := json.Unmarshal(text, &claim); err != nil {
		return fmt.Errorf("qualified: %w", err)
	}
	*q = qualificationOf(claim)
	return nil
}

// Bounds of what a probe may say of itself: more than any fleet has or any
// person reads.
const (
	// MaxVersion is the largest length of a version, in bytes.
	MaxVersion = 64
	maxPeers   = 1000
	maxFaults  = 16
)

// ProbeStateToProto returns the message of s.
func ProbeStateToProto(s ProbeState) *vardev1.ProbeState {
	return &vardev1.ProbeState{
		Epoch: s.Epoch, Version: s.Version, PlanGeneration: s.Plan.Generation, PlanRevision: s.Plan.Revision,
		Spool: s.Spool, MeshAddress: s.MeshAddress, Peers: s.Peers, Qualified: s.Qualified.claim(), Reason: s.Reason,
		PeerAddress: s.PeerAddress, Relay: s.Relay, Faults: stringsOf(s.Faults), Counts: countsToProto(s.Counts),
	}
}

func stringsOf(faults []Fault) (out []string) {
	for _, f := range faults {
		out = append(out, string(f))
	}
	return out
}

// ProbeStateFromProto reads the message.
func ProbeStateFromProto(m *vardev1.ProbeState) (ProbeState, error) {
	s := ProbeState{
		Epoch: m.GetEpoch(), Version: m.GetVersion(), Plan: PlanNumber{m.GetPlanGeneration(), m.GetPlanRevision()},
		Spool: m.GetSpool(), MeshAddress: m.GetMeshAddress(), Peers: m.GetPeers(),
		Qualified: qualificationOf(m.Qualified), Reason: m.GetReason(),
		PeerAddress: m.GetPeerAddress(), Relay: m.GetRelay(), Counts: countsFromProto(m.GetCounts()),
	}
	for _, f := range m.GetFaults() {
		s.Faults = append(s.Faults, Fault(f))
	}
	return s, s.validate()
}

func (s ProbeState) validate() error {
	if err := CheckEpoch(s.Epoch); err != nil {
		return err
	}
	if len(s.Version) > MaxVersion || !printable(s.Version) {
		return fmt.Errorf("version: %.80q, expected at most %d printable bytes", s.Version, MaxVersion)
	}
	if utf8.RuneCountInString(s.Reason) > checks.DetailMax || !printable(s.Reason) {
		return fmt.Errorf("reason: %.80q, expected at most %d printable characters", s.Reason, checks.DetailMax)
	}
	for field, address := range map[string]string{"mesh_address": s.MeshAddress, "peer_address": s.PeerAddress} {
		if _, err := netip.ParseAddrPort(address); address != "" && (err != nil || len(address) > 64) {
			return fmt.Errorf("%s: %.80q, expected an IP address and a port", field, address)
		}
	}
	if s.Relay != "" && !checks.ValidID(s.Relay) {
		return fmt.Errorf("relay: %.80q is not an id", s.Relay)
	}
	return s.validateLists()
}

func (s ProbeState) validateLists() error {
	if len(s.Peers) > maxPeers {
		return fmt.Errorf("peers: %d, expected at most %d", len(s.Peers), maxPeers)
	}
	for i, p := range s.Peers {
		if !checks.ValidID(p) {
			return fmt.Errorf("peers[%d]: %.80q is not an id", i, p)
		}
	}
	if len(s.Faults) > maxFaults {
		return fmt.Errorf("faults: %d, expected at most %d", len(s.Faults), maxFaults)
	}
	for i, f := range s.Faults {
		if len(f) == 0 || len(f) > 32 || !printable(string(f)) {
			return fmt.Errorf("faults[%d]: %.80q, expected a word of at most 32 bytes", i, string(f))
		}
	}
	return nil
}

func printable(s string) bool {
	for _, r := range s {
		if !strconv.IsPrint(r) {
			return false
		}
	}
	return true
}

// ResumeFromProto returns the epoch that the message asks for.
func ResumeFromProto(m *vardev1.Resume) (epoch string, err error) {
	return m.GetEpoch(), CheckEpoch(m.GetEpoch())
}

// ClockReplyToProto returns the answer to the clock query of the given id.
func ClockReplyToProto(id uint64, probe time.Time) *vardev1.ClockReply {
	return &vardev1.ClockReply{Id: id, ProbeTime: timestamppb.New(probe)}
}

// ClockReplyFromProto reads the message.
func ClockReplyFromProto(m *vardev1.ClockReply) (id uint64, probe time.Time, err error) {
	probe, err = timeFromProto("probe_time", m.GetProbeTime())
	return m.GetId(), probe, err
}
