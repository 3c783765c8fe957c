package wire

import (
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"varde/checks"
	vardev1 "varde/proto/varde/v1"
)

// Every reader of the journal decodes all of it, and a replay does nothing else but
// that and judge. Entries are therefore read straight into domain values, which takes
// a quarter of the time and a tenth of the memory of messages in between. What is not
// plainly an observation as MarshalEntry writes it (events, gaps, fields of a newer
// program, anything wrong) is left to the general way, which also says what is wrong.

// fields walks over the fields of an encoded message.
type fields struct {
	b []byte
	// number and isNumber say which field it is and of what kind; value or text is what
	// it holds.
	number   protowire.Number
	isNumber bool
	value    uint64
	text     []byte
	// odd says that something is not as it should be.
	odd bool
}

// next moves to the next field. numbers has the bits of the fields that are numbers.
func (f *fields) next(numbers uint64) bool {
	if len(f.b) == 0 || f.odd {
		return false
	}
	if n := len(f.b); n > 1 && f.b[0] < 0x80 && f.b[0]&7 == byte(protowire.BytesType) && f.b[1] < 0x80 && n >= 2+int(f.b[1]) {
		// Most are so: two bytes, and what they announce.
		end := 2 + int(f.b[1])
		f.number, f.isNumber, f.text = protowire.Number(f.b[0]>>3), false, f.b[2:end]
		f.b = f.b[end:]
		f.odd = f.number == 0 || numbers>>f.number&1 == 1
		return !f.odd
	}
	number, kind, n := protowire.ConsumeTag(f.b)
	if n < 0 || number > 63 {
		f.odd = true
		return false
	}
	f.b, f.number, f.isNumber = f.b[n:], number, kind == protowire.VarintType
	if f.isNumber {
		f.value, n = protowire.ConsumeVarint(f.b)
	} else {
		f.text, n = protowire.ConsumeBytes(f.b)
	}
	if n < 0 || f.isNumber != (numbers>>number&1 == 1) || !f.isNumber && kind != protowire.BytesType {
		f.odd = true
		return false
	}
	f.b = f.b[n:]
	return true
}

// direct reads entries straight. One copy is kept of each name, and of what servers
// showed in handshakes, which is mostly the same.
type direct struct {
	ids, words, texts map[string]string
	shown             map[string]*checks.Handshake
	// batches, records and phases are those of the entry.
	batches []Batch
	records room[Record]
	phases  room[checks.PhaseTiming]
}

// entry reads an entry; ok is false if the general way must.
func (d *direct) entry(data []byte) (out []Batch, ok bool) {
	f := fields{b: data}
	d.batches = d.batches[:0]
	for f.next(0) {
		b, ok := d.journalBatch(f.text)
		if !ok || f.number != 1 {
			return nil, false
		}
		d.batches = append(d.batches, b)
	}
	return d.batches, !f.odd && len(d.batches) > 0
}

func (d *direct) journalBatch(data []byte) (b Batch, ok bool) {
	f, seen, good := fields{b: data}, uint64(0), true
	for good && f.next(0) {
		if good = seen>>f.number&1 == 0; !good {
			break
		}
		seen |= 1 << f.number
		switch f.number {
		case 1:
			b.Probe, good = d.id(f.text)
		case 2:
			b.Region, good = d.id(f.text)
		case 3:
			b.Site, good = d.plain(f.text)
		case 4:
			b.Received, good = moment(f.text)
		case 5:
			b.ClockOffset, good = span(f.text)
			b.ClockKnown = true
		case 6:
			good = d.batch(&b, f.text)
		default:
			good = false
		}
	}
	const needed = 1<<1 | 1<<2 | 1<<4 | 1<<6
	if f.odd || !good || seen&needed != needed {
		return Batch{}, false
	}
	b.attribute()
	return b, true
}

// usualPhases is how many phases most runs have.
const usualPhases = 8

func (d *direct) batch(b *Batch, data []byte) bool {
	records := 0
	for f := (fields{b: data}); f.next(0); {
		records++
	}
	if records < 2 || records > MaxRecords+1 { // the epoch is one
		return false
	}
	b.Records = d.records.take(records - 1)[:0]
	d.phases.reserve(usualPhases * (records - 1))
	f := fields{b: data}
	for f.next(0) {
		switch {
		case f.number == 1 && b.Epoch == "":
			b.Epoch = string(f.text)
		case f.number == 2:
			n := len(b.Records)
			b.Records = b.Records[:n+1]
			if d.record(&b.Records[n], f.text) != nil || n > 0 && b.Records[n].First() != b.Records[n-1].Last()+1 {
				return false
			}
		default:
			return false
		}
	}
	return !f.odd && CheckEpoch(b.Epoch) == nil && len(b.Records) == records-1
}

// record reads one record, in the general way if it must be.
func (d *direct) record(r *Record, data []byte) (err error) {
	*r = Record{}
	f := fields{b: data}
	if f.next(0) && f.number == 1 && len(f.b) == 0 && d.observation(&r.Observation, f.text) {
		return nil
	}
	m := new(vardev1.Record)
	if err := proto.Unmarshal(data, m); err != nil {
		return err
	}
	*r, err = recordFromProto(m)
	return err
}

