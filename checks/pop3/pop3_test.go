package pop3_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/pop3"
)

const host = ct.LabName

func build(t checks.Target, env checks.Env) (checks.Check, error) {
	c, err := pop3.New(t, env)
	if err != nil {
		return nil, err
	}
	return c, nil
}

func seq(parts ...[]ct.Step) []ct.Step { return slices.Concat(parts...) }

func steps(s ...ct.Step) []ct.Step { return s }

// script is what a server does, made in the bubble.
type script = func(*ct.Lab) []ct.Step

// The conversation of an honest server at 110, piece by piece.
func greet() []ct.Step {
	return steps(ct.Send("+OK lab ready <1896.697170952@mail.example.net>\r\n"), ct.Expect("CAPA\r\n"))
}

func offerTLS() []ct.Step {
	return steps(ct.Send("+OK\r\nTOP\r\nSTLS\r\n.\r\n"), ct.Expect("STLS\r\n"))
}

func secure(l *ct.Lab) []ct.Step {
	return steps(ct.Send("+OK begin\r\n"), ct.Secure(l.TLS()), ct.Expect("CAPA\r\n"))
}

func offerLogin(caps string) []ct.Step { return steps(ct.Send("+OK\r\nTOP\r\n" + caps + ".\r\n")) }

func untilUser(l *ct.Lab) []ct.Step {
	return seq(greet(), offerTLS(), secure(l), offerLogin("USER\r\n"), steps(ct.Expect("USER probe@example.net\r\n")))
}

func untilPass(l *ct.Lab) []ct.Step {
	return seq(untilUser(l), steps(ct.Send("+OK\r\n"), ct.Expect("PASS "+ct.LabPassword+"\r\n")))
}

func untilStat(l *ct.Lab) []ct.Step {
	return seq(untilPass(l), steps(ct.Send("+OK in\r\n"), ct.Expect("STAT\r\n")))
}

// full is a target that asks everything there is.
func full() checks.Target {
	return checks.Target{
		Kind: checks.POP3, URL: "pop3://" + host,
		Login: &checks.Login{User: "probe@example.net", Password: checks.Secret{Name: "check"}},
	}
}

func TestEveryPoint(t *testing.T) {
	const c, five = checks.ProtocolError, 5 * time.Second
	always := func(s ...[]ct.Step) script { return func(*ct.Lab) []ct.Step { return seq(s...) } }
	ct.EveryPoint(t, full(), ":110", build, []ct.Point{
		{Name: "greeting", Until: always(), Drip: "+OK", Phase: checks.Greeting, Timeout: checks.GreetingTimeout, Limit: five, Garbage: checks.GreetingError, Flood: c},
		{Name: "first CAPA", Until: always(greet()), Drip: "+OK", Phase: checks.Capability, Timeout: checks.CommandTimeout, Limit: five, Garbage: c, Flood: c},
		{Name: "STLS", Until: always(greet(), offerTLS()), Drip: "+OK", Phase: checks.StartTLS, Timeout: checks.CommandTimeout, Limit: five, Garbage: c, Flood: c},
		{Name: "second CAPA", Until: func(l *ct.Lab) []ct.Step { return seq(greet(), offerTLS(), secure(l)) }, Drip: "+OK", Phase: checks.Capability, Timeout: checks.CommandTimeout, Limit: five, Garbage: c, Flood: c},
		{Name: "USER", Until: untilUser, Drip: "+OK", Phase: checks.Auth, Timeout: checks.AuthTimeout, Limit: 2 * five, Garbage: c, Flood: c},
		{Name: "PASS", Until: untilPass, Drip: "+OK", Phase: checks.Auth, Timeout: checks.AuthTimeout, Limit: 2 * five, Garbage: c, Flood: c},
		{Name: "STAT", Until: untilStat, Drip: "+OK", Phase: checks.Select, Timeout: checks.CommandTimeout, Limit: five, Garbage: c, Flood: c},
	})
}

func TestEveryPointOfTheHandshake(t *testing.T) {
	ct.EveryPoint(t, checks.Target{Kind: checks.POP3, URL: "pop3s://" + host}, ":995", build, []ct.Point{{
		Name: "handshake", Until: func(*ct.Lab) []ct.Step { return nil }, Drip: "\x16\x03\x03\x40\x00",
		Phase: checks.TLS, Timeout: checks.TLSTimeout, Limit: 5 * time.Second, Garbage: checks.TLSError, Flood: checks.TLSError,
	}})
}

