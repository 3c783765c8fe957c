package recording

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// maxWindow is the most that a zstd stream may ask to be kept, in bytes: as much
	// as the zstd program takes without being asked to.
	maxWindow = 128 << 20
	// A stream may grow to growth times its size: observations that are made up, and so
	// alike, compress to a hundredth. The first freely bytes are not counted.
	growth = 1000
	freely = 16 << 20
)

// errGrowth says that a stream becomes far larger than observations do.
var errGrowth = fmt.Errorf("grows to more than %d times its size, expected observations", growth)

// stream is what a recording holds, decompressed.
type stream struct {
	raw   *counter
	plain io.Reader
	close func()
	// grown counts what came out of plain.
	grown int64
}

// newStream reads a recording. How it is compressed follows from its first bytes.
// Whoever has it closes it.
func newStream(r io.Reader, progress func(int64)) (*stream, error) {
	s := &stream{raw: &counter{r: r, told: progress}, close: func() {}}
	return s, s.decompress()
}

func (s *stream) decompress() error {
	b := bufio.NewReaderSize(s.raw, 64<<10)
	magic, err := b.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b: // RFC 1952
		z, err := gzip.NewReader(b)
		if err != nil {
			return fmt.Errorf("gzip: %w", err)
		}
		s.plain = z
	case string(magic) == "\x28\xb5\x2f\xfd": // RFC 8878
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow))
		if err != nil {
			return fmt.Errorf("zstd: %w", err)
		}
		s.plain, s.close = z, z.Close
	default:
		s.plain, s.raw.bounded = b, true
	}
	return nil
}

// Read reads what the recording holds. io.EOF is its end, and nothing else is.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.plain.Read(p)
	s.grown += int64(n)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return n, fmt.Errorf("cannot be read on: %w", err)
	case err == nil && !s.raw.bounded && s.grown > freely && s.grown > growth*s.raw.n:
		return n, errGrowth
	}
	return n, err
}

// counter counts the bytes of the file.
type counter struct {
	r    io.Reader
	n    int64
	told func(int64)
	// bounded says that no more comes out than goes in.
	bounded bool
}

// Read reads on, and tells how far it is.
func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	if c.told != nil {
		c.told(c.n)
	}
	return n, err
}
