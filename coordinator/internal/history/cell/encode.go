package cell

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"time"
)

// hourVersion is the first byte of an encoded hour.
const hourVersion = 1

// encoder appends values; integers are varints (encoding/binary).
type encoder struct{ b []byte }

func (e *encoder) uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)   { e.b = binary.AppendVarint(e.b, v) }
func (e *encoder) name(s string) { e.uint(uint64(len(s))); e.b = append(e.b, s...) }

// length writes a duration in milliseconds; slots are cut to whole ones before
// they are added.
func (e *encoder) length(d time.Duration) { e.int(d.Milliseconds()) }

func (e *encoder) sketch(s Sketch) {
	e.uint(uint64(len(s.bins)))
	before := 0
	for _, b := range s.bins {
		e.int(int64(b.index - before))
		e.uint(b.count)
		before = b.index
	}
}

func (e *encoder) phases(p Phases) {
	e.uint(uint64(len(p)))
	for _, name := range p.sorted() {
		e.name(string(name))
		e.sketch(*p[name])
	}
}

func (e *encoder) failures(f Failures) {
	e.uint(uint64(len(f)))
	for _, failure := range f.sorted() {
		e.uint(uint64(failure.Outcome))
		e.name(string(failure.Class))
		e.uint(f[failure])
	}
}

func (e *encoder) minute(m Minute) {
	e.length(m.Up)
	e.length(m.Down)
	e.length(m.Unknown)
	e.uint(uint64(len(m.Known)))
	for _, name := range m.Known {
		e.name(name)
	}
	e.sketch(m.Latency)
	e.failures(m.Failures)
}

// Encode writes the minute.
func (m Minute) Encode() []byte { var e encoder; e.minute(m); return e.b }

// Encode writes the sketch.
func (s Sketch) Encode() []byte { var e encoder; e.sketch(s); return e.b }

// Encode writes the phases.
func (p Phases) Encode() []byte { var e encoder; e.phases(p); return e.b }

// Encode writes the failures.
func (f Failures) Encode() []byte { var e encoder; e.failures(f); return e.b }

// Encode writes the hour, compressed (RFC 1951).
func (h *Hour) Encode() ([]byte, error) {
	var e encoder
	e.uint(uint64(h.Probes))
	for i, m := range h.Minutes {
		if m != nil {
			e.uint(uint64(i + 1))
			e.minute(*m)
		}
	}
	e.uint(0)
	for _, q := range h.Quarters {
		e.phases(q)
	}
	out := bytes.NewBuffer([]byte{hourVersion})
	w, err := flate.NewWriter(out, flate.DefaultCompression)
	if err != nil {
		return nil, fmt.Errorf("encode hour: %w", err)
	}
	if _, err := w.Write(e.b); err != nil {
		return nil, fmt.Errorf("encode hour: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode hour: %w", err)
	}
	return out.Bytes(), nil
}
