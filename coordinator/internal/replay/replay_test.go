package replay

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"varde/checks"
	"varde/coordinator/internal/record"
	"varde/coordinator/internal/verdict"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// small is a fleet of eight series.
func small() fleet {
	return fleet{checks: 2, regions: 2, probes: 3, every: 30 * time.Second, families: []checks.Family{checks.IPv4, checks.IPv6}}
}

// An outage of half an hour in one of two regions is one incident, told of within a
// minute, and a quarter of two hours there.
func TestRun(t *testing.T) {
	f := small()
	list := f.run(2*time.Hour, between(0, 1, 30*time.Minute, time.Hour))
	o, read := outcome(t, Options{Source: memory(list), Policies: []Policy{f.policy()}})
	if read.Observations != len(list) || !read.To.Equal(list[len(list)-1].End()) || read.Again {
		t.Errorf("got %+v, want all %d up to %s, read once", read, len(list), list[len(list)-1].End())
	}
	r := o.Record()
	for _, v := range r.Verdicts {
		down := v.Check == "check-0" && v.Region == "region-1"
		if v.State == "down" != (down && v.From.After(noon.Add(30*time.Minute)) && v.To != nil) {
			t.Errorf("got %+v", v)
		}
	}
	if len(r.Incidents) != 1 {
		t.Fatalf("got %+v, want one incident", r.Incidents)
	}
	i := r.Incidents[0]
	if i.Status != "resolved" || i.DetectedAt == nil || i.DetectedAt.Sub(i.StartedAt) > time.Minute || i.StartedAt.Sub(noon.Add(30*time.Minute)) > 30*time.Second ||
		!slices.Equal(i.Services, []string{"service-0"}) || !slices.Equal(i.Regions, []string{"region-1"}) || !strings.Contains(i.Summary, "service-0") {
		t.Errorf("got %+v", i)
	}
	for _, a := range r.Availability {
		want := 1.0
		if a.Service == "service-0" && a.Region == "region-1" {
			want = 0.75
		}
		if a.Availability == nil || math.Abs(*a.Availability-want) > 0.005 || a.Coverage < 0.99 {
			t.Errorf("%s in %s: got %v, want %g and all covered", a.Service, a.Region, a, want)
		}
	}
	if s := o.Services[0].Overall; math.Abs(s.Availability-(1*1+2*0.75)/3) > 0.005 {
		t.Errorf("got %g over all regions, want their mean by weight", s.Availability)
	}
}

// The verdicts are those of the panel that is told of each as it comes, and of the
// final judgement of the whole set at once.
func TestSameJudges(t *testing.T) {
	f := small()
	list := f.run(4*time.Hour, func(c, r, p int, at time.Time) checks.Class {
		if at.Unix()/30%7 == int64(p) || between(1, -1, time.Hour, 2*time.Hour)(c, r, p, at) != "" {
			return checks.TLSTimeout
		}
		return ""
	})
	o, read := outcome(t, Options{Source: memory(list), Policies: []Policy{f.policy()}, patience: 500})
	panel, sets := verdict.NewPanel(f.policy().Fleet.Rules()), make(map[verdict.Series][]verdict.Result)
	var told, final []verdict.Change
	for _, x := range list {
		s := verdict.Series{Check: x.Check, Region: x.Region, Family: x.Family}
		r, _ := verdict.ResultOf(x)
		told = append(told, panel.Advance(x.End())...)
		told = append(told, panel.Observe(x.End(), s, r)...)
		sets[s] = append(sets[s], r)
	}
	for s, set := range sets {
		_, changes := verdict.Final(s, f.policy().Fleet.Rules()[s.Check], verdict.Judge{}, set, read.To)
		final = append(final, changes...)
	}
	inTime(told)
	inTime(final)
	if len(final) < 20 || text(t, told) != text(t, o.Told) || text(t, final) != text(t, o.Final) {
		t.Errorf("got %d told and %d final changes, want the same %d and %d", len(o.Told), len(o.Final), len(told), len(final))
	}
}

// without is a record but for what depends on the order of arrival: when incidents
// were told.
func without(r record.Record) record.Record {
	r.Incidents = slices.Clone(r.Incidents)
	for i := range r.Incidents {
		r.Incidents[i].DetectedAt = nil
	}
	return r
}

// recordings draws a recording with some trouble in it.
func recordings(t *rapid.T, f fleet) []checks.Observation {
	minutes := func(name string) time.Duration {
		return time.Duration(rapid.IntRange(0, 180).Draw(t, name)) * time.Minute
	}
	var troubles []fails
	for range rapid.IntRange(0, 3).Draw(t, "troubles") {
		from := minutes("from")
		troubles = append(troubles, between(rapid.IntRange(0, f.checks-1).Draw(t, "check"), rapid.IntRange(-1, f.regions-1).Draw(t, "region"), from, from+minutes("for")))
	}
	return f.run(3*time.Hour, func(c, r, p int, at time.Time) checks.Class {
		for _, trouble := range troubles {
			if class := trouble(c, r, p, at); class != "" {
				return class
			}
		}
		return ""
	})
}

