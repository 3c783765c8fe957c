package smtp_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/emersion/go-sasl"
	server "github.com/emersion/go-smtp"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/smtp"
)

// mailer is the least that a full SMTP server needs: one account, no mail.
type mailer struct{}

func (mailer) NewSession(*server.Conn) (server.Session, error) { return mailer{}, nil }

func (mailer) AuthMechanisms() []string { return []string{sasl.Plain} }

func (mailer) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		switch {
		case user == "slow":
			time.Sleep(3 * time.Second)
			return nil
		case user == "busy":
			return &server.SMTPError{Code: 454, EnhancedCode: server.EnhancedCode{4, 7, 0}, Message: "later"}
		case user == "probe" && password == ct.LabPassword:
			return nil
		}
		return server.ErrAuthFailed
	}), nil
}

func (mailer) Reset()        {}
func (mailer) Logout() error { return nil }

func (mailer) Mail(string, *server.MailOptions) error { return errors.New("a check sends no mail") }
func (mailer) Rcpt(string, *server.RcptOptions) error { return errors.New("a check sends no mail") }
func (mailer) Data(io.Reader) error                   { return errors.New("a check sends no mail") }

func serveReal(t *testing.T, lab *ct.Lab, port string, implicit bool) {
	t.Helper()
	serve(t, lab, mailer{}, port, implicit)
}

func serve(t *testing.T, lab *ct.Lab, backend server.Backend, port string, implicit bool) {
	t.Helper()
	s := server.NewServer(backend)
	s.Domain = host
	s.TLSConfig = lab.TLS()
	s.ErrorLog = log.New(io.Discard, "", 0)
	l := lab.Listen(t, port)
	if implicit {
		l = tls.NewListener(l, s.TLSConfig)
	}
	done := make(chan error)
	go func() { done <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close() // the listener may be closed by now
		_ = l.Close() // Serve may not have begun when it was told to end
		<-done
	})
}

func TestRealServer(t *testing.T) {
	for _, tt := range []struct {
		name, scheme, user string
		class              checks.Class
		took               time.Duration
		phases             string
	}{
		{"smtps", "smtps", "", "", 0, "resolve connect tls greeting capability logout"},
		{"smtps, login", "smtps", "probe", "", 0, "resolve connect tls greeting capability auth logout"},
		{"submission, login", "submission", "probe", "", 0, "resolve connect greeting starttls tls capability auth logout"},
		{"smtp", "smtp", "", "", 0, "resolve connect greeting starttls tls capability logout"},
		{"slow login", "submission", "slow", "", 3 * time.Second, "resolve connect greeting starttls tls capability auth logout"},
		{"busy", "submission", "busy", checks.AuthTempfail, 0, "resolve connect greeting starttls tls capability auth"},
		{"wrong user", "smtps", "nobody", checks.AuthRejected, 0, "resolve connect tls greeting capability auth"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				lab := ct.NewLab()
				serveReal(t, lab, ":465", true)
				serveReal(t, lab, ":587", false)
				serveReal(t, lab, ":25", false)
				target := checks.Target{URL: tt.scheme + "://" + host, Every: time.Minute}
				if tt.user != "" {
					target.Login = &checks.Login{User: tt.user, Password: checks.Secret{Name: "check"}}
				}
				c, err := smtp.New(target, lab.Env())
				if err != nil {
					t.Fatal(err)
				}
				for _, family := range []checks.Family{checks.IPv4, checks.IPv6} {
					r := c.Attempt(t.Context(), family)
					if r.Class != tt.class || names(r) != tt.phases || r.Elapsed != tt.took {
						t.Errorf("%s: got %+v, want %q after %s through %s", family, r, tt.class, tt.took, tt.phases)
					}
				}
			})
		})
	}
}

// taker is a mailer that takes mail.
type taker struct {
	mailer
	taken *string
}

func (m taker) NewSession(*server.Conn) (server.Session, error) { return m, nil }

func (m taker) Mail(from string, o *server.MailOptions) error {
	*m.taken += fmt.Sprintf("%s %d\n", from, o.Size)
	return nil
}

func (m taker) Rcpt(to string, _ *server.RcptOptions) error {
	*m.taken += to + "\n"
	return nil
}

func (m taker) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	*m.taken += string(data)
	return err
}

func TestRealServerTakesAMail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		var taken string
		serve(t, lab, taker{taken: &taken}, ":587", false)
		c, err := smtp.New(checks.Target{URL: "submission://" + host, Login: &checks.Login{User: "probe", Password: login.Password}, Every: time.Minute}, lab.Env())
		if err != nil {
			t.Fatal(err)
		}
		r := checks.Record(t.Context(), time.Minute, func(ctx context.Context, rec *checks.Recorder) error {
			s, err := c.Open(ctx, rec, checks.IPv6)
			if err != nil {
				return err
			}
			defer s.Quit(ctx)
			return s.Submit(ctx, from, to, []byte("Subject: x\r\n\r\n.\n..\nFrom here\nend"))
		})
		want := from + " 39\n" + to + "\nSubject: x\r\n\r\n.\r\n..\r\nFrom here\r\nend\r\n"
		if r.Outcome != checks.Up || taken != want {
			t.Errorf("got %+v, %q, want up, %q", r, taken, want)
		}
	})
}

// TestCertificates has a server present a certificate that nobody believes.
func TestCertificates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		l := lab.Listen(t, ":25")
		cfg := &tls.Config{Certificates: []tls.Certificate{ct.NewCA().Certificate("other.example.org")}}
		ct.Serve(t, l, ct.Script(seq(greet(), offerTLS(), goAhead(), steps(ct.Secure(cfg)), greetAgain())...))
		lab.Play(t, ":2525", steps(ct.Send("220 hi\r\n"), ct.Expect("EHLO"), ct.Send("250 x\r\n"), ct.Expect("QUIT"))...)
		for port, want := range map[string]int{":25": 1, ":2525": 0} {
			c, err := smtp.New(checks.Target{URL: "smtp://" + host + port, Login: login, Every: time.Minute}, lab.Env())
			if err != nil {
				t.Fatal(err)
			}
			chain, r := c.Certificates(t.Context(), checks.IPv4)
			if len(chain) != want || r.Outcome != checks.Up || strings.Contains(names(r), "auth") {
				t.Errorf("%s: got %d certificates, %+v, want %d and up without a login", port, len(chain), r, want)
			}
			if want == 1 && !bytes.Equal(chain[0].Raw, cfg.Certificates[0].Certificate[0]) {
				t.Error("not the certificate that was presented")
			}
		}
	})
}

func greetAgain() []ct.Step {
	return steps(ct.Expect("EHLO"), ct.Send("250-x\r\n250 AUTH PLAIN\r\n"), ct.Expect("QUIT"), ct.Send("221 bye\r\n"))
}
