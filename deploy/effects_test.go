package deploy

import (
	"fmt"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	"varde/deploy/fleettest"
	"varde/deploy/scenario"
)

// TestEffects lets every effect hit every kind of check on which it has a meaning:
// the runs of that kind fail as the effect says, and those of no other.
func TestEffects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := fleettest.Options{Regions: map[string]int{"eu-north": 2}, Checks: map[string]scenario.Check{}}
		for _, kind := range []string{"https", "imap", "smtp", "pop3", "tcp", "dns"} {
			o.Checks[kind] = scenario.Check{Every: interval}
		}
		f := fleettest.New(t, o)
		f.Wait(5 * time.Minute)
		for _, tt := range []struct {
			effect scenario.Effect
			kinds  []string
			class  checks.Class
		}{
			{scenario.ConnectTimeout, []string{"https", "imap", "smtp", "pop3", "tcp"}, checks.ConnectTimeout},
			{scenario.ConnectTimeout, []string{"dns"}, checks.DNSTimeout},
			{scenario.ConnectRefused, []string{"https", "imap", "smtp", "pop3", "tcp"}, checks.ConnectRefused},
			{scenario.ConnectReset, []string{"https", "imap", "smtp", "pop3", "tcp"}, checks.ConnectReset},
			{scenario.TLSStall, []string{"https", "imap", "smtp", "pop3"}, checks.TLSTimeout},
			{scenario.GreetingStall, []string{"imap", "smtp", "pop3", "tcp"}, checks.GreetingTimeout},
			{scenario.GreetingStall, []string{"https"}, checks.CommandTimeout},
			{scenario.AuthStall, []string{"imap", "smtp", "pop3"}, checks.AuthTimeout},
			{scenario.AuthTempfail, []string{"imap", "smtp", "pop3"}, checks.AuthTempfail},
			{scenario.Busy, []string{"imap", "smtp", "pop3"}, checks.Busy},
			{scenario.HTTP503, []string{"https"}, checks.HTTPStatus},
		} {
			for _, kind := range tt.kinds {
				expectEffect(t, f, scenario.Fault{Checks: []string{kind}, Effect: tt.effect}, tt.class)
			}
		}
	})
}

// expectEffect lets a fault last for a while and looks at the scheduled runs.
func expectEffect(t *testing.T, f *fleettest.Fleet, fault scenario.Fault, class checks.Class) {
	t.Helper()
	began, kind := time.Now(), fault.Checks[0]
	f.Hit(fault)
	f.Wait(interval + 10*time.Second)
	f.Heal()
	f.Wait(interval)
	hit := map[string]bool{}
	for _, o := range f.Observations(began, time.Time{}, url.Values{"outcome": {"down"}}) {
		if o.Check != kind || o.Class != class {
			t.Errorf("%s on %s: got %s of %s in %s (%s), want %s", fault.Effect, kind, o.Class, o.Check, o.FailedPhase, o.Detail, class)
		}
		hit[o.Probe] = true
	}
	if len(hit) != 2 {
		t.Errorf("%s on %s: %s failed, want the runs of both probes", fault.Effect, kind, fmt.Sprint(hit))
	}
}

// TestShareOfRuns: a fault that hits a share of the runs hits about so many, and
// slow servers only take longer.
func TestShareOfRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, fleettest.Options{
			Regions: map[string]int{"eu-north": 2}, Checks: map[string]scenario.Check{"https": {Every: 5 * time.Second}}, Plain: true,
		})
		f.Wait(time.Minute)
		for _, tt := range []struct {
			fault   scenario.Fault
			outcome checks.Outcome
			is      func(checks.Observation) bool
		}{
			{scenario.Fault{Effect: scenario.Loss, Share: 0.3}, checks.Down, func(o checks.Observation) bool {
				return o.Class == checks.ConnectTimeout || o.Class == checks.CommandTimeout
			}},
			{scenario.Fault{Effect: scenario.Slow2s, Share: 0.3}, checks.Up, func(o checks.Observation) bool { return o.Elapsed >= 2*time.Second }},
		} {
			began := time.Now()
			f.Hit(tt.fault)
			f.Wait(20 * time.Minute)
			f.Heal()
			f.Wait(time.Minute)
			runs, hit := 0, 0
			for _, o := range f.Observations(began, began.Add(20*time.Minute), nil) {
				if o.Trigger != checks.Scheduled {
					continue
				}
				runs++
				if o.Outcome == tt.outcome && tt.is(o) {
					hit++
				}
			}
			if share := float64(hit) / float64(runs); runs < 400 || share < 0.22 || share > 0.38 {
				t.Errorf("%s: hit %d of %d runs, want three in ten", tt.fault.Effect, hit, runs)
			}
		}
	})
}

