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

// Bounds of what a probe may say of itself: more than any fleet has or any
// person reads.
const (
	// MaxVersion is the largest length of a version, in bytes.
	MaxVersion = 64
	maxPeers   = 1000
)

// ProbeStateToProto returns the message of s.
func ProbeStateToProto(s ProbeState) *vardev1.ProbeState {
	return &vardev1.ProbeState{
		Epoch: s.Epoch, Version: s.Version, PlanGeneration: s.Plan.Generation, PlanRevision: s.Plan.Revision,
		Spool: s.Spool, MeshAddress: s.MeshAddress, Peers: s.Peers, Qualified: s.Qualified.claim(), Reason: s.Reason,
	}
}

// ProbeStateFromProto reads the message.
func ProbeStateFromProto(m *vardev1.ProbeState) (ProbeState, error) {
	s := ProbeState{
		Epoch: m.GetEpoch(), Version: m.GetVersion(), Plan: PlanNumber{m.GetPlanGeneration(), m.GetPlanRevision()},
		Spool: m.GetSpool(), MeshAddress: m.GetMeshAddress(), Peers: m.GetPeers(),
		Qualified: qualificationOf(m.Qualified), Reason: m.GetReason(),
	}
	if err := checkEpoch(s.Epoch); err != nil {
		return ProbeState{}, err
	}
	if len(s.Version) > MaxVersion || !printable(s.Version) {
		return ProbeState{}, fmt.Errorf("version: %.80q, expected at most %d printable bytes", s.Version, MaxVersion)
	}
	if utf8.RuneCountInString(s.Reason) > checks.DetailMax || !printable(s.Reason) {
		return ProbeState{}, fmt.Errorf("reason: %.80q, expected at most %d printable characters", s.Reason, checks.DetailMax)
	}
	if _, err := netip.ParseAddrPort(s.MeshAddress); s.MeshAddress != "" && (err != nil || len(s.MeshAddress) > 64) {
		return ProbeState{}, fmt.Errorf("mesh_address: %.80q, expected an IP address and a port", s.MeshAddress)
	}
	if len(s.Peers) > maxPeers {
		return ProbeState{}, fmt.Errorf("peers: %d, expected at most %d", len(s.Peers), maxPeers)
	}
	for i, p := range s.Peers {
		if !checks.ValidID(p) {
			return ProbeState{}, fmt.Errorf("peers[%d]: %.80q is not an id", i, p)
		}
	}
	return s, nil
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
	return m.GetEpoch(), checkEpoch(m.GetEpoch())
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
