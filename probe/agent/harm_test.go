package agent

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/probe/internal/schedule"
	"varde/proto/wire"
)

// dials counts the connections to a port of the lab's server from now on.
func (s *station) dials(port uint16) func() int {
	var mu sync.Mutex // protects n and last
	n, last := 0, netip.AddrPort{}
	s.Rule(func(from, to netip.AddrPort, network string) ct.Effect {
		mu.Lock()
		defer mu.Unlock()
		if network == "tcp" && to.Port() == port && from != last {
			n, last = n+1, from
		}
		return ct.Pass
	})
	return func() int { mu.Lock(); defer mu.Unlock(); return n }
}

// TestPlanOfAThief: whoever holds the coordinator's key cannot make probes look
// too often. Nothing is asked then, and the series says why.
func TestPlanOfAThief(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t, func(p *wire.Plan) {
			smtp, imap := p.Checks[0], p.Checks[0]
			smtp.Every, smtp.Consent = 30*time.Second, false
			imap.ID, imap.Kind, imap.URL, imap.Consent = "imap", checks.IMAP, "imaps://"+ct.LabName, false
			imap.Every, imap.Login = checks.FloorLogin-time.Second, &checks.Login{User: "probe", Password: checks.Secret{Name: "none"}}
			fair := imap
			fair.ID, fair.Every, fair.Login = "fair", checks.FloorUnasked, nil
			p.Checks = []checks.Target{smtp, imap, fair}
		})
		mx, mailbox := s.dials(25), s.dials(993)
		a := s.run(t)
		time.Sleep(time.Hour)
		seen := map[string][]checks.Observation{}
		for _, o := range s.spooled(t, a) {
			seen[o.Check] = append(seen[o.Check], o)
		}
		for check, want := range map[string]struct {
			every  time.Duration
			detail string
		}{
			"smtp": {checks.FloorUnasked, "the plan asks every 30s, expected at least 3m0s for a service without consent"},
			"imap": {checks.FloorLogin, "the plan asks every 4m59s, expected at least 5m0s for a service without consent"},
		} {
			got := seen[check]
			if len(got) != int(time.Hour/want.every) || got[0].Outcome != checks.Unknown || got[0].Class != checks.OwnError ||
				got[0].Detail != want.detail || got[0].Every != want.every {
				t.Errorf("%s: %d observations, the first %+v, want one every %s: %s", check, len(got), got[0], want.every, want.detail)
			}
		}
		if mx() != 0 || mailbox() != 20 || len(seen["fair"]) != 20 || seen["fair"][0].Class != checks.ConnectRefused {
			t.Errorf("%d and %d connections, want none and 20 of the check that is fair: %+v", mx(), mailbox(), seen["fair"])
		}
		if n := strings.Count(s.log.String(), "check of plan does not run here"); n != 2 {
			t.Errorf("logged %d times, want once a check:\n%s", n, s.log.String())
		}
	})
}

