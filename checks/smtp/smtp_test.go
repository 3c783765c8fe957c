package smtp_test

import (
	"context"
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/smtp"
)

const host = ct.LabName

var login = &checks.Login{User: "probe@example.net", Password: checks.Secret{Name: "check"}}

func build(t checks.Target, env checks.Env) (checks.Check, error) {
	c, err := smtp.New(t, env)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// seq joins steps and lists of steps.
func seq(parts ...[]ct.Step) []ct.Step { return slices.Concat(parts...) }

func steps(s ...ct.Step) []ct.Step { return s }

// The conversation of an honest server, piece by piece.
func greet() []ct.Step {
	return steps(ct.Send("220 mail.example.net ESMTP\r\n"), ct.Expect("EHLO [192.0.2.1]"))
}

func offerTLS() []ct.Step {
	return steps(ct.Send("250-mail.example.net\r\n250-SIZE 1\r\n250 STARTTLS\r\n"), ct.Expect("STARTTLS"))
}

func goAhead() []ct.Step { return steps(ct.Send("220 go ahead\r\n")) }

func secure(l *ct.Lab) []ct.Step { return steps(ct.Secure(l.TLS()), ct.Expect("EHLO")) }

func offerAuth(how string) []ct.Step {
	return steps(ct.Send("250-mail.example.net\r\n250 AUTH "+how+"\r\n"), ct.Expect("AUTH"))
}

func accept() []ct.Step { return steps(ct.Send("235 2.7.0 ok\r\n"), ct.Expect("QUIT")) }

func TestEveryPoint(t *testing.T) {
	const c, g = checks.ProtocolError, checks.GreetingError
	points := []ct.Point{
		{
			Name: "greeting", Until: func(*ct.Lab) []ct.Step { return nil }, Drip: "220 mail",
			Phase: checks.Greeting, Timeout: checks.GreetingTimeout, Limit: 5 * time.Second, Garbage: g, Flood: c,
		},
		{
			Name: "first EHLO", Until: func(*ct.Lab) []ct.Step { return greet() }, Drip: "250-mail",
			Phase: checks.Capability, Timeout: checks.CommandTimeout, Limit: 5 * time.Second, Garbage: c, Flood: c,
		},
		{
			Name: "STARTTLS", Until: func(*ct.Lab) []ct.Step { return seq(greet(), offerTLS()) }, Drip: "220 go",
			Phase: checks.StartTLS, Timeout: checks.CommandTimeout, Limit: 5 * time.Second, Garbage: c, Flood: c,
		},
		{
			Name: "second EHLO", Until: func(l *ct.Lab) []ct.Step { return seq(greet(), offerTLS(), goAhead(), secure(l)) },
			Drip: "250-mail", Phase: checks.Capability, Timeout: checks.CommandTimeout, Limit: 5 * time.Second, Garbage: c, Flood: c,
		},
		{
			Name: "AUTH", Until: func(l *ct.Lab) []ct.Step {
				return seq(greet(), offerTLS(), goAhead(), secure(l), offerAuth("PLAIN LOGIN"))
			},
			Drip: "235 ", Phase: checks.Auth, Timeout: checks.AuthTimeout, Limit: 10 * time.Second, Garbage: c, Flood: c,
		},
	}
	target := checks.Target{Kind: checks.SMTP, URL: "submission://" + host, Login: login}
	ct.EveryPoint(t, target, ":587", build, points)
}

func TestEveryPointOfTheHandshake(t *testing.T) {
	ct.EveryPoint(t, checks.Target{Kind: checks.SMTP, URL: "smtps://" + host}, ":465", build, []ct.Point{{
		Name: "handshake", Until: func(*ct.Lab) []ct.Step { return nil }, Drip: "\x16\x03\x03\x40\x00",
		Phase: checks.TLS, Timeout: checks.TLSTimeout, Limit: 5 * time.Second, Garbage: checks.TLSError, Flood: checks.TLSError,
	}})
}

func TestGreetingOfAMailExchangerMayTakeEightSeconds(t *testing.T) {
	ct.EveryPoint(t, checks.Target{Kind: checks.SMTP, URL: "smtp://" + host}, ":25", build, []ct.Point{{
		Name: "greeting", Until: func(*ct.Lab) []ct.Step { return nil }, Drip: "220 mail",
		Phase: checks.Greeting, Timeout: checks.GreetingTimeout, Limit: 8 * time.Second,
		Garbage: checks.GreetingError, Flood: checks.ProtocolError,
	}})
}

func TestNothingWrongAtQuitIsDown(t *testing.T) {
	p := ct.Point{Harmless: true, Phase: checks.Logout}
	for _, tt := range []struct {
		name string
		step ct.Step
		took time.Duration
	}{
		{"silent", ct.Silence(), time.Second},
		{"drips", ct.Drip("221 bye bye bye", time.Second), time.Second},
		{"closes", ct.Hangup(), 0},
		{"resets", ct.Break(), 0},
		{"talks garbage", ct.Send("???\r\n"), 0},
		{"says bye", ct.Send("221 bye\r\n"), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := attempt(t, "submission", ":587", login, func(l *ct.Lab) []ct.Step {
				return seq(greet(), offerTLS(), goAhead(), secure(l), offerAuth("PLAIN"), accept(), steps(tt.step))
			})
			if r.Outcome != checks.Up || r.Elapsed != tt.took || r.Phases[len(r.Phases)-1].Name != p.Phase {
				t.Errorf("got %+v, want up after %s of logout", r, tt.took)
			}
		})
	}
}

