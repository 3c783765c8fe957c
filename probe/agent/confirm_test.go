package agent

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/probe/internal/confirm"
	"varde/probe/internal/schedule"
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
	with := job{bare: declined{}, target: &checks.Target{Kind: checks.IMAP}}
	web := job{bare: declined{}, target: &checks.Target{Kind: checks.HTTPS}}
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

// TestDisqualifiedAsksNobody: what does not get on is nothing to ask others about
// while the probe knows that it is not fit to judge.
func TestDisqualifiedAsksNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := controlled(t)
		a := s.run(t)
		s.Rule(func(_, _ netip.AddrPort, network string) ct.Effect {
			if network == "tcp" {
				return ct.Drop
			}
			return ct.Pass
		})
		time.Sleep(5*time.Minute + 15*time.Second)
		synctest.Wait()
		// The first attempt hesitates before the controls have been asked.
		if got := a.confirming.run.Load(); got != 1 || len(s.onSchedule(t, a)) < 10 {
			t.Errorf("%d looks again, want one", got)
		}
	})
}

// TestDeadFamilyIsNotLookedAt by whoever is asked to, either.
func TestDeadFamilyIsNotLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := controlled(t, func(p *wire.Plan) {
			p.Checks[0].Families = nil
			p.Roster = []wire.RosterEntry{{Name: "osl-1", Region: "eu-north"}, {Name: "osl-2", Region: "eu-north"}}
		})
		s.Play(t, ":25", greets()...)
		a := s.run(t)
		s.Rule(func(_, to netip.AddrPort, network string) ct.Effect {
			if network == "tcp" && to.Addr().Is6() {
				return ct.Drop
			}
			return ct.Pass
		})
		time.Sleep(10 * time.Minute)
		before := a.confirming.run.Load()
		for f, want := range map[checks.Family]uint64{checks.IPv6: 0, checks.IPv4: 1} {
			b, err := wire.MarshalHint(wire.Hint{Check: "smtp", Family: f, Asker: "osl-2", Asked: []string{"osl-1"}, At: time.Now()})
			if err != nil {
				t.Fatal(err)
			}
			a.hinted(b)
			synctest.Wait()
			if got := a.confirming.run.Load() - before; got != want {
				t.Errorf("asked over %s: %d looks, want %d", f, got, want)
			}
			before = a.confirming.run.Load()
		}
	})
}

// TestNotLookedAtAgain: nobody looks out of turn where he or his login was turned
// away, nor while the account is in use. A look without the login minds the server
// alone.
func TestNotLookedAtAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			happens     func(*workload, job)
			login, bare bool // whether the looks are made
		}{
			"nothing":             {func(*workload, job) {}, true, true},
			"the account is used": {func(w *workload, j job) { <-w.account(j.seats[ownLogin]).free }, false, true},
			"the login is left alone": {func(w *workload, j job) {
				for range maxRefused {
					turn, _ := w.enter(t.Context(), j.seats[ownLogin], time.Second)
					w.leave(turn, refused)
				}
			}, false, true},
			"it is left alone elsewhere": {func(w *workload, j job) {
				for range maxRefused {
					turn, _ := w.enter(t.Context(), seat{j.seats[ownLogin].login, place{checks.SMTP, "another.test"}}, time.Second)
					w.leave(turn, refused)
				}
			}, false, true},
			"the door is shut": {func(w *workload, j job) {
				w.answered(j.door(checks.IPv4), checks.Result{Class: checks.Policy}, false)
			}, false, false},
			"another door is shut": {func(w *workload, j job) {
				w.answered(j.door(checks.IPv6), checks.Result{Class: checks.Policy}, false)
			}, true, true},
		} {
			s := newStation(t)
			s.mailbox(t, greeting, func() string { return "OK in" })
			a, target := s.agent(t), s.inbox("imap", 5*time.Minute)
			s.give(t, a, "secret", target)
			j, _, _ := a.work.job("imap")
			c.happens(a.work, j)
			for bare, want := range map[bool]bool{true: c.bare, false: c.login} {
				before := len(s.spooled(t, a))
				refusedBefore := a.confirming.bursts.Counts().Refused
				a.run(t.Context(), schedule.Run{Target: &target, Family: checks.IPv4, Scheduled: time.Now(), Trigger: checks.Confirm, Bare: bare})
				made := s.spooled(t, a)[before:]
				if (len(made) == 1) != want || (a.confirming.bursts.Counts().Refused == refusedBefore) != want {
					t.Errorf("%s, bare %t: got %d looks", name, bare, len(made))
				}
				if want && (made[0].Outcome != checks.Up || bare == slices.ContainsFunc(made[0].Phases, func(p checks.PhaseTiming) bool { return p.Name == checks.Auth })) {
					t.Errorf("%s, bare %t: got %s through %v", name, bare, made[0].Outcome, made[0].Phases)
				}
			}
			if err := a.spool.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// TestFloodOfHints: whoever has the key of the mesh, and asks a probe for looks at
// all checks at once without an end, gets no more than its bound, and whatever is
// looked at on schedule is.
func TestFloodOfHints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, every30s, func(p *wire.Plan) {
			p.Roster = []wire.RosterEntry{{Name: "osl-1", Region: "eu-north"}, {Name: "osl-2", Region: "eu-north"}}
			for i := range 50 {
				more := p.Checks[0]
				more.ID = fmt.Sprintf("smtp-%d", i)
				p.Checks = append(p.Checks, more)
			}
		})
		s.Play(t, ":25", greets()...)
		a := s.run(t)
		time.Sleep(time.Minute)
		began, before := time.Now(), len(s.onSchedule(t, a))
		for id := uint64(0); time.Since(began) < 2*time.Minute; time.Sleep(100 * time.Millisecond) {
			for i := range 50 {
				id++
				b, err := wire.MarshalHint(wire.Hint{
					Check: fmt.Sprintf("smtp-%d", i), Family: checks.IPv4, Asker: "osl-2", Asked: []string{"osl-1"}, At: time.Now(), ID: id,
				})
				if err != nil {
					t.Fatal(err)
				}
				a.hinted(b)
			}
		}
		synctest.Wait()
		on := len(s.onSchedule(t, a))
		if looks := len(s.spooled(t, a)) - on; looks == 0 || looks > 6*8 {
			t.Errorf("%d looks in two minutes, want at most eight in 20 s", looks)
		}
		if got := on - before; got != 4*51 {
			t.Errorf("%d looks on schedule, want %d", got, 4*51)
		}
	})
}
