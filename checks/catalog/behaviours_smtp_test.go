package catalog_test

import (
	"strings"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
)

// askSubmission logs in behind STARTTLS.
func askSubmission() ask {
	return to(checks.SMTP, "submission://"+ct.LabName, ":587").as(login(""))
}

// askMX asks whether a mail would be taken.
func askMX() ask {
	a := to(checks.SMTP, "smtp://"+ct.LabName, ":25")
	a.target.From, a.target.To = user, "probe+tag@example.net"
	return a
}

// askSMTPS logs in behind implicit TLS.
func askSMTPS(m checks.Mechanism) ask { return secured(checks.SMTP).as(login(m)) }

// The conversation of an honest SMTP server, up to each of its answers.
const (
	smtpEHLO     = "S: 220 mail.example.net ESMTP\nC: EHLO\n"
	smtpStartTLS = smtpEHLO + "S: 250-mail.example.net\nS: 250 STARTTLS\nC: STARTTLS\n"
	smtpAgain    = smtpStartTLS + "S: 220 go\nTLS\nC: EHLO\n"
	smtpAuth     = smtpAgain + "S: 250-mail.example.net\nS: 250 AUTH PLAIN LOGIN\nC: AUTH PLAIN\n"
	smtpMail     = smtpAgain + "S: 250 mail.example.net\nC: MAIL FROM\n"
	smtpRcpt     = smtpMail + "S: 250 2.1.0 ok\nC: RCPT TO\n"
	smtpRset     = smtpRcpt + "S: 250 2.1.5 ok\nC: RSET\n"
	smtpQuit     = smtpRset + "S: 250 2.0.0 ok\nC: QUIT\n"
)

// smtpsLogin is a server that offers mechanisms behind implicit TLS, up to its
// answer to a login.
func smtpsLogin(offers, hears conversation) conversation {
	return "TLS\nS: 220 hi\nC: EHLO\nS: 250-hi\nS: 250 AUTH " + offers + "\nC: " + hears + "\n"
}

// smtps are the behaviours of SMTP servers.
func smtps() []behaviour {
	return append(append(smtpConversations(), smtpLogins()...), smtpEnvelopes()...)
}

