package deploy

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	"varde/deploy/fleettest"
	"varde/deploy/scenario"
	"varde/proto/wire"
)

// soon is how long a request may take to become a look.
const soon = 250 * time.Millisecond

// oneRegion is a fleet of one region, with one check of the kind every 30 s.
func oneRegion(probes int, kind string) fleettest.Options {
	return fleettest.Options{
		Regions: map[string]int{"eu-north": probes}, Checks: map[string]scenario.Check{kind: {Every: 30 * time.Second}}, Plain: true,
	}
}

// looks are those that began since a time, in order; of those that began at the
// same moment, the one on schedule first.
func looks(f *fleettest.Fleet, since time.Time) []checks.Observation {
	out := f.Observations(since, time.Time{}, nil)
	slices.SortStableFunc(out, func(a, b checks.Observation) int {
		return cmp.Or(a.Started.Compare(b.Started), cmp.Compare(a.Trigger, b.Trigger))
	})
	return out
}

// awaitTurn waits until a probe has looked on schedule, and says which and when.
func awaitTurn(t *testing.T, f *fleettest.Fleet) (probe string, at time.Time) {
	t.Helper()
	since := time.Now()
	until(t, f, time.Minute, "a look on schedule", func() bool { return len(looks(f, since)) > 0 })
	first := looks(f, since)[0]
	return first.Probe, first.Started
}

// inShort says who looked when after a time, why, and what came of it; confirming
// looks without their probes, and as late as they may be.
func inShort(all []checks.Observation, after time.Time) string {
	var out []string
	for _, o := range all {
		who, at := o.Probe, o.Started.Sub(after)
		if o.Trigger == checks.Confirm {
			who, at = "confirm", at.Truncate(soon)
		}
		out = append(out, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", who, at.Round(time.Millisecond), o.Elapsed.Round(time.Millisecond), o.Class)))
	}
	return strings.Join(out, "; ")
}

// TestSilenceIsConfirmed: a server that takes connections and falls silent has four
// failures in the journal six seconds after the first look that met it: that one,
// and one of each of the three probes, which were asked after a second. For 20 s
// nobody else is asked.
func TestSilenceIsConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, oneRegion(3, "https"))
		f.Wait(5 * time.Minute)
		first, at := awaitTurn(t, f)
		at = at.Add(30 * time.Second)
		for _, wait := range []time.Duration{0, 3 * time.Second, 7 * time.Second} {
			f.Wait(time.Until(at.Add(wait - 9*time.Second)))
			began := time.Now()
			f.Hit(scenario.Fault{Effect: scenario.GreetingStall})
			f.Wait(time.Until(at.Add(19 * time.Second)))
			f.Heal()
			f.Wait(20 * time.Second)
			failed := slices.DeleteFunc(looks(f, began), isNotDown)
			want := first + " 0s 5s command_timeout; " + strings.Repeat("confirm 1s 5s command_timeout; ", 3)
			got := inShort(failed, at)
			if rest, ok := strings.CutPrefix(got, want); !ok || strings.Contains(rest, "confirm") || len(failed) != 5 || len(byProbe(failed[:4])) != 3 {
				t.Fatalf("got %s\nwant %sand the next on schedule", got, want)
			}
			slices.SortFunc(failed, func(a, b checks.Observation) int { return a.Started.Add(a.Elapsed).Compare(b.Started.Add(b.Elapsed)) })
			fourth := failed[3].Started.Add(failed[3].Elapsed)
			t.Logf("four failures %s after the first silent moment, %s after the first look", fourth.Sub(began).Round(time.Millisecond), fourth.Sub(at).Round(time.Millisecond))
			if fourth.Sub(at) > 6*time.Second+soon {
				t.Errorf("four failures %s after the first look, want 6 s", fourth.Sub(at))
			}
			f.Wait(time.Minute)
			at = at.Add(90 * time.Second)
			for time.Until(at) < 10*time.Second {
				at = at.Add(30 * time.Second)
			}
		}
	})
}

func isNotDown(o checks.Observation) bool { return o.Outcome != checks.Down }

func byProbe(all []checks.Observation) map[string]int {
	out := map[string]int{}
	for _, o := range all {
		out[o.Probe]++
	}
	return out
}

// TestFlakeIsRefuted: what one run alone met is refuted while that run still waits,
// by the probe itself and by the others.
func TestFlakeIsRefuted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, oneRegion(3, "https"))
		f.Wait(5 * time.Minute)
		probe, at := awaitTurn(t, f)
		at = at.Add(30 * time.Second)
		f.Wait(time.Until(at.Add(-time.Second)))
		f.Hit(scenario.Fault{Effect: scenario.GreetingStall})
		f.Wait(1500 * time.Millisecond)
		f.Heal()
		f.Wait(8 * time.Second)
		all := looks(f, at.Add(-time.Second))
		want := probe + " 0s 5s command_timeout" + strings.Repeat("; confirm 1s 0s", 3)
		if got := inShort(all, at); got != want || len(byProbe(all)) != 3 {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		if state := f.State("https", "eu-north"); state != "up" {
			t.Errorf("got %s, want up", state)
		}
	})
}

