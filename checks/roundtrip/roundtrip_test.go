package roundtrip_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/roundtrip"
)

const submission = "resolve connect tls greeting capability auth submit"

func TestArrival(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.office.Adds("Authentication-Results: mx.example.net; spf=pass (sender; ok) smtp.mailfrom=example.net;\r\n dkim=fail; dkim=pass header.d=example.net\r\n")
		w.office.Put("Sent Items", "") // not ours
		r, m := w.send(t)
		if r.Outcome != checks.Up || names(r) != submission+" deliver" || deliver(r) != 500*time.Millisecond || r.Elapsed != 500*time.Millisecond || r.Detail != "" {
			t.Errorf("got %+v, want up after half a second", r)
		}
		if r.Address != "198.51.100.1:465" || r.TLS == nil {
			t.Errorf("address %q and handshake %v, want those of the submission", r.Address, r.TLS)
		}
		e, ok := m.Event()
		want := checks.MailEvent{
			Mail: m.ID, Check: "mail-loop", Service: "imap", Route: "mail-loop", Sent: m.Sent, Found: m.Sent.Add(500 * time.Millisecond),
			State: checks.MailArrived, SPF: "pass", DKIM: "pass",
		}
		if !ok || e != want || m.IsOpen() {
			t.Errorf("got %+v, want %+v", e, want)
		}
		if n := len(w.office.Letters("INBOX")); n > 0 || w.office.Logins() != 1 {
			t.Errorf("%d messages are left after %d logins, want none after one", n, w.office.Logins())
		}
		if n := len(w.office.Letters("Sent Items")); n != 1 {
			t.Errorf("%d messages among those sent, want the one that is not ours", n)
		}
	})
}

// TestMessage: what is sent is marked so that nobody answers it.
func TestMessage(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		var text string
		w.office.Delivers(func(l ct.Letter) (string, time.Duration) {
			text = l.Text
			return "INBOX", 0
		})
		_, m := w.send(t)
		for _, want := range []string{
			"Date: Sat, 01 Jan 2000 01:00:00 +0000", "From: <probe@example.net>", "To: <Probe@example.net>", "Subject: Test mail " + m.ID,
			"Message-ID: <" + m.ID + ".osl-1@example.net>", "Auto-Submitted: auto-generated", "X-Auto-Response-Suppress: All",
			"Precedence: bulk", "X-Probe-Id: " + m.ID + ".osl-1.mail-loop.", "X-Probe-Sent: 946688400000000000", "MIME-Version: 1.0",
		} {
			if !strings.Contains("\r\n"+text, "\r\n"+want) {
				t.Errorf("message\n%s\nwant the line %q", text, want)
			}
		}
		if len(text) > 1000 || strings.Contains(text, "://") {
			t.Errorf("message of %d bytes, want less than 1000 and no link", len(text))
		}
	})
}

// TestTurns: a mailbox is looked at ever more rarely, and once more at the limit.
func TestTurns(t *testing.T) {
	for _, tt := range []struct {
		after, found time.Duration
		logins       int
	}{
		{time.Second, 1500 * time.Millisecond, 1},
		{3 * time.Second, 3500 * time.Millisecond, 1},
		{7500 * time.Millisecond, 7500 * time.Millisecond, 1},
		{8 * time.Second, 15500 * time.Millisecond, 2},
		{16 * time.Second, 31500 * time.Millisecond, 3},
		{112 * time.Second, 2 * time.Minute, 9},
		{2 * time.Minute, 2 * time.Minute, 9},
	} {
		in(t, func(t *testing.T, w *world) {
			w.office.Delivers(func(ct.Letter) (string, time.Duration) { return "INBOX", tt.after })
			r, m := w.send(t)
			if r.Outcome != checks.Up || deliver(r) != tt.found || w.office.Logins() != tt.logins || m.Found.Sub(m.Sent) != tt.found {
				t.Errorf("delivered after %s: got %s, found after %s with %d logins, want %s and %d", tt.after, r.Outcome, deliver(r), w.office.Logins(), tt.found, tt.logins)
			}
			w.empty(t)
		})
	}
}

func TestJunk(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.office.Delivers(func(l ct.Letter) (string, time.Duration) {
			w.office.Put("Sent Items", l.Text)
			return "Spam", 0
		})
		r, m := w.send(t)
		if r.Outcome != checks.Up || r.Detail != "arrived in the junk" || !m.Junk {
			t.Errorf("got %+v of a mail with junk %v, want up and in the junk", r, m.Junk)
		}
		w.empty(t)
	})
}

