package imap_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/sasl"
)

// by is the login of the tests with a mechanism.
func by(m checks.Mechanism) checks.Target {
	l := *login
	l.Mechanism = m
	return checks.Target{Kind: checks.IMAP, URL: "imaps://" + host, Login: &l}
}

// initial is what is said first with a mechanism.
func initial(m checks.Mechanism) string {
	as := checks.Credentials{User: login.User, Password: ct.LabPassword}
	return sasl.Initial(m, as, checks.Endpoint{Host: host, Port: 993})
}

// entrance is a server at 993 that offers the given capabilities.
func entrance(l *ct.Lab, caps string) []ct.Step {
	return steps(
		ct.Secure(l.TLS()), ct.Send("* OK [CAPABILITY IMAP4rev1] lab ready\r\n"), ct.Expect("a1 CAPABILITY"),
		ct.Send("* CAPABILITY IMAP4rev1 "+caps+"\r\na1 OK\r\n"),
	)
}

func TestMechanisms(t *testing.T) {
	done := steps(ct.Send("a2 OK in\r\n"), ct.Expect("a3 NOOP"), ct.Send("a3 OK\r\n"), ct.Expect("a4 LOGOUT"), ct.Send("a4 OK\r\n"))
	for _, tt := range []struct {
		name, caps string
		mechanism  checks.Mechanism
		script     []ct.Step
	}{
		{"XOAUTH2", "AUTH=PLAIN auth=xoauth2 SASL-IR", checks.MechanismXOAUTH2, steps(
			ct.Expect("a2 AUTHENTICATE XOAUTH2 " + initial(checks.MechanismXOAUTH2) + "\r\n"),
		)},
		{"XOAUTH2 when asked", "AUTH=XOAUTH2", checks.MechanismXOAUTH2, steps(
			ct.Expect("a2 AUTHENTICATE XOAUTH2\r\n"), ct.Send("+ \r\n"), ct.Expect(initial(checks.MechanismXOAUTH2)+"\r\n"),
		)},
		{"OAUTHBEARER", "AUTH=OAUTHBEARER SASL-IR", checks.MechanismOAuthBearer, steps(
			ct.Expect("a2 AUTHENTICATE OAUTHBEARER " + initial(checks.MechanismOAuthBearer) + "\r\n"),
		)},
		{"OAUTHBEARER when asked", "AUTH=OAUTHBEARER", checks.MechanismOAuthBearer, steps(
			ct.Expect("a2 AUTHENTICATE OAUTHBEARER\r\n"), ct.Send("+ \r\n"), ct.Expect(initial(checks.MechanismOAuthBearer)+"\r\n"),
		)},
		{"LOGIN beside PLAIN", "AUTH=PLAIN SASL-IR", checks.MechanismLogin, steps(
			ct.Expect(`a2 LOGIN "probe@example.net" "s3cret \"\\ pass"` + "\r\n"),
		)},
		{"PLAIN where LOGIN is disabled", "AUTH=PLAIN SASL-IR LOGINDISABLED", "", steps(
			ct.Expect("a2 AUTHENTICATE PLAIN " + initial(checks.MechanismPlain) + "\r\n"),
		)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := attempt(t, by(tt.mechanism), func(l *ct.Lab) []ct.Step { return seq(entrance(l, tt.caps), tt.script, done) })
			if r.Outcome != checks.Up || r.Elapsed != 0 || r.Detail != "" {
				t.Errorf("got %+v, want up", r)
			}
		})
	}
}

func TestMechanismIsNotReplacedByAnother(t *testing.T) {
	for mechanism, caps := range map[checks.Mechanism]string{
		checks.MechanismXOAUTH2:     "AUTH=PLAIN SASL-IR",
		checks.MechanismOAuthBearer: "AUTH=XOAUTH2",
		checks.MechanismPlain:       "",
		checks.MechanismLogin:       "AUTH=PLAIN LOGINDISABLED",
		"":                          "AUTH=XOAUTH2 LOGINDISABLED",
	} {
		r := attempt(t, by(mechanism), func(l *ct.Lab) []ct.Step {
			return seq(entrance(l, caps), steps(ct.Expect("a2 LOGOUT"), ct.Silence()))
		})
		if r.Class != checks.AuthRejected || r.FailedPhase != checks.Auth || r.Elapsed != 0 {
			t.Errorf("%q at %q: got %+v, want auth_rejected at once", mechanism, caps, r)
		}
	}
}

