package cell

import (
	"encoding/binary"
	"errors"
	"slices"
	"sync"

	"github.com/klauspost/compress/fse"
)

// stream is one kind of value of a block. Values of one kind are alike, so they stand
// side by side there, and each stream is packed by itself (finite state entropy, as
// in Zstandard, RFC 8878 section 4.1).
type stream uint8

const (
	// heads are the numbers of minutes and hours, and of what follows them.
	heads stream = iota
	// texts are names where they are met first, names their places among those met.
	texts
	names
	sums
	failures
	// latencies and phases are four streams each, see [sketched].
	latencies
	phases  = latencies + sketched
	streams = phases + sketched
)

// The streams of a sketch.
const (
	sizes stream = iota
	firsts
	gaps
	counts
	sketched
)

// How a stream is packed.
const (
	plain = iota
	repeated
	entropy
	packings
)

// maxBlock is the size of a block before compression: 60 minutes of 100 probes take
// about 300 kB.
const maxBlock = 16 << 20

// appendPacked appends a stream: its length and how it is packed, then its bytes.
func appendPacked(to, data []byte, scratch *fse.Scratch) []byte {
	head := func(packing uint64) []byte { return binary.AppendUvarint(to, uint64(len(data))*packings+packing) }
	packed, err := fse.Compress(data, scratch)
	switch {
	case err == nil && len(packed) < len(data):
		to = binary.AppendUvarint(head(entropy), uint64(len(packed)))
		return append(to, packed...)
	case errors.Is(err, fse.ErrUseRLE):
		return append(head(repeated), data[0])
	}
	return append(head(plain), data...)
}

// packed takes a stream off the front that appendPacked wrote; room is how many bytes
// it may have.
func (d *decoder) packed(room int, scratch *fse.Scratch) []byte {
	head := d.uint(heads)
	n := head / packings
	if n > uint64(room) {
		d.fail()
		return nil
	}
	switch head % packings {
	case plain:
		return d.take(n)
	case repeated:
		if b := d.take(1); b != nil {
			return slices.Repeat(b, int(n))
		}
	case entropy:
		scratch.Out, scratch.DecompressLimit = make([]byte, 0, n), int(n)
		out, err := fse.Decompress(d.take(d.uint(heads)), scratch)
		if err == nil && uint64(len(out)) == n {
			return out
		}
		d.fail()
	}
	return nil
}

// columns are the bytes of a block.
func (e *encoder) columns() (out []byte) {
	var scratch fse.Scratch
	for _, data := range e.b {
		out = appendPacked(out, data, &scratch)
	}
	return out
}

// tables are those that streams are unpacked by: their room is much more than a block has.
var tables = sync.Pool{New: func() any { return new(fse.Scratch) }}

// decodeColumns opens what columns wrote.
func decodeColumns(b []byte) (*decoder, error) {
	front := decoder{b: [streams][]byte{b}}
	scratch := tables.Get().(*fse.Scratch)
	defer tables.Put(scratch)
	d, room := &decoder{apart: true}, maxBlock
	for s := range d.b {
		d.b[s] = front.packed(room, scratch)
		room -= len(d.b[s])
	}
	return d, front.end()
}
