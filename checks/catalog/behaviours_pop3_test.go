package catalog_test

import (
	"strings"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
)

// askPOP3 asks for everything there is: STLS, login, STAT.
func askPOP3() ask { return to(checks.POP3, "pop3://"+ct.LabName, ":110").as(login("")) }

// askPOP3S logs in behind implicit TLS.
func askPOP3S(m checks.Mechanism) ask { return secured(checks.POP3).as(login(m)) }

// The conversation of an honest POP3 server, up to each of its answers.
const (
	pop3Capability = "S: +OK hi\nC: CAPA\n"
	pop3StartTLS   = pop3Capability + "S: +OK\nS: STLS\nS: .\nC: STLS\n"
	pop3Again      = pop3StartTLS + "S: +OK go\nTLS\nC: CAPA\n"
	pop3User       = pop3Again + "S: +OK\nS: USER\nS: .\nC: USER\n"
	pop3Pass       = pop3User + "S: +OK\nC: PASS\n"
	pop3Stat       = pop3Pass + "S: +OK in\nC: STAT\n"
	pop3Quit       = pop3Stat + "S: +OK 2 320\nC: QUIT\n"
)

// pop3sLogin is a server that offers mechanisms behind implicit TLS, up to its
// answer to a login.
func pop3sLogin(offers, hears conversation) conversation {
	return "TLS\nS: +OK hi\nC: CAPA\nS: +OK\nS: SASL " + offers + "\nS: .\nC: " + hears + "\n"
}

// pop3s are the behaviours of POP3 servers.
func pop3s() []behaviour { return append(pop3Conversations(), pop3Logins()...) }

func pop3Conversations() []behaviour {
	const (
		five                                 = 5 * time.Second
		greeting, capability, start, sel     = checks.Greeting, checks.Capability, checks.StartTLS, checks.Select
		wrong, busy, policy, closed, timeout = checks.ProtocolError, checks.Busy, checks.Policy, checks.Closed, checks.CommandTimeout
	)
	at := func(c conversation) []ask { return []ask{askPOP3().after(c)} }
	in := at("")
	answer := func(words string, c conversation, p checks.Phase, class checks.Class) behaviour {
		return behaviour{words + " at " + last(c), at(c), says(words + "\r\n"), p, class, 0}
	}
	long := strings.Repeat("x", 1<<10)
	silent, reset := plays(ct.Silence()), plays(ct.Break())
	return []behaviour{
		{"silent after the connection", in, silent, greeting, checks.GreetingTimeout, five},
		{"silent after the greeting", at(pop3Capability), silent, capability, timeout, five},
		{"silent at STLS", at(pop3StartTLS), silent, start, timeout, five},
		{"silent after the handshake", at(pop3Again), silent, capability, timeout, five},
		{"silent at STAT", at(pop3Stat), silent, sel, timeout, five},
		{"silent at QUIT", at(pop3Quit), silent, "", "", time.Second},
		{"a byte a second of greeting", in, plays(ct.Drip("+OK "+long, time.Second)), greeting, checks.GreetingTimeout, five},
		{"a line a second of CAPA", at(pop3Capability + "S: +OK\n"), lineBySecond("X\r\n"), capability, timeout, five},
		{"an endless banner line", in, plays(ct.Send("+OK "), ct.Flood(long)), greeting, wrong, 0},
		{"an endless list", at(pop3Capability + "S: +OK\n"), plays(ct.Flood("X\r\n")), capability, wrong, 0},
		{"an endless list of long lines under TLS", at(pop3Again + "S: +OK\n"), plays(ct.Flood(strings.Repeat("x", 8000) + "\r\n")), capability, wrong, 0},
		{"not a greeting", in, says("220 mail ESMTP\r\n"), greeting, checks.GreetingError, 0},
		{"NULs and invalid UTF-8 in a refusal", in, says("-ERR \x00\xff\xfe\x1b[2J\r\n"), greeting, busy, 0},
		{"closes after the connection", in, plays(ct.Wait(time.Second), ct.Hangup()), greeting, closed, time.Second},
		{"half closes after the greeting", at(pop3Capability), plays(ct.HalfClose(), ct.Silence()), capability, closed, 0},
		{"resets at STLS", at(pop3StartTLS), reset, start, closed, 0},
		{"resets at STAT", at(pop3Stat), reset, sel, closed, 0},
		answer("-ERR too busy", "", greeting, busy),
		answer("-ERR [LOGIN-DELAY] wait", "", greeting, policy),
		answer("-ERR [SYS/TEMP] no", pop3Capability, capability, busy),
		answer("-ERR not now", pop3StartTLS, start, checks.TLSError),
		answer("-ERR [SYS/TEMP] no", pop3StartTLS, start, busy),
		answer("-ERR [SYS/TEMP] no", pop3Stat, sel, busy),
		answer("-ERR [IN-USE] no", pop3Stat, sel, policy),
		answer("+OK two messages", pop3Stat, sel, wrong),
		{"STLS is not offered", at(pop3Capability), says("+OK\r\nTOP\r\n.\r\n"), start, checks.TLSError, 0},
		{"early plaintext in the same packet", at(pop3StartTLS), says("+OK go\r\n+OK EVIL\r\n"), start, wrong, 0},
		{"early plaintext in the next packet", at(pop3StartTLS), plays(ct.Send("+OK go\r\n"), ct.Wait(time.Millisecond), ct.Send("+OK EVIL\r\n"), ct.Silence()), checks.TLS, wrong, time.Millisecond},
		{"garbage after STLS", at(pop3StartTLS), says("\x00\xff garbage\r\n"), start, wrong, 0},
		{"plaintext at the port of TLS", []ask{secured(checks.POP3)}, says("+OK hi\r\n"), checks.TLS, checks.TLSError, 0},
		{"honest", at(pop3Quit), says("+OK bye\r\n"), "", "", 0},
	}
}

