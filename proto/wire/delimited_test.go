package wire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"testing"

	"google.golang.org/protobuf/encoding/protodelim"
	"pgregory.net/rapid"

	"varde/proto/wire"
)

// TestPeerMessagesTravelBehindTheirLength: each is read whole, and nothing of
// what follows.
func TestPeerMessagesTravelBehindTheirLength(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		request := wire.PeerRequest{After: wire.PlanNumber{Generation: rapid.Uint64().Draw(t, "generation"), Revision: 7}}
		if rapid.Bool().Draw(t, "relay") {
			request = wire.PeerRequest{Coordinator: "c1.example.net:7950"}
		}
		response := wire.PeerResponse{Refusal: "not today"}
		if rapid.Bool().Draw(t, "plan") {
			response = wire.PeerResponse{Plan: &wire.SignedPlan{Plan: []byte("plan"), Signature: []byte("signature")}}
		}
		var line bytes.Buffer
		if err := errors.Join(wire.WritePeerRequest(&line, request), wire.WritePeerResponse(&line, response)); err != nil {
			t.Fatal(err)
		}
		line.WriteString("what follows")
		gotRequest, err := wire.ReadPeerRequest(&line)
		same(t, request, gotRequest, err)
		gotResponse, err := wire.ReadPeerResponse(&line)
		same(t, response, gotResponse, err)
		if line.String() != "what follows" {
			t.Errorf("left %q, want what follows", line.String())
		}
	})
}

// TestPeerMessagesAreBounded: one that says it is too long is refused before
// anything of it is read.
func TestPeerMessagesAreBounded(t *testing.T) {
	read := map[uint64]func(io.Reader) error{
		1<<10 + 1: func(r io.Reader) error { _, err := wire.ReadPeerRequest(r); return err },
		4<<20 + 1: func(r io.Reader) error { _, err := wire.ReadPeerResponse(r); return err },
	}
	for size, read := range read {
		var large *protodelim.SizeTooLargeError
		if err := read(bytes.NewReader(binary.AppendUvarint(nil, size))); !errors.As(err, &large) || large.Size != size {
			t.Errorf("%d bytes: got %v, want too large", size, err)
		}
		if err := read(bytes.NewReader(binary.AppendUvarint(nil, size-1))); errors.As(err, &large) || err == nil {
			t.Errorf("%d bytes: got %v, want that it ended", size-1, err)
		}
	}
}
