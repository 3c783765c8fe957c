package smtp_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/smtp"
)

const (
	from = "probe@example.net"
	to   = "probe+tag@example.net"
)

// mx is a target whose server is asked whether it would take a mail.
var mx = checks.Target{Kind: checks.SMTP, URL: "smtp://" + host, MailOptions: checks.MailOptions{From: from, To: to}}

// mail is what comes before the envelope on port 25.
func mail(l *ct.Lab) []ct.Step {
	return seq(greet(), offerTLS(), goAhead(), secure(l), steps(ct.Send("250-x\r\n250 SIZE 1000\r\n"), ct.Expect("MAIL FROM:<probe@example.net>\r\n")))
}

func rcpt(l *ct.Lab) []ct.Step {
	return seq(mail(l), steps(ct.Send("250 2.1.0 ok\r\n"), ct.Expect("RCPT TO:<probe+tag@example.net>\r\n")))
}

func rset(l *ct.Lab) []ct.Step {
	return seq(rcpt(l), steps(ct.Send("250 2.1.5 ok\r\n"), ct.Expect("RSET\r\n")))
}

func TestEveryPointOfAnEnvelope(t *testing.T) {
	var points []ct.Point
	for _, p := range []struct {
		name  string
		until func(*ct.Lab) []ct.Step
	}{{"MAIL", mail}, {"RCPT", rcpt}, {"RSET", rset}} {
		points = append(points, ct.Point{
			Name: p.name, Until: p.until, Drip: "250 ", Phase: checks.Submit, Timeout: checks.CommandTimeout,
			Limit: 5 * time.Second, Garbage: checks.ProtocolError, Flood: checks.ProtocolError,
		})
	}
	ct.EveryPoint(t, mx, ":25", build, points)
}

func TestAnswersToAnEnvelope(t *testing.T) {
	const phases = "resolve connect greeting starttls tls capability submit"
	for _, tt := range []struct {
		name   string
		until  func(*ct.Lab) []ct.Step
		answer string
		class  checks.Class
	}{
		{"421 at MAIL", mail, "421 4.7.0 too many", checks.Busy},
		{"451 at MAIL", mail, "451 4.3.0 queue file write error", checks.Busy},
		{"452 at MAIL", mail, "452 4.3.1 insufficient storage", checks.Busy},
		{"451 of policy at MAIL", mail, "451 4.7.500 server busy, you are limited", checks.Policy},
		{"530 at MAIL", mail, "530 5.7.0 authentication required", checks.OwnError},
		{"530 of TLS at MAIL", mail, "530 5.7.0 Must issue a STARTTLS command first", checks.TLSError},
		{"550 of policy at MAIL", mail, "550 5.7.1 blocked", checks.Policy},
		{"553 of the address at MAIL", mail, "553 5.1.8 sender unknown", checks.OwnError},
		{"502 at MAIL", mail, "502 5.5.1 no mail here", checks.ProtocolError},
		{"354 at MAIL", mail, "354 go", checks.ProtocolError},
		{"550 of the address at RCPT", rcpt, "550 5.1.1 no such user", checks.OwnError},
		{"450 of the address at RCPT", rcpt, "450 4.1.1 unverified", checks.OwnError},
		{"552 of the mailbox at RCPT", rcpt, "552 5.2.2 mailbox full", checks.OwnError},
		{"452 of the mailbox at RCPT", rcpt, "452 4.2.2 mailbox full", checks.OwnError},
		{"450 of a busy mailbox at RCPT", rcpt, "450 4.2.1 locked", checks.Busy},
		{"454 of policy at RCPT", rcpt, "454 4.7.1 relay access denied", checks.Policy},
		{"450 of the network at RCPT", rcpt, "450 4.4.1 no answer from host", checks.Busy},
		{"554 of the network at RCPT", rcpt, "554 5.4.6 routing loop", checks.Busy},
		{"550 of the system at RCPT", rcpt, "550 5.3.0 broken", checks.Busy},
		{"550 of nothing in particular at RCPT, as sendmail has it", rcpt, "550 5.0.0 Access denied", checks.Policy},
		{"550 of the protocol at RCPT, as Outlook has it", rcpt, "550 5.5.0 Requested action not taken: mailbox unavailable", checks.Policy},
		{"550 of the network at RCPT, as Exchange has it", rcpt, "550 5.4.1 Recipient address rejected: Access denied", checks.Policy},
		{"555 of the protocol at RCPT", rcpt, "555 5.5.4 unsupported option", checks.ProtocolError},
		{"450 in bare words at RCPT", rcpt, "450 later", checks.Busy},
		{"550 in bare words at RCPT", rcpt, "550 no", checks.Policy},
		{"554 in bare words at RCPT", rcpt, "554 no", checks.Policy},
		{"521 at RCPT", rcpt, "521 no mail here", checks.Policy},
		{"501 at RCPT", rcpt, "501 syntax", checks.ProtocolError},
		{"503 at RCPT", rcpt, "503 5.5.1 need MAIL", checks.ProtocolError},
		{"421 at RSET", rset, "421 bye", checks.Busy},
		{"500 at RSET", rset, "500 what", checks.ProtocolError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := ask(t, mx, ":25", func(l *ct.Lab) []ct.Step {
				return seq(tt.until(l), steps(ct.Wait(2*time.Second), ct.Send(tt.answer+"\r\n"), ct.Expect("QUIT")))
			})
			if r.Class != tt.class || r.Outcome != tt.class.Outcome() || r.FailedPhase != checks.Submit || r.Detail != tt.answer {
				t.Errorf("got %s, %s in %q: %q, want %s in submit: %q", r.Outcome, r.Class, r.FailedPhase, r.Detail, tt.class, tt.answer)
			}
			if names(r) != phases || r.Elapsed != 2*time.Second {
				t.Errorf("through %s in %s, want %s in 2s", names(r), r.Elapsed, phases)
			}
		})
	}
}

