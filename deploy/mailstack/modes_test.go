package mailstack_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"varde/checks"
	"varde/checks/smtp"
	"varde/deploy/mailstack"
)

// mode is one way in which a mail server is asked.
type mode struct {
	name   string
	target checks.Target
	// class is how it ends; "" is up. words occur in the detail.
	class  checks.Class
	words  string
	phases string
}

// testModes asks the real servers in every way that there is, and wants the
// phases of each in their order.
func testModes(t *testing.T, s *mailstack.Stack) {
	deliver(t, s)
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("neither-password-nor-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	attempt(t, s, slices.Concat(imapModes(s, wrong), pop3Modes(s, wrong), smtpModes(s, wrong), envelopeModes(s)))
	// The server that knows the tokens cannot tell.
	s.Unavailable(true)
	attempt(t, s, tokensUnknown(s))
	s.Unavailable(false)
}

func attempt(t *testing.T, s *mailstack.Stack, all []mode) {
	t.Helper()
	var g sync.WaitGroup
	defer g.Wait()
	for _, m := range all {
		m.target.ID = "mode"
		c := checkOf(t, s, m.target)
		g.Go(func() {
			r := c.Attempt(t.Context(), checks.IPv4)
			var names []string
			for _, p := range r.Phases {
				names = append(names, string(p.Name))
			}
			if got := strings.Join(names, " "); got != m.phases || r.Class != m.class || r.Outcome != m.class.Outcome() || !strings.Contains(r.Detail, m.words) {
				t.Errorf("%s: got %s %q (%s) through %s, want %q through %s", m.name, r.Outcome, r.Class, r.Detail, got, m.class, m.phases)
			}
		})
	}
}

// deliver puts a mail into the mailbox, so that there is a newest one.
func deliver(t *testing.T, s *mailstack.Stack) {
	t.Helper()
	c := checkOf(t, s, checks.Target{
		ID: "deliver", Kind: checks.SMTP, URL: "smtps://" + s.SMTPS,
		Login: &checks.Login{User: s.User, Password: checks.Secret{Name: s.PasswordFile}},
	}).(*smtp.Check)
	r := checks.Record(t.Context(), checks.DefaultTimeout, func(ctx context.Context, rec *checks.Recorder) error {
		session, err := c.Open(ctx, rec, checks.IPv4)
		if err != nil {
			return err
		}
		defer session.Quit(ctx)
		return session.Submit(ctx, s.User, s.User, []byte("Subject: the newest\r\n\r\nHello\r\n"))
	})
	if r.Outcome != checks.Up {
		t.Fatalf("hand in a mail: %+v", r)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(10 * time.Second); s.Holding("INBOX", "the newest") == 0; {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatal("no mail in the mailbox within 10 s")
		}
	}
}

// logins are a good login by each mechanism, and none.
func logins(s *mailstack.Stack) map[string]*checks.Login {
	with := func(m checks.Mechanism, file string) *checks.Login {
		return &checks.Login{User: s.User, Password: checks.Secret{Name: file}, Mechanism: m}
	}
	return map[string]*checks.Login{
		"best":        with("", s.PasswordFile),
		"login":       with(checks.MechanismLogin, s.PasswordFile),
		"plain":       with(checks.MechanismPlain, s.PasswordFile),
		"xoauth2":     with(checks.MechanismXOAUTH2, s.TokenFile),
		"oauthbearer": with(checks.MechanismOAuthBearer, s.TokenFile),
	}
}

// logsInWith are the modes of one address with every login, good and bad, given
// the phases before and after it. Expect is what is asked for after a good one.
func logsInWith(s *mailstack.Stack, wrong string, kind checks.Kind, url, before, after string, expect checks.Expect) []mode {
	all := []mode{{url, checks.Target{Kind: kind, URL: url}, "", "", before + " logout"}}
	for name, login := range logins(s) {
		bad := *login
		bad.Password.Name = wrong
		all = append(all,
			mode{url + " " + name, checks.Target{Kind: kind, URL: url, Login: login, Expect: expect}, "", "", before + " auth " + after + "logout"},
			mode{url + " wrong " + name, checks.Target{Kind: kind, URL: url, Login: &bad, Expect: expect}, checks.AuthRejected, "", before + " auth"},
		)
	}
	return all
}

func imapModes(s *mailstack.Stack, wrong string) []mode {
	all := []mode{}
	for url, before := range map[string]string{
		"imaps://" + s.IMAPS: "connect tls greeting capability",
		"imap://" + s.IMAP:   "connect greeting starttls tls capability",
	} {
		all = append(all, logsInWith(s, wrong, checks.IMAP, url, before, "select request body ", checks.Expect{Mailbox: "INBOX", Newest: true})...)
		login := logins(s)["best"]
		all = append(all,
			mode{url + " no mailbox", checks.Target{Kind: checks.IMAP, URL: url, Login: login}, "", "", before + " auth request logout"},
			mode{url + " empty", checks.Target{Kind: checks.IMAP, URL: url, Login: login, Expect: checks.Expect{Mailbox: "Junk", Newest: true}}, "", "", before + " auth select request logout"},
			mode{url + " missing", checks.Target{Kind: checks.IMAP, URL: url, Login: login, Expect: checks.Expect{Mailbox: "Übrig"}}, checks.OwnError, "exist", before + " auth select"},
		)
	}
	return all
}

// tokensUnknown shows tokens of which the server cannot find out whether they are
// good. Dovecot says so; Postfix, which asks it, says that they are wrong.
func tokensUnknown(s *mailstack.Stack) (all []mode) {
	for _, m := range []string{"xoauth2", "oauthbearer"} {
		for _, at := range []struct {
			kind  checks.Kind
			url   string
			class checks.Class
		}{
			{checks.IMAP, "imaps://" + s.IMAPS, checks.AuthTempfail},
			{checks.POP3, "pop3s://" + s.POP3S, checks.AuthTempfail},
			{checks.SMTP, "smtps://" + s.SMTPS, checks.AuthRejected},
		} {
			target := checks.Target{Kind: at.kind, URL: at.url, Login: logins(s)[m]}
			all = append(all, mode{at.url + " unknown " + m, target, at.class, "", "connect tls greeting capability auth"})
		}
	}
	return all
}

func pop3Modes(s *mailstack.Stack, wrong string) []mode {
	return slices.Concat(
		logsInWith(s, wrong, checks.POP3, "pop3s://"+s.POP3S, "connect tls greeting capability", "select ", checks.Expect{}),
		logsInWith(s, wrong, checks.POP3, "pop3://"+s.POP3, "connect greeting starttls tls capability", "select ", checks.Expect{}),
	)
}

func smtpModes(s *mailstack.Stack, wrong string) []mode {
	return slices.Concat(
		logsInWith(s, wrong, checks.SMTP, "smtps://"+s.SMTPS, "connect tls greeting capability", "", checks.Expect{}),
		logsInWith(s, wrong, checks.SMTP, "submission://"+s.Submission, "connect greeting starttls tls capability", "", checks.Expect{}),
	)
}

// envelopeModes ask whether a mail would be taken.
func envelopeModes(s *mailstack.Stack) []mode {
	const starttls = "connect greeting starttls tls capability"
	offer := func(url, from, to string, login *checks.Login) checks.Target {
		return checks.Target{Kind: checks.SMTP, URL: url, Login: login, MailOptions: checks.MailOptions{From: from, To: to}}
	}
	mx, nobody, login := "smtp://"+s.SMTP, "nobody@varde.test", logins(s)["best"]
	return []mode{
		{"mx", checks.Target{Kind: checks.SMTP, URL: mx}, "", "", starttls + " logout"},
		{"mx takes", offer(mx, "probe@example.net", s.User, nil), "", "", starttls + " submit logout"},
		{"mx, nobody", offer(mx, "probe@example.net", nobody, nil), checks.OwnError, "5.1.1", starttls + " submit"},
		{"mx, relay", offer(mx, "probe@example.net", "probe@example.org", nil), checks.Policy, "5.7.1", starttls + " submit"},
		{"smtps takes", offer("smtps://"+s.SMTPS, s.User, s.User, login), "", "", "connect tls greeting capability auth submit logout"},
		{"submission takes", offer("submission://"+s.Submission, s.User, s.User, login), "", "", starttls + " auth submit logout"},
		{"submission, nobody", offer("submission://"+s.Submission, s.User, nobody, login), checks.OwnError, "5.1.1", starttls + " auth submit"},
		{"submission without login", offer("submission://"+s.Submission, s.User, s.User, nil), checks.Policy, "5.7.1", starttls + " submit"},
	}
}
