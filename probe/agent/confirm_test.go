package agent

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/probe/internal/confirm"
	"varde/proto/wire"
)

// every30s has the station's check looked at every 30 s.
func every30s(p *wire.Plan) { p.Checks[0].Every = 30 * time.Second }

// greets is a mail server that answers without a login.
func greets() []ct.Step {
	return []ct.Step{ct.Send("220 hi\r\n"), ct.Expect("EHLO "), ct.Send("250 hi\r\n"), ct.Expect("QUIT"), ct.Send("221 bye\r\n")}
}

// shape is what was looked at, when after the first of them, and what came of it.
func shape(all []checks.Observation) string {
	var out []string
	for _, o := range all {
		out = append(out, strings.Join([]string{
			o.Trigger.String(), o.Started.Sub(all[0].Started).Round(time.Millisecond).String(), o.Elapsed.Round(time.Millisecond).String(), string(o.Class),
		}, " "))
	}
	return strings.Join(out, ", ")
}

// TestFailureIsLookedAtAgain at once, and a silent one before its time is up.
func TestFailureIsLookedAtAgain(t *testing.T) {
	for name, c := range map[string]struct {
		steps []ct.Step
		want  string
	}{
		"refused": {nil, "schedule 0s 0s connect_refused, confirm 0s 0s connect_refused"},
		"silent":  {[]ct.Step{ct.Silence()}, "schedule 0s 5s greeting_timeout, confirm 1s 5s greeting_timeout"},
		"up":      {greets(), "schedule 0s 0s "},
		"slow, and gets on": {
			append([]ct.Step{ct.Wait(900 * time.Millisecond), ct.Send("2"), ct.Wait(900 * time.Millisecond), ct.Send("20 hi\r\n")}, greets()[1:]...),
			"schedule 0s 1.8s ",
		},
		"stuck, and then up": {
			append([]ct.Step{ct.Wait(1500 * time.Millisecond)}, greets()...), "schedule 0s 1.5s , confirm 1s 1.5s ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStation(t, every30s)
				if c.steps != nil {
					s.Play(t, ":25", c.steps...)
				}
				a := s.run(t)
				for len(s.spooled(t, a)) == 0 {
					time.Sleep(time.Second)
				}
				time.Sleep(10 * time.Second)
				all := s.spooled(t, a)
				slices.SortStableFunc(all, func(x, y checks.Observation) int { return x.Started.Compare(y.Started) })
				if got := shape(all); got != c.want {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		})
	}
}

// TestHintIsObeyed within the bounds, and by nobody without consent.
func TestHintIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, every30s, func(p *wire.Plan) {
			p.Roster = []wire.RosterEntry{{Name: "osl-1", Region: "eu-north"}, {Name: "osl-2", Region: "eu-north"}, {Name: "nyc-1", Region: "us-east"}}
			shy := p.Checks[0]
			shy.ID, shy.Consent, shy.Every = "shy", false, 180*time.Second
			p.Checks = append(p.Checks, shy)
		})
		s.Play(t, ":25", greets()...)
		a := s.run(t)
		time.Sleep(time.Minute)
		confirms := func() int {
			synctest.Wait()
			return len(s.spooled(t, a)) - len(s.onSchedule(t, a))
		}
		say := func(change func(*wire.Hint)) {
			h := wire.Hint{Check: "smtp", Family: checks.IPv4, Asker: "osl-2", Asked: []string{"osl-1"}, At: time.Now(), ID: 1}
			change(&h)
			b, err := wire.MarshalHint(h)
			if err != nil {
				t.Fatal(err)
			}
			a.hinted(b)
		}
		for _, change := range []func(*wire.Hint){
			func(h *wire.Hint) { h.Check = "nothing" }, func(h *wire.Hint) { h.Check = "shy" },
			func(h *wire.Hint) { h.Family = checks.IPv6 }, func(h *wire.Hint) { h.Asker = "nyc-1" },
			func(h *wire.Hint) { h.Asked = []string{"osl-3"} },
		} {
			say(change)
		}
		a.hinted([]byte("nonsense"))
		if n, refused := confirms(), a.confirming.bursts.Counts().Refused; n != 0 || refused != 5 {
			t.Errorf("%d looks, %d refused; want none, and 5", n, refused)
		}
		say(func(*wire.Hint) {})
		say(func(*wire.Hint) {})
		if n := confirms(); n != 1 || a.confirming.run.Load() != 1 {
			t.Errorf("%d looks, %d counted; want one", n, a.confirming.run.Load())
		}
	})
}

// TestBehindLogin: what fails before the login is confirmed without it.
func TestBehindLogin(t *testing.T) {
	with := job{bare: declined{}, target: checks.Target{Kind: checks.IMAP}}
	web := job{bare: declined{}, target: checks.Target{Kind: checks.HTTPS}}
	for _, c := range []struct {
		j     job
		phase checks.Phase
		want  bool
	}{
		{with, checks.TLS, false},
		{with, checks.Capability, false},
		{with, checks.Auth, true},
		{with, checks.Select, true},
		{with, checks.Logout, true},
		{job{}, checks.Auth, false},
		{web, checks.FirstByte, false},
		{web, checks.Auth, true},
	} {
		if got := behindLogin(c.j, c.phase); got != c.want {
			t.Errorf("%s of %s: got %t", c.phase, c.j.target.Kind, got)
		}
	}
}

// TestPanicWhileWatched: a check that panics is not watched any more.
func TestPanicWhileWatched(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, every30s)
		s.network = clumsy{s.network}
		a := s.run(t)
		time.Sleep(5 * time.Minute)
		all := s.spooled(t, a)
		if len(all) != 10 {
			t.Errorf("%d observations, want 10", len(all))
		}
		for _, o := range all {
			if o.Class != checks.OwnError || o.Trigger != checks.Scheduled {
				t.Errorf("got %s %s, want scheduled runs that are our own fault", o.Trigger, o.Class)
			}
		}
	})
}

// TestOwnFaultAsksNobody: what is our own fault is nothing to look at again, once
// that is known.
func TestOwnFaultAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := controlled(t)
		a := s.run(t)
		s.Rule(func(_, _ netip.AddrPort, network string) ct.Effect {
			if network == "tcp" {
				return ct.NoRoute
			}
			return ct.Pass
		})
		time.Sleep(5 * time.Minute)
		if got := a.confirming.bursts.Counts(); got != (confirm.Counts{}) || a.confirming.run.Load() != 0 {
			t.Errorf("counts %+v, %d looks; want nobody asked", got, a.confirming.run.Load())
		}
	})
}