func TestGreylistingIsUp(t *testing.T) {
	const phases = "resolve connect greeting starttls tls capability submit logout"
	for _, tt := range []struct {
		name   string
		until  func(*ct.Lab) []ct.Step
		answer string
	}{
		{"450 4.7.1", rcpt, "450 4.7.1 try again in 300 s"},
		{"451 4.7.1", rcpt, "451 4.7.1 come back"},
		{"450 4.2.0", rcpt, "450 4.2.0 <probe@example.net>: recipient address rejected"},
		{"450 4.3.2 of postscreen", rcpt, "450 4.3.2 Service currently unavailable"},
		{"in words", rcpt, "451 Greylisted, please try again"},
		{"in American words", rcpt, "450 4.3.2 graylisting in action"},
		{"at MAIL", mail, "451 4.7.1 later"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := ask(t, mx, ":25", func(l *ct.Lab) []ct.Step {
				return seq(tt.until(l), steps(ct.Send(tt.answer+"\r\n"), ct.Expect("RSET"), ct.Send("250 ok\r\n"), ct.Expect("QUIT"), ct.Silence()))
			})
			if r.Outcome != checks.Up || r.Class != "" || r.Detail != "greylisted: "+tt.answer || names(r) != phases || r.Elapsed != time.Second {
				t.Errorf("got %+v, want up through %s, greylisted", r, phases)
			}
		})
	}
}

func TestWhatIsPresented(t *testing.T) {
	r := ask(t, mx, ":25", func(l *ct.Lab) []ct.Step {
		return seq(rset(l), steps(ct.Send("250 2.0.0 ok\r\n"), ct.Expect("QUIT"), ct.Send("221 2.0.0 bye\r\n")))
	})
	want := &checks.Presented{
		Banner: "mail.example.net ESMTP", Capabilities: []string{"SIZE 1000"},
		Replies: []string{"220", "250", "220", "250", "250 2.1.0", "250 2.1.5", "250 2.0.0", "221 2.0.0"},
	}
	if r.Outcome != checks.Up || !reflect.DeepEqual(r.Presented, want) {
		t.Errorf("got %s, %+v, want up, %+v", r.Outcome, r.Presented, want)
	}
}

