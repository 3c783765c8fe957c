package smtp_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/smtp"
)

// as is the lab's login by one mechanism.
func as(m checks.Mechanism) *checks.Login {
	return &checks.Login{User: login.User, Password: login.Password, Mechanism: m}
}

const (
	plainWords   = "AHByb2JlQGV4YW1wbGUubmV0AHMzY3JldCAiXCBwYXNz"
	userWords    = "cHJvYmVAZXhhbXBsZS5uZXQ="
	secretWords  = "czNjcmV0ICJcIHBhc3M="
	xoauth2Words = "dXNlcj1wcm9iZUBleGFtcGxlLm5ldAFhdXRoPUJlYXJlciBzM2NyZXQgIlwgcGFzcwEB"
	bearerWords  = "bixhPXByb2JlQGV4YW1wbGUubmV0LAFob3N0PW1haWwuZXhhbXBsZS5uZXQBcG9ydD00NjUBYXV0aD1CZWFyZXIgczNjcmV0ICJcIHBhc3MBAQ=="
	cancelWords  = "AQ=="
	refusedWords = "eyJzdGF0dXMiOiI0MDEifQ==" // {"status":"401"}
)

func TestMechanisms(t *testing.T) {
	const rejected = checks.AuthRejected
	in, challenge := ct.Send("235 2.7.0 in\r\n"), ct.Send("334 "+refusedWords+"\r\n")
	user := ct.Both(ct.Both(ct.Expect("AUTH LOGIN\r\n"), ct.Send("334 VXNlcm5hbWU6\r\n")), ct.Expect(userWords))
	no := ct.Both(ct.Both(ct.Expect("AUTH"), challenge), ct.Expect(cancelWords))
	for _, tt := range []struct {
		name      string
		mechanism checks.Mechanism
		offered   string
		script    []ct.Step
		class     checks.Class
		detail    string
	}{
		{"the best of all", "", "LOGIN PLAIN XOAUTH2", steps(ct.Expect("AUTH PLAIN "+plainWords), in), "", ""},
		{"nothing but LOGIN", "", "LOGIN", steps(user, challenge, ct.Expect(secretWords), in), "", ""},
		{"LOGIN asked for", "login", "PLAIN LOGIN", steps(user, challenge, ct.Expect(secretWords), in), "", ""},
		{"PLAIN asked for", "plain", "LOGIN PLAIN", steps(ct.Expect("AUTH PLAIN "+plainWords), in), "", ""},
		{"XOAUTH2", "xoauth2", "PLAIN XOAUTH2", steps(ct.Expect("AUTH XOAUTH2 "+xoauth2Words), in), "", ""},
		{"OAUTHBEARER", "oauthbearer", "OAUTHBEARER", steps(ct.Expect("AUTH OAUTHBEARER "+bearerWords), in), "", ""},
		{"token refused", "xoauth2", "XOAUTH2", steps(no, ct.Send("535 5.7.8 no\r\n")), rejected, `535 5.7.8 no {"status":"401"}`},
		{"token refused, for now", "oauthbearer", "OAUTHBEARER", steps(no, ct.Send("454 4.7.0 later\r\n")), checks.AuthTempfail, `454 4.7.0 later {"status":"401"}`},
		{"token refused without a challenge", "xoauth2", "XOAUTH2", steps(ct.Expect("AUTH"), ct.Send("535 5.7.8 no\r\n")), rejected, "535 5.7.8 no"},
		{"token refused and let in", "xoauth2", "XOAUTH2", steps(no, in), checks.ProtocolError, "235 2.7.0 in, after the token was refused"},
		{"token refused for ever", "xoauth2", "XOAUTH2", steps(no, challenge), checks.ProtocolError, "after the token was refused"},
		{"token refused in words that are none", "xoauth2", "XOAUTH2", steps(ct.Expect("AUTH"), ct.Send("334 ???\r\n"), ct.Expect(cancelWords), ct.Send("535 no\r\n")), rejected, "535 no"},
		{"user refused", "login", "LOGIN", steps(user, ct.Send("535 5.7.8 who\r\n")), rejected, "535 5.7.8 who"},
		{"421 in the middle", "login", "LOGIN", steps(user, ct.Send("421 4.3.2 bye\r\n")), checks.Busy, "421 4.3.2 bye"},
		{"asked for and not offered", "xoauth2", "PLAIN LOGIN", nil, rejected, `the server offers the mechanisms ["PLAIN" "LOGIN"], expected XOAUTH2`},
		{"a login is not offered", "", "", nil, rejected, "the server offers the mechanisms [], expected PLAIN or LOGIN"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := attempt(t, "smtps", ":465", as(tt.mechanism), func(l *ct.Lab) []ct.Step {
				offer := "250-x\r\n250 AUTH " + tt.offered + "\r\n"
				if tt.offered == "" {
					offer = "250 x\r\n"
				}
				return seq(steps(ct.Secure(l.TLS())), greet(), steps(ct.Send(offer)), tt.script, steps(ct.Expect("QUIT"), ct.Send("221 bye\r\n")))
			})
			want := "resolve connect tls greeting capability auth logout"
			if tt.class != "" {
				want = "resolve connect tls greeting capability auth"
			}
			if r.Class != tt.class || r.Outcome != tt.class.Outcome() || names(r) != want || r.Elapsed != 0 {
				t.Errorf("got %+v, want %q through %s", r, tt.class, want)
			}
			if !strings.Contains(r.Detail, tt.detail) || tt.detail == "" && r.Detail != "" {
				t.Errorf("detail %q, want %q", r.Detail, tt.detail)
			}
		})
	}
}

