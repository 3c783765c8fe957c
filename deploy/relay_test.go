package deploy

import (
	"maps"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/deploy/fleettest"
)

// ways are by which peer each probe's records come; empty for by themselves.
func ways(f *fleettest.Fleet) map[string]string {
	var list []struct{ Name, Relay string }
	f.Get("/api/v1/probes", &list)
	out := map[string]string{}
	for _, p := range list {
		out[p.Name] = p.Relay
	}
	return out
}

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
		for name, relay := range ways(f) {
			if away := strings.HasPrefix(name, "oceania-"); away != (relay != "") || away && strings.HasPrefix(relay, "oceania-") {
				t.Errorf("%s comes through %q", name, relay)
			}
		}
		for range 19 {
			f.Wait(30 * time.Second)
			expectStates(t, f, nil)
		}
		f.Isolate()
		f.Wait(time.Minute)
		for name, relay := range ways(f) {
			if relay != "" {
				t.Errorf("%s still comes through %q", name, relay)
			}
		}
		if after := since(f); !maps.EqualFunc(before, after, time.Time.Equal) {
			t.Errorf("states began at %v, want still %v", after, before)
		}
		f.Wait(time.Minute)
		expectComplete(t, f, 6*len(kinds), 17*time.Minute)
	})
}