// attempt plays a script to one check over IPv4.
func attempt(t *testing.T, scheme, port string, as *checks.Login, script func(*ct.Lab) []ct.Step) checks.Result {
	t.Helper()
	return ask(t, checks.Target{URL: scheme + "://" + host, Login: as}, port, script)
}

func ask(t *testing.T, target checks.Target, port string, script func(*ct.Lab) []ct.Step) (r checks.Result) {
	t.Helper()
	converse(t, target, port, script, func(ctx context.Context, c *smtp.Check) { r = c.Attempt(ctx, checks.IPv4) })
	return r
}

// converse plays a script in a bubble while do asks.
func converse(t *testing.T, target checks.Target, port string, script func(*ct.Lab) []ct.Step, do func(context.Context, *smtp.Check)) {
	t.Helper()
	target.Every, target.Timeout = time.Minute, time.Minute
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		lab.Play(t, port, script(lab)...)
		c, err := smtp.New(target, lab.Env())
		if err != nil {
			t.Fatal(err)
		}
		do(t.Context(), c)
		synctest.Wait() // the server has heard what was said last
	})
}

func names(r checks.Result) string {
	var all []string
	for _, p := range r.Phases {
		all = append(all, string(p.Name))
	}
	return strings.Join(all, " ")
}

func TestAnswers(t *testing.T) {
	plain := func(answer string) []ct.Step {
		return steps(ct.Send("220 hi\r\n"), ct.Expect("EHLO"), ct.Send(answer), ct.Silence())
	}
	startTLS := func(answer string) []ct.Step { return seq(greet(), offerTLS(), steps(ct.Send(answer), ct.Silence())) }
	auth := func(answer string) func(*ct.Lab) []ct.Step {
		return func(l *ct.Lab) []ct.Step {
			return seq(greet(), offerTLS(), goAhead(), secure(l), offerAuth("LOGIN PLAIN"), steps(ct.Send(answer), ct.Silence()))
		}
	}
	always := func(s []ct.Step) func(*ct.Lab) []ct.Step { return func(*ct.Lab) []ct.Step { return s } }
	greeting := func(s string) func(*ct.Lab) []ct.Step { return always(steps(ct.Send(s), ct.Silence())) }
	for _, tt := range []struct {
		name   string
		script func(*ct.Lab) []ct.Step
		phase  checks.Phase
		class  checks.Class
		detail string
	}{
		{"421 at greeting", greeting("421 4.3.2 too busy\r\n"), checks.Greeting, checks.Busy, "421 4.3.2 too busy"},
		{"450 at greeting", greeting("450 later\r\n"), checks.Greeting, checks.Busy, "450 later"},
		{"554 at greeting", greeting("554 5.7.1 you are listed\r\n"), checks.Greeting, checks.Policy, "554 5.7.1 you are listed"},
		{"521 at greeting", greeting("521 no mail here\r\n"), checks.Greeting, checks.Policy, "521 no mail here"},
		{"250 at greeting", greeting("250 ok\r\n"), checks.Greeting, checks.GreetingError, "250 ok"},
		{"HTTP at greeting", greeting("HTTP/1.1 400 Bad Request\r\n"), checks.Greeting, checks.GreetingError, "not an SMTP reply"},
		{"codes differ", greeting("220-a\r\n250 b\r\n"), checks.Greeting, checks.GreetingError, "not an SMTP reply"},
		{"eleven lines of greeting", greeting(strings.Repeat("220-hi\r\n", 10) + "220 hi\r\n"), checks.Greeting, checks.ProtocolError, "more than 10 lines"},
		{"endless lines of greeting", always(steps(ct.Flood("220-hi\r\n"))), checks.Greeting, checks.ProtocolError, "more than 10 lines"},
		{"421 at EHLO", always(plain("421 bye\r\n")), checks.Capability, checks.Busy, "421 bye"},
		{"451 at EHLO", always(plain("451 later\r\n")), checks.Capability, checks.Busy, "451 later"},
		{"500 at EHLO", always(plain("500 what\r\n")), checks.Capability, checks.ProtocolError, "500 what"},
		{"550 at EHLO", always(plain("550 not from there\r\n")), checks.Capability, checks.Policy, "550 not from there"},
		{"503 5.7.0 at EHLO", always(plain("503 5.7.0 no\r\n")), checks.Capability, checks.Policy, "503 5.7.0 no"},
		{"530 at EHLO", always(plain("530 5.7.0 log in first\r\n")), checks.Capability, checks.OwnError, "530 5.7.0 log in first"},
		{"530 at STARTTLS", always(startTLS("530 5.7.0 Must issue a STARTTLS command first\r\n")), checks.StartTLS, checks.TLSError, "530 5.7.0 Must issue"},
		{"a status of another kind at EHLO", always(plain("451 5.7.1 odd\r\n")), checks.Capability, checks.Busy, "451 5.7.1 odd"},
		{"endless EHLO", always(seq(greet(), steps(ct.Flood("250-X\r\n")))), checks.Capability, checks.ProtocolError, "more than 100 lines"},
		{"STARTTLS not offered", always(plain("250 plain\r\n")), checks.StartTLS, checks.TLSError, "does not offer STARTTLS"},
		{"454 at STARTTLS", always(startTLS("454 4.7.0 TLS not available\r\n")), checks.StartTLS, checks.TLSError, "454 4.7.0 TLS not available"},
		{"421 at STARTTLS", always(startTLS("421 bye\r\n")), checks.StartTLS, checks.Busy, "421 bye"},
		{"554 5.7.1 at STARTTLS", always(startTLS("554 5.7.1 no\r\n")), checks.StartTLS, checks.Policy, "554 5.7.1 no"},
		{"words before the handshake", always(startTLS("220 go\r\n250 injected\r\n")), checks.StartTLS, checks.ProtocolError, "14 bytes between"},
		{"535 at AUTH", auth("535 5.7.8 wrong\r\n"), checks.Auth, checks.AuthRejected, "535 5.7.8 wrong"},
		{"534 at AUTH", auth("534 5.7.9 too weak\r\n"), checks.Auth, checks.AuthRejected, "534 5.7.9 too weak"},
		{"554 5.7.8 at AUTH", auth("554 5.7.8 wrong\r\n"), checks.Auth, checks.AuthRejected, "554 5.7.8 wrong"},
		{"454 at AUTH", auth("454 4.7.0 try later\r\n"), checks.Auth, checks.AuthTempfail, "454 4.7.0 try later"},
		{"432 at AUTH", auth("432 4.7.12 change it\r\n"), checks.Auth, checks.AuthTempfail, "432 4.7.12 change it"},
		{"454 of too many logins at AUTH, as Gmail has it", auth("454 4.7.0 Too many login attempts, please try again later.\r\n"), checks.Auth, checks.Policy, "454 4.7.0 Too many login attempts"},
		{"421 at AUTH", auth("421 4.7.0 bye\r\n"), checks.Auth, checks.Busy, "421 4.7.0 bye"},
		{"550 5.7.1 at AUTH", auth("550 5.7.1 blocked\r\n"), checks.Auth, checks.Policy, "550 5.7.1 blocked"},
		{"502 at AUTH", auth("502 not here\r\n"), checks.Auth, checks.ProtocolError, "502 not here"},
		{"334 for ever", auth("334 \r\n"), checks.Auth, checks.ProtocolError, "334"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := attempt(t, "submission", ":587", login, tt.script)
			if r.FailedPhase != tt.phase || r.Class != tt.class || r.Outcome != tt.class.Outcome() {
				t.Errorf("got %s in %q, want %s in %q", r.Class, r.FailedPhase, tt.class, tt.phase)
			}
			if !strings.Contains(r.Detail, tt.detail) || r.Elapsed != 0 {
				t.Errorf("detail %q after %s, want %q after 0s", r.Detail, r.Elapsed, tt.detail)
			}
		})
	}
}