// observation reads an observation that has each field once, but for phases, and in
// which nothing is wrong.
func (d *direct) observation(o *checks.Observation, data []byte) (ok bool) {
	const numbers = 1<<3 | 1<<4 | 1<<5 | 1<<10 | 1<<16
	const phases = 15
	f, seen, good := fields{b: data}, uint64(0), true
	var ran [maxPhases]checks.PhaseTiming
	n := 0
	for good && f.next(numbers) {
		switch {
		case f.isNumber:
			good = numberOf(o, f.number, f.value)
		case f.number == phases:
			if good = n < maxPhases && d.phase(&ran[n], f.text); good {
				n++
			}
			continue
		default:
			good = d.textOf(o, f.number, f.text)
		}
		good = good && seen>>f.number&1 == 0
		seen |= 1 << f.number
	}
	if n > 0 {
		o.Phases = d.phases.take(n)
		copy(o.Phases, ran[:n])
	}
	const needed = 1<<1 | 1<<2 | 1<<3 | 1<<5 | 1<<6 | 1<<7 | 1<<8 | 1<<9 | 1<<16
	return good && !f.odd && seen&needed == needed && o.Seq != 0 && CheckResult(o.Result) == nil
}

// numberOf sets a field of an observation that is a number.
func numberOf(o *checks.Observation, field protowire.Number, v uint64) (good bool) {
	switch field {
	case 3:
		o.Family = checks.Family(v)
		return v >= uint64(checks.IPv4) && v <= uint64(checks.IPv6)
	case 4:
		o.Plan = v
	case 5:
		o.Trigger = checks.Trigger(v - 1)
		return v >= 1 && v <= uint64(checks.Manual)+1
	case 10:
		o.Outcome = checks.Outcome(v)
		return v <= uint64(checks.Down)
	case 16:
		o.Seq = v
	}
	return true
}

// textOf sets any other field.
func (d *direct) textOf(o *checks.Observation, field protowire.Number, b []byte) (good bool) {
	switch field {
	case 1:
		o.Check, good = d.id(b)
	case 2:
		o.Service, good = d.id(b)
	case 6:
		o.Scheduled, good = moment(b)
	case 7:
		o.Started, good = moment(b)
	case 8:
		o.Elapsed, good = length(b)
	case 9:
		o.Every, good = length(b)
	case 11:
		var s string
		s, good = d.word(b)
		o.FailedPhase = checks.Phase(s)
	case 12:
		var s string
		s, good = d.word(b)
		o.Class = checks.Class(s)
	case 13:
		o.Detail, good = string(b), utf8.Valid(b)
	case 14:
		o.Address, good = d.plain(b)
	case 17:
		o.TLS, good = d.handshake(b)
	}
	return good
}

// handshake returns the kept copy of what a server showed.
func (d *direct) handshake(b []byte) (*checks.Handshake, bool) {
	if h, ok := d.shown[string(b)]; ok {
		return h, true
	}
	m := new(vardev1.Handshake)
	if proto.Unmarshal(b, m) != nil {
		return nil, false
	}
	h, err := handshakeFromProto(m)
	if err != nil {
		return nil, false
	}
	if d.shown == nil {
		d.shown = make(map[string]*checks.Handshake)
	}
	d.shown[string(b)] = h
	return h, true
}

func (d *direct) phase(t *checks.PhaseTiming, data []byte) bool {
	f, seen, good := fields{b: data}, 0, true
	for good && f.next(0) {
		switch {
		case f.number == 1 && seen == 0:
			var s string
			s, good = d.word(f.text)
			t.Name = checks.Phase(s)
		case f.number == 2 && seen == 1:
			t.Duration, good = length(f.text)
		default:
			good = false
		}
		seen++
	}
	return good && !f.odd && seen == 2
}

// id, word and plain return the kept copy of a name if it is one, of a word, of any
// text.
func (d *direct) id(b []byte) (string, bool) { return keep(&d.ids, b, checks.ValidID) }

func (d *direct) word(b []byte) (string, bool) { return keep(&d.words, b, word) }

func (d *direct) plain(b []byte) (string, bool) { return keep(&d.texts, b, utf8.ValidString) }

func keep(in *map[string]string, b []byte, valid func(string) bool) (string, bool) {
	if s, ok := (*in)[string(b)]; ok {
		return s, true
	}
	s := string(b)
	if !valid(s) {
		return "", false
	}
	if *in == nil {
		*in = make(map[string]string)
	}
	(*in)[s] = s
	return s, true
}

// parts are the seconds and nanoseconds of a time or a duration.
func parts(data []byte) (seconds, nanos int64, ok bool) {
	f, seen := fields{b: data}, 0
	for f.next(1<<1 | 1<<2) {
		switch {
		case f.number == 1 && seen == 0:
			seconds, seen = int64(f.value), 1
		case f.number == 2 && seen < 2:
			nanos, seen = int64(f.value), 2
		default:
			return 0, 0, false
		}
	}
	return seconds, nanos, !f.odd && nanos > -1e9 && nanos < 1e9
}

// The years 1 to 9999, in seconds since 1970.
const firstSecond, lastSecond = -62135596800, 253402300799

func moment(data []byte) (time.Time, bool) {
	seconds, nanos, ok := parts(data)
	return time.Unix(seconds, nanos).UTC(), ok && nanos >= 0 && seconds >= firstSecond && seconds <= lastSecond
}

// length is a duration that is not below zero.
func length(data []byte) (time.Duration, bool) {
	d, ok := span(data)
	return d, ok && d >= 0
}

// maxSeconds is the longest duration that is read straight: 31 years.
const maxSeconds = 1e9

// span is a duration of either sign.
func span(data []byte) (time.Duration, bool) {
	seconds, nanos, ok := parts(data)
	one := seconds >= 0 && nanos >= 0 || seconds <= 0 && nanos <= 0
	return time.Duration(seconds)*time.Second + time.Duration(nanos), ok && one && seconds >= -maxSeconds && seconds <= maxSeconds
}
