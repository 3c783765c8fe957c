package pop3_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/sasl"
)

// by is a target at 995 whose login has a mechanism.
func by(m checks.Mechanism) checks.Target {
	target := full()
	target.URL = "pop3s://" + host
	target.Login.Mechanism = m
	return target
}

// initial is what is said first with a mechanism.
func initial(m checks.Mechanism) string {
	as := checks.Credentials{User: full().Login.User, Password: ct.LabPassword}
	return sasl.Initial(m, as, checks.Endpoint{Host: host, Port: 995})
}

func entrance(l *ct.Lab, caps string) []ct.Step {
	return seq(steps(ct.Secure(l.TLS())), greet(), offerLogin(caps))
}

func TestMechanisms(t *testing.T) {
	done := steps(ct.Send("+OK in\r\n"), ct.Expect("STAT"), ct.Send("+OK 0 0\r\n"), ct.Expect("QUIT"), ct.Send("+OK\r\n"))
	user := steps(ct.Expect("USER probe@example.net\r\n"), ct.Send("+OK\r\n"), ct.Expect("PASS "+ct.LabPassword+"\r\n"))
	plain := steps(ct.Expect("AUTH PLAIN " + initial(checks.MechanismPlain) + "\r\n"))
	long := full().Login.User + strings.Repeat("x", 150)
	for _, tt := range []struct {
		name, user, caps string
		mechanism        checks.Mechanism
		script           []ct.Step
	}{
		{"PLAIN", "", "USER\r\nsasl login plain\r\n", "", plain},
		{"PLAIN as asked", "", "SASL PLAIN\r\n", checks.MechanismPlain, plain},
		{"USER where it is all", "", "USER\r\n", "", user},
		{"USER where no other is known", "", "USER\r\nSASL XOAUTH2\r\n", "", user},
		{"USER as asked", "", "USER\r\nSASL PLAIN\r\n", checks.MechanismLogin, user},
		{"USER where nothing is said of logins", "", "", "", user},
		{"XOAUTH2", "", "SASL PLAIN XOAUTH2\r\n", checks.MechanismXOAUTH2, steps(
			ct.Expect("AUTH XOAUTH2 " + initial(checks.MechanismXOAUTH2) + "\r\n"),
		)},
		{"OAUTHBEARER", "", "SASL OAUTHBEARER\r\n", checks.MechanismOAuthBearer, steps(
			ct.Expect("AUTH OAUTHBEARER " + initial(checks.MechanismOAuthBearer) + "\r\n"),
		)},
		{"more than one line holds", long, "SASL PLAIN\r\n", "", steps(
			ct.Expect("AUTH PLAIN\r\n"), ct.Send("+ \r\n"), ct.Expect(sasl.Encode("\x00"+long+"\x00"+ct.LabPassword)+"\r\n"),
		)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			target := by(tt.mechanism)
			if tt.user != "" {
				target.Login.User = tt.user
			}
			r := attempt(t, target, func(l *ct.Lab) []ct.Step { return seq(entrance(l, tt.caps), tt.script, done) })
			if r.Outcome != checks.Up || r.Elapsed != 0 || r.Detail != "" {
				t.Errorf("got %+v, want up", r)
			}
		})
	}
}

func TestMechanismIsNotReplacedByAnother(t *testing.T) {
	for mechanism, caps := range map[checks.Mechanism]string{
		checks.MechanismXOAUTH2:     "USER\r\nSASL PLAIN\r\n",
		checks.MechanismOAuthBearer: "SASL XOAUTH2\r\n",
		checks.MechanismPlain:       "USER\r\n",
		checks.MechanismLogin:       "SASL PLAIN\r\n",
		"":                          "SASL XOAUTH2\r\n",
	} {
		r := attempt(t, by(mechanism), func(l *ct.Lab) []ct.Step {
			return seq(entrance(l, caps), steps(ct.Expect("QUIT"), ct.Silence()))
		})
		if r.Class != checks.AuthRejected || r.FailedPhase != checks.Auth || r.Elapsed != 0 {
			t.Errorf("%q at %q: got %+v, want auth_rejected at once", mechanism, caps, r)
		}
	}
}

