package mesh

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"time"
)

const (
	// window is how long one pad is good for: what was sent in this window, the one
	// before it or the next one, by the clock of this machine, is taken. A member whose
	// clock is wrong by less than a window is understood.
	window = 5 * time.Minute
	// nonceKept is for how long at least a nonce is known again, and nonceMost half
	// of how many are: a window brings 400, in a large mesh with news up to ten times
	// as many.
	nonceKept = 3 * window
	nonceMost = 1 << 15
	// maxPackets is how many datagrams of members are taken within a second. 200
	// members with much to tell send each other 20.
	maxPackets = 500
	// maxStream is the most that is read of one stream, in bytes: memberlist keeps
	// up to 20 MB of it before it finds that the key is wrong. All that there is to
	// tell of maxMembers is about 250 kB.
	maxStream = 512 << 10

	// What memberlist seals is its version 1, nonce, ciphertext and tag.
	sealVersion   = 1
	nonceBytes    = 12
	tagBytes      = 16
	labelHeader   = "\xf4\x05" + label
	streamHead    = 1 + 4 // encryptMsg, and the length of what follows
	streamEncrypt = 10
)

var errRefused = errors.New("mesh: refused what is not of a member, came before, or would do harm")

// gate stands between the network and memberlist, which believes whatever was
// sealed with a key of the mesh, however old it is and for whomever it was meant. The
// gate lets through what was sealed with one for this member in the last minutes, the
// first time, if it is harmless. Who does not know the key can fill no memory here,
// since what he sends is not remembered.
//
// For whom something is meant, and when, is said without another byte: the nonce,
// which is random, goes over the wire hidden under a pad of key, address and window.
type gate struct {
	keys    func() [][]byte
	refused func()
	nonces  *memory
	packets ration
}

// seal returns what memberlist sealed, meant for the member at an address: the seal
// begins at b[i].
func (g *gate) seal(b []byte, i int, to netip.AddrPort) []byte {
	b = bytes.Clone(b)
	if keys := g.keys(); len(keys) > 0 && len(b) > i+1+nonceBytes {
		hide(b[i+1:], keys[0], to, time.Now())
	}
	return b
}

// hide puts the nonce at the start of b under the pad of an address and a time, or
// takes it out again.
func hide(b, key []byte, to netip.AddrPort, at time.Time) {
	pad := hmac.New(sha256.New, key)
	place := to.AppendTo(make([]byte, 0, 64))
	pad.Write(binary.BigEndian.AppendUint64(append(place, 0), uint64(at.Unix()/int64(window/time.Second))))
	subtle.XORBytes(b[:nonceBytes], b[:nonceBytes], pad.Sum(nil))
}

func newGate(keys func() [][]byte, refused func()) *gate {
	return &gate{keys: keys, refused: refused, nonces: newMemory(nonceKept, nonceMost), packets: ration{most: maxPackets}}
}

// packet says whether a datagram to an address of this member may pass, and opens
// it for memberlist. Only one goroutine may ask.
func (g *gate) packet(b []byte, at netip.AddrPort) bool {
	sealed, labelled := bytes.CutPrefix(b, []byte(labelHeader))
	plain, ok := g.open(sealed, []byte(label), at)
	ok = labelled && ok && harmlessPacket(plain) && g.packets.allows()
	if !ok {
		g.refused()
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
		g.refused()
		return nil, errRefused
	}
	bound := append(bytes.Clone(start), label...)
	if _, err := io.CopyN(&frame, r, size); err != nil {
		return nil, err
	}
	if plain, ok := g.open(frame.Bytes()[head:], bound, at); !ok || !harmlessStream(plain) {
		g.refused()
		return nil, errRefused
	}
	return frame.Bytes(), nil
}

// open decrypts what was sealed with a key of the mesh for an address, unless it came
// before. An empty message is none: memberlist panics on it.
func (g *gate) open(b, bound []byte, at netip.AddrPort) (plain []byte, ok bool) {
	if len(b) <= 1+nonceBytes+tagBytes || b[0] != sealVersion {
		return nil, false
	}
	for _, key := range g.keys() {
		aead, err := cipherOf(key)
		if err != nil {
			continue // New and SetKeys take no such key
		}
		for _, shift := range [...]time.Duration{0, -window, window} {
			if plain, ok := unseal(aead, b, bound, key, at, time.Now().Add(shift)); ok {
				var i id
				copy(i[:], b[1:1+nonceBytes])
				return plain, g.nonces.isNew(i)
			}
		}
	}
	return nil, false
}

// unseal decrypts b, and leaves the nonce in it as memberlist made it.
func unseal(aead cipher.AEAD, b, bound, key []byte, at netip.AddrPort, sent time.Time) (plain []byte, ok bool) {
	nonce := b[1 : 1+nonceBytes]
	hide(nonce, key, at, sent)
	plain, err := aead.Open(nil, nonce, b[1+nonceBytes:], bound)
	if err != nil {
		hide(nonce, key, at, sent)
	}
	return plain, err == nil
}

func cipherOf(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
