package plan_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"varde/checks"
	"varde/checks/catalog"
	"varde/coordinator/internal/plan"
	"varde/proto/wire"
)

// asked is a check of a service with a greeting to look at.
func asked(every, timeout time.Duration, consent bool) checks.Target {
	return checks.Target{ID: "imap-a", Service: "imap", Kind: checks.IMAP, URL: "imaps://mail.example.net", Every: every, Timeout: timeout, Consent: consent}
}

func tripping(every, late time.Duration, consent bool) checks.Target {
	return checks.Target{
		ID: "mail-loop", Service: "imap", Kind: checks.RoundTrip, Every: every, Timeout: 30 * time.Second, Consent: consent,
		MailOptions: checks.MailOptions{From: "p@example.net", To: "p@example.net", Late: late},
	}
}

// TestWatchedChecks: how much more often a check is asked while it is watched.
func TestWatchedChecks(t *testing.T) {
	const s, m = time.Second, time.Minute
	for name, c := range map[string]struct {
		target checks.Target
		wanted time.Duration
		want   time.Duration
		limit  string
	}{
		"a third":                       {asked(30*s, 5*s, true), 0, 10 * s, ""},
		"a third in whole seconds":      {asked(50*s, 5*s, true), 0, 17 * s, ""},
		"as wanted":                     {asked(30*s, 5*s, true), 7 * s, 7 * s, ""},
		"never longer":                  {asked(30*s, 5*s, true), 60 * s, 30 * s, ""},
		"the smallest of all":           {asked(12*s, 3*s, true), 0, 5 * s, "no check is asked more often"},
		"its timeout":                   {asked(30*s, 0, true), 5 * s, 10 * s, "not more often than its timeout"},
		"the floor":                     {asked(10*m, 5*s, false), 0, 200 * s, ""},
		"not below the floor":           {asked(6*m, 5*s, false), 0, 180 * s, "not more often without consent of the service"},
		"stays on the floor":            {asked(3*m, 5*s, false), 10 * s, 180 * s, "not more often without consent of the service"},
		"mails":                         {tripping(30*m, 0, true), 0, 10 * m, ""},
		"mails not as often as wanted":  {tripping(30*m, 0, true), 10 * s, 10 * m, "a test mail is sent not more often"},
		"mails every five minutes":      {tripping(12*m, 0, true), 0, 5 * m, "a test mail is sent not more often"},
		"mails that must be late first": {tripping(15*m, 7*m, true), 0, 7*m + 30*s, "a test mail must be late before the next one"},
		"mails without consent":         {tripping(60*m, 0, false), 0, 60 * m, "no more test mails without consent of the service"},
	} {
		in := plan.Input{Checks: []checks.Target{c.target}, Regions: []wire.Region{{ID: "eu-north"}}}
		got, all := in.Watched([]plan.Watch{{Services: []string{"imap"}, Every: c.wanted}})
		want := []plan.Watched{{Check: c.target.ID, Own: c.target.Every, Every: c.want, Others: 5, Limit: c.limit}}
		if diff := cmp.Diff(want, all); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got.Checks[0].Every != c.want || got.Checks[0].Others() != 5 || in.Checks[0].Every != c.target.Every || in.Checks[0].Confirm != nil {
			t.Errorf("%s: got every %s and %d others, and before every %s", name, got.Checks[0].Every, got.Checks[0].Others(), in.Checks[0].Every)
		}
	}
}

// TestWatchesAreAbout their services only, and the most that one of them wants is done.
func TestWatchesAreAboutTheirServices(t *testing.T) {
	web := asked(60*time.Second, 5*time.Second, true)
	web.ID, web.Service = "web", "web"
	in := plan.Input{Checks: []checks.Target{asked(30*time.Second, 5*time.Second, true), web}}
	for _, c := range []struct {
		watches   []plan.Watch
		imap, web time.Duration
	}{
		{nil, 30 * time.Second, time.Minute},
		{[]plan.Watch{{Services: []string{"dav"}}}, 30 * time.Second, time.Minute},
		{[]plan.Watch{{Services: []string{"web"}}}, 30 * time.Second, 20 * time.Second},
		{[]plan.Watch{{Services: []string{"imap", "web"}, Every: 15 * time.Second}, {Services: []string{"imap"}}}, 10 * time.Second, 15 * time.Second},
		{[]plan.Watch{{Services: []string{"imap"}}, {Services: []string{"imap"}, Every: 15 * time.Second}}, 10 * time.Second, time.Minute},
	} {
		got, _ := in.Watched(c.watches)
		if got.Checks[0].Every != c.imap || got.Checks[1].Every != c.web {
			t.Errorf("%+v: got %s and %s, want %s and %s", c.watches, got.Checks[0].Every, got.Checks[1].Every, c.imap, c.web)
		}
	}
}

func TestWatchAsksMoreOthers(t *testing.T) {
	for own, want := range map[checks.Others]int{0: 0, 1: 5, 3: 5, 5: 5, 7: 7} {
		target := asked(30*time.Second, 5*time.Second, true)
		target.Confirm = new(own)
		in := plan.Input{Checks: []checks.Target{target}}
		got, all := in.Watched([]plan.Watch{{Services: []string{"imap"}}})
		if got.Checks[0].Others() != want || all[0].Others != want || in.Checks[0].Others() != int(own) {
			t.Errorf("%d: got %d, said %d, want %d", own, got.Checks[0].Others(), all[0].Others, want)
		}
	}
}

