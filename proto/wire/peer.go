package wire

import (
	"errors"
	"fmt"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"varde/checks"
	vardev1 "varde/proto/varde/v1"
)

// MaxAsked is how many others one hint may ask: it must fit one datagram of the mesh.
const MaxAsked = 3

// Hint is what a probe that saw a failure says to others of its region: look now.
type Hint struct {
	// Check and Family are what failed.
	Check  string
	Family checks.Family
	// Asker is the probe that asks, and Asked are those that it asks, at most
	// MaxAsked.
	Asker string
	Asked []string
	// Login says to log in: the login, or something behind it, failed.
	Login bool
	// At is when it asks, by its clock, and ID a random number to know the hint
	// again by.
	At time.Time
	ID uint64
}

// MarshalHint encodes h.
func MarshalHint(h Hint) ([]byte, error) {
	return proto.Marshal(&vardev1.Hint{
		Check: h.Check, Family: vardev1.Family(h.Family), Asker: h.Asker, Asked: h.Asked,
		Login: h.Login, At: timestamppb.New(h.At), Id: h.ID,
	})
}

// UnmarshalHint reads what MarshalHint wrote, or anything that a holder of the
// mesh's key may send.
func UnmarshalHint(b []byte) (Hint, error) {
	m := new(vardev1.Hint)
	if err := proto.Unmarshal(b, m); err != nil {
		return Hint{}, fmt.Errorf("hint: %w", err)
	}
	at, err := timeFromProto("at", m.GetAt())
	if err != nil {
		return Hint{}, fmt.Errorf("hint: %w", err)
	}
	if f := m.GetFamily(); f != vardev1.Family_FAMILY_IPV4 && f != vardev1.Family_FAMILY_IPV6 {
		return Hint{}, fmt.Errorf("hint: family: %d, expected ipv4 or ipv6", f)
	}
	h := Hint{
		Check: m.GetCheck(), Family: checks.Family(m.GetFamily()), Asker: m.GetAsker(), Asked: m.GetAsked(),
		Login: m.GetLogin(), At: at, ID: m.GetId(),
	}
	if len(h.Asked) == 0 || len(h.Asked) > MaxAsked {
		return Hint{}, fmt.Errorf("hint: asks %d probes, expected 1 to %d", len(h.Asked), MaxAsked)
	}
	for _, id := range append([]string{h.Check, h.Asker}, h.Asked...) {
		if !checks.ValidID(id) {
			return Hint{}, fmt.Errorf("hint: %.80q is not an id", id)
		}
	}
	return h, nil
}

// PeerRequest is the one thing that a probe asks of another: a plan larger than
// After, or to be passed on to a coordinator if that is not empty.
type PeerRequest struct {
	After       PlanNumber
	Coordinator string
}

// PeerResponse answers a PeerRequest.
type PeerResponse struct {
	// Refusal says why not, in words; empty if it was done.
	Refusal string
	// Plan is the larger one that was asked for; nil where there is none.
	Plan *SignedPlan
}

// PeerRequestToProto returns the message of r.
func PeerRequestToProto(r PeerRequest) *vardev1.PeerRequest {
	if r.Coordinator != "" {
		return &vardev1.PeerRequest{Kind: &vardev1.PeerRequest_Coordinator{Coordinator: r.Coordinator}}
	}
	return &vardev1.PeerRequest{Kind: &vardev1.PeerRequest_Plan{
		Plan: &vardev1.WatchPlanRequest{Generation: r.After.Generation, Revision: r.After.Revision},
	}}
}

// PeerRequestFromProto reads the message.
func PeerRequestFromProto(m *vardev1.PeerRequest) (PeerRequest, error) {
	switch k := m.GetKind().(type) {
	case *vardev1.PeerRequest_Plan:
		return PeerRequest{After: PlanNumber{k.Plan.GetGeneration(), k.Plan.GetRevision()}}, nil
	case *vardev1.PeerRequest_Coordinator:
		if n := len(k.Coordinator); n == 0 || n > maxPeerTarget || !printable(k.Coordinator) {
			return PeerRequest{}, fmt.Errorf("coordinator: %.80q, expected at most %d printable bytes", k.Coordinator, maxPeerTarget)
		}
		return PeerRequest{Coordinator: k.Coordinator}, nil
	}
	return PeerRequest{}, errors.New("request: asks for nothing that is known")
}

// maxPeerTarget holds any host name (RFC 1035, section 2.3.4) and a port, in
// bytes.
const maxPeerTarget = 255 + 6

// PeerResponseToProto returns the message of r.
func PeerResponseToProto(r PeerResponse) *vardev1.PeerResponse {
	m := &vardev1.PeerResponse{Refusal: r.Refusal}
	if r.Plan != nil {
		m.Plan = SignedPlanToProto(*r.Plan)
	}
	return m
}

// PeerResponseFromProto reads the message. Nothing of the plan is verified
// before Open.
func PeerResponseFromProto(m *vardev1.PeerResponse) (PeerResponse, error) {
	r := PeerResponse{Refusal: m.GetRefusal()}
	if utf8.RuneCountInString(r.Refusal) > checks.DetailMax || !printable(r.Refusal) {
		return PeerResponse{}, fmt.Errorf("refusal: %.80q, expected at most %d printable characters", r.Refusal, checks.DetailMax)
	}
	if m.GetPlan() != nil {
		p := SignedPlanFromProto(m.GetPlan())
		r.Plan = &p
	}
	return r, nil
}
