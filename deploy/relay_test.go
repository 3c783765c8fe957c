package deploy

import (
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/deploy/fleettest"
)

// TestRelay cuts a region off from the coordinator for ten minutes. Its records come
// through probes of other regions within half a minute, nothing that is judged
// changes, and afterwards they come by themselves again.
func TestRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, threeRegions())
		f.Wait(5 * time.Minute)
		before := since(f)
		f.Isolate("oceania")
		f.Wait(30 * time.Second)
		for name, p := range f.Probes() {
			if away := p.Region == "oceania"; away != (p.Relay != "") || away && strings.HasPrefix(p.Relay, "oceania-") {
				t.Errorf("%s comes through %q", name, p.Relay)
			}
		}
		for range 19 {
			f.Wait(30 * time.Second)
			expectStates(t, f, nil)
		}
		f.Isolate()
		f.Wait(time.Minute)
		for name, p := range f.Probes() {
			if p.Relay != "" {
				t.Errorf("%s still comes through %q", name, p.Relay)
			}
		}
		if after := since(f); !maps.EqualFunc(before, after, time.Time.Equal) {
			t.Errorf("states began at %v, want still %v", after, before)
		}
		f.Wait(time.Minute)
		expectComplete(t, f, 6*len(kinds), 17*time.Minute)
	})
}