// TestWatchedLoginsStay: a watch never makes that fewer probes log in.
func TestWatchedLoginsStay(t *testing.T) {
	for name, c := range map[string]struct {
		probes int // of each of three regions
		change func(*world)
		every  time.Duration
		limit  string
	}{
		"one of each region":   {1, func(*world) {}, 10 * time.Second, ""},
		"two of each region":   {2, func(*world) {}, 20 * time.Second, "6 probes log in with one account, which has 3 connections at once"},
		"as many as there may": {3, func(*world) {}, 30 * time.Second, "9 probes log in with one account, which has 3 connections at once"},
		"more than there may":  {4, func(*world) {}, 30 * time.Second, "9 probes log in with one account, which has 3 connections at once"},
		"two checks of one account": {1, func(w *world) {
			again := w.in.Checks[0].Clone()
			again.ID, again.Service = "again", "other"
			w.in.Checks = append(w.in.Checks, again)
		}, 20 * time.Second, "3 probes log in with one account, which has 3 connections at once"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.fleet(t, c.probes, "a", "b", "c")
			w.in.Checks[0].Consent = true
			c.change(w)
			m := w.open(t)
			before := w.loginProbes(t, m)
			in, all := w.in.Watched([]plan.Watch{{Services: []string{"imap"}}})
			if all[0].Every != c.every || all[0].Limit != c.limit {
				t.Errorf("got every %s, %q, want %s, %q", all[0].Every, all[0].Limit, c.every, c.limit)
			}
			w.in = in
			if after := w.loginProbes(t, m); !slices.Equal(after, before) {
				t.Errorf("%q log in, before it were %q", after, before)
			}
		})
	}
}

// TestWatchSparesOthersServers: a round trip with consent that shares its account with
// one without is not asked so often that fewer probes may send.
func TestWatchSparesOthersServers(t *testing.T) {
	w := newWorld(t)
	w.fleet(t, 2, "a")
	w.mails(40*time.Minute, true)
	shared := w.in.Checks[0].Clone()
	shared.ID, shared.Service, shared.Consent = "shared", "other", false
	w.in.Checks = append(w.in.Checks, shared)
	before := plan.LoginProbes(w.in)
	in, all := w.in.Watched([]plan.Watch{{Services: []string{w.in.Checks[0].Service}, Every: time.Minute}})
	want := plan.Watched{
		Check: "mail-loop", Own: 40 * time.Minute, Every: 20 * time.Minute, Others: 5,
		Limit: "2 probes send mail with one account, together one every 10m0s at most without consent of the service",
	}
	if diff := cmp.Diff([]plan.Watched{want}, all); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, plan.LoginProbes(in)); diff != "" {
		t.Errorf("who sends (-before +watched):\n%s", diff)
	}
}

// TestWatchedLaw: whatever is wanted, a check that may be asked may be asked while it
// is watched, as often at least and by as many, and nothing else of it changes.
func TestWatchedLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seconds := func(label string, low, high int) time.Duration {
			return time.Duration(rapid.IntRange(low, high).Draw(t, label)) * time.Second
		}
		in := plan.Input{MinProbes: 2}
		for _, r := range []string{"a", "b"} {
			in.Regions = append(in.Regions, wire.Region{ID: r})
			for i := range rapid.IntRange(0, 6).Draw(t, "probes") {
				in.Probes = append(in.Probes, plan.Probe{RosterEntry: wire.RosterEntry{Name: r + "-" + string(rune('0'+i)), Region: r}})
			}
		}
		for i := range rapid.IntRange(1, 4).Draw(t, "checks") {
			c := asked(seconds("every", 5, 3600), 0, rapid.Bool().Draw(t, "consent"))
			c.ID += string(rune('0' + i))
			if c.Timeout = min(seconds("timeout", 1, 60), c.Every); rapid.Bool().Draw(t, "login") {
				c.Login = &checks.Login{User: rapid.SampledFrom([]string{"u", "v"}).Draw(t, "user"), Password: checks.Secret{Name: "p"}}
			}
			if rapid.Bool().Draw(t, "trip") {
				login := &checks.Login{User: "u", Password: checks.Secret{Name: "p"}}
				c = tripping(seconds("every", 600, 7200), seconds("late", 30, 570), c.Consent)
				c.ID += string(rune('0' + i))
				c.Submit, c.Receive = &checks.Leg{URL: "smtps://mail.example.net", Login: login}, &checks.Leg{URL: "imaps://mail.example.net", Login: login}
			}
			if c.Every = max(c.Every, c.Floor()); catalog.Validate(c) == nil {
				in.Checks = append(in.Checks, c)
			}
		}
		got, all := in.Watched([]plan.Watch{{Services: []string{"imap"}, Every: seconds("wanted", 0, 1) * seconds("to", 5, 3600) / time.Second}})
		if len(all) != len(in.Checks) {
			t.Fatalf("%d of %d are watched", len(all), len(in.Checks))
		}
		before, after := plan.LoginProbes(in), plan.LoginProbes(got)
		for i, c := range got.Checks {
			own := in.Checks[i]
			if err := catalog.Validate(c); err != nil || c.Every > own.Every || c.Every < c.Floor() {
				t.Errorf("%s of %s becomes %s: %v", c.Kind, own.Every, c.Every, err)
			}
			if len(after[c.ID]) < len(before[c.ID]) {
				t.Errorf("%s: %d log in, before it were %d", c.ID, len(after[c.ID]), len(before[c.ID]))
			}
			c.Every, c.Confirm = own.Every, own.Confirm
			if diff := cmp.Diff(own, c); diff != "" {
				t.Errorf("(-before +watched):\n%s", diff)
			}
		}
	})
}
