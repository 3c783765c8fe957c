package recording

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"

	"varde/checks"
)

const (
	// blockSize is how much is decoded at a time, in bytes: some five hundred lines.
	blockSize = 256 << 10
	// maxLine is the longest line, in bytes: an observation with every certificate and
	// all that a server presented, several times over.
	maxLine = 256 << 10
)

// Lines is a recording of JSON lines.
type Lines struct {
	// Path is the file. Required.
	Path string
	// Names are what observations may name, by each of some configurations.
	Names []Names
	// Progress is told how many bytes of the file were read, from one goroutine. It may
	// be nil.
	Progress func(bytes int64)
	// Decoders is how many goroutines decode, as many as there are processors if zero.
	Decoders int
}

// block is a part of a recording in whole lines, on its way.
type block struct {
	// line is the number of its first line.
	line int
	text []byte
	// done is closed when list is what the text holds, up to what err says is wrong.
	done chan struct{}
	list []checks.Observation
	err  error
}

// Read calls fn with the observations of the file, in order, until fn returns an error.
// A *Fault says what is wrong with the recording.
func (l Lines) Read(ctx context.Context, fn func(*checks.Observation) error) error {
	f, err := os.Open(l.Path)
	if err != nil {
		return fmt.Errorf("open recording: %w", err)
	}
	defer f.Close()
	s, err := newStream(f, l.Progress)
	if err != nil {
		return &Fault{l.Path, 1, err.Error()}
	}
	defer s.close()
	n := l.Decoders
	if n == 0 {
		n = runtime.GOMAXPROCS(0)
	}
	work, order := make(chan *block), make(chan *block, 2*n)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(work)
		defer close(order)
		return l.split(s, func(b *block) error {
			if b.err != nil { // there is nothing in it to decode
				return hand(ctx, b, order)
			}
			return hand(ctx, b, order, work)
		})
	})
	for range n {
		g.Go(func() error {
			d := newDecoder(l.Names)
			for b := range work {
				l.decode(d, b)
			}
			return nil
		})
	}
	g.Go(func() error { return l.deliver(ctx, order, fn) })
	return g.Wait()
}

// hand gives a block to one of the decoders, and first to whoever waits for it: so
// that blocks are delivered in order.
func hand(ctx context.Context, b *block, to ...chan<- *block) error {
	for _, c := range to {
		select {
		case c <- b:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// deliver calls fn with what was decoded, in order.
func (l Lines) deliver(ctx context.Context, order <-chan *block, fn func(*checks.Observation) error) error {
	for b := range order {
		select {
		case <-b.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if b.err != nil {
			return b.err
		}
		for k := range b.list {
			if err := fn(&b.list[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

// split cuts what r holds into blocks of whole lines. A last line need not have an
// end. What is wrong goes the same way, so that it is told after what was before it.
func (l Lines) split(r io.Reader, emit func(*block) error) error {
	var rest []byte
	for line := 1; ; {
		text := make([]byte, len(rest)+blockSize)
		n := copy(text, rest)
		more, err := fill(r, text[n:])
		text = text[:n+more]
		ended := errors.Is(err, io.EOF)
		whole := bytes.LastIndexByte(text, '\n') + 1
		lines := bytes.Count(text[:whole], []byte("\n"))
		if ended {
			whole = len(text)
		}
		if whole > 0 {
			if err := emit(&block{line: line, text: text[:whole], done: make(chan struct{})}); err != nil {
				return err
			}
		}
		line += lines
		rest = text[whole:]
		switch {
		case ended && line == 1 && whole == 0:
			return emit(failed(&Fault{l.Path, 1, "got an empty file, expected observations"}))
		case ended:
			return nil
		case err != nil:
			return emit(failed(&Fault{l.Path, line, err.Error()}))
		case len(rest) > maxLine:
			return emit(failed(l.tooLong(line)))
		}
	}
}

// failed is a block in the place of those that cannot be read.
func failed(f *Fault) *block {
	b := &block{err: f, done: make(chan struct{})}
	close(b.done)
	return b
}

func (l Lines) tooLong(line int) *Fault {
	return &Fault{l.Path, line, fmt.Sprintf("longer than %d bytes, expected one observation a line", maxLine)}
}

// fill reads until b is full or nothing more comes; the error says why.
func fill(r io.Reader, b []byte) (n int, err error) {
	for n < len(b) && err == nil {
		var more int
		more, err = r.Read(b[n:])
		n += more
	}
	return n, err
}

// decode decodes the lines of a block.
func (l Lines) decode(d *decoder, b *block) {
	defer close(b.done)
	b.list = make([]checks.Observation, 0, bytes.Count(b.text, []byte("\n"))+1)
	number := b.line
	for line := range bytes.Lines(b.text) {
		if len(line) > maxLine {
			b.err = l.tooLong(number)
			return
		}
		o, err := d.decode(line)
		if err != nil {
			b.err = &Fault{l.Path, number, err.Error()}
			return
		}
		b.list = append(b.list, o)
		number++
	}
	b.text = nil
}