// What comes in a packet of its own is found by the handshake.
func TestWordsBeforeTheHandshakeInTheirOwnPacket(t *testing.T) {
	r := attempt(t, "submission", ":587", login, func(*ct.Lab) []ct.Step {
		return seq(greet(), offerTLS(), steps(ct.Send("220 go\r\n"), ct.Wait(time.Millisecond), ct.Send("250 injected\r\n"), ct.Silence()))
	})
	if r.Class != checks.ProtocolError || r.FailedPhase != checks.TLS {
		t.Errorf("got %+v, want protocol_error", r)
	}
}

func TestPhases(t *testing.T) {
	ehlo := steps(ct.Send("220 hi\r\n"), ct.Expect("EHLO"))
	bye := steps(ct.Expect("QUIT"), ct.Send("221 bye\r\n"))
	offered := steps(ct.Send("250-x\r\n250-starttls\r\n250 AUTH=LOGIN\r\n"))
	logIn := steps(
		ct.Expect("AUTH LOGIN"), ct.Send("334 VXNlcm5hbWU6\r\n"), ct.Expect("cHJvYmVAZXhhbXBsZS5uZXQ="),
		ct.Send("334 UGFzc3dvcmQ6\r\n"), ct.Expect("czNjcmV0ICJcIHBhc3M="), ct.Send("235 ok\r\n"),
	)
	begin := func(l *ct.Lab) []ct.Step {
		return steps(ct.Expect("STARTTLS"), ct.Send("220 go\r\n"), ct.Secure(l.TLS()), ct.Expect("EHLO"))
	}
	for _, tt := range []struct {
		name, scheme, port string
		login              *checks.Login
		script             func(*ct.Lab) []ct.Step
		want               string
	}{
		{"smtps", "smtps", ":465", nil, func(l *ct.Lab) []ct.Step {
			return seq(steps(ct.Secure(l.TLS())), ehlo, offered, bye)
		}, "resolve connect tls greeting capability logout"},
		{"smtps with login", "smtps", ":465", login, func(l *ct.Lab) []ct.Step {
			return seq(steps(ct.Secure(l.TLS())), ehlo, offered, logIn, bye)
		}, "resolve connect tls greeting capability auth logout"},
		{"submission", "submission", ":587", nil, func(l *ct.Lab) []ct.Step {
			return seq(ehlo, offered, begin(l), offered, bye)
		}, "resolve connect greeting starttls tls capability logout"},
		{"smtp with STARTTLS", "smtp", ":25", nil, func(l *ct.Lab) []ct.Step {
			return seq(ehlo, offered, begin(l), offered, bye)
		}, "resolve connect greeting starttls tls capability logout"},
		{"smtp without STARTTLS", "smtp", ":25", nil, func(*ct.Lab) []ct.Step {
			return seq(ehlo, steps(ct.Send("250 x\r\n")), bye)
		}, "resolve connect greeting capability logout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := attempt(t, tt.scheme, tt.port, tt.login, tt.script)
			if r.Outcome != checks.Up || names(r) != tt.want || r.Detail != "" {
				t.Errorf("got %+v, want up through %s", r, tt.want)
			}
			if r.Address != "198.51.100.1"+tt.port {
				t.Errorf("address %q", r.Address)
			}
		})
	}
}

