package mesh

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"sync"
	"time"
)

const (
	// nonceKept is for how long at least a nonce is known again, and nonceMost half
	// of how many are: a window brings 400, in a large mesh with news up to ten times
	// as many.
	nonceKept = 3 * window
	nonceMost = 1 << 15
	// maxPackets is how many datagrams of members are taken within a second, and
	// maxNews how many messages in them. 200 members with much to tell send each other
	// 20, of a dozen messages.
	maxPackets = 500
	maxNews    = 4 * maxPackets
	// maxPings is how many questions whether this member is there are answered within a
	// second, and maxRelayed how many whether another one is: each costs a datagram to
	// somebody. Every member asks one other in a ProbeInterval, and three more where
	// that one does not answer.
	maxPings   = 50
	maxRelayed = 20
	// maxStream is the most that is read of one stream, in bytes: memberlist keeps
	// up to 20 MB of it before it finds that the key is wrong. All that there is to
	// tell of maxMembers is about 250 kB.
	maxStream = 512 << 10

	labelHeader   = "\xf4\x05" + label
	streamHead    = 1 + 4 // encryptMsg, and the length of what follows
	streamEncrypt = 10
)

var errRefused = errors.New("mesh: refused what is not of a member, came before, or would do harm")

// gate stands between the network and memberlist, which believes whatever was
// sealed with a key of the mesh, however old it is and for whomever it was meant. The
// gate lets through what was sealed with one for this member in the last minutes, the
// first time, if it is harmless. Who does not know the key can fill no memory here,
// since what he sends is not remembered; who knows it has no more sent than the
// rations below, and nothing to anybody who is no member.
type gate struct {
	m      *Mesh
	nonces *memory

	mu sync.Mutex // protects the following field
	// own opens what is meant for this member.
	own *opener

	// Only the one who reads datagrams uses these.
	packets, news, pings, relayed ration
	// plain is used again for each datagram.
	plain []byte
}

func newGate(m *Mesh) *gate {
	return &gate{
		m: m, nonces: newMemory(nonceKept, nonceMost),
		packets: ration{most: maxPackets}, news: ration{most: maxNews},
		pings: ration{most: maxPings}, relayed: ration{most: maxRelayed},
		plain: make([]byte, 0, packetBuffer),
	}
}

// seal returns what memberlist sealed, meant for the member at an address: the seal
// begins at b[i].
func (g *gate) seal(b []byte, i int, to netip.AddrPort) []byte {
	return seal(b, i, g.m.ring.GetKeys(), to)
}

// packet says whether a datagram from somewhere to an address of this member may
// pass, and opens it for memberlist. Only one goroutine may ask.
func (g *gate) packet(b []byte, from, at netip.AddrPort) bool {
	ok := len(b) > len(labelHeader) && string(b[:len(labelHeader)]) == labelHeader
	if ok {
		var plain []byte
		plain, ok = g.open(g.plain, b[len(labelHeader):], []byte(label), at)
		ok = ok && g.packets.allows() && g.takes(plain, from)
	}
	if !ok {
		g.m.messages.refuse()
	}
	return ok
}

// stream reads the one message that comes over a stream to the member at an address,
// and returns it for memberlist. Only that of whoever opened the stream begins with
// the label.
func (g *gate) stream(r io.Reader, at netip.AddrPort, inbound bool) ([]byte, error) {
	var frame bytes.Buffer
	head := streamHead
	if inbound {
		head += len(labelHeader)
	}
	if _, err := io.CopyN(&frame, r, int64(head)); err != nil {
		return nil, err
	}
	start := frame.Bytes()[head-streamHead:]
	size := int64(binary.BigEndian.Uint32(start[1:]))
	if inbound && string(frame.Bytes()[:len(labelHeader)]) != labelHeader || start[0] != streamEncrypt || size > maxStream {
		g.m.messages.refuse()
		return nil, errRefused
	}
	bound := append(bytes.Clone(start), label...)
	if _, err := io.CopyN(&frame, r, size); err != nil {
		return nil, err
	}
	if plain, ok := g.open(nil, frame.Bytes()[head:], bound, at); !ok || !harmlessStream(plain) {
		g.m.messages.refuse()
		return nil, errRefused
	}
	return frame.Bytes(), nil
}

// open decrypts what was sealed with a key of the mesh for an address, unless it came
// before, into the room behind the end of into.
func (g *gate) open(into, b, bound []byte, at netip.AddrPort) (plain []byte, ok bool) {
	plain, ok = g.opener(at).open(into, b, bound)
	if !ok {
		return nil, false
	}
	var i id
	copy(i[:], b[1:1+nonceBytes])
	return plain, g.nonces.isNew(i)
}

// opener opens what is meant for the member at an address. That of this one is kept.
func (g *gate) opener(at netip.AddrPort) *opener {
	keys, now := g.m.ring.GetKeys(), windowOf(time.Now())
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.own.fits(keys, at, now) {
		return g.own
	}
	o := newOpener(keys, at, now)
	if g.own == nil || g.own.to == at {
		g.own = o
	}
	return o
}