// TestPolicyIsObeyed: a server that does not want this probe is asked again after
// 15, 30 and 60 minutes, and the series says so meanwhile.
func TestPolicyIsObeyed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		begin, answer := time.Now(), "NO [LIMIT] too many of you"
		var at []time.Duration
		s.mailbox(t, greeting, func() string {
			at = append(at, time.Since(begin))
			return answer
		})
		a := s.agent(t)
		defer a.spool.Close()
		imap, other := s.inbox("one", time.Minute), s.inbox("two", time.Minute)
		s.give(t, a, "right", imap, other)
		for minute := range 180 {
			o := s.turn(t, a, imap, checks.IPv4)
			if o.Class != checks.Policy || o.Outcome != checks.Unknown || o.FailedPhase != checks.Auth {
				t.Fatalf("got %+v, want policy", o)
			}
			if o := s.turn(t, a, other, checks.IPv4); minute < 15 && o.Detail != "the server refuses us, left alone until 00:15 UTC" {
				t.Fatalf("minute %d: got %+v, want it left alone", minute, o)
			}
			time.Sleep(time.Minute)
		}
		if want := []time.Duration{0, 15 * time.Minute, 45 * time.Minute, 105 * time.Minute, 165 * time.Minute}; !slices.Equal(at, want) {
			t.Errorf("asked after %v, want %v", at, want)
		}
		if got := a.status().Resting; len(got) != 1 || got[0].What != "imap of mail.example.net over ipv4: it refuses this probe" || !got[0].Until.Equal(begin.Add(225*time.Minute)) {
			t.Errorf("status: got %+v", got)
		}
		answer = "OK in"
		time.Sleep(45 * time.Minute)
		for range 3 {
			if o := s.turn(t, a, imap, checks.IPv4); o.Outcome != checks.Up {
				t.Errorf("taken again: got %+v, want up", o)
			}
		}
		if len(a.status().Resting) != 0 || strings.Count(s.log.String(), "server refuses this probe") != 5 {
			t.Errorf("left alone %+v; logged\n%s", a.status().Resting, s.log.String())
		}
	})
}

// TestRestIsKept: a run that began before a server turned us away does not end the
// rest; only the one attempt after it does.
func TestRestIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := newWorkload(), door{place{checks.HTTPS, "www.example.net"}, checks.IPv4}
		w.answered(d, checks.Result{Class: checks.Policy, FailedPhase: checks.Request}, false)
		w.answered(d, checks.Result{Outcome: checks.Up}, false)
		if _, why := w.knock(d); why == nil {
			t.Error("asked again at once, want the server left alone")
		}
		time.Sleep(firstRest)
		retry, why := w.knock(d)
		w.answered(d, checks.Result{Outcome: checks.Down, Class: checks.ConnectTimeout}, retry)
		if _, why2 := w.knock(d); why != nil || why2 != nil {
			t.Errorf("got %v and %v, want a dead server asked again", why, why2)
		}
	})
}

// TestOneConnectionPerAccount: runs that would log in with one account wait for
// one another, and the wait is not the server's.
func TestOneConnectionPerAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		var mu sync.Mutex // protects in and most
		in, most := 0, 0
		s.mailbox(t, greeting, func() string {
			mu.Lock()
			in++
			most = max(most, in)
			mu.Unlock()
			time.Sleep(4 * time.Second)
			mu.Lock()
			defer mu.Unlock()
			in--
			return "OK in"
		})
		a := s.agent(t)
		defer a.spool.Close()
		one, two := s.inbox("one", 10*time.Second), s.inbox("two", 10*time.Second)
		one.Families = nil
		s.give(t, a, "right", one, two)
		planned := time.Now()
		var all sync.WaitGroup
		for _, r := range []schedule.Run{{Target: &one, Family: checks.IPv4}, {Target: &one, Family: checks.IPv6}, {Target: &two, Family: checks.IPv4}} {
			r.Scheduled = planned
			all.Go(func() { a.run(t.Context(), r) })
			synctest.Wait() // one after the other
		}
		all.Wait()
		got := s.spooled(t, a)
		slices.SortFunc(got, func(x, y checks.Observation) int { return x.Started.Compare(y.Started) })
		for i, o := range got[:2] {
			if o.Outcome != checks.Up || o.Elapsed != 4*time.Second || o.Started.Sub(planned) != time.Duration(i)*4*time.Second {
				t.Errorf("run %d: got %+v, want up in 4 s, begun %d s after its time", i, o, i*4)
			}
		}
		if o := got[2]; o.Check != "two" || o.Outcome != checks.Unknown || o.Class != checks.OwnLate || o.Elapsed != 0 ||
			o.Detail != "other runs here had the account for 5s" {
			t.Errorf("the third: got %+v, want half of its interval waited for nothing", o)
		}
		if most != 1 {
			t.Errorf("%d logins at once, want 1", most)
		}
	})
}