// TestFailedLoginAsksOne: a login that fails is tried by one other probe, and a
// server that does not come that far by all, who do not log in for it.
func TestFailedLoginAsksOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, oneRegion(3, "imap"))
		f.Wait(5 * time.Minute)
		for _, tt := range []struct {
			effect scenario.Effect
			want   string
		}{
			{scenario.AuthTempfail, " 0s 0s auth_tempfail; confirm 0s 0s auth_tempfail"},
			{scenario.AuthStall, " 0s 5s auth_timeout; confirm 1s 5s auth_timeout"},
			{scenario.Busy, " 0s 0s busy" + strings.Repeat("; confirm 0s 0s busy", 3)},
			{scenario.ConnectTimeout, " 0s 4s connect_timeout" + strings.Repeat("; confirm 1s 4s connect_timeout", 3)},
		} {
			probe, at := awaitTurn(t, f)
			at = at.Add(30 * time.Second)
			f.Wait(time.Until(at.Add(-time.Second)))
			f.Hit(scenario.Fault{Effect: tt.effect})
			f.Wait(9 * time.Second)
			f.Heal()
			if got := inShort(looks(f, at.Add(-time.Second)), at); got != probe+tt.want {
				t.Errorf("%s: got %s, want %s", tt.effect, got, probe+tt.want)
			}
			f.Wait(2 * time.Minute)
		}
	})
}

// TestOnlyThoseWhoMayLogInAreAsked: where not all probes have the password, the
// others are not asked about what they do not look at.
func TestOnlyThoseWhoMayLogInAreAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := oneRegion(9, "imap")
		o.Checks["imap"] = scenario.Check{Every: 10 * time.Second}
		f := fleettest.New(t, o)
		f.Wait(5 * time.Minute)
		if who := byProbe(looks(f, time.Now().Add(-time.Minute))); len(who) != 6 {
			t.Fatalf("%v log in, want six", who)
		}
		for range 3 {
			probe, at := awaitTurn(t, f)
			at = at.Add(10 * time.Second)
			f.Wait(time.Until(at.Add(-500 * time.Millisecond)))
			f.Hit(scenario.Fault{Effect: scenario.Busy})
			f.Wait(time.Second)
			f.Heal()
			f.Wait(time.Minute)
			failed := slices.DeleteFunc(looks(f, at.Add(-500*time.Millisecond)), isNotDown)
			want := probe + " 0s 0s busy" + strings.Repeat("; confirm 0s 0s busy", 4)
			if got := inShort(failed, at); got != want || len(byProbe(failed)) != 4 {
				t.Errorf("got %s, want %s", got, want)
			}
		}
		for name, p := range f.Probes() {
			if p.Counts.ConfirmsRefused > 0 {
				t.Errorf("%s refused %d requests", name, p.Counts.ConfirmsRefused)
			}
		}
	})
}

// TestRoundTripIsNotConfirmed: nobody sends a mail because another did not arrive.
func TestRoundTripIsNotConfirmed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := oneRegion(3, "roundtrip")
		o.Checks["roundtrip"] = scenario.Check{Every: 5 * time.Minute}
		f := fleettest.New(t, o)
		f.Wait(5 * time.Minute)
		began := time.Now()
		f.Hit(scenario.Fault{Effect: scenario.ConnectRefused})
		f.Wait(20 * time.Minute)
		failed := 0
		for _, o := range looks(f, began) {
			if o.Trigger != checks.Scheduled {
				t.Errorf("%s by %s at %s", o.Trigger, o.Probe, o.Started)
			}
			if o.Outcome == checks.Down {
				failed++
			}
		}
		if failed < 6 {
			t.Errorf("%d failed, want some", failed)
		}
	})
}

// TestNoisyDayCostsLittle: where one run in a hundred fails for no reason, looking
// again costs less than one run in twenty, in a region of nine, where all four looks
// of a burst can be had.
func TestNoisyDayCostsLittle(t *testing.T) {
	length := min(3*time.Hour, 3*playable())
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, oneRegion(9, "https"))
		f.Wait(5 * time.Minute)
		began := time.Now()
		f.Hit(scenario.Fault{Effect: scenario.Loss, Share: 0.01})
		f.Wait(length)
		f.Heal()
		f.Wait(time.Minute)
		scheduled, failed, confirms := 0, 0, 0
		f.Journal(func(b wire.Batch) {
			for _, r := range b.Records {
				switch o := r.Observation; {
				case !r.IsObservation() || o.Started.Before(began):
				case o.Trigger == checks.Confirm:
					confirms++
				case o.Outcome == checks.Down:
					failed++
					fallthrough
				default:
					scheduled++
				}
			}
		})
		t.Logf("%s: %d runs on schedule, %d of them failed, %d looks again: %.1f %%", length, scheduled, failed, confirms, 100*float64(confirms)/float64(scheduled))
		if failed == 0 || confirms > 4*failed || confirms < 3*failed {
			t.Errorf("%d looks again after %d failures, want about four after each", confirms, failed)
		}
		if length == 3*time.Hour && 20*confirms >= scheduled {
			t.Errorf("%d looks again beside %d, want less than one in twenty", confirms, scheduled)
		}
	})
}
