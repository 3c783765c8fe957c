package deploy

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	"varde/deploy/fleettest"
	"varde/deploy/scenario"
)

// probeTimeout is how long the checks of a fleet wait for an answer.
const probeTimeout = 5 * time.Second

// bound is how long detection may take, in parts of the least that it can.
const bound = 1.2

// TestDetection makes one outage after the other and says how long it takes from
// their first moment to the region's verdict. The connection comes about and
// nothing more, so every run takes as long as it may. In the worst case no probe
// looks for an interval divided by their number: the 99th percentile is to be
// within a fifth of that and the timeout.
func TestDetection(t *testing.T) {
	for _, tt := range []struct {
		probes, needed int
		every          time.Duration
	}{
		{10, 3, 30 * time.Second},
		{3, 2, 30 * time.Second},
		{3, 2, 60 * time.Second},
	} {
		t.Run(fmt.Sprintf("%d probes every %s", tt.probes, tt.every), func(t *testing.T) {
			t.Parallel()
			var delays []time.Duration
			synctest.Test(t, func(t *testing.T) {
				delays = outages(t, fleettest.Options{
					Regions: map[string]int{"eu-north": tt.probes}, Checks: map[string]scenario.Check{"https": {Every: tt.every}},
					Plain: true, MinProbes: tt.needed,
				})
			})
			floor := time.Duration(0.99*float64(tt.every)/float64(tt.probes)) + probeTimeout
			p50, p99 := scenario.Percentile(delays, 0.5), scenario.Percentile(delays, 0.99)
			t.Logf("%d outages: p50 %s, p99 %s, floor %s", len(delays), p50, p99, floor)
			if p99 > time.Duration(bound*float64(floor)) {
				t.Errorf("p99 is %s, want at most %.1f times %s", p99, bound, floor)
			}
		})
	}
}

// outages plays a fleet with outages that are over in between, and returns how
// long each took to be told.
func outages(t *testing.T, o fleettest.Options) (delays []time.Duration) {
	f := fleettest.New(t, o)
	f.Wait(10 * time.Minute)
	every, chance := o.Checks["https"].Every, scenario.Scenario{}.Chance("outages")
	for range playedOutages() {
		f.Wait(time.Duration(chance.Float64() * float64(every)))
		began := time.Now()
		f.Hit(scenario.Fault{Effect: scenario.GreetingStall})
		f.Wait(every + 30*time.Second)
		f.Heal()
		f.Wait(2*every + time.Minute) // what was seen of it counts no longer
		delays = append(delays, f.Told("https", "eu-north", checks.IPv4, scenario.Down, began).Sub(began))
	}
	if slices.Min(delays) <= 0 {
		t.Errorf("detected before it began: %s", slices.Min(delays))
	}
	return delays
}
