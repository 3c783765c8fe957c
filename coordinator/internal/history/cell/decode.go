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

// Limits of what is decoded, far above what is written.
const (
	// maxHour is the size of an hour before compression: 60 minutes of 100 probes
	// take about 300 kB.
	maxHour = 16 << 20
	// maxName is more than an id, phase or class can have, in bytes.
	maxName = 64
)

// errDamaged says that bytes are not what Encode writes.
var errDamaged = errors.New("record is damaged")

// decoder takes values off the front; after the first error everything is zero.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail() { d.b, d.err = nil, errDamaged }

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count reads the length of a list, each element of which takes at least a byte.
func (d *decoder) count() int {
	n := d.uint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) name() string {
	n := d.count()
	if n > maxName {
		d.fail()
	}
	if d.err != nil {
		return ""
	}
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) length() time.Duration {
	ms := d.int()
	if ms < 0 || ms > math.MaxInt64/int64(time.Millisecond) {
		d.fail()
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

func (d *decoder) sketch() (s Sketch) {
	n := d.count()
	before := int64(0)
	for i := range n {
		delta, count := d.int(), d.uint()
		before += delta
		if d.err != nil || count == 0 || i > 0 && delta <= 0 || before != int64(int32(before)) {
			d.fail()
			return Sketch{}
		}
		s.bins = append(s.bins, bin{int(before), count})
	}
	return s
}

func (d *decoder) phases() (p Phases) {
	for range d.count() {
		name, s := checks.Phase(d.name()), d.sketch()
		if d.err != nil {
			return nil
		}
		if kept := p.sketch(name); kept != nil {
			kept.Merge(s)
		}
	}
	return p
}

func (d *decoder) failures() (f Failures) {
	for range d.count() {
		outcome, class, n := d.uint(), checks.Class(d.name()), d.uint()
		if d.err != nil || outcome > uint64(checks.Down) {
			d.fail()
			return nil
		}
		f.Add(Failure{checks.Outcome(outcome), class}, n)
	}
	return f
}

func (d *decoder) probes() (p availability.Probes) {
	for i := range d.count() {
		name := d.name()
		if d.err != nil || i > 0 && name <= p[i-1] {
			d.fail()
			return nil
		}
		p = append(p, name)
	}
	return p
}

func (d *decoder) minute() (m Minute) {
	m.Sums = availability.Sums{Up: d.length(), Down: d.length(), Unknown: d.length()}
	m.Known = d.probes()
	m.Latency = d.sketch()
	m.Failures = d.failures()
	return m
}

func (d *decoder) end() error {
	if d.err == nil && len(d.b) > 0 {
		d.fail()
	}
	return d.err
}

// DecodeMinute reads what Minute.Encode wrote.
func DecodeMinute(b []byte) (Minute, error) {
	d := decoder{b: b}
	m := d.minute()
	return m, d.end()
}

// DecodeSketch reads what Sketch.Encode wrote.
func DecodeSketch(b []byte) (Sketch, error) {
	d := decoder{b: b}
	s := d.sketch()
	return s, d.end()
}

// DecodePhases reads what Phases.Encode wrote.
func DecodePhases(b []byte) (Phases, error) {
	d := decoder{b: b}
	p := d.phases()
	return p, d.end()
}

// DecodeFailures reads what Failures.Encode wrote.
func DecodeFailures(b []byte) (Failures, error) {
	d := decoder{b: b}
	f := d.failures()
	return f, d.end()
}

// DecodeHour reads what Hour.Encode wrote.
func DecodeHour(b []byte) (*Hour, error) {
	if len(b) == 0 || b[0] != hourVersion {
		return nil, fmt.Errorf("%w: not an hour of version %d", errDamaged, hourVersion)
	}
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(b[1:])), maxHour+1))
	if err != nil || len(raw) > maxHour {
		return nil, fmt.Errorf("%w: hour of %d bytes does not unpack", errDamaged, len(b))
	}
	d := decoder{b: raw}
	h := &Hour{Probes: int(min(d.uint(), math.MaxInt32))}
	for {
		i := d.uint()
		if i == 0 {
			break
		}
		if i > uint64(len(h.Minutes)) || h.Minutes[i-1] != nil {
			d.fail()
			break
		}
		m := d.minute()
		h.Minutes[i-1] = &m
	}
	for i := range h.Quarters {
		h.Quarters[i] = d.phases()
	}
	return h, d.end()
}
