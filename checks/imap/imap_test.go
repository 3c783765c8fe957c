package imap_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/imap"
)

const host = ct.LabName

var login = &checks.Login{User: "probe@example.net", Password: checks.Secret{Name: "check"}}

func build(t checks.Target, env checks.Env) (checks.Check, error) {
	c, err := imap.New(t, env)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func seq(parts ...[]ct.Step) []ct.Step { return slices.Concat(parts...) }

func steps(s ...ct.Step) []ct.Step { return s }

// script is what a server does, made in the bubble.
type script = func(*ct.Lab) []ct.Step

// The conversation of an honest server at 143, piece by piece.
func greet() []ct.Step { return steps(ct.Send("* OK hello\r\n"), ct.Expect("a1 CAPABILITY")) }

func offerTLS() []ct.Step {
	return steps(ct.Send("* CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\r\na1 OK done\r\n"), ct.Expect("a2 STARTTLS"))
}

func secure(l *ct.Lab) []ct.Step {
	return steps(ct.Send("a2 OK begin\r\n"), ct.Secure(l.TLS()), ct.Expect("a3 CAPABILITY"))
}

func offerLogin(caps string) []ct.Step {
	return steps(ct.Send("* CAPABILITY IMAP4rev1 " + caps + "\r\na3 OK done\r\n"))
}

func accept() []ct.Step {
	return steps(ct.Expect("a4 AUTHENTICATE PLAIN"), ct.Send("a4 OK [CAPABILITY IMAP4rev1] welcome\r\n"), ct.Expect(`a5 EXAMINE "INBOX"`))
}

func selected() []ct.Step {
	return steps(
		ct.Send("* FLAGS (\\Seen)\r\n* 3 EXISTS\r\n* OK [UIDVALIDITY 1] ok\r\na5 OK [READ-ONLY] done\r\n"), ct.Expect("a6 NOOP"),
	)
}

func untilNewest(l *ct.Lab) []ct.Step {
	return seq(untilSelect(l), selected(), steps(
		ct.Send("* 4 EXISTS\r\na6 OK nothing else\r\n"), ct.Expect("a7 FETCH 4 BODY.PEEK[HEADER]<0.4096>\r\n"),
	))
}

// header is the answer to a FETCH of the newest header.
const header = "* 4 FETCH (BODY[HEADER]<0> {21}\r\nSubject: a secret\r\n\r\n)\r\na7 OK done\r\n"

func untilLogout(l *ct.Lab) []ct.Step {
	return seq(untilNewest(l), steps(ct.Send(header), ct.Expect("a8 LOGOUT")))
}

// until is the conversation up to the login's answer.
func untilAuth(l *ct.Lab) []ct.Step {
	return seq(greet(), offerTLS(), secure(l), offerLogin("AUTH=PLAIN SASL-IR"), steps(ct.Expect("a4 AUTHENTICATE")))
}

func untilSelect(l *ct.Lab) []ct.Step {
	return seq(greet(), offerTLS(), secure(l), offerLogin("AUTH=PLAIN SASL-IR"), accept())
}

func TestEveryPoint(t *testing.T) {
	const c, five = checks.ProtocolError, 5 * time.Second
	always := func(s ...[]ct.Step) script { return func(*ct.Lab) []ct.Step { return seq(s...) } }
	points := []ct.Point{
		{Name: "greeting", Until: always(), Drip: "* OK h", Phase: checks.Greeting, Timeout: checks.GreetingTimeout, Limit: five, Garbage: checks.GreetingError, Flood: c},
		{Name: "first CAPABILITY", Until: always(greet()), Drip: "* CAP", Phase: checks.Capability, Timeout: checks.CommandTimeout, Limit: five, Garbage: c, Flood: c},
		{Name: "STARTTLS", Until: always(greet(), offerTLS()), Drip: "a2 OK", Phase: checks.StartTLS, Timeout: checks.CommandTimeout, Limit: five, Garbage: c, Flood: c},
		{Name: "second CAPABILITY", Until: func(l *ct.Lab) []ct.Step { return seq(greet(), offerTLS(), secure(l)) }, Drip: "* CAP", Phase: checks.Capability, Timeout: checks.CommandTimeout, Limit: five, Garbage: c, Flood: c},
		{Name: "login", Until: untilAuth, Drip: "a4 OK", Phase: checks.Auth, Timeout: checks.AuthTimeout, Limit: 2 * five, Garbage: c, Flood: c},
		{Name: "NOOP", Until: func(l *ct.Lab) []ct.Step { return seq(untilSelect(l), selected()) }, Drip: "* 3 EX", Phase: checks.Request, Timeout: checks.CommandTimeout, Limit: five, Garbage: c, Flood: c},
		{Name: "newest header", Until: untilNewest, Drip: "* 4 FETCH (BODY[HEADER]<0> {600}\r\n", Phase: checks.Body, Timeout: checks.CommandTimeout, Limit: five, Garbage: c, Flood: c},
		{Name: "select", Until: untilSelect, Drip: "* FLAGS", Phase: checks.Select, Timeout: checks.CommandTimeout, Limit: five, Garbage: c, Flood: c},
	}
	ct.EveryPoint(t, full(), ":143", build, points)
}

func TestEveryPointOfTheHandshake(t *testing.T) {
	ct.EveryPoint(t, checks.Target{Kind: checks.IMAP, URL: "imaps://" + host}, ":993", build, []ct.Point{{
		Name: "handshake", Until: func(*ct.Lab) []ct.Step { return nil }, Drip: "\x16\x03\x03\x40\x00",
		Phase: checks.TLS, Timeout: checks.TLSTimeout, Limit: 5 * time.Second, Garbage: checks.TLSError, Flood: checks.TLSError,
	}})
}

// attempt plays a script to one check over IPv4.
func attempt(t *testing.T, target checks.Target, play script) (r checks.Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		port := ":143"
		if strings.HasPrefix(target.URL, "imaps") {
			port = ":993"
		}
		lab.Play(t, port, play(lab)...)
		target.Every = time.Minute
		c, err := imap.New(target, lab.Env())
		if err != nil {
			t.Fatal(err)
		}
		r = c.Attempt(t.Context(), checks.IPv4)
	})
	return r
}