// TestSlowUnderTLS: a server that begins two seconds late holds up its own streams and
// nobody else, whatever befalls them meanwhile.
func TestSlowUnderTLS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fleettest.New(t, fleettest.Options{Regions: map[string]int{"eu-north": 2}, Checks: map[string]scenario.Check{"https": {Every: 5 * time.Second}}})
		f.Wait(time.Minute)
		ran := func(faults ...scenario.Fault) (took time.Duration, classes map[checks.Class]bool) {
			began := time.Now()
			for _, fault := range faults {
				f.Hit(fault)
				f.Wait(29 * time.Second)
			}
			f.Heal()
			f.Wait(time.Minute)
			classes = map[checks.Class]bool{}
			for _, o := range f.Observations(began, began.Add(20*time.Second), nil) {
				took, classes[o.Class] = max(took, o.Elapsed), true
			}
			return took, classes
		}
		slow := scenario.Fault{Effect: scenario.Slow2s}
		if took, classes := ran(slow, scenario.Fault{Effect: scenario.OwnNetwork}); took < 2*time.Second || took > 3*time.Second || len(classes) != 1 || !classes[""] {
			t.Errorf("slow: got %v in %s, want it up in two seconds", classes, took)
		}
		if _, classes := ran(scenario.Fault{Effect: scenario.TLSStall}); len(classes) != 1 || !classes[checks.TLSTimeout] {
			t.Errorf("stalled: got %v, want %s", classes, checks.TLSTimeout)
		}
	})
}

// TestLogins: what befalls logins befalls those who log in, and nobody who asks the
// same server and does not.
func TestLogins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := fleettest.Options{Regions: map[string]int{"eu-north": 2}, Checks: map[string]scenario.Check{}}
		for _, kind := range []string{"imap", "smtp", "pop3"} {
			o.Checks[kind] = scenario.Check{Every: interval}
			o.Checks[kind+"-banner"] = scenario.Check{Kind: kind, Every: interval, Login: new(bool)}
		}
		f := fleettest.New(t, o)
		f.Wait(5 * time.Minute)
		for _, tt := range []struct {
			effect  scenario.Effect
			outcome checks.Outcome
		}{{scenario.SlowLogin, checks.Up}, {scenario.AuthStall, checks.Down}} {
			began := time.Now()
			f.Hit(scenario.Fault{Effect: tt.effect})
			f.Wait(interval + 10*time.Second)
			f.Heal()
			f.Wait(interval)
			runs := map[string]int{}
			for _, o := range f.Observations(began, began.Add(interval+10*time.Second), nil) {
				if o.Trigger != checks.Scheduled {
					continue
				}
				runs[o.Check]++
				if o.Check == o.Service && (o.Outcome != tt.outcome || o.Elapsed < 2*time.Second) {
					t.Errorf("%s: got %s %s in %s, want %s in more than two seconds", tt.effect, o.Check, o.Outcome, o.Elapsed, tt.outcome)
				}
				if o.Check != o.Service && (o.Outcome != checks.Up || o.Elapsed > time.Second) {
					t.Errorf("%s: got %s %s in %s, want it up at once", tt.effect, o.Check, o.Outcome, o.Elapsed)
				}
			}
			if len(runs) != len(o.Checks) {
				t.Errorf("%s: got runs of %v, want them of all checks", tt.effect, runs)
			}
		}
	})
}
