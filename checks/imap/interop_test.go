package imap_test

import (
	"crypto/tls"
	"io"
	"log"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	goimap "github.com/emersion/go-imap"
	"github.com/emersion/go-imap/backend"
	"github.com/emersion/go-imap/server"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/imap"
)

// store is the least that a full IMAP server needs: the account "username"
// with the password "password" and an empty INBOX. What a check never asks
// for is left to the nil interfaces, which would panic.
type store struct{ backend.User }

func (store) Login(_ *goimap.ConnInfo, user, password string) (backend.User, error) {
	if user != "username" || password != "password" {
		return nil, backend.ErrInvalidCredentials
	}
	return store{}, nil
}

func (store) Username() string { return "username" }

func (store) Logout() error { return nil }

func (store) GetMailbox(name string) (backend.Mailbox, error) {
	if name != "INBOX" {
		return nil, backend.ErrNoSuchMailbox
	}
	return inbox{}, nil
}

type inbox struct{ backend.Mailbox }

func (inbox) Name() string { return "INBOX" }

func (inbox) Status(items []goimap.StatusItem) (*goimap.MailboxStatus, error) {
	return goimap.NewMailboxStatus("INBOX", items), nil
}

// serveReal runs a full IMAP server until the test ends.
func serveReal(t *testing.T, lab *ct.Lab, port string, implicit bool) {
	t.Helper()
	s := server.New(store{})
	s.TLSConfig = lab.TLS()
	s.ErrorLog = log.New(io.Discard, "", 0)
	l := lab.Listen(t, port)
	if implicit {
		l = tls.NewListener(l, s.TLSConfig)
	}
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		_ = l.Close() // Serve may not have begun when it was told to end
		<-done
	})
}

func TestRealServer(t *testing.T) {
	for _, tt := range []struct {
		name, scheme, user, password, mailbox string
		class                                 checks.Class
		phases                                string
	}{
		{"imaps, no login", "imaps", "", "", "", "", "resolve connect tls greeting capability logout"},
		{"imaps", "imaps", "username", "password", "INBOX", "", "resolve connect tls greeting capability auth select logout"},
		{"imap", "imap", "username", "password", "INBOX", "", "resolve connect greeting starttls tls capability auth select logout"},
		{"wrong password", "imap", "username", "pa\"ss\\", "INBOX", checks.AuthRejected, "resolve connect greeting starttls tls capability auth"},
		{"user beyond ASCII", "imaps", "bjørn", "påssord", "INBOX", checks.AuthRejected, "resolve connect tls greeting capability auth"},
		{"no such mailbox", "imaps", "username", "password", "Nowhere", checks.Busy, "resolve connect tls greeting capability auth select"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := ct.NewLab()
				serveReal(t, lab, ":993", true)
				serveReal(t, lab, ":143", false)
				target := checks.Target{URL: tt.scheme + "://" + host, Every: time.Minute, Expect: checks.Expect{Mailbox: tt.mailbox}}
				if tt.user != "" {
					target.Login = &checks.Login{User: tt.user, Password: checks.Secret{Name: "check"}}
				}
				env := lab.Env()
				env.Password = func(string) (string, error) { return tt.password, nil }
				c, err := imap.New(target, env)
				if err != nil {
					t.Fatal(err)
				}
				for _, family := range []checks.Family{checks.IPv4, checks.IPv6} {
					r := c.Attempt(t.Context(), family)
					if r.Class != tt.class || names(r) != tt.phases || r.Elapsed != 0 {
						t.Errorf("%s: got %+v, want %q through %s", family, r, tt.class, tt.phases)
					}
					if tt.password != "" && strings.Contains(r.Detail, tt.password) {
						t.Errorf("%s: detail %q holds the password", family, r.Detail)
					}
				}
			})
		})
	}
}

// BenchmarkAttempt is what one attempt with TLS and login costs, both ends
// together.
func BenchmarkAttempt(b *testing.B) {
	lab := ct.NewLab()
	s := server.New(store{})
	s.ErrorLog = log.New(io.Discard, "", 0)
	l := tls.NewListener(lab.Listen(b, ":993"), lab.TLS())
	go func() { _ = s.Serve(l) }()
	defer func() { _ = s.Close() }()
	env := lab.Env()
	env.Password = func(string) (string, error) { return "password", nil }
	c, err := imap.New(checks.Target{
		URL: "imaps://" + host, Every: time.Minute, Login: &checks.Login{User: "username", Password: checks.Secret{Name: "x"}},
	}, env)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if r := c.Attempt(b.Context(), checks.IPv4); r.Outcome != checks.Up {
			b.Fatalf("got %+v", r)
		}
	}
}
