package mesh

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"
)

const (
	// window is how long one pad is good for: what was sent in this window, the one
	// before it or the next one, by the clock of this machine, is taken. A member whose
	// clock is wrong by less than a window is understood.
	window = 5 * time.Minute

	// What memberlist seals is its version 1, nonce, ciphertext and tag.
	sealVersion = 1
	nonceBytes  = 12
	tagBytes    = 16
)

// For whom something is meant, and when, is said without another byte: the nonce,
// which is random, goes over the wire hidden under a pad of key, address and window.
type pad [nonceBytes]byte

func newPad(key []byte, to netip.AddrPort, window int64) (p pad) {
	h := hmac.New(sha256.New, key)
	place := to.AppendTo(make([]byte, 0, 64))
	h.Write(binary.BigEndian.AppendUint64(append(place, 0), uint64(window)))
	copy(p[:], h.Sum(nil))
	return p
}

// hide puts the nonce at the start of b under p, or takes it out again.
func (p *pad) hide(b []byte) { subtle.XORBytes(b[:nonceBytes], b[:nonceBytes], p[:]) }

// windowOf is the number of the window that a time is in.
func windowOf(at time.Time) int64 { return at.Unix() / int64(window/time.Second) }

// seal returns what memberlist sealed, meant for the member at an address: the seal
// begins at b[i].
func seal(b []byte, i int, keys [][]byte, to netip.AddrPort) []byte {
	b = bytes.Clone(b)
	if len(keys) > 0 && len(b) > i+1+nonceBytes {
		p := newPad(keys[0], to, windowOf(time.Now()))
		p.hide(b[i+1:])
	}
	return b
}

// opener opens what was sealed for one member lately. Making one costs more than
// opening a message, and whoever does not know the key can send as many as he likes.
type opener struct {
	keys   [][]byte
	to     netip.AddrPort
	window int64
	locks  []lock
}

// lock is one key, with the pads of this window, the one before it and the next one.
type lock struct {
	aead cipher.AEAD
	pads [3]pad
}

func newOpener(keys [][]byte, to netip.AddrPort, window int64) *opener {
	o := &opener{keys: keys, to: to, window: window}
	for _, key := range keys {
		aead, err := cipherOf(key)
		if err != nil {
			continue // New and SetKeys take no such key
		}
		o.locks = append(o.locks, lock{aead, [3]pad{
			newPad(key, to, window), newPad(key, to, window-1), newPad(key, to, window+1),
		}})
	}
	return o
}

// fits says whether o opens what is sealed with these keys for an address now.
func (o *opener) fits(keys [][]byte, to netip.AddrPort, window int64) bool {
	return o != nil && o.window == window && o.to == to && slices.EqualFunc(o.keys, keys, bytes.Equal)
}

// open decrypts b into the room that into has behind its end, and leaves the nonce in b
// as memberlist made it.
func (o *opener) open(into, b, bound []byte) (plain []byte, ok bool) {
	if len(b) <= 1+nonceBytes+tagBytes || b[0] != sealVersion {
		return nil, false // an empty message is none: memberlist panics on it
	}
	nonce := b[1 : 1+nonceBytes]
	for _, l := range o.locks {
		for _, p := range l.pads {
			p.hide(nonce)
			if plain, err := l.aead.Open(into, nonce, b[1+nonceBytes:], bound); err == nil {
				return plain, true
			}
			p.hide(nonce)
		}
	}
	return nil, false
}

func cipherOf(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
