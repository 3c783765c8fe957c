package smtp_test

import (
	"crypto/tls"
	"errors"
	"io"
	"log"
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
	s := server.NewServer(mailer{})
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
