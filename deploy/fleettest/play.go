package fleettest

import (
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"varde/deploy/scenario"
	"varde/proto/wire"
)

// warmUp is how long a fleet runs before a play begins: until then it finds its
// phases.
const warmUp = 3 * time.Minute

// Play plays a scenario that is unfolded, in the bubble of the test, and
// says what came of it. The play ends on a full hour, so that its last hour is
// judged finally as soon as everybody has reported.
func Play(t *testing.T, s scenario.Scenario) Outcome {
	t.Helper()
	start := startOf(time.Now().Add(warmUp), s.Length)
	time.Sleep(time.Until(start.Add(-warmUp)))
	f := New(t, Options{
		Regions: s.Regions, Checks: s.Checks, Families: s.Families, Chance: s.Chance,
		Plain: true, Secure: secured(s), Brisk: moves(s),
	})
	f.maintain(s, start)
	var readings []scenario.Reading
	turns := turns(s)
	for _, at := range slices.Compact(slices.Sorted(slices.Values(append(looks(s), turns...)))) {
		f.Wait(time.Until(start.Add(at)))
		if slices.Contains(turns, at) {
			f.turn(s, at)
			continue
		}
		readings = append(readings, f.readPage(at)...)
	}
	f.Wait(time.Until(start.Add(s.Length)))
	f.turn(scenario.Scenario{}, s.Length)
	o := f.outcome(s, start, start.Add(s.Length))
	o.readings = readings
	return o
}

// startOf is the first start from which a play of that length ends on a full hour.
func startOf(after time.Time, length time.Duration) time.Time {
	end := after.Add(length)
	if whole := end.Truncate(time.Hour); whole.Before(end) {
		end = whole.Add(time.Hour)
	}
	return end.Add(-length)
}

// secured are the kinds that need TLS for what befalls them.
func secured(s scenario.Scenario) (out []string) {
	for _, x := range s.Faults {
		switch x.Effect {
		case scenario.TLSStall, scenario.AuthStall, scenario.AuthTempfail, scenario.SlowLogin:
			for name, c := range s.Checks {
				if kind := c.Is(name); x.Effect.Means(kind) && (len(x.Checks) == 0 || slices.Contains(x.Checks, kind)) {
					out = append(out, kind)
				}
			}
		}
	}
	return out
}

// moves says whether members of the mesh go or lose one another, which it has to
// find out at its ordinary pace.
func moves(s scenario.Scenario) bool {
	return slices.ContainsFunc(s.Faults, func(x scenario.Fault) bool {
		return x.Partition != nil || x.Effect == scenario.Stopped
	})
}

// turns are the times at which something begins or ends, in order.
func turns(s scenario.Scenario) []time.Duration {
	at := map[time.Duration]bool{}
	for _, x := range s.Faults {
		at[time.Duration(x.From)], at[time.Duration(x.To)] = true, true
	}
	maps.DeleteFunc(at, func(d time.Duration, _ bool) bool { return d >= s.Length })
	return slices.Sorted(maps.Keys(at))
}

// turn makes everything as the scenario says it is at a time after the start.
func (f *Fleet) turn(s scenario.Scenario, at time.Duration) {
	f.t.Helper()
	var now []scenario.Fault
	var partitions [][][]string
	down := false
	for _, x := range s.Faults {
		if !x.At(at) {
			continue
		}
		down = down || x.Coordinator == "down"
		if x.Partition != nil {
			partitions = append(partitions, x.Partition)
		}
		if x.Effect != "" || x.Clock != 0 {
			now = append(now, x)
		}
	}
	f.suffer(now)
	f.split(partitions)
	if down && f.server != nil {
		f.StopCoordinator()
	}
	if !down && f.server == nil {
		f.StartCoordinator()
	}
	f.stopProbes(now)
}

// stopProbes has those programs run that no fault keeps from it.
func (f *Fleet) stopProbes(faults []scenario.Fault) {
	f.t.Helper()
	var stopping sync.WaitGroup
	var starting []string
	for _, name := range slices.Sorted(maps.Keys(f.probes)) {
		m := f.probes[name]
		stop := slices.ContainsFunc(faults, func(x scenario.Fault) bool {
			return x.Effect == scenario.Stopped && x.HitsProbe(m.name, m.region)
		})
		switch {
		case stop && !m.stopped:
			stopping.Go(func() { f.StopProbe(name) })
		case !stop && m.stopped:
			starting = append(starting, name)
		}
	}
	stopping.Wait()
	for _, name := range starting {
		f.StartProbe(name)
	}
}

const (
	// draining is how long the last of what was seen takes to be told.
	draining = 90 * time.Second
	// finalWithin is how long after its end an hour is judged finally at the latest.
	finalWithin = 20 * time.Minute
)

// outcome waits until everything has arrived and was judged, stops the fleet and
// counts.
func (f *Fleet) outcome(s scenario.Scenario, start, end time.Time) (o Outcome) {
	f.t.Helper()
	f.Wait(draining)
	var err error
	o.Start, o.End = start, end
	if o.Told, err = f.server.Told(f.Context(), start, end); err != nil {
		f.t.Fatal(err)
	}
	o.Final = f.Final(start, end)
	o.figures = f.figures(s, start, end)
	o.count(f)
	return o
}

// count holds the journal against what the spools were entrusted with.
func (o *Outcome) count(f *Fleet) {
	seen := map[wire.Source]map[uint64]int{}
	f.Journal(func(b wire.Batch) {
		source := wire.Source{Probe: b.Probe, Epoch: b.Epoch}
		if seen[source] == nil {
			seen[source] = map[uint64]int{}
		}
		for _, r := range b.Records {
			if r.Gap == nil {
				seen[source][r.First()]++
			}
		}
	})
	for source, last := range f.spooled {
		o.Spooled += int(last)
		for seq := range last {
			if seen[source][seq+1] == 0 {
				o.Lost++
			}
		}
	}
	for _, numbers := range seen {
		for _, times := range numbers {
			o.Journaled += times
			o.Duplicates += times - 1
		}
	}
}