func smtpConversations() []behaviour {
	const (
		five                                 = 5 * time.Second
		greeting, capability, start, submit  = checks.Greeting, checks.Capability, checks.StartTLS, checks.Submit
		wrong, busy, policy, closed, timeout = checks.ProtocolError, checks.Busy, checks.Policy, checks.Closed, checks.CommandTimeout
	)
	own, mx := askSubmission(), askMX()
	in := []ask{own, mx}
	at := func(c conversation) []ask { return []ask{own.after(c), mx.after(c)} }
	both := func(words string, c conversation, p checks.Phase, class checks.Class) behaviour {
		return behaviour{strings.TrimSpace(words) + " at " + last(c), at(c), says(words), p, class, 0}
	}
	long := strings.Repeat("x", 1<<10)
	silent, reset := plays(ct.Silence()), plays(ct.Break())
	return []behaviour{
		{"silent after the connection, submission", []ask{own}, silent, greeting, checks.GreetingTimeout, five},
		{"silent after the connection, port 25", []ask{mx}, silent, greeting, checks.GreetingTimeout, 8 * time.Second},
		{"greets after 6 s at port 25", []ask{mx}, then("", ct.Wait(6*time.Second), ct.Send("421 4.3.2 no\r\n"), ct.Silence()), greeting, busy, 6 * time.Second},
		{"silent after the greeting", at(smtpEHLO), silent, capability, timeout, five},
		{"silent at STARTTLS", at(smtpStartTLS), silent, start, timeout, five},
		{"silent after the handshake", at(smtpAgain), silent, capability, timeout, five},
		{"silent at MAIL", []ask{mx.after(smtpMail)}, silent, submit, timeout, five},
		{"silent at RCPT", []ask{mx.after(smtpRcpt)}, silent, submit, timeout, five},
		{"silent at RSET", []ask{mx.after(smtpRset)}, silent, submit, timeout, five},
		{"silent at QUIT", []ask{mx.after(smtpQuit)}, silent, "", "", time.Second},
		{"a byte a second of EHLO", at(smtpEHLO), plays(ct.Drip("250-"+long, time.Second)), capability, timeout, five},
		{"a line a second of EHLO", at(smtpEHLO), lineBySecond("250-X\r\n"), capability, timeout, five},
		{"2 s for each line, of 7 s in all", []ask{mx.within(7 * time.Second)}, slowly(2*time.Second, smtpQuit), start, timeout, 7 * time.Second},
		{"an endless banner line", in, plays(ct.Send("220 "), ct.Flood(long)), greeting, wrong, 0},
		{"an endless banner of lines", in, plays(ct.Flood("220-hi\r\n")), greeting, wrong, 0},
		{"an endless banner of long lines", in, plays(ct.Flood("220-" + strings.Repeat("x", 8000) + "\r\n")), greeting, wrong, 0},
		{"endless EHLO lines", at(smtpEHLO), plays(ct.Flood("250-X\r\n")), capability, wrong, 0},
		{"endless long EHLO lines under TLS", at(smtpAgain), plays(ct.Flood("250-" + strings.Repeat("x", 8000) + "\r\n")), capability, wrong, 0},
		{"not a greeting", in, says("* OK hi\r\n"), greeting, checks.GreetingError, 0},
		{"NULs for a greeting", in, says("\x00\x00\x00\r\n"), greeting, checks.GreetingError, 0},
		{"NULs and invalid UTF-8 in a refusal", in, says("421 \x00\xff\xfe\x1b[2J\r\n"), greeting, busy, 0},
		{"codes that differ", in, says("220-a\r\n250 b\r\n"), greeting, checks.GreetingError, 0},
		{"closes after the connection", in, plays(ct.Wait(time.Second), ct.Hangup()), greeting, closed, time.Second},
		{"half closes after the greeting", at(smtpEHLO), plays(ct.HalfClose(), ct.Silence()), capability, closed, 0},
		{"resets after the connection", in, reset, greeting, closed, 0},
		{"resets at EHLO", at(smtpEHLO), reset, capability, closed, 0},
		{"resets at STARTTLS", at(smtpStartTLS), reset, start, closed, 0},
		{"resets at MAIL", []ask{mx.after(smtpMail)}, reset, submit, closed, 0},
		{"resets at QUIT", []ask{mx.after(smtpQuit)}, reset, "", "", 0},
		both("421 4.3.2 bye\r\n", "", greeting, busy),
		both("450 later\r\n", "", greeting, busy),
		both("554 5.7.1 you are listed\r\n", "", greeting, policy),
		both("521 no mail here\r\n", "", greeting, policy),
		both("250 ok\r\n", "", greeting, checks.GreetingError),
		both("421 4.3.2 bye\r\n", smtpEHLO, capability, busy),
		both("451 4.3.0 later\r\n", smtpEHLO, capability, busy),
		both("500 what\r\n", smtpEHLO, capability, wrong),
		both("550 5.7.1 not you\r\n", smtpEHLO, capability, policy),
		both("421 bye\r\n", smtpStartTLS, start, busy),
		both("454 4.7.0 no TLS now\r\n", smtpStartTLS, start, checks.TLSError),
		both("501 5.5.4 what\r\n", smtpStartTLS, start, checks.TLSError),
		both("554 5.7.1 not you\r\n", smtpStartTLS, start, policy),
		{"421 bye at EHLO under TLS", at(smtpAgain), says("421 bye\r\n"), capability, busy, 0},
		{"STARTTLS is not offered", []ask{own.after(smtpEHLO)}, says("250 hi\r\n"), start, checks.TLSError, 0},
		{"early plaintext in the same packet", at(smtpStartTLS), says("220 go\r\n250 EVIL\r\n"), start, wrong, 0},
		{"early plaintext in the next packet", at(smtpStartTLS), plays(ct.Send("220 go\r\n"), ct.Wait(time.Millisecond), ct.Send("250 EVIL\r\n"), ct.Silence()), checks.TLS, wrong, time.Millisecond},
		{"garbage after STARTTLS", at(smtpStartTLS), says("\x00\xff garbage\r\n"), start, wrong, 0},
		{"plaintext at the port of TLS", []ask{secured(checks.SMTP)}, says("220 hi\r\n"), checks.TLS, checks.TLSError, 0},
		{"honest", []ask{mx.after(smtpQuit)}, says("221 bye\r\n"), "", "", 0},
	}
}

