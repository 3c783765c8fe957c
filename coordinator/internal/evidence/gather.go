package evidence

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/history"
	"varde/proto/wire"
)

// part is a minute of an incident.
type part struct {
	incident string
	minute   time.Time
}

func (p part) compare(o part) int {
	return cmp.Or(cmp.Compare(p.incident, o.incident), p.minute.Compare(o.minute))
}

// gathered are records that wait to be kept, by part.
type gathered struct {
	parts   map[part][]wire.Batch
	records int
	// since is when the first of them was gathered.
	since time.Time
}

// take gathers what is wanted of a batch.
func (g *gathered) take(b *wire.Batch, wanted claims) {
	if len(wanted) == 0 {
		return
	}
	for i := range b.Records {
		r := &b.Records[i]
		switch {
		case r.Gap != nil:
			g.gap(b, r, wanted)
		case r.IsObservation() && len(wanted[r.Observation.Check]) > 0:
			o, ok := history.Correct(b, r.Observation)
			for _, c := range wanted[o.Check] {
				if ok && c.wants(o.End()) {
					g.add(part{c.incident, minuteOf(o)}, b, r)
				}
			}
		}
	}
}

// gap gathers what a probe had to drop: it may be of any check.
func (g *gathered) gap(b *wire.Batch, r *wire.Record, wanted claims) {
	from, to := lost(b, r.Gap)
	taken := make(map[string]bool)
	for _, list := range wanted {
		for _, c := range list {
			if !taken[c.incident] && c.meets(from, to) {
				taken[c.incident] = true
				g.add(part{c.incident, from.Truncate(time.Minute)}, b, r)
			}
		}
	}
}

// add adds a record to its part: to the last batch there if it goes on from that.
func (g *gathered) add(p part, b *wire.Batch, r *wire.Record) {
	if g.parts == nil {
		g.parts, g.since = make(map[part][]wire.Batch), time.Now()
	}
	g.records++
	list := g.parts[p]
	if n := len(list); n > 0 && goesOn(&list[n-1], b, r) {
		list[n-1].Records = append(list[n-1].Records, *r)
		return
	}
	alone := *b
	alone.Records = []wire.Record{*r}
	g.parts[p] = append(list, alone)
}

// goesOn says whether a record of the batch b can follow the last one gathered.
func goesOn(last, b *wire.Batch, r *wire.Record) bool {
	return last.Source() == b.Source() && last.Received.Equal(b.Received) && last.Last()+1 == r.First() &&
		len(last.Records) < wire.MaxRecords
}

// sorted are the parts in order.
func (g *gathered) sorted() []part {
	return slices.SortedFunc(maps.Keys(g.parts), part.compare)
}

// minuteOf is the minute of an observation, by the coordinator's clock.
func minuteOf(o checks.Observation) time.Time { return o.End().Truncate(time.Minute) }

// lost is when the runs began that a gap stands for, by the coordinator's clock.
func lost(b *wire.Batch, g *wire.Gap) (from, to time.Time) {
	from, to = g.From.UTC(), g.To.UTC()
	if b.ClockKnown {
		from, to = from.Add(-b.ClockOffset), to.Add(-b.ClockOffset)
	}
	return from, to
}
