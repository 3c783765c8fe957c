package deploy

import (
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	"varde/deploy/fleettest"
	"varde/deploy/scenario"
)

// TestClocks: a clock that is 20 s off is measured and what its probe saw is dated
// right; of one that is 90 s off nothing is believed, and nobody is blamed.
func TestClocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, fleettest.Options{
			Regions: map[string]int{"eu-north": 4}, Checks: map[string]scenario.Check{"https": {Every: interval}}, Plain: true,
		})
		f.Wait(5 * time.Minute)
		off := map[string]time.Duration{"eu-north-1": 20 * time.Second, "eu-north-2": -20 * time.Second, "eu-north-3": 90 * time.Second}
		for name, by := range off {
			f.Hit(scenario.Fault{Probes: []string{name}, Clock: scenario.Skew(by)})
		}
		f.Wait(10 * time.Minute)
		from := time.Now()
		f.Wait(10 * time.Minute)
		for name, p := range f.Probes() {
			if want := float64(off[name].Milliseconds()); p.ClockOffset == nil || *p.ClockOffset != want {
				t.Errorf("clock of %s: got %v, want it %s off", name, p.ClockOffset, off[name])
			}
			seen := f.Observations(from, time.Now(), url.Values{"probe": {name}})
			if len(seen) < 19 || len(seen) > 20 {
				t.Errorf("%s: got %d runs in 10 minutes, want 20", name, len(seen))
			}
			want := checks.Up
			if off[name] > time.Minute {
				want = checks.Unknown
			}
			for i, o := range seen {
				if o.Outcome != want || o.Started.Before(from) || i > 0 && seen[i-1].Started.Sub(o.Started) != interval {
					t.Errorf("%s: got %s at %s, want %s every %s after %s", name, o.Outcome, o.Started, want, interval, from)
				}
			}
		}
		if state := f.State("https", "eu-north"); state != "up" {
			t.Errorf("got %s, want up", state)
		}
	})
}