func smtpLogins() []behaviour {
	const auth, rejected = checks.Auth, checks.AuthRejected
	at := []ask{askSubmission().after(smtpAuth)}
	by := func(m checks.Mechanism, offers, hears conversation) []ask {
		return []ask{askSMTPS(m).after(smtpsLogin(offers, hears))}
	}
	answer := func(words string, class checks.Class) behaviour {
		return behaviour{words + " at AUTH", at, says(words + "\r\n"), auth, class, 0}
	}
	plain := initial("", 587)
	return []behaviour{
		{"silent at AUTH", at, plays(ct.Silence()), auth, checks.AuthTimeout, 10 * time.Second},
		{"resets at AUTH", at, plays(ct.Break()), auth, checks.Closed, 0},
		{"refuses PLAIN", by(checks.MechanismPlain, "PLAIN", "AUTH PLAIN"), says("535 5.7.8 no\r\n"), auth, rejected, 0},
		{"refuses LOGIN at the password", by(checks.MechanismLogin, "LOGIN", "AUTH LOGIN"), then("S: 334 VXNlcm5hbWU6\nC:\nS: 334 UGFzc3dvcmQ6\nC:\nS: 535 5.7.8 no\n", ct.Silence()), auth, rejected, 0},
		{"refuses XOAUTH2", by(checks.MechanismXOAUTH2, "XOAUTH2", "AUTH XOAUTH2"), then("S: 334 eyJzdGF0dXMiOiI0MDEifQ==\nC: AQ==\nS: 535 5.7.8 no\n", ct.Silence()), auth, rejected, 0},
		{"refuses OAUTHBEARER", by(checks.MechanismOAuthBearer, "OAUTHBEARER", "AUTH OAUTHBEARER"), then("S: 334 eyJzdGF0dXMiOiI0MDEifQ==\nC: AQ==\nS: 535 5.7.8 no\n", ct.Silence()), auth, rejected, 0},
		{"offers no login at all", []ask{askSMTPS("")}, then("TLS\nS: 220 hi\nC: EHLO\nS: 250 hi\n", ct.Silence()), auth, rejected, 0},
		{"asks for more for ever at AUTH", at, plays(ct.Flood("334 \r\n")), auth, checks.ProtocolError, 0},
		answer("535 5.7.8 no", rejected),
		answer("534 5.7.9 too weak", rejected),
		answer("454 4.7.0 later", checks.AuthTempfail),
		answer("421 4.7.0 bye", checks.Busy),
		answer("550 5.7.1 not you", checks.Policy),
		answer("502 5.5.1 what", checks.ProtocolError),
		{"repeats the password", at, says("535 5.7.8 " + ct.LabPassword + " " + plain + "\r\n"), auth, rejected, 0},
		{"repeats the token", by(checks.MechanismOAuthBearer, "OAUTHBEARER", "AUTH OAUTHBEARER"), says("535 " + token + " " + initial(checks.MechanismOAuthBearer, 465) + "\r\n"), auth, rejected, 0},
		{"greets with the password it once heard", []ask{askSubmission()}, says("421 " + ct.LabPassword + " " + plain + "\r\n"), checks.Greeting, checks.Busy, 0},
		{"offers the password it once heard", []ask{askSubmission().after(smtpEHLO)}, says("250-hi\r\n250 X" + plain + " " + ct.LabPassword + "\r\n"), checks.StartTLS, checks.TLSError, 0},
	}
}

func smtpEnvelopes() []behaviour {
	const wrong, busy, policy, ours = checks.ProtocolError, checks.Busy, checks.Policy, checks.OwnError
	at := func(words string, c conversation, class checks.Class) behaviour {
		return behaviour{words + " at " + last(c), []ask{askMX().after(c)}, says(words + "\r\n"), checks.Submit, class, 0}
	}
	return []behaviour{
		at("421 4.7.0 bye", smtpMail, busy),
		at("451 4.3.0 queue file write error", smtpMail, busy),
		at("452 4.3.1 insufficient storage", smtpMail, busy),
		at("550 5.7.1 not you", smtpMail, policy),
		at("530 5.7.0 log in first", smtpMail, ours),
		at("530 5.7.0 must issue STARTTLS first", smtpMail, checks.TLSError),
		at("502 5.5.1 what", smtpMail, wrong),
		at("421 bye", smtpRcpt, busy),
		at("450 4.2.1 locked", smtpRcpt, busy),
		at("450 4.1.1 unverified", smtpRcpt, ours),
		at("550 5.1.1 no such user", smtpRcpt, ours),
		at("552 5.2.2 full", smtpRcpt, ours),
		at("554 5.7.1 relay access denied", smtpRcpt, policy),
		at("550 no", smtpRcpt, policy),
		at("503 5.5.1 MAIL first", smtpRcpt, wrong),
		at("421 bye", smtpRset, busy),
		at("451 4.3.0 later", smtpRset, busy),
		at("500 what", smtpRset, wrong),
		{"greylists (450 4.7.1) at RCPT", []ask{askMX().after(smtpRcpt)}, then("S: 450 4.7.1 try again in 300 s\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye\n", ct.Hangup()), "", "", 0},
		{"greylists in words at MAIL", []ask{askMX().after(smtpMail)}, then("S: 451 Greylisted, please try again\nC: RSET\nS: 250 ok\nC: QUIT\nS: 221 bye\n", ct.Hangup()), "", "", 0},
	}
}

// last is the command that a conversation has come to.
func last(c conversation) string {
	words := strings.Fields(string(c[max(0, strings.LastIndex(string(c), "C:")):]))
	if len(words) == 0 {
		return "the greeting"
	}
	return words[1]
}