// full is a target that asks everything there is.
func full() checks.Target {
	return checks.Target{
		Kind: checks.IMAP, URL: "imap://" + host, Login: login, Expect: checks.Expect{Mailbox: "INBOX", Newest: true},
	}
}

func names(r checks.Result) string {
	var all []string
	for _, p := range r.Phases {
		all = append(all, string(p.Name))
	}
	return strings.Join(all, " ")
}

func TestNothingWrongAtLogoutIsDown(t *testing.T) {
	for _, tt := range []struct {
		name string
		step ct.Step
		took time.Duration
	}{
		{"silent", ct.Silence(), time.Second},
		{"bye alone", ct.Both(ct.Send("* BYE\r\n"), ct.Silence()), time.Second},
		{"closes", ct.Hangup(), 0},
		{"resets", ct.Break(), 0},
		{"talks garbage", ct.Send("???\r\n"), 0},
		{"says bye", ct.Send("* BYE bye\r\na8 OK done\r\n"), 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := attempt(t, full(), func(l *ct.Lab) []ct.Step { return seq(untilLogout(l), steps(tt.step)) })
			if r.Outcome != checks.Up || r.Elapsed != tt.took {
				t.Errorf("got %+v, want up after %s", r, tt.took)
			}
			if want := "resolve connect greeting starttls tls capability auth select request body logout"; names(r) != want {
				t.Errorf("phases %s, want %s", names(r), want)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	greeting := func(s string) script { return func(*ct.Lab) []ct.Step { return steps(ct.Send(s), ct.Silence()) } }
	capability := func(s string) script {
		return func(*ct.Lab) []ct.Step { return seq(greet(), steps(ct.Send(s), ct.Silence())) }
	}
	startTLS := func(s string) script {
		return func(*ct.Lab) []ct.Step { return seq(greet(), offerTLS(), steps(ct.Send(s), ct.Silence())) }
	}
	auth := func(s string) script {
		return func(l *ct.Lab) []ct.Step { return seq(untilAuth(l), steps(ct.Send(s), ct.Silence())) }
	}
	examine := func(s string) script {
		return func(l *ct.Lab) []ct.Step { return seq(untilSelect(l), steps(ct.Send(s), ct.Silence())) }
	}
	noop := func(s string) script {
		return func(l *ct.Lab) []ct.Step { return seq(untilSelect(l), selected(), steps(ct.Send(s), ct.Silence())) }
	}
	newest := func(s string) script {
		return func(l *ct.Lab) []ct.Step { return seq(untilNewest(l), steps(ct.Send(s), ct.Silence())) }
	}
	for _, tt := range []struct {
		name   string
		script script
		phase  checks.Phase
		class  checks.Class
		detail string
	}{
		{"BYE at greeting", greeting("* BYE too busy\r\n"), checks.Greeting, checks.Busy, "BYE too busy"},
		{"BYE [UNAVAILABLE] at greeting", greeting("* BYE [UNAVAILABLE] backend\r\n"), checks.Greeting, checks.Busy, "BYE [UNAVAILABLE] backend"},
		{"BYE [LIMIT] at greeting", greeting("* BYE [LIMIT] per address\r\n"), checks.Greeting, checks.Policy, "BYE [LIMIT]"},
		{"BYE [ALERT] at greeting", greeting("* BYE [ALERT] back at noon\r\n"), checks.Greeting, checks.Busy, "BYE [ALERT] back at noon"},
		{"BYE [CONTACTADMIN] at greeting", greeting("* BYE [CONTACTADMIN] blocked\r\n"), checks.Greeting, checks.Policy, "BYE [CONTACTADMIN] blocked"},
		{"a literal of 1 GB", greeting("* FLAGS {1073741824}\r\nx"), checks.Greeting, checks.ProtocolError, "more than 64 kB"},
		{"a literal of 1 GB with +", greeting("* FLAGS {1073741824+}\r\nx"), checks.Greeting, checks.ProtocolError, "more than 64 kB"},
		{"NO at greeting", greeting("* NO thanks\r\n"), checks.Greeting, checks.GreetingError, "* NO thanks"},
		{"tag at greeting", greeting("a1 OK hello\r\n"), checks.Greeting, checks.GreetingError, "a1 OK hello"},
		{"SMTP at greeting", greeting("220 mail ESMTP\r\n"), checks.Greeting, checks.GreetingError, "220 mail ESMTP"},
		{"literal at greeting", greeting("* FLAGS {999999999}\r\n"), checks.Greeting, checks.ProtocolError, "more than 64 kB"},
		{"BYE at CAPABILITY", capability("* BYE shutting down\r\n"), checks.Capability, checks.Busy, "BYE shutting down"},
		{"BAD at CAPABILITY", capability("a1 BAD what\r\n"), checks.Capability, checks.ProtocolError, "BAD what"},
		{"NO [UNAVAILABLE] at CAPABILITY", capability("a1 NO [UNAVAILABLE] x\r\n"), checks.Capability, checks.Busy, "NO [UNAVAILABLE] x"},
		{"none told", capability("a1 OK done\r\n"), checks.Capability, checks.ProtocolError, "expected IMAP4rev1"},
		{"another tag", capability("b7 OK done\r\n"), checks.Capability, checks.ProtocolError, `"b7"`},
		{"endless lines", func(*ct.Lab) []ct.Step { return seq(greet(), steps(ct.Flood("* OK still here\r\n"))) }, checks.Capability, checks.ProtocolError, "more than 64 kB"},
		{"endless literals", func(*ct.Lab) []ct.Step { return seq(greet(), steps(ct.Flood("* X {4}\r\nabcd\r\n"))) }, checks.Capability, checks.ProtocolError, "more than 64 kB"},
		{"a response of empty literals", func(*ct.Lab) []ct.Step {
			return seq(greet(), steps(ct.Send("* X {0}\r\n"), ct.Flood("{0}\r\n")))
		}, checks.Capability, checks.ProtocolError, "more than 64 kB"},
		{"one long literal", func(*ct.Lab) []ct.Step { return seq(greet(), steps(ct.Flood("* X {65000}\r\n"))) }, checks.Capability, checks.ProtocolError, "more than 64 kB"},
		{"literal beyond all numbers", capability("* X {99999999999999999999999}\r\n* CAPABILITY IMAP4rev1\r\na1 OK\r\n"), checks.StartTLS, checks.TLSError, "does not offer STARTTLS"},
		{"STARTTLS not offered", capability("* CAPABILITY IMAP4rev1\r\na1 OK done\r\n"), checks.StartTLS, checks.TLSError, "does not offer STARTTLS"},
		{"PREAUTH", func(*ct.Lab) []ct.Step {
			return steps(ct.Send("* PREAUTH hi\r\n"), ct.Expect("CAPABILITY"), ct.Send("* CAPABILITY IMAP4rev1 STARTTLS\r\na1 OK\r\n"), ct.Silence())
		}, checks.StartTLS, checks.TLSError, "PREAUTH"},
		{"NO at STARTTLS", startTLS("a2 NO not now\r\n"), checks.StartTLS, checks.TLSError, "NO not now"},
		{"BYE at STARTTLS", startTLS("* BYE\r\n"), checks.StartTLS, checks.Busy, "BYE"},
		{"words before the handshake", startTLS("a2 OK go\r\n* CAPABILITY EVIL\r\n"), checks.StartTLS, checks.ProtocolError, "19 bytes between"},
		{"none told again under TLS", func(l *ct.Lab) []ct.Step {
			return seq(greet(), offerTLS(), secure(l), steps(ct.Send("a3 OK done\r\n"), ct.Silence()))
		}, checks.Capability, checks.ProtocolError, "expected IMAP4rev1"},
		{"NO at login", auth("a4 NO wrong\r\n"), checks.Auth, checks.AuthRejected, "NO wrong"},
		{"[AUTHENTICATIONFAILED]", auth("a4 NO [AUTHENTICATIONFAILED] wrong\r\n"), checks.Auth, checks.AuthRejected, "NO [AUTHENTICATIONFAILED] wrong"},
		{"[AUTHORIZATIONFAILED]", auth("a4 NO [AUTHORIZATIONFAILED] x\r\n"), checks.Auth, checks.AuthRejected, "NO [AUTHORIZATIONFAILED] x"},
		{"[EXPIRED]", auth("a4 NO [EXPIRED] x\r\n"), checks.Auth, checks.AuthRejected, "NO [EXPIRED] x"},
		{"[UNAVAILABLE]", auth("a4 NO [unavailable] x\r\n"), checks.Auth, checks.AuthTempfail, "NO [UNAVAILABLE] x"},
		{"[SERVERBUG]", auth("a4 NO [SERVERBUG] x\r\n"), checks.Auth, checks.AuthTempfail, "NO [SERVERBUG] x"},
		{"[LIMIT]", auth("a4 NO [LIMIT] x\r\n"), checks.Auth, checks.Policy, "NO [LIMIT] x"},
		{"[INUSE]", auth("a4 NO [INUSE] x\r\n"), checks.Auth, checks.Policy, "NO [INUSE] x"},
		{"[CONTACTADMIN]", auth("a4 NO [CONTACTADMIN] x\r\n"), checks.Auth, checks.Policy, "NO [CONTACTADMIN] x"},
		{"[CLIENTBUG]", auth("a4 BAD [CLIENTBUG] x\r\n"), checks.Auth, checks.OwnError, "BAD [CLIENTBUG] x"},
		{"[PRIVACYREQUIRED]", auth("a4 NO [PRIVACYREQUIRED] x\r\n"), checks.Auth, checks.AuthRejected, "NO [PRIVACYREQUIRED] x"},
		{"[CORRUPTION] at login", auth("a4 NO [CORRUPTION] x\r\n"), checks.Auth, checks.AuthTempfail, "NO [CORRUPTION] x"},
		{"[TEMPFAIL] at login", auth("a4 NO [TEMPFAIL] x\r\n"), checks.Auth, checks.AuthTempfail, "NO [TEMPFAIL] x"},
		{"[OVERQUOTA] at login", auth("a4 NO [OVERQUOTA] x\r\n"), checks.Auth, checks.OwnError, "NO [OVERQUOTA] x"},
		{"[NOPERM] at login", auth("a4 NO [NOPERM] x\r\n"), checks.Auth, checks.OwnError, "NO [NOPERM] x"},
		{"NO [ALERT] at login", auth("a4 NO [ALERT] see the web page\r\n"), checks.Auth, checks.Policy, "NO [ALERT] see the web page"},
		{"throttled in Exchange's words", auth("a4 BAD Request is throttled. Suggested Backoff Time: 89117 milliseconds\r\n"), checks.Auth, checks.Policy, "BAD Request is throttled."},
		{"unavailable in Exchange's words", auth("a4 NO Server Unavailable. 15\r\n"), checks.Auth, checks.AuthTempfail, "NO Server Unavailable. 15"},
		{"trouble in Gmail's words", auth("a4 NO System Error (Failure)\r\n"), checks.Auth, checks.AuthTempfail, "NO System Error (Failure)"},
		{"trouble in old words", auth("a4 NO Temporary authentication failure.\r\n"), checks.Auth, checks.AuthTempfail, "NO Temporary authentication failure."},
		{"a code that nobody knows", auth("a4 NO [X-OTHER 7] x\r\n"), checks.Auth, checks.AuthRejected, "NO [X-OTHER 7] x"},
		{"BYE [AUTHENTICATIONFAILED]", auth("* BYE [AUTHENTICATIONFAILED] enough\r\n"), checks.Auth, checks.AuthRejected, "BYE [AUTHENTICATIONFAILED] enough"},
		{"BYE [UNAVAILABLE] at login", auth("* BYE [UNAVAILABLE] x\r\n"), checks.Auth, checks.Busy, "BYE [UNAVAILABLE] x"},
		{"BYE [LIMIT] at login", auth("* BYE [LIMIT] x\r\n"), checks.Auth, checks.Policy, "BYE [LIMIT] x"},
		{"BAD at login", auth("a4 BAD x\r\n"), checks.Auth, checks.ProtocolError, "BAD x"},
		{"BYE at login", auth("* BYE enough\r\n"), checks.Auth, checks.Busy, "BYE enough"},
		{"challenge after all was said", auth("+ \r\n"), checks.Auth, checks.ProtocolError, `"+"`},
		{"no such mailbox", examine("a5 NO [NONEXISTENT] x\r\n"), checks.Select, checks.OwnError, "NO [NONEXISTENT] x"},
		{"no such mailbox in Dovecot", examine("a5 NO Mailbox doesn't exist: x\r\n"), checks.Select, checks.OwnError, "NO Mailbox doesn't exist: x"},
		{"no such mailbox in Cyrus", examine("a5 NO Mailbox does not exist\r\n"), checks.Select, checks.OwnError, "NO Mailbox does not exist"},
		{"no back end in Exchange's words", examine("a5 BAD User is authenticated but not connected.\r\n"), checks.Select, checks.Busy, "BAD User is authenticated but not connected."},
		{"mailbox throttled in Exchange's words", examine("a5 NO Request is throttled. Suggested Backoff Time: 299910 milliseconds\r\n"), checks.Select, checks.Policy, "NO Request is throttled."},
		{"mailbox unavailable", examine("a5 NO [UNAVAILABLE] x\r\n"), checks.Select, checks.Busy, "NO [UNAVAILABLE] x"},
		{"mailbox corrupt", examine("a5 NO [CORRUPTION] x\r\n"), checks.Select, checks.Busy, "NO [CORRUPTION] x"},
		{"NO at select", examine("a5 NO x\r\n"), checks.Select, checks.Busy, "NO x"},
		{"BAD at select", examine("a5 BAD x\r\n"), checks.Select, checks.ProtocolError, "BAD x"},
		{"BYE after login", examine("* BYE going\r\n"), checks.Select, checks.Closed, "BYE going"},
		{"mailbox [INUSE]", examine("a5 NO [INUSE] x\r\n"), checks.Select, checks.Policy, "NO [INUSE] x"},
		{"mailbox [LIMIT]", examine("a5 NO [LIMIT] x\r\n"), checks.Select, checks.Policy, "NO [LIMIT] x"},
		{"mailbox [SERVERBUG]", examine("a5 NO [SERVERBUG] x\r\n"), checks.Select, checks.Busy, "NO [SERVERBUG] x"},
		{"mailbox [NOPERM]", examine("a5 NO [NOPERM] x\r\n"), checks.Select, checks.OwnError, "NO [NOPERM] x"},
		{"mailbox [AUTHORIZATIONFAILED]", examine("a5 NO [AUTHORIZATIONFAILED] x\r\n"), checks.Select, checks.OwnError, "NO [AUTHORIZATIONFAILED] x"},
		{"BYE [UNAVAILABLE] after login", examine("* BYE [UNAVAILABLE] x\r\n"), checks.Select, checks.Closed, "BYE [UNAVAILABLE] x"},
		{"NO at NOOP", noop("a6 NO x\r\n"), checks.Request, checks.Busy, "NO x"},
		{"BAD at NOOP", noop("a6 BAD x\r\n"), checks.Request, checks.ProtocolError, "BAD x"},
		{"BYE at NOOP", noop("* BYE idle for too long\r\n"), checks.Request, checks.Closed, "BYE idle for too long"},
		{"endless lines at NOOP", func(l *ct.Lab) []ct.Step {
			return seq(untilSelect(l), selected(), steps(ct.Flood("* 1 FETCH (FLAGS ())\r\n")))
		}, checks.Request, checks.ProtocolError, "more than 64 kB"},
		{"NO at FETCH", newest("a7 NO x\r\n"), checks.Body, checks.Busy, "NO x"},
		{"[UNAVAILABLE] at FETCH", newest("a7 NO [UNAVAILABLE] x\r\n"), checks.Body, checks.Busy, "NO [UNAVAILABLE] x"},
		{"[CORRUPTION] at FETCH", newest("a7 NO [CORRUPTION] x\r\n"), checks.Body, checks.Busy, "NO [CORRUPTION] x"},
		{"BYE at FETCH", newest("* BYE x\r\n"), checks.Body, checks.Closed, "BYE x"},
		{"BAD at FETCH", newest("a7 BAD x\r\n"), checks.Body, checks.ProtocolError, "BAD x"},
		{"no header", newest("a7 OK done\r\n"), checks.Body, checks.ProtocolError, "no header of the newest message"},
		{"something else", newest("* 4 FETCH (FLAGS (\\Seen))\r\na7 OK done\r\n"), checks.Body, checks.ProtocolError, "no header of the newest message"},
		{"a header of NIL", newest("* 4 FETCH (BODY[HEADER]<0> NIL)\r\na7 OK done\r\n"), checks.Body, checks.ProtocolError, "no header of the newest message"},
		{"a header of 1 GB", newest("* 4 FETCH (BODY[HEADER]<0> {1073741824}\r\nx"), checks.Body, checks.ProtocolError, "more than 64 kB"},
		{"a header that is cut off", func(l *ct.Lab) []ct.Step {
			return seq(untilNewest(l), steps(ct.Send("* 4 FETCH (BODY[HEADER]<0> {21}\r\nSub"), ct.Hangup()))
		}, checks.Body, checks.Closed, "closed"},
		{"password repeated", auth("a4 NO " + ct.LabPassword + "\r\n"), checks.Auth, checks.AuthRejected, "NO ***"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := attempt(t, full(), tt.script)
			if r.FailedPhase != tt.phase || r.Class != tt.class || r.Outcome != tt.class.Outcome() {
				t.Errorf("got %s in %q (%s), want %s in %q", r.Class, r.FailedPhase, r.Detail, tt.class, tt.phase)
			}
			if !strings.Contains(r.Detail, tt.detail) || r.Elapsed != 0 {
				t.Errorf("detail %q after %s, want %q after 0s", r.Detail, r.Elapsed, tt.detail)
			}
		})
	}
}

// What comes in a packet of its own is found by the handshake.
func TestWordsBeforeTheHandshakeInTheirOwnPacket(t *testing.T) {
	r := attempt(t, full(), func(*ct.Lab) []ct.Step {
		return seq(greet(), offerTLS(), steps(ct.Send("a2 OK go\r\n"), ct.Wait(time.Millisecond), ct.Send("* OK injected\r\n"), ct.Silence()))
	})
	if r.Class != checks.ProtocolError || r.FailedPhase != checks.TLS {
		t.Errorf("got %+v, want protocol_error", r)
	}
}

func TestLogins(t *testing.T) {
	odd := &checks.Login{User: `o"d\d`, Password: checks.Secret{Name: "check"}}
	foreign := &checks.Login{User: "bjørn", Password: checks.Secret{Name: "check"}}
	done := steps(ct.Send("a2 OK in\r\n"), ct.Expect("a3 NOOP"), ct.Send("a3 OK\r\n"), ct.Expect("a4 LOGOUT"), ct.Send("* BYE\r\na4 OK\r\n"))
	for _, tt := range []struct {
		name, caps string
		login      *checks.Login
		script     []ct.Step
	}{
		{"initial response", "AUTH=PLAIN SASL-IR", login, steps(
			ct.Expect("a2 AUTHENTICATE PLAIN AHByb2JlQGV4YW1wbGUubmV0AHMzY3JldCAiXCBwYXNz\r\n"),
		)},
		{"without initial response", "AUTH=PLAIN", login, steps(
			ct.Expect("a2 AUTHENTICATE PLAIN\r\n"), ct.Send("+ \r\n"), ct.Expect("AHByb2JlQGV4YW1wbGUubmV0AHMzY3JldCAiXCBwYXNz\r\n"),
		)},
		{"bare plus", "AUTH=PLAIN", login, steps(
			ct.Expect("a2 AUTHENTICATE PLAIN\r\n"), ct.Send("+\r\n"), ct.Expect("AHByb2JlQGV4YW1wbGUubmV0AHMzY3JldCAiXCBwYXNz\r\n"),
		)},
		{"quoted", "", odd, steps(ct.Expect(`a2 LOGIN "o\"d\\d" "s3cret \"\\ pass"` + "\r\n"))},
		{"literal", "AUTH=LOGIN", foreign, steps(
			ct.Expect("a2 LOGIN {6}\r\n"), ct.Send("* OK patience\r\n+ go\r\n"), ct.Expect("bjørn \"s3cret \\\"\\\\ pass\"\r\n"),
		)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := attempt(t, checks.Target{URL: "imaps://" + host, Login: tt.login}, func(l *ct.Lab) []ct.Step {
				return seq(steps(
					ct.Secure(l.TLS()), ct.Send("* OK hi\r\n"), ct.Expect("a1 CAPABILITY"),
					ct.Send("* CAPABILITY IMAP4rev1 "+tt.caps+"\r\na1 OK\r\n"),
				), tt.script, done)
			})
			if r.Outcome != checks.Up || r.Elapsed != 0 || r.Detail != "" {
				t.Errorf("got %+v, want up", r)
			}
		})
	}
}

func TestLoginIsNotTriedWhereItIsDisabled(t *testing.T) {
	r := attempt(t, checks.Target{URL: "imaps://" + host, Login: login}, func(l *ct.Lab) []ct.Step {
		return steps(ct.Secure(l.TLS()), ct.Send("* OK hi\r\n"), ct.Expect("a1 CAPABILITY"),
			ct.Send("* CAPABILITY IMAP4rev1 LOGINDISABLED\r\na1 OK\r\n"), ct.Silence())
	})
	if r.Class != checks.AuthRejected || r.Elapsed != 0 {
		t.Errorf("got %+v, want auth_rejected at once", r)
	}
}

func TestPreauthOverTLSNeedsNoLogin(t *testing.T) {
	r := attempt(t, checks.Target{URL: "imaps://" + host, Login: login}, func(l *ct.Lab) []ct.Step {
		return steps(ct.Secure(l.TLS()), ct.Send("* PREAUTH hi\r\n"), ct.Expect("a1 CAPABILITY"),
			ct.Send("* CAPABILITY IMAP4rev2\r\na1 OK\r\n"), ct.Expect("a2 NOOP"), ct.Send("a2 OK\r\n"), ct.Expect("a3 LOGOUT"), ct.Send("a3 OK\r\n"))
	})
	if r.Outcome != checks.Up || names(r) != "resolve connect tls greeting capability request logout" {
		t.Errorf("got %+v, want up", r)
	}
}

func TestMailboxIsSentInModifiedUTF7(t *testing.T) {
	target := full()
	target.Expect.Newest = false
	target.Expect.Mailbox = `Entwürfe & "mehr"`
	r := attempt(t, target, func(l *ct.Lab) []ct.Step {
		return seq(greet(), offerTLS(), secure(l), offerLogin("AUTH=PLAIN SASL-IR"),
			steps(ct.Expect("a4 AUTHENTICATE"), ct.Send("a4 OK\r\n"), ct.Expect(`a5 EXAMINE "Entw&APw-rfe &- \"mehr\""`+"\r\n")),
			selected(), steps(ct.Send("a6 OK\r\n"), ct.Expect("a7 LOGOUT"), ct.Send("a7 OK\r\n")))
	})
	if r.Outcome != checks.Up {
		t.Errorf("got %+v, want up", r)
	}
}
