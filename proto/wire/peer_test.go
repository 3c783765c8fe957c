package wire_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"varde/checks"
	vardev1 "varde/proto/varde/v1"
	"varde/proto/wire"
)

func drawHint(t *rapid.T) wire.Hint {
	h := wire.Hint{
		Check: drawID(t, "check"), Family: drawFamily(t), Asker: drawID(t, "asker"), Login: rapid.Bool().Draw(t, "login"),
		At: time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), 0).UTC(), ID: rapid.Uint64().Draw(t, "id"),
	}
	for range rapid.IntRange(1, wire.MaxAsked).Draw(t, "asked") {
		h.Asked = append(h.Asked, drawID(t, "probe"))
	}
	return h
}

func TestHintRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawHint(t)
		b, err := wire.MarshalHint(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := wire.UnmarshalHint(b)
		same(t, want, got, err)
	})
}

func TestHintRefusals(t *testing.T) {
	good := wire.Hint{Check: "imap", Family: checks.IPv4, Asker: "osl-1", Asked: []string{"osl-2"}, At: time.Unix(1, 0)}
	for want, change := range map[string]func(*wire.Hint){
		"hint: family: 0":          func(h *wire.Hint) { h.Family = 0 },
		"hint: asks 0 probes":      func(h *wire.Hint) { h.Asked = nil },
		"hint: asks 4 probes":      func(h *wire.Hint) { h.Asked = []string{"a", "b", "c", "d"} },
		`hint: "<b>" is not an id`: func(h *wire.Hint) { h.Asked = []string{"<b>"} },
		`hint: "" is not an id`:    func(h *wire.Hint) { h.Asker = "" },
		`hint: "A" is not an id`:   func(h *wire.Hint) { h.Check = "A" },
	} {
		h := good
		change(&h)
		b, err := wire.MarshalHint(h)
		if err != nil {
			t.Fatal(err)
		}
		_, err = wire.UnmarshalHint(b)
		refusedFor(t, want, err)
	}
}

func FuzzHint(f *testing.F) {
	b, _ := wire.MarshalHint(wire.Hint{Check: "imap", Family: checks.IPv4, Asker: "osl-1", Asked: []string{"osl-2"}, At: time.Unix(1, 0)})
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, err := wire.UnmarshalHint(b); err == nil {
			again(t, h, func() ([]byte, error) { return wire.MarshalHint(h) }, wire.UnmarshalHint)
		}
	})
}

func TestPeerRoundTrips(t *testing.T) {
	for _, want := range []wire.PeerRequest{{}, {After: wire.PlanNumber{Generation: 3, Revision: 4}}, {Coordinator: "c.example.net:7950"}} {
		got, err := wire.PeerRequestFromProto(wire.PeerRequestToProto(want))
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%v, (-want +got):\n%s", err, d)
		}
	}
	for _, want := range []wire.PeerResponse{{}, {Refusal: "no"}, {Plan: &wire.SignedPlan{Plan: []byte("p"), Signature: []byte("s")}}} {
		got, err := wire.PeerResponseFromProto(wire.PeerResponseToProto(want))
		if d := cmp.Diff(want, got); d != "" || err != nil {
			t.Errorf("%v, (-want +got):\n%s", err, d)
		}
	}
}

func TestPeerRefusals(t *testing.T) {
	_, err := wire.PeerRequestFromProto(&vardev1.PeerRequest{})
	refusedFor(t, "request: asks for nothing that is known", err)
	for _, to := range []string{"", strings.Repeat("a", 262), "a\nb"} {
		_, err := wire.PeerRequestFromProto(&vardev1.PeerRequest{Kind: &vardev1.PeerRequest_Coordinator{Coordinator: to}})
		refusedFor(t, "coordinator: ", err)
	}
	for _, why := range []string{strings.Repeat("a", 257), "a\nb"} {
		_, err := wire.PeerResponseFromProto(&vardev1.PeerResponse{Refusal: why})
		refusedFor(t, "refusal: ", err)
	}
}

func FuzzPeer(f *testing.F) {
	b, _ := proto.Marshal(wire.PeerRequestToProto(wire.PeerRequest{Coordinator: "c:1"}))
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		if m := new(vardev1.PeerRequest); proto.Unmarshal(b, m) == nil {
			if r, err := wire.PeerRequestFromProto(m); err == nil {
				if got, err := wire.PeerRequestFromProto(wire.PeerRequestToProto(r)); got != r || err != nil {
					t.Errorf("read again: %+v, %v", got, err)
				}
			}
		}
		if m := new(vardev1.PeerResponse); proto.Unmarshal(b, m) == nil {
			if r, err := wire.PeerResponseFromProto(m); err == nil {
				if _, err := wire.PeerResponseFromProto(wire.PeerResponseToProto(r)); err != nil {
					t.Errorf("read again: %v", err)
				}
			}
		}
	})
}
