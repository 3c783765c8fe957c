package roundtrip_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/roundtrip"
)

// TestForgeries: a message that is not the mail, to the letter, counts for nothing
// and is left alone.
func TestForgeries(t *testing.T) {
	for name, tt := range map[string]struct {
		forge func(string) string
		why   string
	}{
		"signature": {func(s string) string {
			id := strings.Index(s, "mail-loop.") + len("mail-loop.")
			return s[:id] + strings.Repeat("0", 32) + s[id+32:]
		}, "its token is not the one sent"},
		"probe": {func(s string) string { return strings.ReplaceAll(s, "osl-1", "osl-2") }, "its token is not the one sent"},
		"check": {func(s string) string { return strings.Replace(s, "mail-loop", "other", 1) }, "its token is not the one sent"},
		"time":  {func(s string) string { return strings.Replace(s, "X-Probe-Sent: 9", "X-Probe-Sent: 8", 1) }, "X-Probe-Sent is not what was sent"},
		"recipient": {
			func(s string) string { return strings.Replace(s, "To: <Probe@", "To: <other@", 1) }, "it is to somebody else",
		},
		"Message-ID": {
			func(s string) string { return strings.Replace(s, "osl-1@example.net>", "osl-1@example.org>", 1) }, "its Message-ID is not the one sent",
		},
		"twice": {func(s string) string {
			return "X-Probe-Id: " + strings.Repeat("0", 32) + ".osl-1.mail-loop." + strings.Repeat("0", 32) + "\r\n" + s
		}, ""},
		"answered": {func(s string) string { return strings.Replace(s, "auto-generated", "auto-replied", 1) }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.office.Delivers(func(l ct.Letter) (string, time.Duration) {
					w.office.Put("INBOX", tt.forge(l.Text))
					return "", 0
				})
				r, m := w.send(t)
				want := "the mail is not in the mailbox after 2m0s"
				if tt.why != "" {
					want += "; a message like the test mail does not count: " + tt.why
				}
				if r.Class != checks.Late || r.Detail != want || !m.Found.IsZero() {
					t.Errorf("got %+v, want late and %q", r, want)
				}
				time.Sleep(time.Hour)
				w.visit(t, true)
				if len(w.office.Letters("INBOX")) != 1 {
					t.Error("the message is gone, want it left alone")
				}
			})
		})
	}
}

// TestTokenOfAnotherMail: the token of one mail does not make another arrive.
func TestTokenOfAnotherMail(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		var texts []string
		w.office.Delivers(func(l ct.Letter) (string, time.Duration) {
			texts = append(texts, l.Text)
			return "", 0
		})
		_, first := w.send(t)
		_, second := w.send(t)
		w.office.Put("INBOX", strings.ReplaceAll(texts[0], "Subject: Test mail "+first.ID, "Subject: Test mail "+second.ID))
		w.visit(t, false)
		first, _ = w.book.Mail(first.ID)
		second, _ = w.book.Mail(second.ID)
		if first.Found.IsZero() || !second.Found.IsZero() {
			t.Errorf("found %v and %v, want the first alone", first.Found, second.Found)
		}
	})
}

// TestCopies: a mail that arrives twice arrived once; the copies are removed, those
// that come with it at once and later ones by a sweep.
func TestCopies(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		var text string
		w.office.Delivers(func(l ct.Letter) (string, time.Duration) {
			text = l.Text
			w.office.Put("INBOX", text)
			return "INBOX", 0
		})
		_, m := w.send(t)
		w.empty(t)
		w.office.Put("INBOX", text)
		w.office.Put("Spam", text)
		w.office.Put("Sent Items", text)
		time.Sleep(time.Minute)
		if v := w.visit(t, true); !v.Swept || v.Left != 0 {
			t.Errorf("got %+v, want nothing left", v)
		}
		w.empty(t)
		if again, _ := w.book.Mail(m.ID); again.Found != m.Found {
			t.Errorf("found at %s, want %s as before", again.Found, m.Found)
		}
	})
}

