package spool

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"runtime"

	"github.com/klauspost/compress/zstd"

	"varde/proto/wire"
)

const (
	// compressedMagic is no length that a frame can have: the first bytes of a
	// segment say how it is written.
	compressedMagic = 0x317a7376 // "vsz1"
	// window is how far back something is found again: hundreds of checks, and
	// little memory for whoever compresses or reads.
	window = 256 << 10
	// maxExpanded bounds what a segment is expanded to, in bytes: what is in it
	// took less when it was plain.
	maxExpanded = 2 * largestSegment
)

var errLarge = errors.New("segment is not smaller when it is compressed")

// A compressed segment is its summary and then one zstd frame of entries: the
// record without its numbers, and the numbers, each with its length in front. A
// record whose numbers could not be taken has none.
type summary struct {
	First, Last uint64
	From, To    int64
	// Gap stands in front of the first observation; a First of 0 means none.
	Gap markGap
	// Sum is the CRC32C of the zstd frame.
	Sum uint32
}

// segment is what the summary says.
func (s summary) segment(path string, size int) *segment {
	return &segment{
		path: path, size: int64(size), compressed: true, gap: s.Gap.gap(),
		first: s.First, last: s.Last, from: fromNanos(s.From), to: fromNanos(s.To),
	}
}

// lost is the gap that is left when nothing but the summary can be read.
func (s summary) lost() *wire.Gap {
	return merge(s.Gap.gap(), &wire.Gap{First: s.First, Last: s.Last, From: fromNanos(s.From), To: fromNanos(s.To)})
}