// TestLate: one observation at the limit, and the mail is found all the same.
func TestLate(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.office.Delivers(func(ct.Letter) (string, time.Duration) { return "INBOX", 2 * time.Hour })
		r, m := w.send(t)
		if r.Outcome != checks.Down || r.Class != checks.Late || r.FailedPhase != checks.Deliver || r.Elapsed != 2*time.Minute || deliver(r) != 2*time.Minute {
			t.Errorf("got %+v, want late after 2 min", r)
		}
		if e, _ := m.Event(); e.State != checks.MailLate || !e.Found.IsZero() {
			t.Errorf("got %+v, want late and not found", e)
		}
		time.Sleep(time.Hour)
		w.visit(t, false)
		time.Sleep(70 * time.Minute)
		w.visit(t, false)
		m, _ = w.book.Mail(m.ID)
		if e, _ := m.Event(); e.State != checks.MailLate || e.Delay() != 2*time.Hour || m.IsOpen() {
			t.Errorf("got %+v after %s, want late and found after 2 h", e, e.Delay())
		}
		w.empty(t)
	})
}

func TestLost(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.office.Delivers(func(ct.Letter) (string, time.Duration) { return "", 0 })
		_, m := w.send(t)
		for range 5 {
			time.Sleep(24*time.Hour - time.Minute)
			w.visit(t, false)
		}
		if m, _ = w.book.Mail(m.ID); m.State != checks.MailLate || !m.IsOpen() {
			t.Errorf("got %s before five days have passed, want late", m.State)
		}
		time.Sleep(5 * time.Minute)
		w.visit(t, false)
		if m, _ = w.book.Mail(m.ID); m.State != checks.MailLost || m.IsOpen() {
			t.Errorf("got %s after five days, want lost", m.State)
		}
	})
}

// TestNobodyLooked: a mail whose mailbox could not be looked at when its time was
// over is not called lost.
func TestNobodyLooked(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.office.Delivers(func(ct.Letter) (string, time.Duration) { return "", 0 })
		_, m := w.send(t)
		m.Expire(m.Sent.Add(checks.MailFollow + 24*time.Hour))
		if m.State != checks.MailLate {
			t.Errorf("got %s, want late", m.State)
		}
		m.Expire(m.Sent.Add(checks.MailFollow + 24*time.Hour + 1))
		if e, _ := m.Event(); e.State != checks.MailUnknown || m.IsOpen() {
			t.Errorf("got %s, want unknown", e.State)
		}
	})
}

// TestRefusals: what fails before the server has the mail is observed as such, and
// leaves no mail to follow.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		at, answer string
		phase      checks.Phase
		class      checks.Class
	}{
		{"EHLO", "421 4.3.2 busy", checks.Capability, checks.Busy},
		{"AUTH", "535 5.7.8 wrong", checks.Auth, checks.AuthRejected},
		{"AUTH", "454 4.7.0 later", checks.Auth, checks.AuthTempfail},
		{"AUTH", "bye", checks.Auth, checks.Closed},
		{"MAIL", "451 4.3.0 cannot", checks.Submit, checks.Busy},
		{"MAIL", "550 5.7.1 blocked", checks.Submit, checks.Policy},
		{"RCPT", "450 4.2.0 greylisted, come again", checks.Submit, checks.Policy},
		{"RCPT", "bye", checks.Submit, checks.Closed},
		{"DATA", "452 4.3.1 full", checks.Submit, checks.Busy},
		{".", "452 4.3.1 full", checks.Submit, checks.Busy},
		{".", "554 5.7.1 spam", checks.Submit, checks.Policy},
	} {
		t.Run(tt.at+" "+tt.answer, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.office.Answers(func(line string) string {
					if strings.HasPrefix(line, tt.at) {
						return tt.answer
					}
					return ""
				})
				r, m := w.send(t)
				if r.Class != tt.class || r.FailedPhase != tt.phase || r.Outcome != tt.class.Outcome() || deliver(r) >= 0 {
					t.Errorf("got %+v, want %s in %s", r, tt.class, tt.phase)
				}
				if m.ID != "" || w.office.Logins() > 0 {
					t.Errorf("follows %+v after %d logins, want no mail", m, w.office.Logins())
				}
			})
		})
	}
}