// TestSweep: what is removed is what nobody waits for, and nothing that is not a
// test mail.
func TestSweep(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		var text string
		w.office.Delivers(func(l ct.Letter) (string, time.Duration) {
			text = l.Text
			return "", 0
		})
		_, pending := w.send(t)
		w.office.Put("Sent Items", text) // as long as it is not found, it is the only trace
		_, forgotten := w.send(t)
		w.book.Withdraw(forgotten.ID)
		w.office.Put("INBOX", text)
		foreign := strings.ReplaceAll(text, "osl-1", "fra-1")
		w.office.Put("INBOX", foreign)
		w.office.Put("Spam", strings.Replace(text, "mail-loop.", "mail-loop.0", 1))
		w.office.Put("INBOX", "X-Probe-Id: hello\r\nSubject: mine\r\n\r\n")
		w.office.Put("INBOX", "Subject: hello\r\n\r\n")
		left := func(after time.Duration, want string) {
			t.Helper()
			time.Sleep(after)
			v := w.visit(t, true)
			if got := fmt.Sprintf("%d: %d %d %d", v.Left, len(w.office.Letters("INBOX")), len(w.office.Letters("Spam")), len(w.office.Letters("Sent Items"))); got != want {
				t.Errorf("left %s, want %s", got, want)
			}
		}
		left(0, "4: 4 1 1")                     // a copy that is kept on purpose fills nothing
		left(time.Hour+time.Minute, "3: 3 1 1") // the forgotten one is gone
		left(checks.MailFollow, "2: 2 1 0")     // and that of another probe, and the copy of the one that is lost
		if m, _ := w.book.Mail(pending.ID); m.State != checks.MailLost {
			t.Errorf("got %s, want lost", m.State)
		}
	})
}

// TestSweepTakesTurns: a mailbox full of what may not be removed hides nothing for
// ever.
func TestSweepTakesTurns(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		var text string
		w.office.Delivers(func(l ct.Letter) (string, time.Duration) {
			text = l.Text
			return "", 0
		})
		_, m := w.send(t)
		w.book.Withdraw(m.ID)
		for range 60 {
			w.office.Put("INBOX", strings.ReplaceAll(text, "osl-1", "fra-1"))
		}
		w.office.Put("INBOX", text)
		time.Sleep(time.Hour)
		if first, second := w.visit(t, true), func() roundtrip.Visited { time.Sleep(time.Hour); return w.visit(t, true) }(); first.Left+second.Left != 121 {
			t.Errorf("left %d and %d, want 61 and 60", first.Left, second.Left)
		}
	})
}

// TestNotRemovable: a server that cannot remove single messages is told of, and
// what it holds is counted.
func TestNotRemovable(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.office.CannotExpunge()
		r, _ := w.send(t)
		if r.Outcome != checks.Up || !strings.Contains(r.Detail, "test mails cannot be removed: ") || !strings.Contains(r.Detail, "expected UIDPLUS") {
			t.Errorf("got %+v, want up and words about it", r)
		}
		time.Sleep(time.Minute)
		if v := w.visit(t, true); v.Left != 1 {
			t.Errorf("left %d, want 1", v.Left)
		}
	})
}

// TestJunkCannotBeOpened: the inbox is looked at all the same.
func TestJunkCannotBeOpened(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.office.Delivers(func(ct.Letter) (string, time.Duration) { return "INBOX", time.Second })
		w.office.Answers(func(line string) string {
			if strings.HasPrefix(line, "SELECT") && strings.Contains(line, "Spam") {
				return "NO not this one"
			}
			return ""
		})
		r, _ := w.send(t)
		if r.Outcome != checks.Up || r.Detail != `"Spam" cannot be looked at: NO not this one` {
			t.Errorf("got %+v, want up and words about it", r)
		}
	})
}

// TestServerThatRepeatsThePassword: what a server says of a mailbox holds no secret
// and is cut to its length.
func TestServerThatRepeatsThePassword(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.office.Answers(func(line string) string {
			if strings.HasPrefix(line, "SELECT") && strings.Contains(line, "Spam") {
				return "NO \x01you said " + ct.LabPassword + strings.Repeat(" and so on", 50)
			}
			return ""
		})
		w.office.Delivers(func(ct.Letter) (string, time.Duration) { return "", 0 })
		r, _ := w.send(t)
		if strings.Contains(r.Detail, ct.LabPassword) || !strings.Contains(r.Detail, "you said ***") || len([]rune(r.Detail)) != checks.DetailMax {
			t.Errorf("detail %q, want no password and %d characters", r.Detail, checks.DetailMax)
		}
	})
}