// compress returns a plain segment in its compressed form. It returns errTorn
// when the segment cannot be read, and errLarge when it is not worth it.
func (g *segment) compress() ([]byte, error) {
	f, err := os.Open(g.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var stream bytes.Buffer
	z, err := zstd.NewWriter(&stream, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(window),
		zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	if err != nil {
		return nil, fmt.Errorf("begin to compress: %w", err)
	}
	if err := g.expand(f, z); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compress: %w", err)
	}
	head := encodeFixed(compressedMagic, summary{
		First: g.first, Last: g.last, From: nanos(g.from), To: nanos(g.to), Gap: toMarkGap(g.gap),
		Sum: crc32.Checksum(stream.Bytes(), castagnoli()),
	})
	if int64(len(head)+stream.Len()) >= g.size {
		return nil, errLarge
	}
	return append(head, stream.Bytes()...), nil
}

// expand writes the records of a plain segment as the entries of a compressed one.
func (g *segment) expand(f io.ReaderAt, to io.Writer) error {
	at := g.start(0)
	r, numbers, size := newReader(io.NewSectionReader(f, at.offset, g.size-at.offset)), extractor{}, 0
	for seq := g.first; seq <= g.last; seq++ {
		rec, _, err := r.next()
		if err != nil || rec.First() != seq || rec.Gap != nil {
			return errTorn
		}
		taken := numbers.take(&rec)
		rest, _, err := wire.MarshalRecord(rec)
		if err != nil {
			return fmt.Errorf("record without its numbers: %w", err)
		}
		entry := append(binary.AppendUvarint(nil, uint64(len(rest))), rest...)
		entry = append(binary.AppendUvarint(entry, uint64(len(taken))), taken...)
		if _, err := to.Write(entry); err != nil {
			return fmt.Errorf("compress: %w", err)
		}
		if size += len(entry); size > maxExpanded {
			return errLarge
		}
		if seq%indexEvery == 0 {
			runtime.Gosched() // on a machine of one core a check's answer may be waiting
		}
	}
	return nil
}

// isCompressed looks at the first bytes of a segment.
func isCompressed(f io.ReaderAt) (bool, error) {
	var head [4]byte
	if _, err := f.ReadAt(head[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	return binary.LittleEndian.Uint32(head[:]) == compressedMagic, nil
}

// readSummary reads a whole compressed segment. With errTorn something in it is
// not what was written; whole says that the summary is, all the same.
func readSummary(f io.Reader) (s summary, stream []byte, whole bool, err error) {
	b, err := io.ReadAll(io.LimitReader(f, maxExpanded))
	if err != nil {
		return s, nil, false, err
	}
	if !decodeFixed(b, compressedMagic, &s) || s.First == 0 || s.Last < s.First || s.Gap.First != 0 && s.Gap.Last+1 != s.First {
		return s, nil, false, errTorn
	}
	stream = b[fixedHeader+binary.Size(s):]
	if crc32.Checksum(stream, castagnoli()) != s.Sum {
		return s, nil, true, errTorn
	}
	return s, stream, true, nil
}

// scanCompressed reads what a segment holds from its summary, once its sum says
// that it can be read: expanding it can wait until somebody asks. With errTorn it
// holds nothing but the gap that it leaves.
func scanCompressed(path string, f io.Reader) (*segment, error) {
	s, stream, whole, err := readSummary(f)
	switch {
	case err == nil:
		return s.segment(path, fixedHeader+binary.Size(s)+len(stream)), nil
	case whole:
		return &segment{path: path, gap: s.lost()}, err
	}
	return &segment{path: path}, err
}

// readCompressed is read of a compressed segment: all of it can be read, or
// nothing.
func (g *segment) readCompressed(f io.Reader, after uint64, n int) ([]wire.Record, error) {
	s, stream, _, err := readSummary(f)
	if err == nil && (s.First != g.first || s.Last != g.last) {
		err = errTorn
	}
	var out []wire.Record
	if err == nil {
		out, err = s.read(stream, after, n)
	}
	if err != nil {
		return nil, &fault{place{seq: g.first}, err}
	}
	return out, nil
}

// read returns up to n observations after the given number.
func (s summary) read(stream []byte, after uint64, n int) (out []wire.Record, err error) {
	z, err := zstd.NewReader(bytes.NewReader(stream), zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(window))
	if err != nil {
		return nil, fmt.Errorf("begin to expand: %w", err)
	}
	defer z.Close()
	r := entries{r: bufio.NewReader(io.LimitReader(z, maxExpanded))}
	for seq := s.First; seq <= s.Last && len(out) < n; seq++ {
		if seq <= after {
			err = r.skip()
		} else {
			var rec wire.Record
			rec, err = r.next(seq)
			out = append(out, rec)
		}
		if err != nil {
			return nil, fmt.Errorf("expand: %w", err)
		}
	}
	return out, nil
}

// entries reads the entries of a compressed segment.
type entries struct {
	r       *bufio.Reader
	numbers extractor
	// rest and taken are those of one entry, and used again for the next.
	rest, taken []byte
}

func (e *entries) load() (err error) {
	if e.rest, err = e.part(e.rest); err == nil {
		e.taken, err = e.part(e.taken)
	}
	return err
}

func (e *entries) part(into []byte) ([]byte, error) {
	n, err := binary.ReadUvarint(e.r)
	if err != nil || n > maxPayload {
		return nil, errors.Join(errTorn, err)
	}
	if uint64(cap(into)) < n {
		into = make([]byte, n)
	}
	_, err = io.ReadFull(e.r, into[:n])
	return into[:n], err
}

func (e *entries) skip() error {
	if err := e.load(); err != nil || len(e.taken) == 0 {
		return err
	}
	return e.numbers.pass(e.taken)
}

// next returns the record of the given number, which is no gap.
func (e *entries) next(seq uint64) (wire.Record, error) {
	if err := e.load(); err != nil {
		return wire.Record{}, err
	}
	rec, err := wire.UnmarshalRecord(e.rest)
	if err == nil && len(e.taken) > 0 {
		err = e.numbers.put(&rec, seq, e.taken)
	}
	if err == nil && (rec.Gap != nil || rec.First() != seq) {
		err = errTorn
	}
	return rec, err
}