// TestUnknownFate: a mail that the server may have taken is looked for. It counts
// when it is found; when it is not, nobody says that it was lost.
func TestUnknownFate(t *testing.T) {
	for _, taken := range []bool{true, false} {
		in(t, func(t *testing.T, w *world) {
			w.office.Answers(func(line string) string {
				if line == "." {
					return "bye"
				}
				return ""
			})
			w.office.Delivers(func(ct.Letter) (string, time.Duration) {
				if taken {
					return "INBOX", time.Minute
				}
				return "", 0
			})
			r, m := w.send(t)
			if r.Class != checks.Closed || r.FailedPhase != checks.Submit || m.ID == "" {
				t.Errorf("got %+v of the mail %q, want closed in submit and a mail", r, m.ID)
			}
			if _, ok := m.Event(); ok {
				t.Errorf("the mail counts as %s, want nothing said", m.State)
			}
			time.Sleep(3 * time.Minute)
			w.visit(t, false)
			m, _ = w.book.Mail(m.ID)
			if e, ok := m.Event(); taken && (!ok || e.State != checks.MailArrived || e.Delay() != time.Minute) {
				t.Errorf("got %+v, want arrived after a minute", e)
			} else if !taken && ok {
				t.Errorf("got %+v, want nothing said", e)
			}
			time.Sleep(checks.MailFollow)
			w.visit(t, false)
			if m, _ = w.book.Mail(m.ID); !taken && m.State != checks.MailUnknown || m.IsOpen() {
				t.Errorf("got %q in the end, want unknown", m.State)
			}
		})
	}
}

// TestDiskFull: no mail is sent that could be forgotten.
func TestDiskFull(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.book.refuses = errDisk
		sent := false
		w.office.Delivers(func(ct.Letter) (string, time.Duration) { sent = true; return "", 0 })
		r, _ := w.send(t)
		if r.Outcome != checks.Unknown || r.Class != checks.OwnError || !strings.Contains(r.Detail, "no mail was sent, since the ledger cannot take it: no space left") || sent {
			t.Errorf("got %+v and sent %v, want our own error and nothing sent", r, sent)
		}
	})
}

// TestMailboxOutOfReach: what keeps everybody from the mail makes it late; what
// keeps only us says nothing, and nothing is called late by it.
func TestMailboxOutOfReach(t *testing.T) {
	for _, tt := range []struct {
		name, at, answer string
		class            checks.Class
		after            time.Duration
		detail           string
	}{
		{"login refused", "AUTHENTICATE", "NO [AUTHENTICATIONFAILED] no", checks.AuthRejected, 0, "the mailbox: NO [AUTHENTICATIONFAILED] no"},
		{"turned away", "SELECT", "NO [LIMIT] slow down", checks.Policy, 500 * time.Millisecond, "the mailbox: NO [LIMIT] slow down"},
		{"unavailable", "AUTHENTICATE", "NO [UNAVAILABLE] later", checks.Late, 2 * time.Minute, "the mailbox cannot be looked at: auth_tempfail in auth, NO [UNAVAILABLE] later"},
		{"hangs up", "LIST", "bye", checks.Late, 2 * time.Minute, "the mailbox cannot be looked at: closed in select, the server closed the connection"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.office.Answers(func(line string) string {
					if strings.HasPrefix(line, tt.at) {
						return tt.answer
					}
					return ""
				})
				r, m := w.send(t)
				if r.Class != tt.class || r.Outcome != tt.class.Outcome() || r.FailedPhase != checks.Deliver || r.Detail != tt.detail || r.Elapsed > tt.after+time.Second {
					t.Errorf("got %+v, want %s %q after %s", r, tt.class, tt.detail, tt.after)
				}
				if m.State != checks.MailPending {
					t.Errorf("the mail is %s, want pending: nobody has looked", m.State)
				}
				w.office.Answers(nil)
				time.Sleep(time.Hour)
				w.visit(t, false)
				m, _ = w.book.Mail(m.ID)
				if e, _ := m.Event(); e.State != checks.MailArrived || e.Delay() != 0 {
					t.Errorf("got %s after %s, want arrived at once, as the server says", e.State, e.Delay())
				}
			})
		})
	}
}

// TestConnectionLost: a server that closes connections is asked again.
func TestConnectionLost(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.office.Delivers(func(ct.Letter) (string, time.Duration) { return "INBOX", 5 * time.Second })
		selected := 0
		w.office.Answers(func(line string) string {
			if strings.HasPrefix(line, "SELECT INBOX") || strings.HasPrefix(line, `SELECT "INBOX"`) {
				if selected++; selected == 3 {
					return "bye"
				}
			}
			return ""
		})
		if r, _ := w.send(t); r.Outcome != checks.Up || deliver(r) != 7500*time.Millisecond || w.office.Logins() != 2 {
			t.Errorf("got %+v with %d logins, want up after 7.5 s with 2", r, w.office.Logins())
		}
	})
}