// TestPasswordIsRightElsewhere: a login that one place refuses is left alone there,
// however well it does at another, and everywhere when it is refused twice in a
// row at several.
func TestPasswordIsRightElsewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorkload()
		imap := seat{login{user: "probe"}, place{checks.IMAP, "mail.example.net"}}
		smtp := seat{login{user: "probe"}, place{checks.SMTP, "mail.example.net"}}
		log := func(s seat, said welcome) string {
			turn, why := w.enter(t.Context(), s, time.Second)
			if why != nil {
				return why.Detail
			}
			if _, rests := w.leave(turn, said); rests {
				return "rests"
			}
			return ""
		}
		for i, step := range []struct {
			seat seat
			said welcome
			want string
		}{
			{smtp, refused, ""},
			{imap, welcomed, ""},
			{smtp, refused, "rests"},
			{imap, welcomed, ""},
			{smtp, refused, "the login was refused and is left alone until 00:15 UTC"},
			{imap, refused, ""},
			{imap, refused, "rests"},
			{imap, welcomed, "the login was refused and is left alone until 00:15 UTC"},
		} {
			if got := log(step.seat, step.said); got != step.want {
				t.Errorf("step %d: got %q, want %q", i, got, step.want)
			}
		}
		if got := w.resting(time.Now()); len(got) != 1 || got[0].What != "login of probe: refused" {
			t.Errorf("status: got %+v", got)
		}
		time.Sleep(15 * time.Minute)
		if got := log(imap, unsaid) + log(imap, welcomed) + log(smtp, unsaid) + log(smtp, refused); got != "rests" {
			t.Errorf("after the rest: got %q, want that of the one refused again", got)
		}
		if got := w.resting(time.Now()); len(got) != 1 || got[0].What != "login of probe to smtp of mail.example.net: refused" ||
			!got[0].Until.Equal(time.Now().Add(30*time.Minute)) {
			t.Errorf("status: got %+v", got)
		}
	})
}

// TestProbeThatMayNotLogIn does not look, until the plan lets it.
func TestProbeThatMayNotLogIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		logins := 0
		s.mailbox(t, greeting, func() string { logins++; return "OK in" })
		a := s.agent(t)
		defer a.spool.Close()
		imap, mail := s.inbox("one", time.Minute), s.inbox("mail", time.Hour)
		imap.LoginProbes = []string{"osl-2", "osl-3"}
		mail.Kind, mail.LoginProbes = checks.RoundTrip, imap.LoginProbes
		if got := s.give(t, a, "none", imap, mail); len(got) != 0 {
			t.Errorf("scheduled %+v, want nothing", got)
		}
		imap.LoginProbes = append(imap.LoginProbes, "osl-1")
		s.give(t, a, "right", imap)
		if o := s.turn(t, a, imap, checks.IPv4); o.Outcome != checks.Up || logins != 1 {
			t.Errorf("got %+v and %d logins", o, logins)
		}
	})
}

// TestHosterBlocksPort25: the server is not blamed, and status says what to mend.
func TestHosterBlocksPort25(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		s.mailbox(t, greeting, func() string { return "OK in" })
		s.Rule(func(_, to netip.AddrPort, _ string) ct.Effect {
			if to.Port() == 25 {
				return ct.Drop
			}
			return ct.Pass
		})
		a := s.agent(t)
		defer a.spool.Close()
		mx := s.plan.Checks[0]
		mailbox := s.inbox("one", time.Minute)
		s.give(t, a, "right", mx, mailbox)
		s.turn(t, a, mailbox, checks.IPv4)
		if o := s.turn(t, a, mx, checks.IPv4); o.Outcome != checks.Unknown || o.Class != checks.OwnNetwork || !strings.HasPrefix(o.Detail, "outbound port 25 has never worked") {
			t.Errorf("got %+v", o)
		}
		if got := a.status().BlockedPorts; len(got) != 1 || got[0].Port != 25 {
			t.Errorf("status: got %+v, want port 25", got)
		}
	})
}