func TestAddress(t *testing.T) {
	for s, want := range map[string]bool{
		"a@b": true, "probe+tag@example.net": true, "o'hara_=/x@ex-ample.net": true,
		"": false, "a": false, "@b": false, "a@": false, "a@b@c": false, "a b@c": false, "a@b c": false,
		"<a@b>": false, "a@b>": false, "a@b\r\nDATA": false, "a\r\n@b": false, "a\x00@b": false, "ä@b": false, "a@bücher.example": false,
		`"a"@b`: false, "a@[192.0.2.1]": false, "a@b,c@d": false, "a@b:25": false,
		strings.Repeat("a", 64) + "@b": true, strings.Repeat("a", 65) + "@b": false,
		"a@" + strings.Repeat("b", 252): true, "a@" + strings.Repeat("b", 253): false,
	} {
		if got := smtp.ValidAddress(s); got != want {
			t.Errorf("%.80q: got %v, want %v", s, got, want)
		}
	}
}

// submission is a session on port 465 that has come to DATA, at which the
// message follows.
func submission(l *ct.Lab) []ct.Step {
	return steps(
		ct.Secure(l.TLS()), ct.Send("220 hi\r\n"), ct.Expect("EHLO"), ct.Send("250-x\r\n250 SIZE\r\n"),
		ct.Expect("MAIL FROM:<probe@example.net> SIZE=25\r\n"), ct.Send("250 ok\r\n"), ct.Expect("RCPT TO:<probe+tag@example.net>"), ct.Send("250 ok\r\n"),
		ct.Expect("DATA\r\n"),
	)
}

// whole has the server read the whole message.
func whole(l *ct.Lab) []ct.Step {
	return seq(submission(l), steps(
		ct.Send("354 go\r\n"), ct.Expect("Subject: x\r\n"), ct.Expect("\r\n"), ct.Expect("hello\r\n"), ct.Expect("..\r\n"), ct.Expect(".\r\n")))
}

const message = "Subject: x\n\nhello\n.\n"

// hand hands in a message and tells how that went.
func hand(t *testing.T, script func(*ct.Lab) []ct.Step, from, to, message string) (r checks.Result, failed error) {
	t.Helper()
	converse(t, checks.Target{URL: "smtps://" + host}, ":465", script, func(ctx context.Context, c *smtp.Check) {
		r = checks.Record(ctx, time.Minute, func(ctx context.Context, rec *checks.Recorder) error {
			s, err := c.Open(ctx, rec, checks.IPv4)
			if err != nil {
				return err
			}
			failed = s.Submit(ctx, from, to, []byte(message))
			s.Quit(ctx)
			return failed
		})
	})
	return r, failed
}

