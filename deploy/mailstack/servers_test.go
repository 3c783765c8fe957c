package mailstack_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"varde/checks"
	"varde/checks/catalog"
	"varde/deploy/mailstack"
)

// patience is what an attempt on a silent server waits. It is far more than one
// on a healthy server takes.
const patience = 2 * time.Second

// check is one of our checks against the stack.
type check struct {
	id     string
	server mailstack.Server
	check  checks.Check
	phases []checks.Phase
	// silent is the class when the server accepts and says nothing.
	silent checks.Class
}

// checkOf makes a check of the stack; its password is named by its file.
func checkOf(t *testing.T, s *mailstack.Stack, target checks.Target) checks.Check {
	t.Helper()
	pem, err := os.ReadFile(s.CA)
	if err != nil {
		t.Fatal(err)
	}
	target.Service, target.Every = target.ID, time.Minute
	target.CA = &checks.Authority{PEM: pem}
	c, err := catalog.New(target, checks.Env{Network: &checks.System{}, Password: func(name string) (string, error) {
		b, err := os.ReadFile(name)
		return string(b), err
	}})
	if err != nil {
		t.Fatalf("%s: %v", target.ID, err)
	}
	return c
}

func phasesOf(words string) (out []checks.Phase) {
	for w := range strings.FieldsSeq(words) {
		out = append(out, checks.Phase(w))
	}
	return out
}

func stackChecks(t *testing.T, s *mailstack.Stack) []check {
	t.Helper()
	build := func(id string, server mailstack.Server, kind checks.Kind, url, phases string, silent checks.Class) check {
		target := checks.Target{ID: id, Kind: kind, URL: url, Timeout: patience}
		if strings.Contains(phases, "auth") {
			target.Login = &checks.Login{User: s.User, Password: checks.Secret{Name: s.PasswordFile}}
		}
		if strings.Contains(phases, "select") {
			target.Expect.Mailbox = "INBOX"
		}
		return check{id, server, checkOf(t, s, target), phasesOf(phases), silent}
	}
	return []check{
		build("https", mailstack.Nginx, checks.HTTPS, "https://"+s.HTTPS+"/", "connect tls request first_byte body", checks.TLSTimeout),
		build("imaps", mailstack.Dovecot, checks.IMAP, "imaps://"+s.IMAPS,
			"connect tls greeting capability auth select request logout", checks.TLSTimeout),
		build("imap", mailstack.Dovecot, checks.IMAP, "imap://"+s.IMAP,
			"connect greeting starttls tls capability auth select request logout", checks.GreetingTimeout),
		build("smtp", mailstack.Postfix, checks.SMTP, "smtp://"+s.SMTP,
			"connect greeting starttls tls capability logout", checks.GreetingTimeout),
		build("submission", mailstack.Postfix, checks.SMTP, "submission://"+s.Submission,
			"connect greeting starttls tls capability auth logout", checks.GreetingTimeout),
		build("smtps", mailstack.Postfix, checks.SMTP, "smtps://"+s.SMTPS,
			"connect tls greeting capability auth logout", checks.TLSTimeout),
	}
}

// look runs every check, all at once, and compares its class; "" is up.
func look(t *testing.T, all []check, want func(check) (class checks.Class, look bool)) {
	t.Helper()
	var g sync.WaitGroup
	defer g.Wait()
	for _, c := range all {
		class, wanted := want(c)
		if !wanted {
			continue
		}
		g.Go(func() {
			if r := c.check.Attempt(t.Context(), checks.IPv4); r.Class != class || r.Outcome != class.Outcome() {
				t.Errorf("%s: got %s %q in %q (%s), want %q", c.id, r.Outcome, r.Class, r.FailedPhase, r.Detail, class)
			}
		})
	}
}

func allUp(check) (checks.Class, bool) { return "", true }