// TestBearerRefused has a server say why it takes no token before it says no.
func TestBearerRefused(t *testing.T) {
	why := func(s string) ct.Step { return ct.Send("+ " + base64.StdEncoding.EncodeToString([]byte(s)) + "\r\n") }
	status := why(`{"status":"401","schemes":"bearer","scope":"mail"}`)
	for _, tt := range []struct {
		name   string
		script []ct.Step
		class  checks.Class
		detail string
	}{
		{
			"no", steps(status, ct.Expect("AQ==\r\n"), ct.Send("a2 NO [AUTHENTICATIONFAILED] Invalid credentials\r\n")),
			checks.AuthRejected, `NO [AUTHENTICATIONFAILED] Invalid credentials {"status":"401","schemes":"bearer","scope":"mail"}`,
		},
		{"no without a code", steps(status, ct.Expect("AQ==\r\n"), ct.Send("a2 NO x\r\n")), checks.AuthRejected, `NO x {"status"`},
		{"words that are no base64", steps(ct.Send("+ what?\r\n"), ct.Expect("AQ==\r\n"), ct.Send("a2 NO x\r\n")), checks.AuthRejected, "NO x"},
		{"the token repeated", steps(why(ct.LabPassword), ct.Expect("AQ==\r\n"), ct.Send("a2 NO x\r\n")), checks.AuthRejected, "NO x ***"},
		{"unavailable", steps(status, ct.Expect("AQ==\r\n"), ct.Send("a2 NO [UNAVAILABLE] x\r\n")), checks.AuthTempfail, "NO [UNAVAILABLE] x"},
		{"bad", steps(status, ct.Expect("AQ==\r\n"), ct.Send("a2 BAD x\r\n")), checks.ProtocolError, "BAD x"},
		{"asks again", steps(status, ct.Expect("AQ==\r\n"), ct.Send("+ \r\n")), checks.ProtocolError, `"+"`},
		{"leaves", steps(status, ct.Expect("AQ==\r\n"), ct.Send("* BYE x\r\n")), checks.Busy, "BYE x"},
		{"closes", steps(status, ct.Expect("AQ==\r\n"), ct.Hangup()), checks.Closed, "closed"},
		{"no at once", steps(ct.Send("a2 NO [EXPIRED] x\r\n")), checks.AuthRejected, "NO [EXPIRED] x"},
		{"initial response repeated", steps(ct.Send("a2 NO " + initial(checks.MechanismXOAUTH2)[4:] + "\r\n")), checks.AuthRejected, "NO ***"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := attempt(t, by(checks.MechanismXOAUTH2), func(l *ct.Lab) []ct.Step {
				return seq(entrance(l, "AUTH=XOAUTH2 SASL-IR"), steps(ct.Expect("a2 AUTHENTICATE XOAUTH2 ")), tt.script, steps(ct.Silence()))
			})
			if r.Class != tt.class || r.FailedPhase != checks.Auth || r.Elapsed != 0 {
				t.Errorf("got %+v, want %s", r, tt.class)
			}
			if !strings.HasPrefix(r.Detail, tt.detail) && tt.class != checks.ProtocolError && tt.class != checks.Closed || !strings.Contains(r.Detail, tt.detail) {
				t.Errorf("detail %q, want %q", r.Detail, tt.detail)
			}
		})
	}
}

// TestSecretsInWhatIsPresented has a server repeat what it was told wherever it
// speaks.
func TestSecretsInWhatIsPresented(t *testing.T) {
	plain := initial(checks.MechanismPlain)
	r := attempt(t, by(""), func(l *ct.Lab) []ct.Step {
		return seq(entrance(l, "AUTH=PLAIN SASL-IR"), steps(
			ct.Expect("a2 AUTHENTICATE PLAIN"),
			ct.Send("* OK [ALERT] you said "+plain+"\r\na2 OK [CAPABILITY IMAP4rev1 X="+plain+"] "+ct.LabPassword+"\r\n"),
			ct.Expect("a3 NOOP"), ct.Send("* OK [ALERT] it was "+ct.LabPassword+"\r\na3 NO ["+plain+"] x\r\n"), ct.Silence(),
		))
	})
	if r.Class != checks.Busy || r.FailedPhase != checks.Request {
		t.Errorf("got %+v, want busy", r)
	}
	p := r.Presented
	all := strings.Join(append(append([]string{r.Detail, p.Banner}, p.Capabilities...), p.Replies...), "\n")
	for _, secret := range []string{ct.LabPassword, plain, strings.ToUpper(plain)} {
		if strings.Contains(all, secret) {
			t.Errorf("%q holds %q", all, secret)
		}
	}
}
