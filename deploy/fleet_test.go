package deploy

import (
	"maps"
	"net/url"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nats-io/nats-server/v2/server/ats"

	"varde/checks"
	"varde/deploy/fleettest"
	"varde/deploy/scenario"
	"varde/proto/wire"
)

func TestMain(m *testing.M) {
	singleThreaded()
	// The journal's clock ticker must be made outside of every bubble.
	ats.Register()
	defer ats.Unregister()
	m.Run()
}

const (
	interval = 30 * time.Second
	// connectLimit is how long an attempt waits for the answer to a connect.
	connectLimit = 4 * time.Second
	// standstill is how long an attempt may do nothing before others look too.
	standstill = time.Second
	// delivery is how long an observation takes from its end to a verdict: 100 ms
	// in which a batch collects, and the journal's commit.
	delivery = 200 * time.Millisecond
)

var (
	regions = []string{"eu-north", "oceania", "us-east"}
	kinds   = []string{"https", "imap", "smtp"}
)

// threeRegions is the fleet of most tests: two probes in each of three regions
// and the three kinds of checks.
func threeRegions() fleettest.Options {
	return fleettest.Options{
		Regions: map[string]int{"eu-north": 2, "us-east": 2, "oceania": 2},
		Checks:  map[string]scenario.Check{"imap": {Every: interval}, "smtp": {Every: interval}, "https": {Every: interval}},
	}
}

// TestSilentRegion makes a service fall silent in one region at a known second.
// It is down there at the second that the rule gives, not before, and nowhere
// else; and up again at the third good result after it was healed.
func TestSilentRegion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, threeRegions())
		f.Wait(5 * time.Minute)
		expectStates(t, f, nil)
		before := since(f)

		fault := nextQuiet(t, f)
		f.Wait(time.Until(fault))
		f.Silence("imap", "oceania")
		// Two probes in the region: three failures from both of them. The first run
		// stands still for a second and asks: the other probe looks, and so does this
		// one once more. Each ends when the connect has not been answered for four
		// seconds.
		third := scheduledAfter(t, f, "imap", "oceania", fault)[0].Add(standstill + connectLimit)
		f.Wait(time.Until(third) - time.Millisecond)
		expectStates(t, f, nil)
		f.Wait(time.Millisecond + delivery)
		expectStates(t, f, map[string]string{"imap/oceania": "down"})

		f.Wait(30 * time.Minute)
		expectStates(t, f, map[string]string{"imap/oceania": "down"})
		after := since(f)
		for series, at := range before {
			if series != "imap/oceania" && !after[series].Equal(at) {
				t.Errorf("%s: state began at %s, want still %s", series, after[series], at)
			}
		}
		first := scheduledAfter(t, f, "imap", "oceania", fault)[0]
		if got := after["imap/oceania"]; !got.Equal(first) {
			t.Errorf("down since %s, want the first failed run at %s", got, first)
		}

		healed := nextQuiet(t, f)
		f.Wait(time.Until(healed))
		f.Heal()
		good := scheduledAfter(t, f, "imap", "oceania", healed)[2]
		f.Wait(time.Until(good) - time.Millisecond)
		expectStates(t, f, map[string]string{"imap/oceania": "down"})
		f.Wait(time.Millisecond + delivery)
		expectStates(t, f, nil)
	})
}

// TestMeshPartitionChangesNoVerdict splits the mesh for half an hour.
func TestMeshPartitionChangesNoVerdict(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, threeRegions())
		f.Wait(5 * time.Minute)
		before := since(f)
		if got := f.Peers("oceania-1"); got != 6 {
			t.Fatalf("oceania-1 sees %d members of the mesh, want 6", got)
		}
		f.Partition([]string{"eu-north"}, []string{"us-east", "oceania"})
		f.Wait(30 * time.Minute)
		if got := f.Peers("oceania-1"); got != 4 {
			t.Errorf("oceania-1 sees %d members of the split mesh, want 4", got)
		}
		expectStates(t, f, nil)
		f.Partition()
		f.Wait(10 * time.Minute)
		if got := f.Peers("oceania-1"); got != 6 {
			t.Errorf("oceania-1 sees %d members of the healed mesh, want 6", got)
		}
		expectStates(t, f, nil)
		if after := since(f); !maps.EqualFunc(before, after, time.Time.Equal) {
			t.Errorf("states began at %v, want still %v", after, before)
		}
	})
}

// TestTenMinutesWithoutCoordinator loses nothing and doubles nothing.
func TestTenMinutesWithoutCoordinator(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, threeRegions())
		f.Wait(5 * time.Minute)
		f.StopCoordinator()
		f.Wait(10 * time.Minute)
		f.StartCoordinator()
		f.Wait(2 * time.Minute)
		expectStates(t, f, nil)
		expectComplete(t, f, 6*len(kinds), 17*time.Minute)
	})
}

