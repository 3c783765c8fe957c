package mesh

import (
	"encoding/binary"
	"net/netip"
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

// takes says whether memberlist may have a datagram. What asks or answers comes alone
// in one, beside news.
func (g *gate) takes(b []byte, from netip.AddrPort) bool {
	talk := false
	return eachMessage(b, func(message []byte) bool {
		if len(message) == 0 || !g.news.allows() || talk && isTalk(message[0]) {
			return false
		}
		talk = talk || isTalk(message[0])
		return g.harmless(message[0], message[1:], from)
	})
}

// eachMessage gives the messages of a datagram to take until it refuses one, and says
// whether it took all of them.
func eachMessage(b []byte, take func([]byte) bool) bool {
	if len(b) > checkedHead && b[0] == kindChecked {
		b = b[checkedHead:]
	}
	if b[0] != kindCompound {
		return take(b)
	}
	if len(b) < 2 || len(b) < 2+2*int(b[1]) {
		return false
	}
	lengths, rest := b[2:2+2*int(b[1])], b[2+2*int(b[1]):]
	for ; len(lengths) > 0; lengths = lengths[2:] {
		n := int(binary.BigEndian.Uint16(lengths))
		if n > len(rest) || !take(rest[:n]) {
			return false
		}
		rest = rest[n:]
	}
	return true
}

// isTalk says whether a message asks who is there, or answers that.
func isTalk(kind byte) bool {
	return kind == kindPing || kind == kindIndirectPing || kind == kindAck || kind == kindNack
}

// harmless says whether memberlist may have one message of a datagram.
func (g *gate) harmless(kind byte, body []byte, from netip.AddrPort) bool {
	switch kind {
	case kindAck, kindNack, kindUser:
		return true
	case kindPing:
		return g.pings.allows() && g.mayAsk(body, from, false)
	case kindIndirectPing:
		return g.relayed.allows() && g.mayAsk(body, from, true)
	case kindAlive, kindSuspect, kindDead:
		var c claim
		if decode(body).Decode(&c) != nil || !c.believable(kind == kindAlive) {
			return false
		}
		if c.Node == g.m.opt.Name && kind != kindAlive {
			g.m.accused(c.From)
		}
		return true
	}
	return false
}

// mayAsk says whether a question may be answered, or passed on to another one: that is
// sent where the question says, so only to a member, or to whoever asked.
func (g *gate) mayAsk(body []byte, from netip.AddrPort, another bool) bool {
	var q question
	if decode(body).Decode(&q) != nil {
		return false
	}
	back := endpoint(q.SourceAddr, q.SourcePort)
	if len(q.SourceAddr) > 0 && back.Addr() != from.Addr().Unmap() && !g.m.knows(back) {
		return false
	}
	return !another || g.m.knows(endpoint(q.Target, q.Port))
}

// question is a ping, or the request for one, as far as it can do harm.
type question struct {
	Target, SourceAddr []byte
	Port, SourcePort   uint16
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
// for alive, and From who says so.
type claim struct {
	Incarnation uint32
	State       int
	Node, From  string
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
