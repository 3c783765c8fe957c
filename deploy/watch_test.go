package deploy

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	"varde/deploy/fleettest"
	"varde/deploy/scenario"
)

// until looks every second until it is so, and returns how long that took; the
// test fails when it takes longer than within.
func until(t *testing.T, f *fleettest.Fleet, within time.Duration, what string, so func() bool) time.Duration {
	t.Helper()
	for begin := time.Now(); ; f.Wait(time.Second) {
		if so() {
			return time.Since(begin)
		}
		if time.Since(begin) >= within {
			t.Fatalf("%s: not within %s", what, within)
		}
	}
}

// TestOwnNetworkIsShown: a probe whose own network dies is not fit to judge, and
// everybody who asks the coordinator is told so within 30 s of its next words, and
// again when it is well. Its region is not blamed.
func TestOwnNetworkIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, threeRegions())
		f.Wait(3 * time.Minute)
		if p := f.Probes()["us-east-1"]; p.Qualified != nil || p.Counts.Runs == 0 || len(p.Faults) > 0 {
			t.Errorf("before: %+v, want nothing to tell", p)
		}
		unfit := func() bool { p := f.Probes()["us-east-1"]; return p.Qualified != nil && !*p.Qualified }
		fit := func() bool { p := f.Probes()["us-east-1"]; return p.Qualified != nil && *p.Qualified }

		// The coordinator is still reached: its words come at once.
		world := append(slices.Clone(kinds), fleettest.Control)
		f.Hit(scenario.Fault{Probes: []string{"us-east-1"}, Checks: world, Effect: scenario.ConnectTimeout})
		took := until(t, f, interval+30*time.Second, "the world is gone", unfit)
		t.Logf("not qualified %s after its world is gone", took)
		p := f.Probes()["us-east-1"]
		if p.State != "connected" || p.Reason != "0 of 3 controls answer over ipv4" {
			t.Errorf("got %+v, want a connected probe and its reason", p)
		}
		for path, words := range map[string]string{
			"/":                "not fit to judge",
			"/probes":          "0 of 3 controls answer over ipv4",
			"/probe/us-east-1": "us-east-1: connected, not fit to judge",
			"/metrics":         `varde_probe_qualified{probe="us-east-1",region="us-east"} 0`,
		} {
			if text, _ := f.Text(path); !strings.Contains(text, words) {
				t.Errorf("%s lacks %q", path, words)
			}
		}
		f.Heal()
		until(t, f, 30*time.Second, "the world is back", fit)

		// Nobody is reached: it says so when it is back.
		f.Hit(scenario.Fault{Probes: []string{"us-east-1"}, Effect: scenario.OwnNetwork})
		until(t, f, 2*time.Minute, "cut off", func() bool { return f.Probes()["us-east-1"].State == "silent" })
		f.Wait(3 * time.Minute)
		f.Heal()
		until(t, f, 2*time.Minute, "back", func() bool { return f.Probes()["us-east-1"].State == "connected" })
		until(t, f, 30*time.Second, "its next words", func() bool { return f.Probes()["us-east-1"].Counts.Disqualified > p.Counts.Disqualified })
		until(t, f, 30*time.Second, "well again", fit)
		f.Wait(3 * time.Minute)
		expectStates(t, f, nil)
		if text, _ := f.Text("/"); strings.Contains(text, `<span class="s-down">down</span>`) || strings.Contains(text, "not fit to judge") {
			t.Error("a change to down, or a notice that is over, stands on the overview")
		}
	})
}

// TestEndOfAnOutage: a run that begins half a second before its probe's uplink is back
// is as good as the controls that are asked after it.
func TestEndOfAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, threeRegions())
		f.Wait(3 * time.Minute)
		run := scheduledAfter(t, f, "imap", "us-east", time.Now())[2]
		f.Wait(time.Until(run) - 10*time.Millisecond)
		f.Hit(scenario.Fault{Regions: []string{"us-east"}, Effect: scenario.OwnNetwork})
		f.Wait(510 * time.Millisecond)
		f.Heal()
		f.Wait(time.Minute)
		all := f.Observations(time.Time{}, time.Time{}, url.Values{"check": {"imap"}, "region": {"us-east"}})
		i := slices.IndexFunc(all, func(o checks.Observation) bool { return o.Scheduled.Equal(run) })
		if i < 0 {
			t.Fatalf("no run at %s", run)
		}
		if o := all[i]; o.Outcome != checks.Up || o.Elapsed < time.Second || o.Elapsed > 2*time.Second {
			t.Errorf("got %s after %s (%s), want it up after a second", o.Outcome, o.Elapsed, o.Detail)
		}
	})
}

// TestBlockedUDPIsShown: the operator of a probe whose firewall lets TCP pass only is
// told so within seconds of its noticing, and what to do; nobody else is.
func TestBlockedUDPIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := threeRegions()
		o.Brisk = true
		f := fleettest.New(t, o)
		f.Wait(3 * time.Minute)
		f.BlockUDP("us-east-1")
		// It notices half a minute after the last datagram.
		took := until(t, f, 40*time.Second, "blocked", func() bool { return len(f.Probes()["us-east-1"].Faults) > 0 })
		t.Logf("told %s after it was blocked", took)
		if got := f.Probes()["us-east-1"].Faults; len(got) != 1 || got[0] != "udp_blocked" {
			t.Errorf("got %q", got)
		}
		const advice = "open UDP 7946 in the firewall"
		for _, path := range []string{"/", "/probe/us-east-1"} {
			if text, _ := f.Text(path); !strings.Contains(text, advice) {
				t.Errorf("%s lacks %q", path, advice)
			}
		}
		if text, _ := f.Text("/probe/us-east-2"); strings.Contains(text, advice) {
			t.Error("us-east-2 is said to be blocked")
		}
	})
}

// TestCountersBeginAnew: what a probe counts begins at zero with its program, and
// what the coordinator shows of it goes on when the coordinator is started anew.
func TestCountersBeginAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, threeRegions())
		f.Wait(10 * time.Minute)
		runs := func() float64 {
			text, _ := f.Text("/metrics")
			return samples(t, text)[`varde_probe_runs_total{probe="us-east-1",region="us-east"}`]
		}
		before := runs()
		f.StopCoordinator()
		f.StartCoordinator()
		f.Wait(time.Minute)
		after := runs()
		f.StopProbe("us-east-1")
		f.StartProbe("us-east-1")
		f.Wait(time.Minute)
		if anew := runs(); before < 50 || after < before || anew == 0 || anew > 10 {
			t.Errorf("got %v runs, %v after the coordinator's start, %v after its own", before, after, anew)
		}
	})
}
