package wire

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"varde/checks"
	vardev1 "varde/proto/varde/v1"
)

// MaxRecords is the largest number of records in one batch.
const MaxRecords = 1000

// MaxClockOffset is how far a probe's clock may be off for its times still to be
// corrected. With more, its observations count as unknown: the machine has other
// troubles too.
const MaxClockOffset = 30 * time.Second

// Gap stands for observations that a full spool had to drop, First to Last,
// both included. From and To are the starts of the oldest and newest run among
// them.
type Gap struct {
	First, Last uint64
	From, To    time.Time
}

// Record is one thing that a probe's spool hands over: an event where Event is
// not nil, a gap where Gap is not nil, and else an observation.
type Record struct {
	Observation checks.Observation
	Event       *Event
	Gap         *Gap
}

// IsObservation says whether the record is one.
func (r Record) IsObservation() bool { return r.Event == nil && r.Gap == nil }

// First is the first sequence number that the record covers.
func (r Record) First() uint64 {
	switch {
	case r.Gap != nil:
		return r.Gap.First
	case r.Event != nil:
		return r.Event.Seq
	}
	return r.Observation.Seq
}

// Last is the last sequence number that the record covers.
func (r Record) Last() uint64 {
	if r.Gap != nil {
		return r.Gap.Last
	}
	return r.First()
}

// Check is the id of the check that the record is of; empty for a gap.
func (r Record) Check() string {
	switch {
	case r.Event != nil && r.Event.Mail != nil:
		return r.Event.Mail.Check
	case r.Event != nil && r.Event.Findings != nil:
		return r.Event.Findings.Check
	}
	return r.Observation.Check
}

// At is when what the record tells began: a run, an event, the oldest run of a
// gap.
func (r Record) At() time.Time {
	switch {
	case r.Gap != nil:
		return r.Gap.From
	case r.Event != nil:
		return r.Event.At
	}
	return r.Observation.Started
}

// Batch is consecutive records of one epoch of one probe, without holes.
type Batch struct {
	// Probe, Region and Site are those of the certificate that the batch came
	// with; empty on the probe's side.
	Probe, Region, Site string
	Epoch               string
	// Received is when the coordinator got it, by its clock.
	Received time.Time
	// ClockOffset is the probe's clock minus the coordinator's. ClockKnown is
	// false while it has not been measured.
	ClockOffset time.Duration
	ClockKnown  bool
	// Records is not empty.
	Records []Record
}

// First is the first sequence number of the batch.
func (b Batch) First() uint64 { return b.Records[0].First() }

// Last is the last sequence number of the batch.
func (b Batch) Last() uint64 { return b.Records[len(b.Records)-1].Last() }

// BatchToProto returns the part of a batch that travels from a probe.
func BatchToProto(b Batch) *vardev1.Batch {
	m := &vardev1.Batch{Epoch: b.Epoch, Records: make([]*vardev1.Record, len(b.Records))}
	for i, r := range b.Records {
		m.Records[i] = recordToProto(r)
	}
	return m
}

// BatchFromProto reads a batch as a probe sent it and fills Epoch into every
// observation; Attribute fills in the rest. Records must follow one another
// without a hole.
func BatchFromProto(m *vardev1.Batch) (Batch, error) {
	b := Batch{Epoch: m.GetEpoch()}
	if err := CheckEpoch(b.Epoch); err != nil {
		return Batch{}, err
	}
	if n := len(m.GetRecords()); n == 0 || n > MaxRecords {
		return Batch{}, fmt.Errorf("records: got %d, expected 1 to %d", n, MaxRecords)
	}
	b.Records = make([]Record, len(m.GetRecords()))
	for i, rm := range m.GetRecords() {
		r, err := recordFromProto(rm)
		if err != nil {
			return Batch{}, fmt.Errorf("records[%d]: %w", i, err)
		}
		if i > 0 && r.First() != b.Records[i-1].Last()+1 {
			return Batch{}, fmt.Errorf("records[%d]: seq %d does not follow %d", i, r.First(), b.Records[i-1].Last())
		}
		b.Records[i] = r
	}
	b.attribute() // who sent it is not known here, only the epoch
	return b, nil
}

// MarshalRecord encodes one record as a spool keeps it, and returns it as
// UnmarshalRecord will read it. One that this would refuse is refused here already:
// in a spool it would stand in the way of all that come after it.
func MarshalRecord(r Record) (b []byte, read Record, err error) {
	m := recordToProto(r)
	if read, err = recordFromProto(m); err != nil {
		return nil, Record{}, fmt.Errorf("record: %w", err)
	}
	if b, err = proto.Marshal(m); err != nil {
		return nil, Record{}, fmt.Errorf("record: %w", err)
	}
	return b, read, nil
}

// UnmarshalRecord reads what MarshalRecord wrote.
func UnmarshalRecord(b []byte) (Record, error) {
	m := new(vardev1.Record)
	if err := proto.Unmarshal(b, m); err != nil {
		return Record{}, fmt.Errorf("record: %w", err)
	}
	return recordFromProto(m)
}

