package catalog_test

import (
	"strings"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/sasl"
)

// askIMAP asks for everything there is: STARTTLS, login, mailbox, newest header.
func askIMAP() ask {
	return to(checks.IMAP, "imap://"+ct.LabName, ":143").as(login("")).expects(checks.Expect{Mailbox: "INBOX", Newest: true})
}

// askIMAPS logs in behind implicit TLS.
func askIMAPS(m checks.Mechanism) ask { return secured(checks.IMAP).as(login(m)) }

// The conversation of an honest IMAP server, up to each of its answers.
const (
	imapCapability = "S: * OK hi\nC: a1 CAPABILITY\n"
	imapStartTLS   = imapCapability + "S: * CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED\nS: a1 OK done\nC: a2 STARTTLS\n"
	imapAgain      = imapStartTLS + "S: a2 OK begin\nTLS\nC: a3 CAPABILITY\n"
	imapLogin      = imapAgain + "S: * CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR\nS: a3 OK done\nC: a4 AUTHENTICATE PLAIN\n"
	imapSelect     = imapLogin + "S: a4 OK in\nC: a5 EXAMINE\n"
	imapNoop       = imapSelect + "S: * 3 EXISTS\nS: a5 OK [READ-ONLY] done\nC: a6 NOOP\n"
	imapFetch      = imapNoop + "S: a6 OK done\nC: a7 FETCH 3\n"
	imapLogout     = imapFetch + "S: * 3 FETCH (BODY[HEADER]<0> {14}\nS: Subject: x\nS:\nS: )\nS: a7 OK done\nC: a8 LOGOUT\n"
)

// imapsLogin is a server that offers mechanisms behind implicit TLS, up to its
// answer to a login.
func imapsLogin(offers, hears conversation) conversation {
	return "TLS\nS: * OK hi\nC: a1 CAPABILITY\nS: * CAPABILITY IMAP4rev1 " + offers + "\nS: a1 OK done\nC: a2 " + hears + "\n"
}

// initial is what a client says of its account in base64.
func initial(m checks.Mechanism, port uint16) string {
	secret, _ := password(login(m).Password.Name) // ours are known
	return sasl.Initial(m, checks.Credentials{User: user, Password: secret}, checks.Endpoint{Host: ct.LabName, Port: port})
}

// imaps are the behaviours of IMAP servers.
func imaps() []behaviour {
	return append(imapConversations(), imapLogins()...)
}