func pop3Logins() []behaviour {
	const auth, rejected = checks.Auth, checks.AuthRejected
	at := []ask{askPOP3().after(pop3Pass)}
	by := func(m checks.Mechanism, offers, hears conversation) []ask {
		return []ask{askPOP3S(m).after(pop3sLogin(offers, hears))}
	}
	answer := func(words string, class checks.Class) behaviour {
		return behaviour{words + " at PASS", at, says(words + "\r\n"), auth, class, 0}
	}
	plain := initial("", 110)
	return []behaviour{
		{"silent at USER", []ask{askPOP3().after(pop3User)}, plays(ct.Silence()), auth, checks.AuthTimeout, 10 * time.Second},
		{"silent at PASS", at, plays(ct.Silence()), auth, checks.AuthTimeout, 10 * time.Second},
		{"-ERR at USER", []ask{askPOP3().after(pop3User)}, says("-ERR who\r\n"), auth, rejected, 0},
		answer("-ERR no", rejected),
		answer("-ERR [AUTH] no", rejected),
		answer("-ERR [SYS/TEMP] no", checks.AuthTempfail),
		answer("-ERR [SYS/PERM] no", checks.AuthTempfail),
		answer("-ERR [IN-USE] no", checks.Policy),
		answer("-ERR [LOGIN-DELAY] no", checks.Policy),
		answer("+ more", checks.ProtocolError),
		{"refuses PLAIN", by(checks.MechanismPlain, "PLAIN", "AUTH PLAIN"), says("-ERR [AUTH] no\r\n"), auth, rejected, 0},
		{"refuses XOAUTH2", by(checks.MechanismXOAUTH2, "XOAUTH2", "AUTH XOAUTH2"), then("S: + eyJzdGF0dXMiOiI0MDEifQ==\nC: AQ==\nS: -ERR [AUTH] no\n", ct.Silence()), auth, rejected, 0},
		{"refuses OAUTHBEARER", by(checks.MechanismOAuthBearer, "OAUTHBEARER", "AUTH OAUTHBEARER"), says("-ERR [AUTH] no\r\n"), auth, rejected, 0},
		{"repeats the password", at, says("-ERR " + ct.LabPassword + " " + plain + "\r\n"), auth, rejected, 0},
		{"greets with the password it once heard", []ask{askPOP3()}, says("-ERR " + ct.LabPassword + " " + plain + "\r\n"), checks.Greeting, checks.Busy, 0},
	}
}
