package wire

import (
	"bytes"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"

	vardev1 "varde/proto/varde/v1"
)

const (
	// maxPeerRequest is in bytes and holds any request: the longest names a
	// coordinator.
	maxPeerRequest = 1 << 10
	// maxPeerResponse is in bytes and as much as a coordinator's plan may have.
	maxPeerResponse = 4 << 20
)

// WritePeerRequest writes r behind its length.
func WritePeerRequest(w io.Writer, r PeerRequest) error {
	return writeDelimited(w, PeerRequestToProto(r))
}

// ReadPeerRequest reads what WritePeerRequest wrote, at most 1 kB of it, and
// nothing of what follows.
func ReadPeerRequest(r io.Reader) (PeerRequest, error) {
	m := new(vardev1.PeerRequest)
	if err := readDelimited(r, m, maxPeerRequest); err != nil {
		return PeerRequest{}, fmt.Errorf("request: %w", err)
	}
	return PeerRequestFromProto(m)
}

// WritePeerResponse writes r behind its length.
func WritePeerResponse(w io.Writer, r PeerResponse) error {
	return writeDelimited(w, PeerResponseToProto(r))
}

// ReadPeerResponse reads what WritePeerResponse wrote, at most 4 MB of it, and
// nothing of what follows.
func ReadPeerResponse(r io.Reader) (PeerResponse, error) {
	m := new(vardev1.PeerResponse)
	if err := readDelimited(r, m, maxPeerResponse); err != nil {
		return PeerResponse{}, fmt.Errorf("response: %w", err)
	}
	return PeerResponseFromProto(m)
}

func writeDelimited(w io.Writer, m proto.Message) error {
	var b bytes.Buffer // one write, so that it leaves as one
	if _, err := protodelim.MarshalTo(&b, m); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

func readDelimited(r io.Reader, m proto.Message, limit int64) error {
	return protodelim.UnmarshalOptions{MaxSize: limit}.UnmarshalFrom(byByte{r}, m)
}

// byByte reads the length before a message, and nothing ahead of it: behind it
// may follow bytes that are for somebody else.
type byByte struct{ io.Reader }

// ReadByte reads one byte.
func (r byByte) ReadByte() (byte, error) {
	var b [1]byte
	_, err := io.ReadFull(r, b[:])
	return b[0], err
}