// TestReloadReachesEverybody adds a service to a running fleet: the probes look
// at it, it is judged, and the public page shows it. What was there goes on.
func TestReloadReachesEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := threeRegions()
		delete(o.Checks, "smtp")
		f := fleettest.New(t, o)
		f.Wait(5 * time.Minute)
		before := since(f)
		f.Watch("smtp", interval)
		f.Wait(2 * time.Minute)
		expectStates(t, f, nil)
		for series, at := range before {
			if now := since(f)[series]; !now.Equal(at) {
				t.Errorf("%s: state began at %s, want still %s", series, now, at)
			}
		}
		var page struct {
			Components []struct {
				Name, Status string
				Group        bool
			}
		}
		f.Public("/api/v2/components.json", &page)
		var groups []string
		for _, c := range page.Components {
			if c.Group {
				groups = append(groups, c.Name+" "+c.Status)
			}
		}
		if want := []string{"https operational", "imap operational", "smtp operational"}; !slices.Equal(groups, want) {
			t.Errorf("public services %v, want %v", groups, want)
		}
	})
}

// settling is the time in which a new fleet finds its phases.
const settling = 3 * time.Minute

// expectComplete stops the fleet, which ran for so long, and holds its journal
// against the clock: as many series as there are, in each of them one
// observation an interval from the first interval to the last, and in every epoch
// all of its numbers.
func expectComplete(t *testing.T, f *fleettest.Fleet, series int, ran time.Duration) {
	t.Helper()
	until := time.Now()
	numbers, runs := map[wire.Source][]uint64{}, map[string][]time.Time{}
	f.Journal(func(b wire.Batch) {
		source := wire.Source{Probe: b.Probe, Epoch: b.Epoch}
		for _, r := range b.Records {
			if r.Gap != nil {
				t.Errorf("%v: gap %+v", source, *r.Gap)
				continue
			}
			numbers[source] = append(numbers[source], r.Observation.Seq)
			if at := r.Observation.Scheduled; at.Before(until) {
				runs[b.Probe+"/"+r.Observation.Check] = append(runs[b.Probe+"/"+r.Observation.Check], at)
			}
		}
	})
	total := 0
	for source, list := range numbers {
		total += len(list)
		for i, n := range list {
			if n != uint64(i)+1 {
				t.Fatalf("%v: record %d has number %d", source, i+1, n)
			}
		}
	}
	if len(runs) != series {
		t.Errorf("%d series in the journal, want %d", len(runs), series)
	}
	for name, list := range runs {
		expectEvery(t, name, list, until.Add(-ran), until)
	}
	t.Logf("%d observations of %d series, each once", total, len(runs))
}

// expectEvery wants the runs of one series to be an interval apart from the first
// to the last one, but while the fleet finds its phases.
func expectEvery(t *testing.T, name string, list []time.Time, from, until time.Time) {
	t.Helper()
	if first, last := list[0], list[len(list)-1]; first.Sub(from) > interval || until.Sub(last) > interval {
		t.Errorf("%s: runs from %s to %s, want some from %s to %s", name, first, last, from, until)
	}
	for i := 1; i < len(list); i++ {
		d := list[i].Sub(list[i-1])
		if d < interval/2 || d > interval*3/2 || d != interval && list[i].Sub(from) > settling {
			t.Errorf("%s: %s from %s to the next run, want %s", name, d, list[i-1], interval)
		}
	}
}

// expectStates compares all verdicts; what is not named is up.
func expectStates(t *testing.T, f *fleettest.Fleet, others map[string]string) {
	t.Helper()
	got := map[string]string{}
	for _, v := range f.Verdicts() {
		got[v.Check+"/"+v.Region] = v.State
	}
	for _, k := range kinds {
		for _, r := range regions {
			want := others[k+"/"+r]
			if want == "" {
				want = "up"
			}
			if got[k+"/"+r] != want {
				t.Errorf("%s: %s in %s is %q, want %q", time.Now().Format(time.TimeOnly), k, r, got[k+"/"+r], want)
			}
		}
	}
}

func since(f *fleettest.Fleet) map[string]time.Time {
	out := map[string]time.Time{}
	for _, v := range f.Verdicts() {
		out[v.Check+"/"+v.Region] = v.Since
	}
	return out
}

// nextQuiet is a moment, soon, at which no run of the fleet is under way.
func nextQuiet(t *testing.T, f *fleettest.Fleet) time.Time {
	t.Helper()
	var busy []time.Time
	for _, k := range kinds {
		for _, r := range regions {
			busy = append(busy, scheduledAfter(t, f, k, r, time.Now())...)
		}
	}
	slices.SortFunc(busy, time.Time.Compare)
	for i := 1; i < len(busy); i++ {
		if busy[i].Sub(busy[i-1]) > 200*time.Millisecond {
			return busy[i].Add(-100 * time.Millisecond)
		}
	}
	t.Fatal("the fleet is never quiet")
	return time.Time{}
}

// scheduledAfter are the next runs of a check in a region, two of each probe,
// worked out from the newest that the journal has.
func scheduledAfter(t *testing.T, f *fleettest.Fleet, check, region string, at time.Time) []time.Time {
	t.Helper()
	newest := map[string]time.Time{}
	for _, o := range f.Observations(time.Time{}, at, url.Values{"check": {check}, "region": {region}}) {
		if o.Trigger == checks.Scheduled && o.Scheduled.After(newest[o.Probe]) {
			newest[o.Probe] = o.Scheduled
		}
	}
	if len(newest) != 2 {
		t.Fatalf("observations of %d probes of %s in %s before %s, want 2", len(newest), check, region, at)
	}
	var out []time.Time
	for _, next := range newest {
		for !next.After(at) {
			next = next.Add(interval)
		}
		out = append(out, next, next.Add(interval))
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}
