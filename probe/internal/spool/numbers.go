package spool

import (
	"encoding/binary"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// extractor takes the numbers out of observations and puts them in again. What is
// left of one is the same at every look of a check over a family, so that it
// costs a few bytes when it is compressed; between the numbers, and with their
// lengths that vary, it costs more than they do.
type extractor struct {
	// last counts the intervals from 1970 to the time for which the observation
	// before was planned. It is the one number that is written as a difference.
	last int64
}

// take returns the numbers of r and leaves it without them. Where there are
// none to be taken, nil, r stays as it is: an event, or times of other centuries.
func (x *extractor) take(r *wire.Record) []byte {
	o := &r.Observation
	if r.Event != nil || r.Gap != nil || !fitsNanos(o.Scheduled) || !fitsNanos(o.Started) {
		return nil
	}
	at, every := o.Scheduled.UnixNano(), interval(*o)
	// What overflows here does so again, the other way, when it is put in.
	b := binary.AppendVarint(make([]byte, 0, 64), at/every-x.last)
	b = binary.AppendVarint(b, o.Started.UnixNano()-at)
	rest := o.Elapsed
	for i := range o.Phases {
		p := &o.Phases[i]
		b = binary.AppendVarint(b, int64(p.Duration))
		rest -= p.Duration
		p.Duration = 0
	}
	b = binary.AppendVarint(b, int64(rest))
	x.last = at / every
	o.Seq, o.Scheduled, o.Started, o.Elapsed = 1, fromNanos(at%every), fromNanos(0), 0
	return b
}

// put gives r the number seq and back what take took. It returns errTorn when b
// is not that.
func (x *extractor) put(r *wire.Record, seq uint64, b []byte) error {
	v, ok := varints(b, len(r.Observation.Phases)+3)
	if !ok || r.Event != nil || r.Gap != nil {
		return errTorn
	}
	o := &r.Observation
	x.last += v[0]
	at := x.last*interval(*o) + o.Scheduled.UnixNano()
	o.Seq, o.Scheduled, o.Started = seq, fromNanos(at), fromNanos(at+v[1])
	for i, d := range v[2 : len(v)-1] {
		o.Phases[i].Duration = time.Duration(d)
		o.Elapsed += time.Duration(d)
	}
	o.Elapsed += time.Duration(v[len(v)-1])
	return nil
}

// pass goes on behind an observation that nobody asked for.
func (x *extractor) pass(b []byte) error {
	n, size := binary.Varint(b)
	if size <= 0 {
		return errTorn
	}
	x.last += n
	return nil
}

// varints reads n numbers; ok is false when b holds more or fewer.
func varints(b []byte, n int) (v []int64, ok bool) {
	for range n {
		x, size := binary.Varint(b)
		if size <= 0 {
			return nil, false
		}
		v, b = append(v, x), b[size:]
	}
	return v, len(b) == 0
}

func interval(o checks.Observation) int64 { return max(int64(o.Every), 1) }

// fitsNanos says whether t can be written in nanoseconds since 1970.
func fitsNanos(t time.Time) bool { return fromNanos(t.UnixNano()).Equal(t) }
