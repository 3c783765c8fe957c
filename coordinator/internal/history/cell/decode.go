package cell

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
)

// maxName is more than an id, phase or class can have, in bytes, far above what is
// written.
const maxName = 64

// errDamaged says that bytes are not what Encode writes.
var errDamaged = errors.New("record is damaged")

// decoder takes values off the front of streams as an encoder wrote them; after the
// first error everything is zero.
type decoder struct {
	b     [streams][]byte
	apart bool
	met
	// room is for the bins of sketches to come, by their first stream.
	room [streams][]bin
	err  error
}

func decodePlain(b []byte) *decoder { return &decoder{b: [streams][]byte{b}} }

func (d *decoder) fail() { d.b, d.err = [streams][]byte{}, errDamaged }

func (d *decoder) at(s stream) *[]byte {
	if !d.apart {
		s = heads
	}
	return &d.b[s]
}

func (d *decoder) uint(s stream) uint64 {
	b := d.at(s)
	v, n := binary.Uvarint(*b)
	if n <= 0 {
		d.fail()
		return 0
	}
	*b = (*b)[n:]
	return v
}

func (d *decoder) int(s stream) int64 {
	b := d.at(s)
	v, n := binary.Varint(*b)
	if n <= 0 {
		d.fail()
		return 0
	}
	*b = (*b)[n:]
	return v
}

// take takes bytes off the front of the first stream.
func (d *decoder) take(n uint64) []byte { return d.cut(heads, n) }

func (d *decoder) cut(s stream, n uint64) []byte {
	b := d.at(s)
	if d.err != nil || n > uint64(len(*b)) {
		d.fail()
		return nil
	}
	out := (*b)[:n]
	*b = (*b)[n:]
	return out
}

// count reads the length of a list, each element of which takes at least a byte of the
// stream of.
func (d *decoder) count(s, of stream) int {
	n := d.uint(s)
	if n > uint64(len(*d.at(of))) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) text() string {
	n := d.uint(texts)
	if n > maxName {
		d.fail()
	}
	return string(d.cut(texts, n))
}

func (d *decoder) name() string {
	if !d.apart {
		return d.text()
	}
	i := d.uint(names)
	if i < uint64(len(d.words)) {
		return d.words[i]
	}
	if i > uint64(len(d.words)) {
		d.fail()
		return ""
	}
	s := d.text()
	d.words = append(d.words, s)
	return s
}

func (d *decoder) sum() (s availability.Sums) {
	for i, to := range [...]*time.Duration{&s.Up, &s.Down, &s.Unknown} {
		ms := d.int(sums) + d.sums[i]
		if ms < 0 || ms > math.MaxInt64/int64(time.Millisecond) {
			d.fail()
			return availability.Sums{}
		}
		if d.apart {
			d.sums[i] = ms
		}
		*to = time.Duration(ms) * time.Millisecond
	}
	return s
}

func (d *decoder) sketch(from stream, before int) (s Sketch, first int) {
	n := d.count(from+sizes, from+counts)
	if n == 0 {
		return s, before
	}
	s.bins = d.bins(from, n)
	at, index := from+firsts, int64(before)
	for i := range n {
		delta, count := d.int(at), d.uint(from+counts)
		index += delta
		if d.err != nil || count == 0 || i > 0 && delta <= 0 || index != int64(int32(index)) {
			d.fail()
			return Sketch{}, 0
		}
		s.bins = append(s.bins, bin{int(index), count})
		at = from + gaps
	}
	return s, s.bins[0].index
}

// bins is room for as many bins, out of what all the sketches of the stream take together:
// each bin has at least a byte there.
func (d *decoder) bins(from stream, n int) []bin {
	if !d.apart {
		return make([]bin, 0, n)
	}
	if d.room[from] == nil {
		d.room[from] = make([]bin, len(*d.at(from + counts)))
	}
	out := d.room[from][:0:n]
	d.room[from] = d.room[from][n:]
	return out
}

func (d *decoder) latencies() Sketch {
	s, first := d.sketch(latencies, d.latency)
	if d.apart {
		d.latency = first
	}
	return s
}

func (d *decoder) phases() (p Phases) {
	for range d.count(heads, phases+sizes) {
		name := checks.Phase(d.name())
		s, first := d.sketch(phases, d.phase[name])
		if d.err != nil {
			return nil
		}
		if d.apart {
			d.began(name, first)
		}
		if kept := p.sketch(name); kept != nil {
			kept.Merge(s)
		}
	}
	return p
}

