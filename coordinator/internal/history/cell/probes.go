package cell

import (
	"fmt"
	"maps"
	"slices"
)

// Hours are one hour of one series by the probe that saw it. Its name is empty where a
// former version kept what all probes of the region saw.
type Hours map[string]*Hour

// Together are all of them as one; nil if there is none.
func (list Hours) Together() *Hour {
	if len(list) == 0 {
		return nil
	}
	sum := new(Hour)
	for _, h := range list {
		sum.Merge(h)
	}
	return sum
}

// Encode writes the hours, compressed. They share the streams of one block: what a stream
// of 360 observations needs to be unpacked is as large as a third of what is in it.
func (list Hours) Encode() []byte {
	e := newBlock()
	e.uint(heads, uint64(len(list)))
	for _, name := range slices.Sorted(maps.Keys(list)) {
		e.name(name)
		e.hour(list[name])
	}
	return append([]byte{hoursVersion}, e.columns()...)
}

func (e *encoder) hour(h *Hour) {
	e.uint(heads, uint64(h.Probes))
	next := 0
	for i, m := range h.Minutes {
		if m != nil {
			e.uint(heads, uint64(i+1-next))
			e.minute(*m)
			next = i + 1
		}
	}
	e.uint(heads, 0)
	for _, q := range h.Quarters {
		e.phases(q)
	}
}

// DecodeHours reads what Hours.Encode writes, or a former version wrote of one hour.
func DecodeHours(b []byte) (Hours, error) {
	if len(b) == 0 {
		return nil, fmt.Errorf("%w: hours of no bytes", errDamaged)
	}
	var d *decoder
	var err error
	switch b[0] {
	case 1:
		d, err = inflated(b[1:])
	case 2, hoursVersion:
		d, err = decodeColumns(b[1:])
	default:
		err = fmt.Errorf("%w: hours of version %d, expected 1 to %d", errDamaged, b[0], hoursVersion)
	}
	if err != nil {
		return nil, err
	}
	if b[0] < hoursVersion {
		return Hours{"": d.hour()}, d.end()
	}
	out := Hours{}
	for range d.count(heads, names) {
		name := d.name()
		if out[name] != nil {
			d.fail()
		}
		if out[name] = d.hour(); d.err != nil {
			return nil, d.err
		}
	}
	return out, d.end()
}

// ProbeTotals are the totals of one series and the same times by probe.
type ProbeTotals map[string]Totals

// Packed are totals as they are kept. Each part is read for itself: what is asked for
// every number takes a tenth of all, the phases most of it.
type Packed struct{ Sums, Latencies, Phases []byte }

// Encode writes the totals, compressed.
func (list Totals) Encode() Packed {
	p := newPacking()
	p.add(list)
	return p.packed()
}

// Encode writes the totals, compressed, in the streams of one block.
func (all ProbeTotals) Encode() Packed {
	p := newPacking()
	p.sums.uint(heads, uint64(len(all)))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		p.sums.name(name)
		p.add(all[name])
	}
	return p.packed()
}

// packing are the three parts of totals on their way.
type packing struct{ sums, latencies, phases *encoder }

func newPacking() packing { return packing{newBlock(), newBlock(), newBlock()} }

func (p packing) add(list Totals) {
	for i, t := range list {
		if t == nil {
			continue
		}
		p.sums.uint(heads, uint64(i+1))
		p.sums.sum(t.Sums)
		p.sums.uint(heads, uint64(t.Coverage.Covered))
		p.sums.uint(heads, uint64(t.Coverage.Minutes))
		p.sums.uint(heads, t.Completed)
		p.sums.failures(t.Failures)
		p.latencies.latencies(t.Latency)
		p.phases.phases(t.Phases)
	}
	p.sums.uint(heads, 0)
}

func (p packing) packed() Packed {
	pack := func(e *encoder) []byte { return append([]byte{totalsVersion}, e.columns()...) }
	return Packed{pack(p.sums), pack(p.latencies), pack(p.phases)}
}

// DecodeTotals reads what Totals.Encode wrote of n totals, without the latencies or
// phases if those are nil.
func DecodeTotals(n int, p Packed) (Totals, error) {
	list := make(Totals, n)
	return list, p.unpack(func(d *decoder) []Totals { d.totals(list); return []Totals{list} })
}

// DecodeProbeTotals reads what ProbeTotals.Encode wrote of n totals a probe, without the
// latencies or phases if those are nil.
func DecodeProbeTotals(n int, p Packed) (ProbeTotals, error) {
	out := ProbeTotals{}
	err := p.unpack(func(d *decoder) (order []Totals) {
		for range d.count(heads, names) {
			name := d.name()
			if d.err != nil || out[name] != nil {
				d.fail()
				break
			}
			list := make(Totals, n)
			d.totals(list)
			out[name], order = list, append(order, list)
		}
		return order
	})
	return out, err
}

// unpack reads the parts of totals: the sums first, which say whose the others are.
func (p Packed) unpack(sums func(*decoder) []Totals) error {
	var all []Totals
	if err := unpack(p.Sums, func(d *decoder) { all = sums(d) }); err != nil {
		return err
	}
	each := func(fn func(*Total)) {
		for _, list := range all {
			list.each(fn)
		}
	}
	if p.Latencies != nil {
		if err := unpack(p.Latencies, func(d *decoder) { each(func(t *Total) { t.Latency = d.latencies() }) }); err != nil {
			return err
		}
	}
	if p.Phases == nil {
		return nil
	}
	return unpack(p.Phases, func(d *decoder) { each(func(t *Total) { t.Phases = d.phases() }) })
}