// slow is a fleet of four series that look once a minute.
func slow() fleet {
	return fleet{checks: 2, regions: 2, probes: 3, every: time.Minute, families: []checks.Family{checks.IPv4}}
}

// How it is handed over, how many judge it and how patient they are changes nothing.
func TestSchedulingLeavesNoTrace(t *testing.T) {
	f := slow()
	rapid.Check(t, func(t *rapid.T) {
		list := recordings(t, f)
		once := func(parcel, shards, patience int) string {
			out, _, err := Run(context.Background(), Options{
				Source: memory(list), Policies: []Policy{f.policy()}, Shards: shards, patience: patience, parcel: parcel,
			})
			if err != nil {
				t.Fatal(err)
			}
			return jsonOf(t, out[0].Record()) + jsonOf(t, out[0].Told) + jsonOf(t, out[0].Final)
		}
		want := once(len(list), 1, 1<<20)
		got := once(rapid.IntRange(1, 5000).Draw(t, "parcel"), rapid.IntRange(1, 5).Draw(t, "shards"), rapid.IntRange(1, 3000).Draw(t, "patience"))
		if got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// The final record is a function of the set of observations: their order, doubles and
// parcels change nothing.
func TestFinalIsOfTheSet(t *testing.T) {
	f := slow()
	rapid.Check(t, func(t *rapid.T) {
		list := recordings(t, f)
		numbered := rapid.Bool().Draw(t, "numbered")
		for i := range list {
			if !numbered {
				list[i].Seq, list[i].Epoch = 0, ""
			}
		}
		o := Options{Source: memory(list), Policies: []Policy{f.policy()}}
		first, _, err := Run(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(0, 500).Draw(t, "doubles") {
			list = append(list, list[rapid.IntRange(0, len(list)-1).Draw(t, "double")])
		}
		switch rapid.IntRange(0, 2).Draw(t, "order") {
		case 0:
			chance := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "shuffled"), 1))
			chance.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		case 1: // one probe was away
			away := func(o checks.Observation) bool { return o.Probe == "region-0-1" }
			spooled := slices.DeleteFunc(slices.Clone(list), func(o checks.Observation) bool { return !away(o) })
			list = append(slices.DeleteFunc(list, away), spooled...)
		}
		o.Source, o.parcel, o.patience = memory(list), rapid.IntRange(1, 3000).Draw(t, "parcel"), rapid.IntRange(1, 20_000).Draw(t, "patience")
		o.Shards = rapid.IntRange(1, 3).Draw(t, "shards")
		second, _, err := Run(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := jsonOf(t, second[0].Final), jsonOf(t, first[0].Final); got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
		a, b := without(first[0].Record()), without(second[0].Record())
		if got, want := jsonOf(t, b), jsonOf(t, a); got != want {
			t.Fatalf("got\n%s\nwant\n%s", got, want)
		}
	})
}

// What comes hours late is judged in a second reading, with what was put aside in a
// file, and the first told of nothing false.
func TestLate(t *testing.T) {
	f := small()
	list := f.run(6*time.Hour, between(0, 0, 2*time.Hour, 3*time.Hour))
	p := []Policy{f.policy()}
	want, _ := outcome(t, Options{Source: memory(list), Policies: p})
	region0 := func(o checks.Observation) bool {
		return o.Region == "region-0" && o.Scheduled.Before(noon.Add(5*time.Hour))
	}
	late := slices.DeleteFunc(slices.Clone(list), func(o checks.Observation) bool { return !region0(o) })
	list = append(slices.DeleteFunc(list, region0), late...)
	got, read := outcome(t, Options{Source: memory(list), Policies: p, patience: 100, aside: 50})
	if !read.Again || text(t, got.Final) != text(t, want.Final) || text(t, got.Record().Availability) != text(t, want.Record().Availability) {
		t.Errorf("got %+v\n%s\nwant it read twice and\n%s", read, text(t, got.Record()), text(t, want.Record()))
	}
	if i := got.Record().Incidents; len(i) != 1 || i[0].DetectedAt != nil || i[0].ResolvedAt == nil {
		t.Errorf("got %+v, want it recorded afterwards", i)
	}
}

// broken is a recording that cannot be read to its end.
type broken struct{ memory }

var errBroken = errors.New("r:7: garbled")

func (b broken) Read(ctx context.Context, fn func(*checks.Observation) error) error {
	return errors.Join(b.memory.Read(ctx, fn), errBroken)
}

// Of a recording that cannot be read nothing is judged.
func TestBroken(t *testing.T) {
	f := small()
	list := f.run(time.Hour, between(0, 0, 0, time.Hour))
	out, read, err := Run(t.Context(), Options{Source: broken{memory(list)}, Policies: []Policy{f.policy()}})
	if !errors.Is(err, errBroken) || out != nil || read != (Read{}) {
		t.Errorf("got %v, %v, %+v, want the error and nothing else", out, err, read)
	}
}

// moving is a recording to which somebody still writes.
type moving struct {
	memory
	read *int
}

func (m moving) Read(ctx context.Context, fn func(*checks.Observation) error) error {
	*m.read++
	m.memory = m.memory[:len(m.memory)-2+*m.read]
	return m.memory.Read(ctx, fn)
}

func TestRecordingThatChanges(t *testing.T) {
	f := small()
	list := f.run(3*time.Hour, healthy)
	slices.Reverse(list)
	_, _, err := Run(t.Context(), Options{Source: moving{memory(list), new(int)}, Policies: []Policy{f.policy()}, patience: 10})
	if err == nil || !strings.Contains(err.Error(), "the recording changed while it was read") {
		t.Errorf("got %v, want that it changed", err)
	}
}

// Looks that a person asked for count for nothing but the clock.
func TestManual(t *testing.T) {
	f := small()
	o := f.run(time.Minute, healthy)[0]
	o.Trigger = checks.Manual
	got, read := outcome(t, Options{Source: memory{o}, Policies: []Policy{f.policy()}})
	if len(got.Spans) != 0 || len(got.Told) != 0 || !read.To.Equal(o.End()) || got.Services[0].Overall.Known {
		t.Errorf("got %+v, %+v", got, read)
	}
}

// The window is whole minutes, and slots count as far as they lie in it.
func TestWindow(t *testing.T) {
	f := fleet{checks: 1, regions: 1, probes: 2, every: 30 * time.Minute, families: []checks.Family{checks.IPv4}}
	list := f.run(time.Hour, between(0, 0, 0, 30*time.Minute))
	o, _ := outcome(t, Options{Source: memory(list), Policies: []Policy{f.policy()}})
	// Two probes from about 12:00 and 12:15 on, each down for a slot and then up; the
	// last run ends at about 12:45.
	n := o.Services[0].Regions[0]
	if !n.Known || n.Availability < 0.2 || n.Availability > 0.3 || n.Coverage < 0.6 || n.Coverage > 0.7 {
		t.Errorf("got %+v, want a quarter up of the time that is known, and two of three minutes with both", n)
	}
}

// A run speaks for as long as it says, but not for longer than the policy does: in a
// watch window each for less, and for nothing where the one before has spoken.
func TestSlots(t *testing.T) {
	f := fleet{checks: 1, regions: 1, probes: 2, every: 30 * time.Second, families: []checks.Family{checks.IPv4}}
	list := f.run(time.Hour, between(0, 0, 0, 30*time.Minute))
	for _, tc := range []struct {
		down, up time.Duration
		want     float64
	}{
		{30 * time.Second, 30 * time.Second, 0.5},
		{10 * time.Second, 30 * time.Second, 0.75},
		{0, 30 * time.Second, 1},
		{30 * time.Second, checks.MaxEvery, 0.5},
	} {
		for k := range list {
			list[k].Every = tc.up
			if list[k].Outcome == checks.Down {
				list[k].Every = tc.down
			}
		}
		o, _ := outcome(t, Options{Source: memory(list), Policies: []Policy{f.policy()}})
		if n := o.Services[0].Overall; !n.Known || math.Abs(n.Availability-tc.want) > 0.005 {
			t.Errorf("%s and %s: got %+v, want %g", tc.down, tc.up, n, tc.want)
		}
	}
}

// Where no region has a weight, the number of all is their plain mean; where some have,
// those without do not count in it and have numbers of their own.
func TestWeights(t *testing.T) {
	f := small()
	list := f.run(2*time.Hour, between(0, 1, 30*time.Minute, time.Hour))
	for _, tc := range []struct{ first, second, want float64 }{{0, 0, 0.875}, {1, 0, 1}, {0, 1, 0.75}} {
		p := f.policy()
		p.World.Regions[0].Weight, p.World.Regions[1].Weight = tc.first, tc.second
		o, _ := outcome(t, Options{Source: memory(list), Policies: []Policy{p}})
		if s := o.Services[0]; math.Abs(s.Overall.Availability-tc.want) > 0.005 || math.Abs(s.Regions[0].Availability-1) > 0.005 || math.Abs(s.Regions[1].Availability-0.75) > 0.005 {
			t.Errorf("weights %g and %g: got %+v, want %g over all", tc.first, tc.second, s, tc.want)
		}
	}
}