// TestLongTokenWaitsForItsTurn: a command has 512 bytes, an answer more.
func TestLongTokenWaitsForItsTurn(t *testing.T) {
	for _, n := range []int{290, 400, 4000} {
		token := strings.Repeat("t", n)
		words := base64.StdEncoding.EncodeToString([]byte("user=" + login.User + "\x01auth=Bearer " + token + "\x01\x01"))
		script := steps(ct.Expect("AUTH XOAUTH2 "+words), ct.Send("535 5.7.8 "+words[:40]+"\r\n"))
		if len("AUTH XOAUTH2 "+words+"\r\n") > 512 {
			script = steps(ct.Expect("AUTH XOAUTH2\r\n"), ct.Send("334 \r\n"), ct.Expect(words), ct.Send("535 5.7.8 "+words[60:120]+"\r\n"))
		}
		synctest.Test(t, func(t *testing.T) {
			lab := ct.NewLab()
			lab.Play(t, ":465", seq(steps(ct.Secure(lab.TLS())), greet(), steps(ct.Send("250-x\r\n250 AUTH XOAUTH2\r\n")), script)...)
			env := lab.Env()
			env.Password = func(string) (string, error) { return token, nil }
			c, err := smtp.New(checks.Target{URL: "smtps://" + host, Login: as("xoauth2"), Every: time.Minute}, env)
			if err != nil {
				t.Fatal(err)
			}
			r := c.Attempt(t.Context(), checks.IPv4)
			if r.Class != checks.AuthRejected || r.Detail != "535 5.7.8 ***" {
				t.Errorf("%d bytes: got %+v, want auth_rejected without the token", n, r)
			}
		})
	}
}

func TestEveryPointOfALogin(t *testing.T) {
	const c = checks.ProtocolError
	until := func(how string, more ...ct.Step) func(*ct.Lab) []ct.Step {
		return func(l *ct.Lab) []ct.Step {
			return seq(steps(ct.Secure(l.TLS())), greet(), offerAuth(how), more)
		}
	}
	point := func(name string, until func(*ct.Lab) []ct.Step, drip string) []ct.Point {
		return []ct.Point{{
			Name: name, Until: until, Drip: drip, Phase: checks.Auth,
			Timeout: checks.AuthTimeout, Limit: 10 * time.Second, Garbage: c, Flood: c,
		}}
	}
	target := func(m checks.Mechanism) checks.Target {
		return checks.Target{Kind: checks.SMTP, URL: "smtps://" + host, Login: as(m)}
	}
	ct.EveryPoint(t, target("login"), ":465", build,
		point("user", until("LOGIN", ct.Send("334 VXNlcm5hbWU6\r\n"), ct.Expect(userWords)), "334 "))
	ct.EveryPoint(t, target("login"), ":465", build,
		point("password", until("LOGIN", ct.Send("334 \r\n"), ct.Expect(userWords), ct.Send("334 \r\n"), ct.Expect(secretWords)), "235 "))
	ct.EveryPoint(t, target("oauthbearer"), ":465", build,
		point("refused token", until("OAUTHBEARER", ct.Send("334 "+refusedWords+"\r\n"), ct.Expect(cancelWords)), "535 "))
}