// TestDoorShut: without leave to look into the mailbox no mail is sent.
func TestDoorShut(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.shut = &checks.Failure{Phase: checks.Auth, Class: checks.AuthRejected, Detail: "left alone until 02:00 UTC"}
		r, m := w.send(t)
		if r.Outcome != checks.Unknown || r.Class != checks.AuthRejected || r.Detail != "left alone until 02:00 UTC" || m.ID != "" {
			t.Errorf("got %+v and the mail %q, want no mail", r, m.ID)
		}
		w.shut = nil
		w.send(t)
		if len(w.said) != 3 || names(w.said[0]) != "" || names(w.said[1]) != submission || w.said[2].Outcome != checks.Up {
			t.Errorf("the doors heard %+v, want a knock, a submission and a visit", w.said)
		}
	})
}

// TestResume: what an earlier life has sent is observed by a later one.
func TestResume(t *testing.T) {
	for _, tt := range []struct {
		name            string
		arrives, resume time.Duration
		class           checks.Class
		found, elapsed  time.Duration
	}{
		{"in time", time.Minute, 20 * time.Second, "", 67 * time.Second, 67 * time.Second},
		{"never", 999 * time.Hour, 20 * time.Second, checks.Late, 0, 2 * time.Minute},
		{"came while nobody looked", 90 * time.Second, 30 * time.Minute, "", 90 * time.Second, 90 * time.Second},
		{"came late while nobody looked", 10 * time.Minute, 30 * time.Minute, checks.Late, 10 * time.Minute, 2 * time.Minute},
	} {
		t.Run(tt.name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.office.Delivers(func(ct.Letter) (string, time.Duration) { return "INBOX", tt.arrives })
				ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
				defer stop()
				slot := w.slot()
				killed, cancel := context.WithCancel(ctx)
				time.AfterFunc(4*time.Second, cancel)
				r, id := w.check.Send(killed, w.post(), slot)
				if r.Outcome != checks.Unknown || id == "" {
					t.Errorf("stopped: got %+v, want unknown", r)
				}
				m, _ := w.book.Mail(id)
				time.Sleep(time.Until(m.Sent.Add(tt.resume)))
				o, ok := w.check.Resume(t.Context(), w.post(), m, "eu-north")
				m, _ = w.book.Mail(id)
				if !ok || o.Class != tt.class || o.Elapsed.Round(time.Second) != tt.elapsed || !o.Scheduled.Equal(slot.Scheduled) || o.Region != "eu-north" || o.Family != checks.IPv4 || o.Plan != 3 {
					t.Errorf("got %+v, want %q after %s", o, tt.class, tt.elapsed)
				}
				if names(o.Result) != submission+" deliver" {
					t.Errorf("phases %s, want all of them", names(o.Result))
				}
				if e, _ := m.Event(); e.Delay().Round(time.Second) != tt.found {
					t.Errorf("found after %s, want %s", e.Delay(), tt.found)
				}
			})
		})
	}
}

// TestResumedTooLate: of a mail that nobody could look for nothing is claimed.
func TestResumedTooLate(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(200*time.Millisecond, stop)
		_, id := w.check.Send(ctx, w.post(), w.slot())
		time.Sleep(checks.MailFollow + 48*time.Hour)
		m, _ := w.book.Change(id, func(m *roundtrip.Mail) { m.Expire(time.Now()) })
		o, ok := w.check.Resume(t.Context(), w.post(), m, "eu-north")
		if !ok || o.Outcome != checks.Unknown || o.Class != checks.OwnError || o.FailedPhase != checks.Deliver {
			t.Errorf("got %+v of a mail that is %s, want our own error", o.Result, m.State)
		}
	})
}

// TestStoppedAtTheDot: a life that ends before the server has answered leaves a
// run of which nothing is known.
func TestStoppedAtTheDot(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		ctx, stop := context.WithCancel(t.Context())
		w.office.Answers(func(line string) string {
			if line == "." {
				stop()
				time.Sleep(time.Second)
				return "bye"
			}
			return ""
		})
		r, id := w.check.Send(ctx, w.post(), w.slot())
		m, known := w.book.Mail(id)
		if r.Outcome != checks.Unknown || !known {
			t.Fatalf("got %+v of the mail %q, want unknown and a mail", r, id)
		}
		time.Sleep(time.Minute)
		o, ok := w.check.Resume(t.Context(), w.post(), m, "eu-north")
		if !ok || o.Outcome != checks.Unknown || o.Class != checks.OwnError || o.FailedPhase != checks.Submit {
			t.Errorf("got %+v, want our own error", o)
		}
	})
}

