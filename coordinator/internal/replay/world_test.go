package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/status"
)

// noon is when every recording of the tests begins.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// memory is a recording in memory.
type memory []checks.Observation

func (m memory) Read(_ context.Context, fn func(*checks.Observation) error) error {
	for k := range m {
		o := m[k]
		if err := fn(&o); err != nil {
			return err
		}
		o = checks.Observation{} // nobody may keep it
	}
	return nil
}

// fleet is what is recorded: checks of one service each, in every region.
type fleet struct {
	checks, regions, probes int
	every                   time.Duration
	families                []checks.Family
}

func (f fleet) policy() Policy {
	c := &history.Config{MinProbes: 2}
	var w incident.World
	for i := range f.regions {
		id := fmt.Sprintf("region-%d", i)
		c.Regions = append(c.Regions, history.Region{ID: id, Weight: float64(i + 1)})
		w.Regions = append(w.Regions, status.Region{ID: id, Name: id, Weight: float64(i + 1)})
	}
	for i := range f.checks {
		id, service := fmt.Sprintf("check-%d", i), fmt.Sprintf("service-%d", i)
		c.Checks = append(c.Checks, history.Check{ID: id, Service: service, Every: f.every})
		w.Services = append(w.Services, incident.Service{ID: service, Name: service})
		w.Checks = append(w.Checks, incident.Check{ID: id, Service: service, Kind: checks.IMAP, Depth: status.Login, Every: f.every})
	}
	return Policy{Fleet: c, World: w}
}

// fails says how the run of a check from a region at a time fails; empty is not at all.
type fails func(check, region, probe int, at time.Time) checks.Class

// run records what a fleet sees for a while, in order of the ends.
func (f fleet) run(length time.Duration, how fails) []checks.Observation {
	var out []checks.Observation
	seq := make(map[string]uint64)
	for tick := time.Duration(0); tick < length; tick += f.every {
		for c := range f.checks {
			for r := range f.regions {
				for p := range f.probes {
					for _, family := range f.families {
						at := noon.Add(tick + f.every*time.Duration(p)/time.Duration(f.probes) + offset(f.every, c, r, p))
						o := f.look(c, r, p, family, at, how)
						seq[o.Probe]++
						o.Seq = seq[o.Probe]
						out = append(out, o)
					}
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b checks.Observation) int { return a.End().Compare(b.End()) })
	return out
}

func (f fleet) look(c, r, p int, family checks.Family, at time.Time, how fails) checks.Observation {
	o := checks.Observation{
		Check: fmt.Sprintf("check-%d", c), Service: fmt.Sprintf("service-%d", c), Region: fmt.Sprintf("region-%d", r),
		Probe: fmt.Sprintf("region-%d-%d", r, p), Family: family, Epoch: "0192f3a1c2d4-9b1c", Plan: 1,
		Scheduled: at, Started: at.Add(time.Millisecond), Every: f.every,
	}
	o.Outcome, o.Elapsed, o.Address = checks.Up, 83*time.Millisecond, fmt.Sprintf("192.0.%d.25:993", c)
	phases := []checks.Phase{checks.Resolve, checks.Connect, checks.TLS, checks.Greeting, checks.Capability, checks.Auth, checks.Select}
	if class := how(c, r, p, at); class != "" {
		o.Outcome, o.Class, o.FailedPhase = class.Outcome(), class, checks.Connect
		phases = phases[:2]
	}
	for i, name := range phases {
		o.Phases = append(o.Phases, checks.PhaseTiming{Name: name, Duration: time.Duration(i+1) * 3100 * time.Microsecond})
	}
	return o
}

// offset spreads checks over the interval, without chance.
func offset(every time.Duration, of ...int) time.Duration {
	h := fnv.New32a()
	fmt.Fprint(h, of)
	return time.Duration(h.Sum32()%1000) * every / 1000 / 10
}

func healthy(int, int, int, time.Time) checks.Class { return "" }

// between fails a check in a region, or in all if that is negative, for a while.
func between(check, region int, from, to time.Duration) fails {
	return func(c, r, _ int, at time.Time) checks.Class {
		if c == check && (region < 0 || r == region) && !at.Before(noon.Add(from)) && at.Before(noon.Add(to)) {
			return checks.ConnectTimeout
		}
		return ""
	}
}

// outcome judges a recording by one policy.
func outcome(t testing.TB, o Options) (Outcome, Read) {
	t.Helper()
	out, read, err := Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return out[0], read
}

func text(t testing.TB, v any) string {
	t.Helper()
	return jsonOf(t, v)
}

// jsonOf writes anything so that it can be compared and read.
func jsonOf(t interface{ Fatal(...any) }, v any) string {
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
