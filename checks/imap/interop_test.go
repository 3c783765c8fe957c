package imap_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-imap/backend/memory"
	"github.com/emersion/go-imap/server"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/imap"
)

// serveReal runs a full IMAP server until the test ends. It has the account
// "username" with the password "password" and one message, UID 6, in its INBOX.
func serveReal(t *testing.T, lab *ct.Lab, port string, implicit bool) {
	t.Helper()
	s := server.New(memory.New())
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
		{"imaps", "imaps", "username", "password", "INBOX", "", "resolve connect tls greeting capability auth select request body logout"},
		{"imap", "imap", "username", "password", "INBOX", "", "resolve connect greeting starttls tls capability auth select request body logout"},
		{"wrong password", "imap", "username", "pa\"ss\\", "INBOX", checks.AuthRejected, "resolve connect greeting starttls tls capability auth"},
		{"user beyond ASCII", "imaps", "bjørn", "påssord", "INBOX", checks.AuthRejected, "resolve connect tls greeting capability auth"},
		{"no such mailbox", "imaps", "username", "password", "Nowhere", checks.Busy, "resolve connect tls greeting capability auth select"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := ct.NewLab()
				serveReal(t, lab, ":993", true)
				serveReal(t, lab, ":143", false)
				target := checks.Target{URL: tt.scheme + "://" + host, Every: time.Minute, Expect: checks.Expect{Mailbox: tt.mailbox, Newest: tt.mailbox != ""}}
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

func TestSessionAtARealServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		serveReal(t, lab, ":993", true)
		env := lab.Env()
		env.Password = func(string) (string, error) { return "password", nil }
		target := by("")
		target.Login.User = "username"
		c, err := imap.New(target, env)
		if err != nil {
			t.Fatal(err)
		}
		r := checks.Record(t.Context(), time.Minute, func(ctx context.Context, rec *checks.Recorder) error {
			s, err := c.Open(ctx, rec, checks.IPv6)
			if err != nil {
				return err
			}
			return rec.Phase(ctx, checks.Select, checks.CommandLimit, func(context.Context) error { return find(t, s) })
		})
		if r.Outcome != checks.Up {
			t.Errorf("got %+v, want up", r)
		}
	})
}

// find does all that a session can with the one message that there is.
func find(t *testing.T, s *imap.Session) error {
	junk, sent, err := s.Special()
	if err != nil || junk != nil || sent != nil {
		t.Errorf("special: %q, %q, %v, want none", junk, sent, err)
	}
	if n, err := s.Select("INBOX"); n != 1 || err != nil {
		t.Errorf("select: %d, %v, want 1", n, err)
	}
	for value, want := range map[string]int{"0000000@localhost": 1, "": 1, "1111111@localhost": 0} {
		if found, err := s.Search("Message-ID", value); len(found) != want || err != nil {
			t.Errorf("search for %q: %v, %v, want %d", value, found, err, want)
		}
	}
	m, ok, err := s.Fetch(6)
	if !strings.HasPrefix(m.Header, "From: contact@example.org\r\n") || strings.Contains(m.Header, "Hi there") || !m.Received.Equal(time.Now()) || !ok || err != nil {
		t.Errorf("fetch: %+v, %v, %v, want the header alone", m, ok, err)
	}
	if m, ok, err = s.Fetch(6, "Message-ID", "X-None"); m.Header != "Message-ID: <0000000@localhost/>\r\n\r\n" || !ok || err != nil {
		t.Errorf("fetch: %+v, %v, %v, want one field", m, ok, err)
	}
	if err := s.Delete([]uint32{6}); !errors.Is(err, imap.ErrNoExpunge) {
		t.Errorf("delete: %v, want ErrNoExpunge", err)
	}
	return errors.Join(s.Noop(), s.Logout())
}