// MarshalEntry encodes batches as one message of the journal.
func MarshalEntry(batches []Batch) ([]byte, error) {
	m := &vardev1.JournalEntry{Batches: make([]*vardev1.JournalBatch, len(batches))}
	for i, b := range batches {
		jb := &vardev1.JournalBatch{
			Probe: b.Probe, Region: b.Region, Site: b.Site,
			Received: timestamppb.New(b.Received), Batch: BatchToProto(b),
		}
		if b.ClockKnown {
			jb.ClockOffset = durationpb.New(b.ClockOffset)
		}
		m.Batches[i] = jb
	}
	return proto.Marshal(m)
}

// UnmarshalEntry reads what MarshalEntry wrote. Probe and Region are filled
// into every observation.
func UnmarshalEntry(data []byte) ([]Batch, error) {
	if out, ok := new(direct).entry(data); ok {
		return out, nil
	}
	return readEntry(data)
}

// readEntry reads an entry in the general way.
func readEntry(data []byte) ([]Batch, error) {
	m := new(vardev1.JournalEntry)
	if err := proto.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("journal entry: %w", err)
	}
	out := make([]Batch, len(m.GetBatches()))
	for i, jb := range m.GetBatches() {
		b, err := journalBatch(jb)
		if err != nil {
			return nil, fmt.Errorf("batches[%d]: %w", i, err)
		}
		out[i] = b
	}
	return out, nil
}

func journalBatch(jb *vardev1.JournalBatch) (Batch, error) {
	b, err := BatchFromProto(jb.GetBatch())
	if err != nil {
		return Batch{}, err
	}
	b.Probe, b.Region, b.Site = jb.GetProbe(), jb.GetRegion(), jb.GetSite()
	if !checks.ValidID(b.Probe) || !checks.ValidID(b.Region) {
		return Batch{}, fmt.Errorf("probe %q of region %q, expected two ids", b.Probe, b.Region)
	}
	if b.Received, err = timeFromProto("received", jb.GetReceived()); err != nil {
		return Batch{}, err
	}
	if jb.ClockOffset != nil {
		b.ClockKnown = true
		if b.ClockOffset, err = signedFromProto("clock_offset", jb.ClockOffset); err != nil {
			return Batch{}, err
		}
	}
	b.attribute()
	return b, nil
}

// Attribute sets who sent the batch, in it and in each of its observations.
// What a probe claims of itself is overwritten.
func (b *Batch) Attribute(probe, region, site string) {
	b.Probe, b.Region, b.Site = probe, region, site
	b.attribute()
}

func (b *Batch) attribute() {
	for i := range b.Records {
		switch r := &b.Records[i]; {
		case r.Event != nil:
			r.Event.attribute(b.Probe, b.Region)
		case r.Gap == nil:
			r.Observation.Probe, r.Observation.Region, r.Observation.Epoch = b.Probe, b.Region, b.Epoch
		}
	}
}

func recordToProto(r Record) *vardev1.Record {
	if g := r.Gap; g != nil {
		return &vardev1.Record{Kind: &vardev1.Record_Gap{Gap: &vardev1.Gap{
			First: g.First, Last: g.Last, From: timestamppb.New(g.From), To: timestamppb.New(g.To),
		}}}
	}
	if r.Event != nil {
		return &vardev1.Record{Kind: &vardev1.Record_Event{Event: eventToProto(*r.Event)}}
	}
	return &vardev1.Record{Kind: &vardev1.Record_Observation{Observation: observationToProto(r.Observation)}}
}

func recordFromProto(m *vardev1.Record) (Record, error) {
	switch k := m.GetKind().(type) {
	case *vardev1.Record_Observation:
		o, err := observationFromProto(k.Observation)
		return Record{Observation: o}, err
	case *vardev1.Record_Gap:
		g, err := gapFromProto(k.Gap)
		return Record{Gap: g}, err
	case *vardev1.Record_Event:
		e, err := eventFromProto(k.Event)
		return Record{Event: e}, err
	}
	return Record{}, errors.New("record is empty, expected an observation, an event or a gap")
}

func gapFromProto(m *vardev1.Gap) (*Gap, error) {
	g := &Gap{First: m.GetFirst(), Last: m.GetLast()}
	if g.First == 0 || g.Last < g.First {
		return nil, fmt.Errorf("gap: %d to %d, expected 1 <= first <= last", g.First, g.Last)
	}
	var err error
	if g.From, err = timeFromProto("from", m.GetFrom()); err != nil {
		return nil, err
	}
	if g.To, err = timeFromProto("to", m.GetTo()); err != nil {
		return nil, err
	}
	return g, nil
}

// MaxEpoch is the largest length of an epoch in bytes.
const MaxEpoch = 64

// EpochStart returns when the life of a program began that an epoch names, by the
// clock of its machine, in UTC: its first 12 hexadecimal digits are the time in
// milliseconds. ok is false for one that was named otherwise.
func EpochStart(epoch string) (at time.Time, ok bool) {
	digits, _, _ := strings.Cut(epoch, "-")
	ms, err := strconv.ParseInt(digits, 16, 64)
	if len(digits) != 12 || err != nil {
		return time.Time{}, false
	}
	return time.UnixMilli(ms).UTC(), true
}

// CheckEpoch refuses what names no life of a program.
func CheckEpoch(s string) error {
	if s == "" || len(s) > MaxEpoch {
		return fmt.Errorf("epoch: %d bytes, expected 1 to %d", len(s), MaxEpoch)
	}
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'z') && r != '-' {
			return fmt.Errorf("epoch: %q, expected a-z, 0-9 and -", s)
		}
	}
	return nil
}