func TestAttemptNeedsALedger(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		if r := w.check.Attempt(t.Context(), checks.IPv4); r.Outcome != checks.Unknown || r.Class != checks.OwnError || !strings.Contains(r.Detail, "needs the ledger") {
			t.Errorf("got %+v, want our own error", r)
		}
	})
}

// TestValidate names every fault by its key.
func TestValidate(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*checks.Target)
		want   string
	}{
		"good":          {func(*checks.Target) {}, ""},
		"url":           {func(t *checks.Target) { t.URL = "imaps://example.net" }, `url: "imaps://example.net", expected none but those of submit and receive`},
		"from":          {func(t *checks.Target) { t.From = "a b@example.net" }, "from: not an address, expected one of ours such as probe@example.net"},
		"to":            {func(t *checks.Target) { t.To = "" }, "to: not an address, expected one of ours such as probe@example.net"},
		"no submit":     {func(t *checks.Target) { t.Submit = nil }, "submit: missing, expected url and login"},
		"submit scheme": {func(t *checks.Target) { t.Submit.URL = "imaps://example.net" }, `submit.url: scheme "imaps", expected one of smtp, smtps, submission`},
		"receive scheme": {
			func(t *checks.Target) { t.Receive.URL = "pop3s://example.net" }, `receive.url: scheme "pop3s", expected one of imap, imaps`,
		},
		"no login": {func(t *checks.Target) { t.Receive.Login = nil }, "receive.login: missing, expected that of the mailbox of to"},
		"relay":    {func(t *checks.Target) { t.Submit.URL, t.Submit.Login = "smtp://example.net", nil }, ""},
		"login":    {func(t *checks.Target) { t.Login = t.Submit.Login }, "login: given, expected none: this kind does not read it"},
		"too late": {func(t *checks.Target) { t.Late = 15 * time.Minute }, "late: 15m0s, expected at most every without timeout (14m40s)"},
		"too soon": {func(t *checks.Target) { t.Late = time.Second }, "late: 1s, expected at least 10s"},
		"route":    {func(t *checks.Target) { t.Route = "a\nb" }, `route: "a\nb", expected at most 63 printable characters`},
		"expect":   {func(t *checks.Target) { t.Expect.Mailbox = "INBOX" }, "expect.mailbox: given, expected none: this kind does not read it"},
	} {
		target := target()
		tt.change(&target)
		got := ""
		if err := roundtrip.Validate(target); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

// TestPasswordsOfBothEnds: each end asks for its own secret, and names it.
func TestPasswordsOfBothEnds(t *testing.T) {
	env := ct.NewLab().Env()
	env.Password = func(name string) (string, error) {
		if name == "mail-loop/submit" {
			return "x", nil
		}
		return "", errors.New("not there")
	}
	_, err := roundtrip.New(target(), env)
	if err == nil || err.Error() != "receive.login.password: not there" {
		t.Errorf("got %v, want the password of receive", err)
	}
}

// TestMailboxOfOneFamily: a mail that went out over one family is found in a mailbox
// that has only the other.
func TestMailboxOfOneFamily(t *testing.T) {
	for name, effect := range map[string]ct.Effect{"refused": ct.Refuse, "no answer": ct.Drop} {
		in(t, func(t *testing.T, w *world) {
			w.Rule(func(_, to netip.AddrPort, _ string) ct.Effect {
				if to.Port() == 993 && to.Addr().Is4() {
					return effect
				}
				return ct.Pass
			})
			r, _ := w.send(t)
			if r.Outcome != checks.Up || r.Address != "198.51.100.1:465" || r.Elapsed > 5*time.Second {
				t.Errorf("%s: got %+v, want up", name, r)
			}
		})
	}
}

// TestPortIsBlockedHere: a mailbox that only this probe cannot reach says nothing of
// the mail.
func TestPortIsBlockedHere(t *testing.T) {
	for _, blocked := range []bool{false, true} {
		in(t, func(t *testing.T, w *world) {
			w.blocked = blocked
			w.Rule(func(_, to netip.AddrPort, _ string) ct.Effect {
				if to.Port() == 993 {
					return ct.Drop
				}
				return ct.Pass
			})
			want := checks.Late
			if blocked {
				want = checks.OwnNetwork
			}
			if r, m := w.send(t); r.Class != want || r.FailedPhase != checks.Deliver || m.State != checks.MailPending {
				t.Errorf("blocked %v: got %+v of a mail that is %s, want %s and pending", blocked, r, m.State, want)
			}
		})
	}
}