func TestFateOfAMessage(t *testing.T) {
	say := func(words string) []ct.Step { return steps(ct.Send(words + "\r\n")) }
	for _, tt := range []struct {
		name       string
		until      func(*ct.Lab) []ct.Step
		then       []ct.Step
		class      checks.Class
		fate       smtp.Fate
		greylisted bool
		took       time.Duration
	}{
		{"refused at DATA", submission, say("554 5.7.1 no"), checks.Policy, smtp.Unsent, false, 0},
		{"not now at DATA", submission, say("451 4.3.0 no"), checks.Busy, smtp.Unsent, false, 0},
		{"greylisted at DATA", submission, say("451 4.7.1 later"), checks.Policy, smtp.Unsent, true, 0},
		{"silence at DATA", submission, steps(ct.Silence()), checks.CommandTimeout, smtp.Unsent, false, 5 * time.Second},
		{"closed at DATA", submission, steps(ct.Hangup()), checks.Closed, smtp.Unsent, false, 0},
		{"250 at DATA", submission, say("250 ok"), checks.ProtocolError, smtp.Unsent, false, 0},
		{"refused at the dot", whole, say("554 5.7.1 spam"), checks.Policy, smtp.Refused, false, 0},
		{"too big at the dot", whole, say("552 5.3.4 too big"), checks.Busy, smtp.Refused, false, 0},
		{"not now at the dot", whole, say("451 4.3.0 later"), checks.Busy, smtp.Refused, false, 0},
		{"421 at the dot", whole, say("421 4.3.2 bye"), checks.Busy, smtp.Refused, false, 0},
		{"greylisted at the dot", whole, say("451 4.7.1 greylisting"), checks.Policy, smtp.Refused, true, 0},
		{"354 at the dot", whole, say("354 more"), checks.ProtocolError, smtp.Doubtful, false, 0},
		{"garbage at the dot", whole, say("what"), checks.ProtocolError, smtp.Doubtful, false, 0},
		{"silence at the dot", whole, steps(ct.Silence()), checks.CommandTimeout, smtp.Doubtful, false, 20 * time.Second},
		{"half an answer at the dot", whole, steps(ct.Send("250 o"), ct.Silence()), checks.CommandTimeout, smtp.Doubtful, false, 20 * time.Second},
		{"half an answer at the dot, closed", whole, steps(ct.Send("250-ok\r\n"), ct.Hangup()), checks.Closed, smtp.Doubtful, false, 0},
		{"closed at the dot", whole, steps(ct.Wait(time.Second), ct.Hangup()), checks.Closed, smtp.Doubtful, false, time.Second},
		{"reset at the dot", whole, steps(ct.Wait(time.Second), ct.Break()), checks.Closed, smtp.Doubtful, false, time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, err := hand(t, func(l *ct.Lab) []ct.Step { return seq(tt.until(l), tt.then, steps(ct.Silence())) }, from, to, message)
			failed, ok := errors.AsType[*smtp.SubmitError](err)
			if !ok || failed.Fate != tt.fate || failed.Greylisted != tt.greylisted {
				t.Errorf("got %#v, want fate %d, greylisted %v", err, tt.fate, tt.greylisted)
			}
			if r.Class != tt.class || r.FailedPhase != checks.Submit || r.Elapsed != tt.took {
				t.Errorf("got %s in %q after %s (%s), want %s in submit after %s", r.Class, r.FailedPhase, r.Elapsed, r.Detail, tt.class, tt.took)
			}
		})
	}
}

func TestMessageIsTaken(t *testing.T) {
	const phases = "resolve connect tls greeting capability submit logout"
	r, err := hand(t, func(l *ct.Lab) []ct.Step {
		return seq(whole(l), steps(ct.Wait(15*time.Second), ct.Send("250 2.0.0 queued\r\n"), ct.Expect("QUIT"), ct.Send("221 bye\r\n")))
	}, from, to, message)
	if err != nil || r.Outcome != checks.Up || r.Elapsed != 15*time.Second || names(r) != phases {
		t.Errorf("got %v, %+v, want up through %s in 15s", err, r, phases)
	}
}

// TestNothingUnfitIsSent has the server hear QUIT and nothing else.
func TestNothingUnfitIsSent(t *testing.T) {
	for _, tt := range []struct{ name, from, to, message string }{
		{"sender", "a@b>\r\nRCPT TO:<victim@example.org", to, message},
		{"recipient", from, "a@b\r\nDATA", message},
		{"no recipient", from, "", message},
		{"bare CR", from, to, "Subject: x\n\nhello\r.\r\n"},
		{"NUL", from, to, "Subject: x\x00\n"},
		{"not ASCII", from, to, "Subject: ä\n"},
		{"not UTF-8", from, to, "Subject: \xff\n"},
		{"too long", from, to, strings.Repeat(".\n", smtp.MessageMax/4+1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			left := false
			r, err := hand(t, func(l *ct.Lab) []ct.Step {
				return steps(ct.Secure(l.TLS()), ct.Send("220 hi\r\n"), ct.Expect("EHLO"), ct.Send("250 x\r\n"), ct.Expect("QUIT\r\n"),
					func(*ct.Peer) error { left = true; return nil })
			}, tt.from, tt.to, tt.message)
			failed, ok := errors.AsType[*smtp.SubmitError](err)
			if !ok || failed.Fate != smtp.Unsent || r.Class != checks.OwnError || !left {
				t.Errorf("got %v, %+v, left %v, want own_error and QUIT", err, r, left)
			}
		})
	}
}