// TestSentKeepsWhatItShould: copies of mails that are looked for do not count, but
// those that cannot be removed do.
func TestSentKeepsWhatItShould(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.office.CannotExpunge()
		w.office.Delivers(func(l ct.Letter) (string, time.Duration) {
			w.office.Put("Sent Items", l.Text)
			return "", 0
		})
		_, m := w.send(t)
		if v := w.visit(t, true); v.Left != 0 || !v.Swept {
			t.Errorf("while it is looked for %d messages are left, want none", v.Left)
		}
		w.book.Change(m.ID, func(m *roundtrip.Mail) { m.Closed = time.Now() })
		if v := w.visit(t, true); v.Left != 1 || !v.Swept {
			t.Errorf("%d messages are left, want the one that cannot be removed", v.Left)
		}
	})
}

// TestLongHeader: whatever servers on the way write on top of a mail, it is found.
func TestLongHeader(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.office.Adds("X-Filter-Report: " + strings.Repeat("\r\n  spam=no", 2000) + "\r\n")
		if r, m := w.send(t); r.Outcome != checks.Up || m.State != checks.MailArrived {
			t.Errorf("got %+v and the mail %s, want it to arrive", r, m.State)
		}
	})
}

// TestNothingIsSaidByASearchForAll: some servers find whole words only. A mail is
// late, and lost, when it was looked for by its own id.
func TestNothingIsSaidByASearchForAll(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.office.Delivers(func(ct.Letter) (string, time.Duration) { return "INBOX", checks.MailFollow - time.Hour })
		w.send(t)
		w.send(t)
		w.office.Answers(func(line string) string {
			if strings.HasSuffix(line, `".osl-1."`) {
				return "OK nothing found"
			}
			return ""
		})
		time.Sleep(checks.MailFollow)
		w.visit(t, false)
		for _, m := range w.book.all() {
			if m.State != checks.MailLate || m.Found.IsZero() {
				t.Errorf("got %s, want found late", m.State)
			}
		}
	})
}

// TestManyMails: where one visit does not come to the end of the mails, the next
// begins with those that were not looked for.
func TestManyMails(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		var text string
		w.office.Delivers(func(l ct.Letter) (string, time.Duration) {
			text = l.Text
			return "", 0
		})
		var last roundtrip.Mail
		for range 10 {
			_, last = w.send(t)
		}
		w.office.Put("INBOX", text)
		w.office.Put("INBOX", "X-Probe-Id: nobody.osl-1.knows\r\n\r\n") // for whose sake each mail is looked for
		searches := 0
		w.office.Answers(func(line string) string {
			switch {
			case strings.HasPrefix(line, "AUTHENTICATE"):
				searches = 0
			case strings.HasPrefix(line, "UID SEARCH"):
				if searches++; searches > 13 { // two for each mail
					return "bye"
				}
			}
			return ""
		})
		for range 2 {
			time.Sleep(time.Minute)
			w.visit(t, false)
		}
		if m, _ := w.book.Mail(last.ID); m.Found.IsZero() {
			t.Errorf("the last of ten mails is %s after two visits, want it found", m.State)
		}
	})
}

// TestNineProbesOneMailbox: probes that share a mailbox find and remove each its
// own mails, also when they sweep.
func TestNineProbesOneMailbox(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		var mu sync.Mutex // protects n
		n := 0
		w.office.Delivers(func(ct.Letter) (string, time.Duration) {
			mu.Lock()
			defer mu.Unlock()
			n++
			return "INBOX", time.Duration(n%7) * 10 * time.Minute
		})
		var probes sync.WaitGroup
		for i := range 9 {
			probes.Go(func() {
				own := &world{Lab: w.Lab, book: &book{mails: map[string]roundtrip.Mail{}}, check: w.check}
				post, slot := own.post(), w.slot()
				slot.Probe, post.Key = fmt.Sprintf("osl-%d", i), bytes.Repeat([]byte{byte(i)}, roundtrip.KeySize)
				for range 4 {
					w.check.Send(t.Context(), post, slot)
					w.check.Visit(t.Context(), post, slot.Probe, own.open(), true)
					time.Sleep(15 * time.Minute)
				}
				time.Sleep(time.Hour)
				w.check.Visit(t.Context(), post, slot.Probe, own.open(), true)
				if len(own.book.all()) != 4 || len(own.open()) != 0 {
					t.Errorf("%s: %d mails, of which %d were not found, want 4 and none", slot.Probe, len(own.book.all()), len(own.open()))
				}
			})
		}
		probes.Wait()
		w.empty(t)
	})
}