// attempt plays a script to one check over IPv4.
func attempt(t *testing.T, target checks.Target, play script) (r checks.Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		port := ":110"
		if strings.HasPrefix(target.URL, "pop3s") {
			port = ":995"
		}
		lab.Play(t, port, play(lab)...)
		target.Every = time.Minute
		c, err := pop3.New(target, lab.Env())
		if err != nil {
			t.Fatal(err)
		}
		r = c.Attempt(t.Context(), checks.IPv4)
	})
	return r
}

func names(r checks.Result) string {
	var all []string
	for _, p := range r.Phases {
		all = append(all, string(p.Name))
	}
	return strings.Join(all, " ")
}

func TestNothingWrongAtQuitIsDown(t *testing.T) {
	for _, tt := range []struct {
		name string
		step ct.Step
		took time.Duration
		note string
	}{
		{"silent", ct.Silence(), time.Second, "QUIT was not answered"},
		{"closes", ct.Hangup(), 0, "QUIT was not answered"},
		{"resets", ct.Break(), 0, "QUIT was not answered"},
		{"talks garbage", ct.Send("???\r\n"), 0, "QUIT was not answered"},
		{"says goodbye", ct.Send("+OK bye\r\n"), 0, ""},
		{"could not tidy up", ct.Send("-ERR some messages not removed\r\n"), 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := attempt(t, full(), func(l *ct.Lab) []ct.Step {
				return seq(untilStat(l), steps(ct.Send("+OK 2 320\r\n"), ct.Expect("QUIT\r\n"), tt.step))
			})
			if r.Outcome != checks.Up || r.Elapsed != tt.took || r.Detail != tt.note {
				t.Errorf("got %+v, want up after %s", r, tt.took)
			}
			if want := "resolve connect greeting starttls tls capability auth select logout"; names(r) != want {
				t.Errorf("phases %s, want %s", names(r), want)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	at := func(until script, s string) script {
		return func(l *ct.Lab) []ct.Step { return seq(until(l), steps(ct.Send(s), ct.Silence())) }
	}
	start := func(*ct.Lab) []ct.Step { return nil }
	capa := func(*ct.Lab) []ct.Step { return greet() }
	stls := func(*ct.Lab) []ct.Step { return seq(greet(), offerTLS()) }
	flood := func(until script, s string) script {
		return func(l *ct.Lab) []ct.Step { return seq(until(l), steps(ct.Flood(s))) }
	}
	for _, tt := range []struct {
		name   string
		script script
		phase  checks.Phase
		class  checks.Class
		detail string
	}{
		{"-ERR at greeting", at(start, "-ERR too busy\r\n"), checks.Greeting, checks.Busy, "-ERR too busy"},
		{"-ERR alone at greeting", at(start, "-ERR\r\n"), checks.Greeting, checks.Busy, "-ERR"},
		{"[SYS/TEMP] at greeting", at(start, "-ERR [SYS/TEMP] backend\r\n"), checks.Greeting, checks.Busy, "-ERR [SYS/TEMP] backend"},
		{"[SYS/PERM] at greeting", at(start, "-ERR [SYS/PERM] backend\r\n"), checks.Greeting, checks.Busy, "-ERR [SYS/PERM] backend"},
		{"[LOGIN-DELAY] at greeting", at(start, "-ERR [LOGIN-DELAY] wait\r\n"), checks.Greeting, checks.Policy, "-ERR [LOGIN-DELAY] wait"},
		{"[IN-USE] at greeting", at(start, "-ERR [in-use] wait\r\n"), checks.Greeting, checks.Policy, "-ERR [IN-USE] wait"},
		{"SMTP at greeting", at(start, "220 mail ESMTP\r\n"), checks.Greeting, checks.GreetingError, "220 mail ESMTP"},
		{"IMAP at greeting", at(start, "* OK hello\r\n"), checks.Greeting, checks.GreetingError, "* OK hello"},
		{"lower case at greeting", at(start, "+ok hello\r\n"), checks.Greeting, checks.GreetingError, "+ok hello"},
		{"asks for more at greeting", at(start, "+ hello\r\n"), checks.Greeting, checks.GreetingError, "+ hello"},
		{"NUL bytes at greeting", at(start, "\x00\x00\x00\r\n"), checks.Greeting, checks.GreetingError, "not a POP3 reply"},
		{"many lines at CAPA", at(capa, "+OK\r\n"+strings.Repeat("\n", 60<<10)), checks.Capability, checks.ProtocolError, "a list of more than 100 lines"},
		{"[SYS/TEMP] at CAPA", at(capa, "-ERR [SYS/TEMP] x\r\n"), checks.Capability, checks.Busy, "-ERR [SYS/TEMP] x"},
		{"[LOGIN-DELAY] at CAPA", at(capa, "-ERR [LOGIN-DELAY] x\r\n"), checks.Capability, checks.Policy, "-ERR [LOGIN-DELAY] x"},
		{"[AUTH] at CAPA", at(capa, "-ERR [AUTH] x\r\n"), checks.Capability, checks.OwnError, "-ERR [AUTH] x"},
		{"asks for more at CAPA", at(capa, "+ x\r\n"), checks.Capability, checks.ProtocolError, "+ x"},
		{"endless list", flood(capa, "+OK\r\n"), checks.Capability, checks.ProtocolError, "a list of more than 100 lines"},
		{"endless list of dots", flood(capa, "+OK\r\n..\r\n"), checks.Capability, checks.ProtocolError, "a list of more than 100 lines"},
		{"STLS not offered", at(capa, "+OK\r\nTOP\r\n.\r\n"), checks.StartTLS, checks.TLSError, "does not offer STLS"},
		{"nothing offered", at(capa, "+OK\r\n.\r\n"), checks.StartTLS, checks.TLSError, "does not offer STLS"},
		{"-ERR at STLS", at(stls, "-ERR not now\r\n"), checks.StartTLS, checks.TLSError, "-ERR not now"},
		{"[SYS/TEMP] at STLS", at(stls, "-ERR [SYS/TEMP] x\r\n"), checks.StartTLS, checks.Busy, "-ERR [SYS/TEMP] x"},
		{"-ERR at STLS after no CAPA", func(*ct.Lab) []ct.Step {
			return seq(greet(), steps(ct.Send("-ERR what?\r\n"), ct.Expect("STLS"), ct.Send("-ERR what?\r\n"), ct.Silence()))
		}, checks.StartTLS, checks.TLSError, "-ERR what?"},
		{"words before the handshake", at(stls, "+OK go\r\n+OK injected\r\n"), checks.StartTLS, checks.ProtocolError, "14 bytes between"},
		{"-ERR at USER", at(untilUser, "-ERR no such user\r\n"), checks.Auth, checks.AuthRejected, "-ERR no such user"},
		{"-ERR at PASS", at(untilPass, "-ERR wrong\r\n"), checks.Auth, checks.AuthRejected, "-ERR wrong"},
		{"[AUTH]", at(untilPass, "-ERR [AUTH] wrong\r\n"), checks.Auth, checks.AuthRejected, "-ERR [AUTH] wrong"},
		{"[SYS/TEMP]", at(untilPass, "-ERR [SYS/TEMP] x\r\n"), checks.Auth, checks.AuthTempfail, "-ERR [SYS/TEMP] x"},
		{"trouble in Courier's words", at(untilPass, "-ERR Temporary problem, please try again later\r\n"), checks.Auth, checks.AuthTempfail, "-ERR Temporary problem"},
		{"[SYS/PERM]", at(untilPass, "-ERR [sys/perm] x\r\n"), checks.Auth, checks.AuthTempfail, "-ERR [SYS/PERM] x"},
		{"[IN-USE]", at(untilPass, "-ERR [IN-USE] x\r\n"), checks.Auth, checks.Policy, "-ERR [IN-USE] x"},
		{"[LOGIN-DELAY]", at(untilPass, "-ERR [LOGIN-DELAY] x\r\n"), checks.Auth, checks.Policy, "-ERR [LOGIN-DELAY] x"},
		{"a code that nobody knows", at(untilPass, "-ERR [X] x\r\n"), checks.Auth, checks.AuthRejected, "-ERR [X] x"},
		{"asks for more after all was said", at(untilPass, "+ \r\n"), checks.Auth, checks.ProtocolError, "+"},
		{"password repeated", at(untilPass, "-ERR "+ct.LabPassword+"\r\n"), checks.Auth, checks.AuthRejected, "-ERR ***"},
		{"-ERR at STAT", at(untilStat, "-ERR x\r\n"), checks.Select, checks.Busy, "-ERR x"},
		{"[SYS/TEMP] at STAT", at(untilStat, "-ERR [SYS/TEMP] x\r\n"), checks.Select, checks.Busy, "-ERR [SYS/TEMP] x"},
		{"[IN-USE] at STAT", at(untilStat, "-ERR [IN-USE] x\r\n"), checks.Select, checks.Policy, "-ERR [IN-USE] x"},
		{"no numbers at STAT", at(untilStat, "+OK\r\n"), checks.Select, checks.ProtocolError, "expected a number of messages"},
		{"words at STAT", at(untilStat, "+OK two messages\r\n"), checks.Select, checks.ProtocolError, "+OK two messages"},
		{"below zero at STAT", at(untilStat, "+OK -1 0\r\n"), checks.Select, checks.ProtocolError, "+OK -1 0"},
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
		return seq(greet(), offerTLS(), steps(ct.Send("+OK go\r\n"), ct.Wait(time.Millisecond), ct.Send("+OK injected\r\n"), ct.Silence()))
	})
	if r.Class != checks.ProtocolError || r.FailedPhase != checks.TLS {
		t.Errorf("got %+v, want protocol_error", r)
	}
}

func TestWithoutLogin(t *testing.T) {
	target := full()
	target.Login = nil
	for name, capabilities := range map[string]string{"capabilities": "+OK\r\nTOP\r\n.\r\n", "none known": "-ERR unknown command\r\n"} {
		t.Run(name, func(t *testing.T) {
			target.URL = "pop3s://" + host
			r := attempt(t, target, func(l *ct.Lab) []ct.Step {
				return seq(steps(ct.Secure(l.TLS())), greet(), steps(ct.Send(capabilities), ct.Expect("QUIT\r\n"), ct.Send("+OK\r\n")))
			})
			if r.Outcome != checks.Up || r.Detail != "" || names(r) != "resolve connect tls greeting capability logout" {
				t.Errorf("got %+v, want up", r)
			}
		})
	}
}

// TestOldServer knows no CAPA, neither before TLS nor after.
func TestOldServer(t *testing.T) {
	r := attempt(t, full(), func(l *ct.Lab) []ct.Step {
		return seq(greet(), steps(ct.Send("-ERR what?\r\n"), ct.Expect("STLS")), secure(l), steps(
			ct.Send("-ERR what?\r\n"), ct.Expect("USER "), ct.Send("+OK\r\n"), ct.Expect("PASS "), ct.Send("+OK\r\n"),
			ct.Expect("STAT"), ct.Send("+OK 0 0 and more\r\n"), ct.Expect("QUIT"), ct.Send("+OK\r\n"),
		))
	})
	if r.Outcome != checks.Up || r.Detail != "" {
		t.Errorf("got %+v, want up", r)
	}
	want := &checks.Presented{
		Banner:  "lab ready <1896.697170952@mail.example.net>",
		Replies: []string{"+OK", "-ERR", "+OK", "-ERR", "+OK", "+OK", "+OK", "+OK"},
	}
	if !reflect.DeepEqual(r.Presented, want) {
		t.Errorf("got %+v, want %+v", r.Presented, want)
	}
}

func TestPresented(t *testing.T) {
	r := attempt(t, full(), func(l *ct.Lab) []ct.Step {
		return seq(untilPass(l), steps(ct.Send("-ERR [AUTH] no "+ct.LabPassword+"\r\n"), ct.Expect("QUIT"), ct.Silence()))
	})
	want := &checks.Presented{
		Banner:       "lab ready <1896.697170952@mail.example.net>",
		Capabilities: []string{"TOP", "USER"},
		Replies:      []string{"+OK", "+OK", "+OK", "+OK", "+OK", "-ERR [AUTH]"},
	}
	if !reflect.DeepEqual(r.Presented, want) || r.TLS == nil {
		t.Errorf("got %+v, want %+v", r.Presented, want)
	}
}
