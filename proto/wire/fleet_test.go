package wire_test

import (
	"crypto/ed25519"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

// travel sends a message through its encoding.
func travel[M proto.Message](t *rapid.T, from, to M) M {
	t.Helper()
	b, err := proto.Marshal(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(b, to); err != nil {
		t.Fatal(err)
	}
	return to
}

func TestEnrolRequestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := wire.EnrolRequest{
			TokenID: [16]byte(drawBytes(t, 16, 16)), Secret: [16]byte(drawBytes(t, 16, 16)),
			Request: drawBytes(t, 1, 64), Recipient: "age1" + drawID(t, "recipient"),
		}
		got, err := wire.EnrolRequestFromProto(travel(t, wire.EnrolRequestToProto(want), new(vardev1.EnrolRequest)))
		same(t, want, got, err)
	})
}

func TestEnrolmentRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := wire.Enrolment{
			Chain: [][]byte{drawBytes(t, 1, 64), drawBytes(t, 1, 64)}, Name: drawID(t, "name"), Region: drawID(t, "region"),
			Site: drawText(t, "site", 20), PlanKey: drawBytes(t, 32, 32), Coordinators: []string{drawID(t, "host") + ":7950"},
		}
		got, err := wire.EnrolmentFromProto(travel(t, wire.EnrolmentToProto(want), new(vardev1.EnrolResponse)))
		same(t, want, got, err)
	})
}

func TestProbeStateRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := wire.ProbeState{
			Epoch: drawWord(t, "epoch"), Version: draw(t, "version", rapid.StringMatching(`[0-9a-z.+-]{0,64}`)),
			Plan:  wire.PlanNumber{Generation: rapid.Uint64().Draw(t, "generation"), Revision: rapid.Uint64().Draw(t, "revision")},
			Spool: rapid.Uint64().Draw(t, "spool"), Qualified: rapid.Bool().Draw(t, "qualified"), Reason: drawText(t, "reason", 256),
			MeshAddress: draw(t, "mesh", rapid.SampledFrom([]string{"", "192.0.2.10:7946", "[2001:db8::1]:7946"})),
		}
		want.Epoch = strings.ReplaceAll(want.Epoch, "_", "-")
		for range rapid.IntRange(0, 4).Draw(t, "peers") {
			want.Peers = append(want.Peers, drawID(t, "peer"))
		}
		got, err := wire.ProbeStateFromProto(travel(t, wire.ProbeStateToProto(want), new(vardev1.ProbeState)))
		same(t, want, got, err)
	})
}

func TestClockReplyRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id, at := rapid.Uint64().Draw(t, "id"), drawTime(t, "at")
		gotID, got, err := wire.ClockReplyFromProto(travel(t, wire.ClockReplyToProto(id, at), new(vardev1.ClockReply)))
		same(t, at, got, err)
		if gotID != id {
			t.Fatalf("id %d, want %d", gotID, id)
		}
	})
}

func TestEnrolRequestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*vardev1.EnrolRequest)
		want  string
	}{
		"no token":       {func(m *vardev1.EnrolRequest) { m.TokenId = nil }, "token: 0 and 16 bytes, expected 16 and 16"},
		"long secret":    {func(m *vardev1.EnrolRequest) { m.TokenSecret = make([]byte, 17) }, "token: 16 and 17 bytes, expected 16 and 16"},
		"no request":     {func(m *vardev1.EnrolRequest) { m.CertificateRequest = nil }, "certificate_request: 0 bytes, expected 1 to 16384"},
		"long request":   {func(m *vardev1.EnrolRequest) { m.CertificateRequest = make([]byte, 16385) }, "certificate_request: 16385 bytes, expected 1 to 16384"},
		"no recipient":   {func(m *vardev1.EnrolRequest) { m.Recipient = "" }, "recipient: 0 bytes, expected 1 to 128"},
		"long recipient": {func(m *vardev1.EnrolRequest) { m.Recipient = strings.Repeat("a", 129) }, "recipient: 129 bytes, expected 1 to 128"},
	} {
		t.Run(name, func(t *testing.T) {
			m := &vardev1.EnrolRequest{TokenId: make([]byte, 16), TokenSecret: make([]byte, 16), CertificateRequest: []byte{1}, Recipient: "age1"}
			c.spoil(m)
			_, err := wire.EnrolRequestFromProto(m)
			refused(t, c.want, err)
		})
	}
	_, err := wire.RenewRequestFromProto(&vardev1.RenewRequest{})
	refused(t, "certificate_request: 0 bytes, expected 1 to 16384", err)
}

func TestEnrolmentRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*vardev1.EnrolResponse)
		want  string
	}{
		"no chain":  {func(m *vardev1.EnrolResponse) { m.CertificateChain = nil }, "certificate_chain: missing"},
		"no name":   {func(m *vardev1.EnrolResponse) { m.Name = "" }, `name "" of region "eu-north", expected two ids`},
		"no region": {func(m *vardev1.EnrolResponse) { m.Region = "a b" }, `name "osl-1" of region "a b", expected two ids`},
		"no key":    {func(m *vardev1.EnrolResponse) { m.PlanKey = nil }, "plan_key: 0 bytes, expected 32"},
	} {
		t.Run(name, func(t *testing.T) {
			m := &vardev1.EnrolResponse{CertificateChain: [][]byte{{1}}, Name: "osl-1", Region: "eu-north", PlanKey: make([]byte, ed25519.PublicKeySize)}
			c.spoil(m)
			_, err := wire.EnrolmentFromProto(m)
			refused(t, c.want, err)
		})
	}
}

func TestProbeStateRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*vardev1.ProbeState)
		want  string
	}{
		"no epoch":     {func(m *vardev1.ProbeState) { m.Epoch = "" }, "epoch: 0 bytes, expected 1 to 64"},
		"long version": {func(m *vardev1.ProbeState) { m.Version = strings.Repeat("1", 65) }, `version: "` + strings.Repeat("1", 65) + `", expected at most 64 printable bytes`},
		"version":      {func(m *vardev1.ProbeState) { m.Version = "1\x1b" }, `version: "1\x1b", expected at most 64 printable bytes`},
		"reason":       {func(m *vardev1.ProbeState) { m.Reason = "a\nb" }, `reason: "a\nb", expected at most 256 printable characters`},
		"mesh":         {func(m *vardev1.ProbeState) { m.MeshAddress = "osl-1:7946" }, `mesh_address: "osl-1:7946", expected an IP address and a port`},
		"many peers":   {func(m *vardev1.ProbeState) { m.Peers = make([]string, 1001) }, "peers: 1001, expected at most 1000"},
		"peer":         {func(m *vardev1.ProbeState) { m.Peers = []string{"a", ""} }, `peers[1]: "" is not an id`},
	} {
		t.Run(name, func(t *testing.T) {
			m := &vardev1.ProbeState{Epoch: "e"}
			c.spoil(m)
			_, err := wire.ProbeStateFromProto(m)
			refused(t, c.want, err)
		})
	}
	_, err := wire.ResumeFromProto(&vardev1.Resume{Epoch: "E"})
	refused(t, `epoch: "E", expected a-z, 0-9 and -`, err)
	_, _, err = wire.ClockReplyFromProto(&vardev1.ClockReply{Id: 1})
	refused(t, "probe_time: missing", err)
}

// FuzzFleetMessages reads anything as each of the messages that a stranger, or
// a stolen probe, may send.
func FuzzFleetMessages(f *testing.F) {
	b, _ := proto.Marshal(&vardev1.ProbeState{Epoch: "e", Peers: []string{"osl-1"}, MeshAddress: "192.0.2.1:7946"})
	f.Add(b)
	b, _ = proto.Marshal(wire.EnrolRequestToProto(wire.EnrolRequest{Request: []byte{1}, Recipient: "age1"}))
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		state, enrol, batch := new(vardev1.ProbeState), new(vardev1.EnrolRequest), new(vardev1.Batch)
		if proto.Unmarshal(b, state) == nil {
			if s, err := wire.ProbeStateFromProto(state); err == nil {
				again(t, s, func() ([]byte, error) { return proto.Marshal(wire.ProbeStateToProto(s)) }, read(new(vardev1.ProbeState), wire.ProbeStateFromProto))
			}
		}
		if proto.Unmarshal(b, enrol) == nil {
			if r, err := wire.EnrolRequestFromProto(enrol); err == nil {
				again(t, r, func() ([]byte, error) { return proto.Marshal(wire.EnrolRequestToProto(r)) }, read(new(vardev1.EnrolRequest), wire.EnrolRequestFromProto))
			}
		}
		if proto.Unmarshal(b, batch) == nil {
			if r, err := wire.BatchFromProto(batch); err == nil {
				again(t, r, func() ([]byte, error) { return proto.Marshal(wire.BatchToProto(r)) }, read(new(vardev1.Batch), wire.BatchFromProto))
			}
		}
	})
}

// read decodes into m and translates it.
func read[M proto.Message, V any](m M, translate func(M) (V, error)) func([]byte) (V, error) {
	return func(b []byte) (V, error) {
		if err := proto.Unmarshal(b, m); err != nil {
			var none V
			return none, err
		}
		return translate(m)
	}
}
