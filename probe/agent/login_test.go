package agent

import (
	"log/slog"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/probe/internal/schedule"
)

// TestRefusedLoginIsLeftAlone: after two refusals a wrong password is tried after
// 15, 30 and 60 minutes, whatever checks use it. What else fails is still seen,
// and nothing is up until the login is.
func TestRefusedLoginIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		target := checks.Target{
			Service: "imap", Kind: checks.IMAP, URL: "imaps://" + ct.LabName, Every: time.Minute, Timeout: 5 * time.Second,
			Families: []checks.Family{checks.IPv4}, CA: &checks.Authority{PEM: s.CA.PEM()},
			Login: &checks.Login{User: "probe", Password: checks.Secret{Name: "one"}}, Expect: checks.Expect{Mailbox: "INBOX"},
		}
		s.plan.Checks = nil
		for _, id := range []string{"one", "two"} {
			target.ID = id
			s.plan.Checks = append(s.plan.Checks, target)
		}
		begin, answer := time.Now(), "NO [AUTHENTICATIONFAILED] no"
		var at []time.Duration
		s.Play(t, ":993",
			ct.Secure(s.TLS()), ct.Send("* OK hi\r\n"), ct.Expect("a1 CAPABILITY"), ct.Send("* CAPABILITY IMAP4rev1\r\na1 OK\r\n"),
			ct.Expect("a2 LOGIN"), func(p *ct.Peer) error {
				at = append(at, time.Since(begin))
				return ct.Send("a2 " + answer + "\r\n")(p)
			},
			ct.Expect("a3 EXAMINE"), ct.Send("a3 OK\r\n"), ct.Expect("a4 LOGOUT"), ct.Send("a4 OK\r\n"),
		)
		a := s.agent(t)
		defer a.spool.Close()
		set := func(password string) {
			a.work.set(t.Context(), s.network, s.plan, "eu-north", map[string]string{"one": password}, slog.Default())
		}
		look := func(minutes int) (newest checks.Observation) {
			for range minutes {
				for _, c := range s.plan.Checks {
					a.run(t.Context(), schedule.Run{Target: c, Family: checks.IPv4, Scheduled: time.Now()})
				}
				time.Sleep(time.Minute)
			}
			all := s.spooled(t, a)
			return all[len(all)-1]
		}
		set("wrong")
		if o := look(3); o.Outcome != checks.Unknown || o.Class != checks.AuthRejected || o.FailedPhase != checks.Auth ||
			o.Detail != "the login was refused and is left alone until 00:15 UTC" {
			t.Errorf("left alone: got %+v", o)
		}
		look(3*60 - 3)
		if want := []time.Duration{0, 0, 15 * time.Minute, 45 * time.Minute, 105 * time.Minute, 165 * time.Minute}; !slices.Equal(at, want) {
			t.Errorf("logged in after %v, want %v", at, want)
		}
		at = nil
		s.Rule(func(_, to netip.AddrPort, _ string) ct.Effect {
			if to.Port() == 993 {
				return ct.Refuse
			}
			return ct.Pass
		})
		if o := look(1); o.Class != checks.ConnectRefused {
			t.Errorf("the server is gone: got %+v", o)
		}
		s.Rule(nil)
		answer = "OK in"
		set("right")
		if o := look(2); o.Outcome != checks.Up || len(at) != 4 {
			t.Errorf("with a new password: %d logins, want 4; got %+v", len(at), o)
		}
	})
}
