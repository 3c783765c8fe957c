package replay

import (
	"context"
	"runtime"
	"testing"
	"time"

	"varde/checks"
)

// endless is a recording that is made while it is read, and weighs the heap at its end.
type endless struct {
	scribe *scribe
	until  time.Duration
	live   uint64
}

func (e *endless) Read(_ context.Context, fn func(*checks.Observation) error) error {
	for e.scribe.at() < e.until {
		e.scribe.turn()
		for k := range e.scribe.runs {
			o := *e.scribe.runs[k].now
			if err := fn(&o); err != nil {
				return err
			}
		}
	}
	e.live = live()
	return nil
}

// live is how much of the heap is in use.
func live() uint64 {
	runtime.GC()
	runtime.GC() // what has a cleanup goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// Judging takes as much memory for three days as for one: what is kept of a series does
// not grow with time.
func TestMemoryIsNotOfTime(t *testing.T) {
	f := fleet{checks: 4, regions: 2, probes: 3, every: 5 * time.Minute, families: []checks.Family{checks.IPv4, checks.IPv6}}
	const day = 24 * time.Hour
	grown := func(length time.Duration) int64 {
		e := &endless{scribe: newScribe(f, []outage{{check: 1, region: 0, from: 2 * time.Hour, length: time.Hour, phase: checks.TLS, class: checks.TLSError}}, 1000), until: length}
		before := live()
		o, read := outcome(t, Options{Source: e, Policies: []Policy{f.policy()}, Shards: 1, patience: 500, parcel: 10})
		if want := int(length/f.every) * len(e.scribe.runs); read.Observations != want || len(o.Incidents) != 1 {
			t.Fatalf("got %d observations and %d incidents, want %d and the outage", read.Observations, len(o.Incidents), want)
		}
		return int64(e.live) - int64(before)
	}
	grown(4 * time.Hour) // whatever is made once
	one, three := grown(day), grown(3*day)
	const series, bound = 16, 2000 // bytes for each: less than one for every minute of two days
	if three-one > series*bound {
		t.Errorf("judging takes %d bytes after a day and %d after three, want no more", one, three)
	}
	t.Logf("%d series: %d bytes after a day, %d after three", series, one, three)
}
