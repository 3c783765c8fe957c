package wire_test

import (
	"crypto/ed25519"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

func drawProbeState(t *rapid.T) wire.ProbeState {
	s := wire.ProbeState{
		Epoch: rapid.StringMatching(`[0-9a-z-]{1,64}`).Draw(t, "epoch"), Version: rapid.StringMatching(`[0-9a-z.+-]{0,64}`).Draw(t, "version"),
		Plan:        wire.PlanNumber{Generation: rapid.Uint64().Draw(t, "generation"), Revision: rapid.Uint64().Draw(t, "revision")},
		Spool:       rapid.Uint64().Draw(t, "spool"),
		Qualified:   rapid.SampledFrom([]wire.Qualification{wire.NotJudged, wire.Qualified, wire.Disqualified}).Draw(t, "qualified"),
		MeshAddress: rapid.SampledFrom([]string{"", "192.0.2.10:7946", "[2001:db8::1]:7946"}).Draw(t, "mesh"),
		Reason:      rapid.StringMatching(`[ -~é]{0,256}`).Draw(t, "reason"),
	}
	s.PeerAddress = rapid.SampledFrom([]string{"", "192.0.2.10:7947"}).Draw(t, "peer address")
	s.Relay = rapid.SampledFrom([]string{"", "osl-2"}).Draw(t, "relay")
	s.Faults = rapid.SampledFrom([][]wire.Fault{nil, {wire.FaultNAT, wire.FaultUDPBlocked}}).Draw(t, "faults")
	n := rapid.Uint64()
	s.Counts = wire.Counts{
		Runs: n.Draw(t, "runs"), Late: n.Draw(t, "late"), Missed: n.Draw(t, "missed"), Panics: n.Draw(t, "panics"), Dropped: n.Draw(t, "dropped"),
		ConfirmsAsked: n.Draw(t, "asked"), ConfirmsRun: n.Draw(t, "confirms"), ConfirmsRefused: n.Draw(t, "unobeyed"),
		Disqualified: n.Draw(t, "disqualified"), MeshRefused: n.Draw(t, "mesh refused"), PlansRefused: n.Draw(t, "plans refused"),
		PlansFromPeers: n.Draw(t, "plans"), Relayed: n.Draw(t, "relayed"), RelayUsed: n.Draw(t, "relay used"),
	}
	for range rapid.IntRange(0, 5).Draw(t, "peers") {
		s.Peers = append(s.Peers, drawID(t, "peer"))
	}
	return s
}

func TestProbeStateRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawProbeState(t)
		b, err := proto.Marshal(wire.ProbeStateToProto(want))
		if err != nil {
			t.Fatal(err)
		}
		m := new(vardev1.ProbeState)
		if err := proto.Unmarshal(b, m); err != nil {
			t.Fatal(err)
		}
		got, err := wire.ProbeStateFromProto(m)
		same(t, want, got, err)
	})
}

// A probe that says nothing is not taken for one that is fit, nor for one that
// is not.
func TestQualification(t *testing.T) {
	yes, no := true, false
	for q, c := range map[wire.Qualification]struct {
		claim *bool
		json  string
	}{
		wire.NotJudged:    {nil, "null"},
		wire.Qualified:    {&yes, "true"},
		wire.Disqualified: {&no, "false"},
	} {
		m := wire.ProbeStateToProto(wire.ProbeState{Epoch: "e1", Qualified: q})
		if d := cmp.Diff(c.claim, m.Qualified); d != "" {
			t.Errorf("%s on the wire (-want +got):\n%s", c.json, d)
		}
		got, err := wire.ProbeStateFromProto(&vardev1.ProbeState{Epoch: "e1", Qualified: c.claim})
		if err != nil || got.Qualified != q {
			t.Errorf("%s: read as %d, %v, want %d", c.json, got.Qualified, err, q)
		}
		if text, err := json.Marshal(q); err != nil || string(text) != c.json {
			t.Errorf("written as %s, %v, want %s", text, err, c.json)
		}
	}
}

func TestProbeStateRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*wire.ProbeState)
		want   string
	}{
		"no epoch":         {func(s *wire.ProbeState) { s.Epoch = "" }, "epoch: 0 bytes"},
		"epoch":            {func(s *wire.ProbeState) { s.Epoch = "E 1" }, "epoch: \"E 1\""},
		"version":          {func(s *wire.ProbeState) { s.Version = "1\x1b" }, "version: "},
		"long version":     {func(s *wire.ProbeState) { s.Version = strings.Repeat("1", 65) }, "version: "},
		"reason":           {func(s *wire.ProbeState) { s.Reason = "a\nb" }, "reason: "},
		"long reason":      {func(s *wire.ProbeState) { s.Reason = strings.Repeat("é", 257) }, "reason: "},
		"mesh address":     {func(s *wire.ProbeState) { s.MeshAddress = "localhost:7946" }, "mesh_address: "},
		"mesh with a zone": {func(s *wire.ProbeState) { s.MeshAddress = "[fe80::1%" + strings.Repeat("z", 64) + "]:1" }, "mesh_address: "},
		"peer":             {func(s *wire.ProbeState) { s.Peers = []string{"osl-1", "<b>"} }, "peers[1]: "},
		"peer address":     {func(s *wire.ProbeState) { s.PeerAddress = "localhost:7947" }, "peer_address: "},
		"relay":            {func(s *wire.ProbeState) { s.Relay = "<b>" }, "relay: "},
		"fault":            {func(s *wire.ProbeState) { s.Faults = []wire.Fault{"nat", "a\n"} }, "faults[1]: "},
		"no fault":         {func(s *wire.ProbeState) { s.Faults = []wire.Fault{""} }, "faults[0]: "},
		"faults":           {func(s *wire.ProbeState) { s.Faults = make([]wire.Fault, 17) }, "faults: 17"},
		"peers":            {func(s *wire.ProbeState) { s.Peers = make([]string, 1001) }, "peers: 1001"},
	} {
		t.Run(name, func(t *testing.T) {
			s := wire.ProbeState{Epoch: "e1"}
			c.change(&s)
			_, err := wire.ProbeStateFromProto(wire.ProbeStateToProto(s))
			refusedFor(t, c.want, err)
		})
	}
}