func TestPasswordNeedsTLSOnPort25(t *testing.T) {
	r := attempt(t, "smtp", ":25", login, func(*ct.Lab) []ct.Step {
		return steps(ct.Send("220 hi\r\n"), ct.Expect("EHLO"), ct.Send("250 AUTH PLAIN\r\n"), ct.Silence())
	})
	if r.Class != checks.TLSError || r.FailedPhase != checks.StartTLS {
		t.Errorf("got %+v, want tls_error in starttls", r)
	}
}

func TestNoMechanismInCommon(t *testing.T) {
	r := attempt(t, "submission", ":587", login, func(l *ct.Lab) []ct.Step {
		return seq(greet(), offerTLS(), goAhead(), secure(l), steps(ct.Send("250-x\r\n250 AUTH CRAM-MD5\r\n"), ct.Silence()))
	})
	if r.Class != checks.AuthRejected || r.FailedPhase != checks.Auth {
		t.Errorf("got %+v, want auth_rejected", r)
	}
}

func TestCertificateIsVerifiedAfterSTARTTLSToo(t *testing.T) {
	r := attempt(t, "smtp", ":25", nil, func(l *ct.Lab) []ct.Step {
		cfg := l.TLS()
		cfg.Certificates[0] = l.CA.Mint(func(c *x509.Certificate) { c.NotAfter = c.NotBefore.Add(time.Minute) }, host)
		return seq(greet(), offerTLS(), goAhead(), steps(ct.Secure(cfg)))
	})
	if r.Class != checks.CertExpired || r.FailedPhase != checks.TLS {
		t.Errorf("got %+v, want cert_expired in tls", r)
	}
}

// TestServerThatRepeatsWhatItWasSent has the password come back in every form.
func TestServerThatRepeatsWhatItWasSent(t *testing.T) {
	for _, echo := range []string{
		ct.LabPassword, strings.ToUpper(ct.LabPassword), ct.LabPassword[:8],
		"AHByb2JlQGV4YW1wbGUubmV0AHMzY3JldCAiXCBwYXNz", "AHByb2JlQGV4YW1wbGUubmV0AHMzY3JldCAi", "czNjcmV0ICJcIHBhc3M=",
		`s3cret \"\\ pass`,
	} {
		r := attempt(t, "submission", ":587", login, func(l *ct.Lab) []ct.Step {
			return seq(greet(), offerTLS(), goAhead(), secure(l), offerAuth("PLAIN"),
				steps(ct.Send("535 5.7.8 you said "+echo+" which is wrong\r\n"), ct.Silence()))
		})
		if want := "535 5.7.8 you said *** which is wrong"; r.Detail != want {
			t.Errorf("echo %q: detail %q, want %q", echo, r.Detail, want)
		}
	}
}
