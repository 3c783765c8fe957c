package agent

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/probe/internal/schedule"
	"varde/proto/wire"
)

// mailbox serves IMAP at the lab's server. Every command is answered with OK, a
// login with what login returns; greet is said at the beginning.
func (s *station) mailbox(t *testing.T, greet func() string, login func() string) {
	t.Helper()
	ct.Serve(t, s.Listen(t, ":993"), func(_ context.Context, raw net.Conn) {
		conn := tls.Server(raw, s.TLS())
		fmt.Fprint(conn, greet())
		for lines := bufio.NewScanner(conn); lines.Scan(); {
			words := strings.Fields(lines.Text())
			if len(words) < 2 {
				return
			}
			answer := "OK done"
			switch words[1] {
			case "CAPABILITY":
				fmt.Fprint(conn, "* CAPABILITY IMAP4rev1\r\n")
			case "LOGIN":
				answer = login()
			}
			fmt.Fprintf(conn, "%s %s\r\n", words[0], answer)
		}
	})
}

func greeting() string { return "* OK hi\r\n" }

// inbox is a check that logs in.
func (s *station) inbox(id string, every time.Duration) checks.Target {
	return checks.Target{
		ID: id, Service: "imap", Kind: checks.IMAP, URL: "imaps://" + ct.LabName, Every: every, Timeout: min(every, 10*time.Second),
		Families: []checks.Family{checks.IPv4}, CA: &checks.Authority{PEM: s.CA.PEM()}, Consent: true,
		Login: &checks.Login{User: "probe", Password: checks.Secret{Name: "one"}}, Expect: checks.Expect{Mailbox: "INBOX"},
	}
}

// give makes the station's checks the work of a, with the password of all logins.
func (s *station) give(t *testing.T, a *Agent, password string, targets ...checks.Target) []schedule.Entry {
	t.Helper()
	s.plan.Checks = targets
	entries, _ := a.work.set(t.Context(), s.network, s.plan, wire.Subject{Name: "osl-1", Region: "eu-north"},
		map[string]string{"one": password}, slog.New(slog.NewTextHandler(&s.log, nil)))
	return entries
}

// turn runs a check once and returns what was seen.
func (s *station) turn(t *testing.T, a *Agent, target checks.Target, f checks.Family) checks.Observation {
	t.Helper()
	before := a.spool.Stats().Records
	a.run(t.Context(), schedule.Run{Target: &target, Family: f, Scheduled: time.Now()})
	records, err := a.spool.Next(a.spool.Epoch(), before, 2)
	if err != nil || len(records) != 1 {
		t.Fatalf("kept %+v, %v, want one observation", records, err)
	}
	return records[0].Observation
}

// TestRefusedLoginIsLeftAlone: after two refusals a wrong password is tried after
// 15, 30 and 60 minutes, whatever checks use it. What else fails is still seen,
// and nothing is up until the login is.
func TestRefusedLoginIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		one, two := s.inbox("one", time.Minute), s.inbox("two", time.Minute)
		begin, answer := time.Now(), "NO [AUTHENTICATIONFAILED] no"
		var at []time.Duration
		s.mailbox(t, greeting, func() string {
			at = append(at, time.Since(begin))
			return answer
		})
		a := s.agent(t)
		defer a.spool.Close()
		look := func(minutes int) (newest checks.Observation) {
			for range minutes {
				s.turn(t, a, one, checks.IPv4)
				newest = s.turn(t, a, two, checks.IPv4)
				time.Sleep(time.Minute)
			}
			return newest
		}
		s.give(t, a, "wrong", one, two)
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
		s.give(t, a, "right", one, two)
		if o := look(2); o.Outcome != checks.Up || len(at) != 4 {
			t.Errorf("with a new password: %d logins, want 4; got %+v", len(at), o)
		}
	})
}

// TestChainsAreRemembered: the checks of an agent verify a chain that they have
// seen before no second time.
func TestChainsAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStation(t)
		s.PostOffice(t)
		a := s.agent(t)
		defer a.spool.Close()
		s.give(t, a, "right", s.inbox("inbox", time.Minute))
		j, _, _ := a.work.job("inbox")
		first, second := j.check.Attempt(t.Context(), checks.IPv4), j.check.Attempt(t.Context(), checks.IPv4)
		if first.TLS == nil || second.TLS == nil || &first.TLS.Chain[0] != &second.TLS.Chain[0] {
			t.Error("the second attempt has verified the chain again")
		}
	})
}
