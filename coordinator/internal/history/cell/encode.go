package cell

import (
	"encoding/binary"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
)

// hoursVersion is the first byte of encoded hours, totalsVersion that of totals.
const (
	hoursVersion  = 3
	totalsVersion = 1
)

// encoder appends values; integers are varints (encoding/binary). A minute or a
// sketch that stands alone is written value after value; in a block the streams are
// apart, and a value is told by how it differs from the one before of its kind.
type encoder struct {
	b     [streams][]byte
	apart bool
	met
}

// met is what an encoder and a decoder of a block know from what went before; in
// what stands alone nothing does.
type met struct {
	// words are the names that were met, in order.
	words []string
	// probes are those that looked in the minute before.
	probes availability.Probes
	// sums are those before, in milliseconds.
	sums [3]int64
	// latency and phase are where the sketches before began.
	latency int
	phase   map[checks.Phase]int
}

func newBlock() *encoder { return &encoder{apart: true} }

// at is where values of the stream go.
func (e *encoder) at(s stream) *[]byte {
	if !e.apart {
		s = heads
	}
	return &e.b[s]
}

func (e *encoder) uint(s stream, v uint64) { b := e.at(s); *b = binary.AppendUvarint(*b, v) }
func (e *encoder) int(s stream, v int64)   { b := e.at(s); *b = binary.AppendVarint(*b, v) }

func (e *encoder) text(s string) {
	e.uint(texts, uint64(len(s)))
	b := e.at(texts)
	*b = append(*b, s...)
}

// name writes a name; in a block its place among those that were met, and the name
// itself where it is a new one.
func (e *encoder) name(s string) {
	if !e.apart {
		e.text(s)
		return
	}
	i, met := e.place(s)
	if e.uint(names, uint64(i)); !met {
		e.text(s)
	}
}

// place is where a name stands among those that were met; a new one is put at the end.
func (k *met) place(s string) (i int, met bool) {
	for i, word := range k.words {
		if word == s {
			return i, true
		}
	}
	k.words = append(k.words, s)
	return len(k.words) - 1, false
}

// sums are written in milliseconds; slots are cut to whole ones before they are added.
func (e *encoder) sum(s availability.Sums) {
	for i, d := range [...]time.Duration{s.Up, s.Down, s.Unknown} {
		e.int(sums, d.Milliseconds()-e.sums[i])
		if e.apart {
			e.sums[i] = d.Milliseconds()
		}
	}
}

// sketch writes a sketch to four streams; before is where the one before began, which
// it returns for the next.
func (e *encoder) sketch(to stream, s Sketch, before int) (first int) {
	e.uint(to+sizes, uint64(len(s.bins)))
	if len(s.bins) == 0 {
		return before
	}
	at := to + firsts
	for _, b := range s.bins {
		e.int(at, int64(b.index-before))
		e.uint(to+counts, b.count)
		before, at = b.index, to+gaps
	}
	return s.bins[0].index
}

func (e *encoder) phases(p Phases) {
	e.uint(heads, uint64(len(p)))
	for _, name := range p.sorted() {
		e.name(string(name))
		first := e.sketch(phases, *p[name], e.phase[name])
		if e.apart {
			e.began(name, first)
		}
	}
}

// began notes where the sketch of a phase began.
func (k *met) began(name checks.Phase, first int) {
	if k.phase == nil {
		k.phase = make(map[checks.Phase]int)
	}
	k.phase[name] = first
}

func (e *encoder) latencies(s Sketch) {
	first := e.sketch(latencies, s, e.latency)
	if e.apart {
		e.latency = first
	}
}

func (e *encoder) failures(f Failures) {
	e.uint(failures, uint64(len(f)))
	for _, c := range f {
		e.uint(failures, uint64(c.Outcome))
		e.name(string(c.Class))
		e.uint(failures, c.N)
	}
}

// known writes who looked; in a block 0 says that they are those of the minute before.
func (e *encoder) known(p availability.Probes) {
	if !e.apart {
		e.uint(heads, uint64(len(p)))
	} else if slices.Equal(p, e.probes) {
		e.uint(heads, 0)
		return
	} else {
		e.uint(heads, uint64(len(p)+1))
		e.probes = p
	}
	for _, name := range p {
		e.name(name)
	}
}

func (e *encoder) minute(m Minute) {
	e.sum(m.Sums)
	e.known(m.Known)
	e.latencies(m.Latency)
	e.failures(m.Failures)
}

// Encode writes the minute.
func (m Minute) Encode() []byte { var e encoder; e.minute(m); return e.b[heads] }

// Encode writes the sketch.
func (s Sketch) Encode() []byte { var e encoder; e.latencies(s); return e.b[heads] }

// Encode writes the phases.
func (p Phases) Encode() []byte { var e encoder; e.phases(p); return e.b[heads] }

// EncodeQuarter writes a quarter of the hour: its phases and its minutes.
func (h *Hour) EncodeQuarter(i int) []byte {
	var e encoder
	e.phases(h.Quarters[i])
	for at, m := range h.Minutes[i*15 : i*15+15] {
		if m != nil {
			e.uint(heads, uint64(at))
			e.minute(*m)
		}
	}
	return e.b[heads]
}

// Encode writes the failures.
func (f Failures) Encode() []byte { var e encoder; e.failures(f); return e.b[heads] }
