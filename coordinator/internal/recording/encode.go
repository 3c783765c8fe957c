package recording

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"varde/checks"
)

// Encoder writes what fetch gives, lines of observations, in the form of a file, and
// counts them.
type Encoder func(w io.Writer, fetch func(io.Writer) error) (n int, err error)

// EncoderOf is the encoder that the name of a file asks for; of none, that which keeps
// lines as they are.
func EncoderOf(path string) (Encoder, error) {
	plain := lines(func(w io.Writer) (io.WriteCloser, error) { return unclosed{w}, nil })
	if path == "" {
		return plain, nil
	}
	for end, e := range map[string]Encoder{
		".jsonl":     plain,
		".jsonl.gz":  lines(func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }),
		".jsonl.zst": lines(func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }),
		".parquet":   table,
	} {
		if strings.HasSuffix(path, end) {
			return e, nil
		}
	}
	return nil, fmt.Errorf("got %.100q, expected a name that ends with .jsonl, .jsonl.gz, .jsonl.zst or .parquet", path)
}

// unclosed is a writer that somebody else closes.
type unclosed struct{ io.Writer }

// Close does nothing.
func (unclosed) Close() error { return nil }

// lines keeps the lines as they come, compressed.
func lines(compress func(io.Writer) (io.WriteCloser, error)) Encoder {
	return func(w io.Writer, fetch func(io.Writer) error) (n int, err error) {
		z, err := compress(w)
		if err != nil {
			return 0, err
		}
		count := &lineCounter{w: z}
		err = errors.Join(fetch(count), z.Close())
		return count.n, err
	}
}

// lineCounter counts the lines that are written through it.
type lineCounter struct {
	w io.Writer
	n int
}

// Write writes on.
func (c *lineCounter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	for _, x := range b[:n] {
		if x == '\n' {
			c.n++
		}
	}
	return n, err
}

// table makes a Parquet file of the lines.
func table(w io.Writer, fetch func(io.Writer) error) (n int, err error) {
	r, pipe := io.Pipe()
	var fetching sync.WaitGroup
	fetching.Go(func() { _ = pipe.CloseWithError(fetch(pipe)) }) // which always returns nil
	defer fetching.Wait()
	file := NewParquet(w)
	d := json.NewDecoder(bufio.NewReaderSize(r, 256<<10))
	for {
		var o checks.Observation
		if err = d.Decode(&o); err != nil {
			break
		}
		if err = file.Write(o); err != nil {
			break
		}
		n++
	}
	_ = r.CloseWithError(err) // ends fetch if it still writes
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	return n, file.Close()
}