// TestRealServers looks at real servers through every fault they can show.
func TestRealServers(t *testing.T) {
	s := mailstack.Start(t)
	all := stackChecks(t, s)
	t.Run("up", func(t *testing.T) { testUp(t, all) })
	t.Run("modes", func(t *testing.T) { testModes(t, s.In(t)) })
	for _, server := range []mailstack.Server{mailstack.Dovecot, mailstack.Postfix, mailstack.Nginx} {
		t.Run(fmt.Sprintf("%s frozen", server), func(t *testing.T) {
			s := s.In(t)
			s.Freeze(server)
			look(t, all, func(c check) (checks.Class, bool) {
				if c.server == server {
					return c.silent, true
				}
				return "", !needs(c, server)
			})
			s.Thaw(server)
			look(t, all, allUp)
		})
		t.Run(fmt.Sprintf("%s killed", server), func(t *testing.T) {
			s := s.In(t)
			s.Kill(server)
			look(t, all, func(c check) (checks.Class, bool) {
				if c.server == server {
					return checks.ConnectRefused, true
				}
				return "", !needs(c, server)
			})
			s.Up(server)
			look(t, all, allUp)
		})
		for certificate, class := range map[mailstack.Certificate]checks.Class{
			mailstack.Expired: checks.CertExpired, mailstack.WrongName: checks.CertName, mailstack.Untrusted: checks.CertUntrusted,
		} {
			t.Run(fmt.Sprintf("%s certificate %s", server, certificate), func(t *testing.T) {
				s := s.In(t)
				s.Show(server, certificate)
				look(t, all, func(c check) (checks.Class, bool) {
					if c.server == server {
						return class, true
					}
					return "", true
				})
				s.Show(server, mailstack.Good)
			})
		}
	}
	t.Run("password changed", func(t *testing.T) {
		s := s.In(t)
		s.ChangePassword()
		look(t, all, func(c check) (checks.Class, bool) {
			if logsIn(c) {
				return checks.AuthRejected, true
			}
			return "", true
		})
		s.RestorePassword()
		look(t, all, allUp)
	})
	t.Run("503", func(t *testing.T) {
		s := s.In(t)
		s.Unavailable(true)
		look(t, all, func(c check) (checks.Class, bool) {
			if c.id == "https" {
				return checks.HTTPStatus, true
			}
			return "", true
		})
		s.Unavailable(false)
		look(t, all, allUp)
	})
}

// needs says whether c depends on a server that is not its own: Postfix asks
// Dovecot for passwords.
func needs(c check, server mailstack.Server) bool {
	return server == mailstack.Dovecot && c.server == mailstack.Postfix && logsIn(c)
}

func logsIn(c check) bool {
	for _, p := range c.phases {
		if p == checks.Auth {
			return true
		}
	}
	return false
}

// testUp wants every phase in its order, with times that can be true.
func testUp(t *testing.T, all []check) {
	for _, c := range all {
		r := c.check.Attempt(t.Context(), checks.IPv4)
		if r.Outcome != checks.Up {
			t.Errorf("%s: got %s %q in %q (%s), want up", c.id, r.Outcome, r.Class, r.FailedPhase, r.Detail)
			continue
		}
		var sum time.Duration
		var names []checks.Phase
		for _, p := range r.Phases {
			if p.Duration < 0 || p.Duration > r.Elapsed {
				t.Errorf("%s: phase %s took %s of %s", c.id, p.Name, p.Duration, r.Elapsed)
			}
			sum += p.Duration
			names = append(names, p.Name)
		}
		if fmt.Sprint(names) != fmt.Sprint(c.phases) {
			t.Errorf("%s: got phases %v, want %v", c.id, names, c.phases)
		}
		if sum > r.Elapsed || sum < r.Elapsed/2 {
			t.Errorf("%s: the phases took %s together, the attempt %s", c.id, sum, r.Elapsed)
		}
		t.Logf("%-10s %8s  %v", c.id, r.Elapsed.Round(10*time.Microsecond), r.Phases)
	}
}
