package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"varde/coordinator/internal/graph"
	"varde/proto/durable"
)

// check looks at a file of so many bytes before it is in place.
type check func(f io.ReaderAt, size int64) error

// download makes a file of what fetch writes, whole or not at all, and shows on a
// terminal how much has come. A file that is there is only replaced by force, and by
// none that the check, which may be nil, refuses.
func (p *process) download(path string, force bool, fetch func(io.Writer) error, right check) (*counted, error) {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) && !force {
		return nil, fmt.Errorf("%s is there already, expected no such file, or --force: nothing was written", path)
	}
	if _, err := os.Stat(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("%s cannot be written: %w", path, err)
	}
	f, err := durable.Begin(path)
	if err != nil {
		return nil, err
	}
	out := &counted{file: f, sum: sha256.New(), shown: p.written(path)}
	err = fetch(out)
	out.shown(-1)
	if err == nil && right != nil {
		if err = right(f, out.bytes); err != nil {
			err = fmt.Errorf("%s was not written, what came is not right: %w", path, err)
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Discard())
	}
	return out, f.Finish()
}

// written shows on a terminal how much has come; a number below zero ends that.
func (p *process) written(path string) func(bytes int64) {
	if !p.terminal(p.stderr) {
		return func(int64) {}
	}
	const drawEvery = 1 << 20
	next := int64(0)
	return func(bytes int64) {
		switch {
		case bytes < 0:
			fmt.Fprint(p.stderr, "\r\x1b[K")
		case bytes >= next:
			next = bytes + drawEvery
			fmt.Fprintf(p.stderr, "\r\x1b[Kwriting %s: %s MB …", clean(path), graph.Thousands(int(bytes/1e6)))
		}
	}
}

// counted is a file of which is known how much was written and what.
type counted struct {
	file  io.Writer
	sum   hash.Hash
	bytes int64
	shown func(bytes int64)
}

// Write writes on.
func (c *counted) Write(b []byte) (int, error) {
	n, err := c.file.Write(b)
	c.sum.Write(b[:n])
	c.bytes += int64(n)
	c.shown(c.bytes)
	return n, err
}