func imapConversations() []behaviour {
	const (
		five                                       = 5 * time.Second
		greeting, capability, start, auth          = checks.Greeting, checks.Capability, checks.StartTLS, checks.Auth
		sel, noop, body                            = checks.Select, checks.Request, checks.Body
		wrong, busy, policy, closed, timeout, ours = checks.ProtocolError, checks.Busy, checks.Policy, checks.Closed, checks.CommandTimeout, checks.OwnError
	)
	all := askIMAP()
	at := func(c conversation) []ask { return []ask{all.after(c)} }
	in := at("")
	long := strings.Repeat("x", 1<<10)
	silent, reset, hangup := plays(ct.Silence()), plays(ct.Break()), plays(ct.Wait(time.Second), ct.Hangup())
	return []behaviour{
		{"silent after the connection", in, silent, greeting, checks.GreetingTimeout, five},
		{"silent after the greeting", at(imapCapability), silent, capability, timeout, five},
		{"silent at STARTTLS", at(imapStartTLS), silent, start, timeout, five},
		{"silent after the handshake", at(imapAgain), silent, capability, timeout, five},
		{"silent at the login", at(imapLogin), silent, auth, checks.AuthTimeout, 2 * five},
		{"silent at EXAMINE", at(imapSelect), silent, sel, timeout, five},
		{"silent at NOOP", at(imapNoop), silent, noop, timeout, five},
		{"silent at FETCH", at(imapFetch), silent, body, timeout, five},
		{"silent at LOGOUT", at(imapLogout), silent, "", "", time.Second},
		{"a byte a second of greeting", in, plays(ct.Drip("* OK "+long, time.Second)), greeting, checks.GreetingTimeout, five},
		{"a byte a second of an answer", at(imapSelect), plays(ct.Drip("* FLAGS "+long, time.Second)), sel, timeout, five},
		{"a byte a second of the newest header", at(imapFetch), plays(ct.Send("* 3 FETCH (BODY[HEADER]<0> {600}\r\n"), ct.Drip(long, time.Second)), body, timeout, five},
		{"2 s for each line, of 7 s in all", []ask{all.within(7 * time.Second)}, slowly(2*time.Second, imapLogout), start, timeout, 7 * time.Second},
		{"an endless banner line", in, plays(ct.Send("* OK "), ct.Flood(long)), greeting, wrong, 0},
		{"endless CAPABILITY lines", at(imapCapability), plays(ct.Flood("* CAPABILITY IMAP4rev1 " + long + "\r\n")), capability, wrong, 0},
		{"endless lines at NOOP", at(imapNoop), plays(ct.Flood("* 1 FETCH (FLAGS ())\r\n")), noop, wrong, 0},
		{"a literal of 1 GB in the greeting", in, plays(ct.Send("* FLAGS {1073741824}\r\n"), ct.Flood(long)), greeting, wrong, 0},
		{"a literal of 1 GB in a header", at(imapFetch), plays(ct.Send("* 3 FETCH (BODY[HEADER]<0> {1073741824}\r\n"), ct.Flood(long)), body, wrong, 0},
		{"endless literals", at(imapSelect), plays(ct.Flood("* X {4}\r\nabcd\r\n")), sel, wrong, 0},
		{"a header that never ends", at(imapFetch), plays(ct.Send("* 3 FETCH (BODY[HEADER]<0> {60000}\r\n"), ct.Flood(long)), body, wrong, 0},
		{"not a greeting", in, says("220 mail ESMTP\r\n"), greeting, checks.GreetingError, 0},
		{"NULs for a greeting", in, says("\x00\x00\x00\r\n"), greeting, checks.GreetingError, 0},
		{"NULs and invalid UTF-8 in a refusal", in, says("* BYE \x00\xff\xfe\x1b[2J\r\n"), greeting, busy, 0},
		{"10 kB of words in a refusal", in, says("* BYE " + strings.Repeat("é", 3000) + "\r\n"), greeting, busy, 0},
		{"BYE at the greeting", in, says("* BYE too busy\r\n"), greeting, busy, 0},
		{"BYE [LIMIT] at the greeting", in, says("* BYE [LIMIT] too many\r\n"), greeting, policy, 0},
		{"BYE at CAPABILITY", at(imapCapability), says("* BYE bye\r\n"), capability, busy, 0},
		{"BYE at STARTTLS", at(imapStartTLS), says("* BYE bye\r\n"), start, busy, 0},
		{"BYE at the login", at(imapLogin), says("* BYE bye\r\n"), auth, busy, 0},
		{"BYE at EXAMINE", at(imapSelect), says("* BYE bye\r\n"), sel, closed, 0},
		{"BYE at NOOP", at(imapNoop), says("* BYE bye\r\n"), noop, closed, 0},
		{"BYE at FETCH", at(imapFetch), says("* BYE bye\r\n"), body, closed, 0},
		{"closes after the connection", in, hangup, greeting, closed, time.Second},
		{"half closes after the greeting", at(imapCapability), plays(ct.HalfClose(), ct.Silence()), capability, closed, 0},
		{"resets after the connection", in, reset, greeting, closed, 0},
		{"resets at STARTTLS", at(imapStartTLS), reset, start, closed, 0},
		{"resets at the login", at(imapLogin), reset, auth, closed, 0},
		{"resets at EXAMINE", at(imapSelect), reset, sel, closed, 0},
		{"half closes at the login, below TLS", at(imapLogin), plays(ct.HalfClose(), ct.Silence()), auth, closed, 0},
		{"resets at LOGOUT", at(imapLogout), reset, "", "", 0},
		{"STARTTLS is not offered", at(imapCapability), says("* CAPABILITY IMAP4rev1\r\na1 OK\r\n"), start, checks.TLSError, 0},
		{"PREAUTH before TLS", in, then("S: * PREAUTH in\nC: CAPABILITY\nS: * CAPABILITY IMAP4rev1 STARTTLS\nS: a1 OK\n", ct.Silence()), start, checks.TLSError, 0},
		{"NO at STARTTLS", at(imapStartTLS), says("a2 NO not now\r\n"), start, checks.TLSError, 0},
		{"early plaintext in the same packet", at(imapStartTLS), says("a2 OK go\r\n* CAPABILITY EVIL\r\n"), start, wrong, 0},
		{"early plaintext in the next packet", at(imapStartTLS), plays(ct.Send("a2 OK go\r\n"), ct.Wait(time.Millisecond), ct.Send("* CAPABILITY EVIL\r\n"), ct.Silence()), checks.TLS, wrong, time.Millisecond},
		{"garbage after STARTTLS", at(imapStartTLS), says("\x00\xff garbage\r\n"), start, wrong, 0},
		{"plaintext at the port of TLS", []ask{secured(checks.IMAP)}, says("* OK hi\r\n"), checks.TLS, checks.TLSError, 0},
		{"another tag", at(imapCapability), says("b7 OK done\r\n"), capability, wrong, 0},
		{"NO [NONEXISTENT] at EXAMINE", at(imapSelect), says("a5 NO [NONEXISTENT] no\r\n"), sel, ours, 0},
		{"NO [UNAVAILABLE] at EXAMINE", at(imapSelect), says("a5 NO [UNAVAILABLE] no\r\n"), sel, busy, 0},
		{"NO [INUSE] at EXAMINE", at(imapSelect), says("a5 NO [INUSE] no\r\n"), sel, policy, 0},
		{"NO [CORRUPTION] at FETCH", at(imapFetch), says("a7 NO [CORRUPTION] no\r\n"), body, busy, 0},
		{"OK at FETCH without a header", at(imapFetch), says("a7 OK done\r\n"), body, wrong, 0},
		{"honest", at(imapLogout), says("* BYE bye\r\na8 OK out\r\n"), "", "", 0},
	}
}