func FuzzProbeState(f *testing.F) {
	good, err := proto.Marshal(wire.ProbeStateToProto(wire.ProbeState{Epoch: "e1", Version: "0.1.0", MeshAddress: "192.0.2.10:7946", Peers: []string{"osl-1"}}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		m := new(vardev1.ProbeState)
		if proto.Unmarshal(b, m) != nil {
			return
		}
		s, err := wire.ProbeStateFromProto(m)
		if err != nil {
			return
		}
		again, err := wire.ProbeStateFromProto(wire.ProbeStateToProto(s))
		if d := cmp.Diff(s, again); d != "" || err != nil {
			t.Errorf("read again: %v\n%s", err, d)
		}
	})
}

func TestEnrolRoundTrips(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := wire.EnrolRequest{
			TokenID: [16]byte(drawBytes(t, 16, 16)), Secret: [16]byte(drawBytes(t, 16, 16)),
			Request: drawBytes(t, 1, 500), Recipient: drawID(t, "recipient"),
		}
		got, err := wire.EnrolRequestFromProto(wire.EnrolRequestToProto(r))
		same(t, r, got, err)
		e := wire.Enrolment{
			Chain: [][]byte{drawBytes(t, 1, 50)}, Name: drawID(t, "name"), Region: drawID(t, "region"), Site: "site",
			PlanKey: ed25519.PublicKey(drawBytes(t, 32, 32)), Coordinators: []string{"a:1"},
		}
		gotE, err := wire.EnrolmentFromProto(wire.EnrolmentToProto(e))
		same(t, e, gotE, err)
	})
}

func TestEnrolRefusals(t *testing.T) {
	good := wire.EnrolRequestToProto(wire.EnrolRequest{Request: []byte("csr"), Recipient: "age1x"})
	for want, change := range map[string]func(*vardev1.EnrolRequest){
		"token: 15 and 16 bytes":       func(m *vardev1.EnrolRequest) { m.TokenId = make([]byte, 15) },
		"token: 16 and 0 bytes":        func(m *vardev1.EnrolRequest) { m.TokenSecret = nil },
		"certificate_request: 0 bytes": func(m *vardev1.EnrolRequest) { m.CertificateRequest = nil },
		"certificate_request: 16385":   func(m *vardev1.EnrolRequest) { m.CertificateRequest = make([]byte, 16385) },
		"recipient: 0 bytes":           func(m *vardev1.EnrolRequest) { m.Recipient = "" },
		"recipient: 129 bytes":         func(m *vardev1.EnrolRequest) { m.Recipient = strings.Repeat("a", 129) },
	} {
		m := proto.CloneOf(good)
		change(m)
		_, err := wire.EnrolRequestFromProto(m)
		refusedFor(t, want, err)
	}
	whole := wire.EnrolmentToProto(wire.Enrolment{Chain: [][]byte{{1}}, Name: "osl-1", Region: "eu-north", PlanKey: make([]byte, 32)})
	for want, change := range map[string]func(*vardev1.EnrolResponse){
		"certificate_chain: missing": func(m *vardev1.EnrolResponse) { m.CertificateChain = nil },
		"expected two ids":           func(m *vardev1.EnrolResponse) { m.Region = "../x" },
		"plan_key: 31 bytes":         func(m *vardev1.EnrolResponse) { m.PlanKey = make([]byte, 31) },
	} {
		m := proto.CloneOf(whole)
		change(m)
		_, err := wire.EnrolmentFromProto(m)
		refusedFor(t, want, err)
	}
	_, err := wire.RenewRequestFromProto(&vardev1.RenewRequest{})
	refusedFor(t, "certificate_request: 0 bytes", err)
	_, err = wire.ResumeFromProto(&vardev1.Resume{Epoch: "é"})
	refusedFor(t, "epoch: ", err)
}

func TestClockReplyRoundTrip(t *testing.T) {
	want := time.Date(2026, 11, 22, 10, 0, 0, 123, time.UTC)
	id, got, err := wire.ClockReplyFromProto(wire.ClockReplyToProto(7, want))
	if id != 7 || !got.Equal(want) || err != nil {
		t.Errorf("%d %s, %v", id, got, err)
	}
	_, _, err = wire.ClockReplyFromProto(&vardev1.ClockReply{Id: 7})
	refusedFor(t, "probe_time: missing", err)
}

// refusedFor fails unless err speaks of what is wrong.
func refusedFor(t *testing.T, want string, err error) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got error %v, want one that says %q", err, want)
	}
}
