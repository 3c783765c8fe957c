package spool

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"varde/proto/wire"
)

// A frame is one record in a segment: the length of its payload and a CRC32C
// over length and payload, both little-endian, then the payload. The sum covers
// the length, so that a tail of zeros is no record of length zero.
const (
	frameHeader = 8
	// maxPayload is four times the largest observation that a check can make
	// (256 characters of detail, 16 phases), in bytes.
	maxPayload = 16 << 10
)

// errTorn says that a segment does not go on: a write that was cut, or bytes
// that are not those that were written.
var errTorn = errors.New("record is torn or damaged")

func castagnoli() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) }

// appendFrame appends the frame of payload to b.
func appendFrame(b, payload []byte) []byte {
	var head [frameHeader]byte
	binary.LittleEndian.PutUint32(head[:4], uint32(len(payload)))
	binary.LittleEndian.PutUint32(head[4:], frameSum(head[:4], payload))
	return append(append(b, head[:]...), payload...)
}

func frameSum(length, payload []byte) uint32 {
	return crc32.Update(crc32.Checksum(length, castagnoli()), castagnoli(), payload)
}

// fixedHeader is what stands in front of integers of a fixed size: whose they
// are, and a CRC32C over them.
const fixedHeader = 8

// encodeFixed writes a struct of integers of a fixed size.
func encodeFixed(magic uint32, v any) []byte {
	var b bytes.Buffer
	b.Write(make([]byte, fixedHeader))
	// Writing fixed-size integers into memory cannot go wrong.
	_ = binary.Write(&b, binary.LittleEndian, v)
	out := b.Bytes()
	binary.LittleEndian.PutUint32(out, magic)
	binary.LittleEndian.PutUint32(out[4:], crc32.Checksum(out[fixedHeader:], castagnoli()))
	return out
}

// decodeFixed reads into v what encodeFixed wrote at the beginning of b. It
// returns false, and leaves v as it is, where something else stands there.
func decodeFixed(b []byte, magic uint32, v any) bool {
	n := fixedHeader + binary.Size(v)
	if len(b) < n || binary.LittleEndian.Uint32(b) != magic ||
		binary.LittleEndian.Uint32(b[4:]) != crc32.Checksum(b[fixedHeader:n], castagnoli()) {
		return false
	}
	return binary.Read(bytes.NewReader(b[fixedHeader:n]), binary.LittleEndian, v) == nil
}

// encode returns the frame of one record and the record as it is read again: one
// that nobody can read would block all those after it.
func encode(r wire.Record) (frame []byte, read wire.Record, err error) {
	payload, read, err := wire.MarshalRecord(r)
	if err != nil {
		return nil, wire.Record{}, err
	}
	if len(payload) > maxPayload {
		return nil, wire.Record{}, fmt.Errorf("record has %d bytes, expected at most %d", len(payload), maxPayload)
	}
	return appendFrame(make([]byte, 0, frameHeader+len(payload)), payload), read, nil
}

// reader reads the frames of one segment.
type reader struct {
	r       *bufio.Reader
	payload []byte
}

func newReader(r io.Reader) *reader {
	return &reader{r: bufio.NewReaderSize(r, 64<<10)}
}

// next returns the next record and the size of its frame in bytes. It returns
// io.EOF at a clean end, errTorn where the bytes are not a record, and any
// other error of the disk as it is.
func (r *reader) next() (wire.Record, int64, error) {
	var head [frameHeader]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return wire.Record{}, 0, torn(err)
	}
	n := int(binary.LittleEndian.Uint32(head[:4]))
	if n == 0 || n > maxPayload {
		return wire.Record{}, 0, errTorn
	}
	if cap(r.payload) < n {
		r.payload = make([]byte, maxPayload)
	}
	p := r.payload[:n]
	if _, err := io.ReadFull(r.r, p); err != nil {
		if errors.Is(err, io.EOF) {
			err = errTorn
		}
		return wire.Record{}, 0, torn(err)
	}
	if frameSum(head[:4], p) != binary.LittleEndian.Uint32(head[4:]) {
		return wire.Record{}, 0, errTorn
	}
	rec, err := wire.UnmarshalRecord(p)
	if err != nil {
		return wire.Record{}, 0, errTorn
	}
	return rec, int64(frameHeader + n), nil
}

func torn(err error) error {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return errTorn
	}
	return err
}