func imapLogins() []behaviour {
	const auth, no, rejected, tempfail = checks.Auth, "a4 NO ", checks.AuthRejected, checks.AuthTempfail
	at := []ask{askIMAP().after(imapLogin)}
	by := func(m checks.Mechanism, offers, hears conversation) []ask {
		return []ask{askIMAPS(m).after(imapsLogin(offers, hears))}
	}
	token := by(checks.MechanismXOAUTH2, "AUTH=XOAUTH2 SASL-IR", "AUTHENTICATE XOAUTH2")
	plain := initial("", 143)
	return []behaviour{
		{"refuses LOGIN", by(checks.MechanismLogin, "", "LOGIN"), says("a2 NO [AUTHENTICATIONFAILED] no\r\n"), auth, rejected, 0},
		{"refuses PLAIN", by(checks.MechanismPlain, "AUTH=PLAIN SASL-IR", "AUTHENTICATE PLAIN"), says("a2 NO [AUTHENTICATIONFAILED] no\r\n"), auth, rejected, 0},
		{"refuses XOAUTH2", token, then("S: + eyJzdGF0dXMiOiI0MDEifQ==\nC: AQ==\nS: a2 NO [AUTHENTICATIONFAILED] no\n", ct.Silence()), auth, rejected, 0},
		{"refuses OAUTHBEARER", by(checks.MechanismOAuthBearer, "AUTH=OAUTHBEARER SASL-IR", "AUTHENTICATE OAUTHBEARER"), then("S: + eyJzdGF0dXMiOiI0MDEifQ==\nC: AQ==\nS: a2 NO no\n", ct.Silence()), auth, rejected, 0},
		{"asks for more of a token for ever", token, then("S: + e30=\nC: AQ==\n", ct.Flood("+ e30=\r\n")), auth, checks.ProtocolError, 0},
		{"offers no login at all", []ask{askIMAPS("")}, then("TLS\nS: * OK hi\nC: CAPABILITY\nS: * CAPABILITY IMAP4rev1 LOGINDISABLED\nS: a1 OK\n", ct.Silence()), auth, rejected, 0},
		{"refuses after 8 s", at, plays(ct.Wait(8*time.Second), ct.Send(no+"[AUTHENTICATIONFAILED] no\r\n"), ct.Silence()), auth, rejected, 8 * time.Second},
		{"NO without a code", at, says(no + "no\r\n"), auth, rejected, 0},
		{"[AUTHORIZATIONFAILED]", at, says(no + "[AUTHORIZATIONFAILED] no\r\n"), auth, rejected, 0},
		{"[EXPIRED]", at, says(no + "[EXPIRED] no\r\n"), auth, rejected, 0},
		{"[PRIVACYREQUIRED]", at, says(no + "[PRIVACYREQUIRED] no\r\n"), auth, rejected, 0},
		{"[UNAVAILABLE]", at, says(no + "[UNAVAILABLE] no\r\n"), auth, tempfail, 0},
		{"[SERVERBUG]", at, says(no + "[SERVERBUG] no\r\n"), auth, tempfail, 0},
		{"[LIMIT]", at, says(no + "[LIMIT] no\r\n"), auth, checks.Policy, 0},
		{"[INUSE]", at, says(no + "[INUSE] no\r\n"), auth, checks.Policy, 0},
		{"[CONTACTADMIN]", at, says(no + "[CONTACTADMIN] no\r\n"), auth, checks.Policy, 0},
		{"BAD [CLIENTBUG]", at, says("a4 BAD [CLIENTBUG] no\r\n"), auth, checks.OwnError, 0},
		{"BAD", at, says("a4 BAD no\r\n"), auth, checks.ProtocolError, 0},
		{"repeats the password", at, says(no + ct.LabPassword + "\r\n"), auth, rejected, 0},
		{"repeats the login in base64", at, says("* OK [ALERT] " + plain + "\r\n" + no + "[X-" + plain + "] " + plain + "\r\n"), auth, rejected, 0},
		{"repeats the token", token, says("a2 NO " + initial(checks.MechanismXOAUTH2, 993) + "\r\n"), auth, rejected, 0},
		{"greets with the password it once heard", []ask{askIMAP()}, says("* BYE " + ct.LabPassword + " " + plain + "\r\n"), checks.Greeting, checks.Busy, 0},
		{"offers the password it once heard", []ask{askIMAP().after(imapCapability)}, says("* CAPABILITY " + ct.LabPassword + " " + plain + "\r\na1 OK\r\n"), checks.Capability, checks.ProtocolError, 0},
	}
}