func TestSASLRefused(t *testing.T) {
	why := func(s string) ct.Step { return ct.Send("+ " + base64.StdEncoding.EncodeToString([]byte(s)) + "\r\n") }
	status := why(`{"status":"401"}`)
	for _, tt := range []struct {
		name      string
		mechanism checks.Mechanism
		script    []ct.Step
		class     checks.Class
		detail    string
	}{
		{"no token", checks.MechanismXOAUTH2, steps(status, ct.Expect("AQ==\r\n"), ct.Send("-ERR [AUTH] x\r\n")), checks.AuthRejected, `-ERR [AUTH] x {"status":"401"}`},
		{"no token, no code", checks.MechanismXOAUTH2, steps(status, ct.Expect("AQ==\r\n"), ct.Send("-ERR\r\n")), checks.AuthRejected, `-ERR {"status":"401"}`},
		{"no token, at once", checks.MechanismOAuthBearer, steps(ct.Send("-ERR [AUTH] x\r\n")), checks.AuthRejected, "-ERR [AUTH] x"},
		{"the token repeated", checks.MechanismXOAUTH2, steps(why(ct.LabPassword), ct.Expect("AQ==\r\n"), ct.Send("-ERR x\r\n")), checks.AuthRejected, "-ERR x ***"},
		{"words that are no base64", checks.MechanismXOAUTH2, steps(ct.Send("+ ?\r\n"), ct.Expect("AQ==\r\n"), ct.Send("-ERR [SYS/TEMP] x\r\n")), checks.AuthTempfail, "-ERR [SYS/TEMP] x"},
		{"asks again", checks.MechanismXOAUTH2, steps(status, ct.Expect("AQ==\r\n"), ct.Send("+ \r\n")), checks.ProtocolError, "+"},
		{"closes", checks.MechanismXOAUTH2, steps(status, ct.Expect("AQ==\r\n"), ct.Hangup()), checks.Closed, "closed"},
		{"wrong password", checks.MechanismPlain, steps(ct.Send("-ERR [AUTH] x\r\n")), checks.AuthRejected, "-ERR [AUTH] x"},
		{"asks for more than there is", checks.MechanismPlain, steps(ct.Send("+ \r\n")), checks.ProtocolError, "+"},
		{"initial response repeated", checks.MechanismPlain, steps(ct.Send("-ERR " + initial(checks.MechanismPlain)[8:] + "\r\n")), checks.AuthRejected, "-ERR ***"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := attempt(t, by(tt.mechanism), func(l *ct.Lab) []ct.Step {
				return seq(entrance(l, "SASL PLAIN XOAUTH2 OAUTHBEARER\r\n"), steps(ct.Expect("AUTH "+sasl.Name(tt.mechanism)+" ")), tt.script, steps(ct.Silence()))
			})
			if r.Class != tt.class || r.FailedPhase != checks.Auth || r.Elapsed != 0 || !strings.Contains(r.Detail, tt.detail) {
				t.Errorf("got %+v, want %s with %q", r, tt.class, tt.detail)
			}
		})
	}
}

func TestInitialResponseThatIsNotTaken(t *testing.T) {
	for answer, class := range map[string]checks.Class{
		"+OK in already\r\n":    checks.ProtocolError,
		"-ERR [SYS/TEMP] x\r\n": checks.AuthTempfail,
	} {
		target := by(checks.MechanismPlain)
		target.Login.User += strings.Repeat("x", 200)
		r := attempt(t, target, func(l *ct.Lab) []ct.Step {
			return seq(entrance(l, "SASL PLAIN\r\n"), steps(ct.Expect("AUTH PLAIN\r\n"), ct.Send(answer), ct.Silence()))
		})
		if r.Class != class || r.FailedPhase != checks.Auth {
			t.Errorf("%q: got %+v, want %s", answer, r, class)
		}
	}
}