func (d *decoder) failures() (f Failures) {
	for range d.count(failures, failures) {
		outcome, class, n := d.uint(failures), checks.Class(d.name()), d.uint(failures)
		if d.err != nil || outcome > uint64(checks.Down) {
			d.fail()
			return nil
		}
		f.Add(Failure{checks.Outcome(outcome), class}, n)
	}
	return f
}

// known reads who looked, see encoder.known.
func (d *decoder) known() (p availability.Probes) {
	n := d.uint(heads)
	if d.apart && n == 0 {
		return d.probes
	} else if d.apart {
		n--
	}
	if n > uint64(len(*d.at(names))) {
		d.fail()
	}
	for i := range n {
		name := d.name()
		if d.err != nil || i > 0 && name <= p[i-1] {
			d.fail()
			return nil
		}
		p = append(p, name)
	}
	if d.apart {
		d.probes = p
	}
	return p
}

func (d *decoder) minute() (m Minute) {
	m.Sums = d.sum()
	m.Known = d.known()
	m.Latency = d.latencies()
	m.Failures = d.failures()
	return m
}

func (d *decoder) end() error {
	for _, b := range d.b {
		if d.err == nil && len(b) > 0 {
			d.fail()
		}
	}
	return d.err
}

// DecodeMinute reads what Minute.Encode wrote.
func DecodeMinute(b []byte) (Minute, error) {
	d := decodePlain(b)
	m := d.minute()
	return m, d.end()
}

// DecodeSketch reads what Sketch.Encode wrote.
func DecodeSketch(b []byte) (Sketch, error) {
	d := decodePlain(b)
	s := d.latencies()
	return s, d.end()
}

// DecodePhases reads what Phases.Encode wrote.
func DecodePhases(b []byte) (Phases, error) {
	d := decodePlain(b)
	p := d.phases()
	return p, d.end()
}

// DecodeQuarter puts what EncodeQuarter wrote into its place. Where it holds phases alone,
// as in a former version, the minutes stay as they are.
func (h *Hour) DecodeQuarter(i int, b []byte) error {
	d := decodePlain(b)
	h.Quarters[i] = d.phases()
	for len(d.b[heads]) > 0 {
		at, m := d.uint(heads), d.minute()
		if at >= 15 {
			d.fail()
			break
		}
		h.Minutes[i*15+int(at)] = &m
	}
	return d.end()
}

// DecodeFailures reads what Failures.Encode wrote.
func DecodeFailures(b []byte) (Failures, error) {
	d := decodePlain(b)
	f := d.failures()
	return f, d.end()
}

// inflated opens an hour of the first version: value after value, compressed as a
// whole (RFC 1951).
func inflated(b []byte) (*decoder, error) {
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b)), maxBlock+1))
	if err != nil || len(raw) > maxBlock {
		return nil, fmt.Errorf("%w: hour of %d bytes does not unpack", errDamaged, len(b))
	}
	return decodePlain(raw), nil
}

func (d *decoder) hour() *Hour {
	h := &Hour{Probes: int(min(d.uint(heads), math.MaxInt32))}
	for next := uint64(0); ; {
		i := d.uint(heads)
		if i == 0 {
			break
		}
		if d.apart {
			i += next
		}
		if i > uint64(len(h.Minutes)) || h.Minutes[i-1] != nil {
			d.fail()
			break
		}
		m := d.minute()
		h.Minutes[i-1], next = &m, i
	}
	for i := range h.Quarters {
		h.Quarters[i] = d.phases()
	}
	return h
}

// unpack reads one part of totals to its end.
func unpack(b []byte, read func(*decoder)) error {
	if len(b) == 0 || b[0] != totalsVersion {
		return fmt.Errorf("%w: not totals of version %d", errDamaged, totalsVersion)
	}
	d, err := decodeColumns(b[1:])
	if err != nil {
		return err
	}
	read(d)
	return d.end()
}

func (list Totals) each(fn func(*Total)) {
	for _, t := range list {
		if t != nil {
			fn(t)
		}
	}
}

func (d *decoder) totals(list Totals) {
	room := make([]Total, len(list))
	for {
		i := d.uint(heads)
		if i == 0 {
			return
		}
		if i > uint64(len(list)) || list[i-1] != nil {
			d.fail()
			return
		}
		t := &room[i-1]
		t.Sums = d.sum()
		t.Coverage.Covered, t.Coverage.Minutes = int(min(d.uint(heads), math.MaxInt32)), int(min(d.uint(heads), math.MaxInt32))
		t.Completed, t.Failures = d.uint(heads), d.failures()
		list[i-1] = t
	}
}
