package evidence

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/journal"
	"varde/proto/wire"
)

// Seen is one thing that a probe reported: an observation, or what it had to drop.
type Seen struct {
	// Batch is how it came: who sent it, when, and by which clock. It has no records.
	Batch wire.Batch
	// Observation is by the coordinator's clock, and unknown where that of the probe
	// could not be believed: as verdicts are made of it. It is empty where Gap is not
	// nil.
	Observation checks.Observation
	// Gap are observations that were dropped, by the clock of the probe.
	Gap *wire.Gap
}

// at is when it ended; of a gap, when the first run began.
func (s Seen) at() time.Time {
	if s.Gap != nil {
		from, _ := lost(&s.Batch, s.Gap)
		return from
	}
	return s.Observation.End()
}

func (s Seen) seq() uint64 {
	if s.Gap != nil {
		return s.Gap.First
	}
	return s.Observation.Seq
}

// compare orders by end, probe, epoch and number. None is equal to another one.
func (s Seen) compare(o Seen) int {
	return cmp.Or(s.at().Compare(o.at()), cmp.Compare(s.Batch.Probe, o.Batch.Probe),
		cmp.Compare(s.Batch.Epoch, o.Batch.Epoch), cmp.Compare(s.seq(), o.seq()))
}

// Kept is the archive as it is read.
type Kept interface {
	// Minutes are those of an incident of which something is kept, in order.
	Minutes(ctx context.Context, incident string) ([]time.Time, error)
	// Read calls fn with what is kept of a minute.
	Read(ctx context.Context, incident string, minute time.Time, fn func([]wire.Batch) error) error
}

var _ Kept = (*journal.Archive)(nil)

// Read returns what is kept of what is wanted of several incidents, each once, in order
// of end, probe, epoch and number. It holds one minute in memory at a time. After an
// error it ends.
func Read(ctx context.Context, from Kept, wants ...Want) iter.Seq2[Seen, error] {
	return func(yield func(Seen, error) bool) {
		parts, err := partsOf(ctx, from, wants)
		if err != nil {
			yield(Seen{}, err)
			return
		}
		for _, minute := range slices.SortedFunc(maps.Keys(parts), time.Time.Compare) {
			list, err := readMinute(ctx, from, parts[minute], minute)
			if err != nil {
				yield(Seen{}, err)
				return
			}
			for _, s := range list {
				if !yield(s, nil) {
					return
				}
			}
		}
	}
}

// partsOf are the wants of which something is kept of each minute.
func partsOf(ctx context.Context, from Kept, wants []Want) (map[time.Time][]Want, error) {
	out := make(map[time.Time][]Want)
	for _, w := range wants {
		minutes, err := from.Minutes(ctx, w.Incident)
		if err != nil {
			return nil, err
		}
		for _, m := range minutes {
			out[m] = append(out[m], w)
		}
	}
	return out, nil
}

func readMinute(ctx context.Context, from Kept, wants []Want, minute time.Time) ([]Seen, error) {
	var list []Seen
	for _, w := range wants {
		err := from.Read(ctx, w.Incident, minute, func(batches []wire.Batch) error {
			for i := range batches {
				list = w.choose(list, &batches[i])
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, Seen.compare)
	return slices.CompactFunc(list, func(a, b Seen) bool { return a.compare(b) == 0 }), nil
}

// choose appends what is wanted of a batch.
func (w Want) choose(list []Seen, b *wire.Batch) []Seen {
	came, window := *b, w.window()
	came.Records = nil
	for i := range b.Records {
		r := &b.Records[i]
		if r.Gap != nil {
			if window.meets(lost(b, r.Gap)) {
				list = append(list, Seen{Batch: came, Gap: r.Gap})
			}
			continue
		}
		if !r.IsObservation() || !slices.Contains(w.Checks, r.Observation.Check) {
			continue
		}
		if o, ok := history.Correct(b, r.Observation); ok && window.holds(o.End()) {
			list = append(list, Seen{Batch: came, Observation: o})
		}
	}
	return list
}
