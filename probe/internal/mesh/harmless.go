package mesh

import (
	"encoding/binary"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// The kinds of memberlist's messages that are let through, by their first byte. A
// compressed one is not: 64 kB of it become 40 MB.
const (
	kindPing = iota
	kindIndirectPing
	kindAck
	kindSuspect
	kindAlive
	kindDead
	kindPushPull
	kindCompound
	kindUser
	_ // compressed
	_ // encrypted
	kindNack
	kindChecked
	kindError
)

const (
	// checkedHead is the kind and the checksum in front of a checked message.
	checkedHead = 1 + 4
	// maxStates bounds the members of which one exchange tells, the dead included.
	maxStates = 2 * maxMembers
	// ahead is how far an incarnation may be ahead of the clock, in seconds since
	// 1970.
	ahead = 60
)

// harmlessPacket says whether memberlist may have a datagram.
func harmlessPacket(b []byte) bool {
	if len(b) > checkedHead && b[0] == kindChecked {
		b = b[checkedHead:]
	}
	if b[0] != kindCompound {
		return harmless(b)
	}
	if len(b) < 2 || len(b) < 2+2*int(b[1]) {
		return false
	}
	lengths, rest := b[2:2+2*int(b[1])], b[2+2*int(b[1]):]
	for ; len(lengths) > 0; lengths = lengths[2:] {
		n := int(binary.BigEndian.Uint16(lengths))
		if n > len(rest) || !harmless(rest[:n]) {
			return false
		}
		rest = rest[n:]
	}
	return true
}

// harmless says whether memberlist may have one message of a datagram.
func harmless(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	switch b[0] {
	case kindPing, kindIndirectPing, kindAck, kindNack, kindUser:
		return true
	case kindAlive, kindSuspect, kindDead:
		var c claim
		return decode(b[1:]).Decode(&c) == nil && c.believable(b[0] == kindAlive)
	}
	return false
}

// harmlessStream says whether memberlist may have the message of a stream.
func harmlessStream(b []byte) bool {
	switch b[0] {
	case kindPing, kindAck, kindError:
		return true
	case kindPushPull:
		return harmlessState(decode(b[1:]))
	}
	return false
}

// harmlessState says whether memberlist may have all that another one knows. What
// it would pass on to our own delegate is nothing.
func harmlessState(d *codec.Decoder) bool {
	var head struct{ Nodes, UserStateLen int }
	if d.Decode(&head) != nil || head.Nodes < 0 || head.Nodes > maxStates || head.UserStateLen != 0 {
		return false
	}
	for range head.Nodes {
		var c claim
		if d.Decode(&c) != nil || !c.believable(c.State == 0) {
			return false
		}
	}
	return true
}

func decode(b []byte) *codec.Decoder { return codec.NewDecoderBytes(b, &codec.MsgpackHandle{}) }

// claim is what a message says of a member, as far as it can do harm. State is 0
// for alive.
type claim struct {
	Incarnation uint32
	State       int
}

// believable says whether a member's incarnation can be true. It grows by one with
// every change of its standing and with every accusation that it refutes, less than
// once a second over its life. Whoever claims the last of all has it refuted with
// 0, which nobody believes, so that one such message would keep a living member out
// for minutes: an accusation is taken only if one more can be true.
func (c claim) believable(alive bool) bool {
	limit := time.Now().Unix() + ahead
	if alive {
		limit++
	}
	return int64(c.Incarnation) <= limit
}
