package imap_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/imap"
)

// converse opens a session with a server that offers the given capabilities,
// runs do in a phase of its own, and leaves. The server plays script after the
// login; the session's first command has the tag a3.
func converse(t *testing.T, caps string, script []ct.Step, do func(*imap.Session) error) (r checks.Result) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		in := steps(ct.Expect("a2 AUTHENTICATE PLAIN"), ct.Send("a2 OK [CAPABILITY IMAP4rev1 "+caps+"] in\r\n"))
		lab.Play(t, ":993", seq(entrance(lab, "AUTH=PLAIN SASL-IR"), in, script)...)
		c, err := imap.New(by(""), lab.Env())
		if err != nil {
			t.Fatal(err)
		}
		r = checks.Record(t.Context(), time.Minute, func(ctx context.Context, rec *checks.Recorder) error {
			s, err := c.Open(ctx, rec, checks.IPv4)
			if err != nil {
				return err
			}
			defer s.Leave()
			return rec.Phase(ctx, checks.Select, 10*time.Second, func(context.Context) error { return do(s) })
		})
	})
	return r
}

// ends plays an answer and wants the session to leave.
func ends(answer string) []ct.Step { return steps(ct.Send(answer), ct.Expect("LOGOUT")) }

func TestSessionFindsAndDeletes(t *testing.T) {
	const header = "Subject: x\r\nX-Mail: \"1\"\r\n\r\n"
	script := steps(
		ct.Expect(`a3 SELECT "Entw&APw-rfe"`), ct.Send("* 7 EXISTS\r\na3 OK [READ-WRITE] done\r\n"),
		ct.Expect(`a4 UID SEARCH HEADER "X-Mail" "to\"ken"`), ct.Send("* SEARCH 30 7\r\n* 8 EXISTS\r\n* SEARCH 7 x 4294967296 0\r\na4 OK\r\n"),
		ct.Expect("a5 UID FETCH 30 (INTERNALDATE BODY.PEEK[HEADER]<0.16384>)"),
		ct.Send(fmt.Sprintf("* 2 FETCH (FLAGS (\\Seen) UID 7 BODY[HEADER]<0> \"other\")\r\n* 8 FETCH (UID 30 INTERNALDATE \" 7-Jul-2026 02:44:25 -0700\" BODY[HEADER]<0> {%d}\r\n%s)\r\na5 OK\r\n", len(header), header)),
		ct.Expect("a6 UID FETCH 31 "), ct.Send("a6 OK\r\n"),
		ct.Expect(`a7 UID STORE 7,30 +FLAGS.SILENT (\Deleted)`), ct.Send("a7 OK\r\n"),
		ct.Expect("a8 UID EXPUNGE 7,30\r\n"), ct.Send("* 2 EXPUNGE\r\n* 7 EXPUNGE\r\na8 OK\r\n"),
		ct.Expect("a9 NOOP"), ct.Send("a9 OK\r\n"), ct.Expect("a10 LOGOUT"), ct.Send("* BYE bye\r\na10 OK\r\n"), ct.Expect("a11 LOGOUT"),
	)
	r := converse(t, "uidplus", script, func(s *imap.Session) error {
		if n, err := s.Select("Entwürfe"); n != 7 || err != nil {
			t.Errorf("select: %d, %v", n, err)
		}
		found, err := s.Search("X-Mail", `to"ken`)
		if !reflect.DeepEqual(found, []uint32{7, 30}) || err != nil {
			t.Errorf("search: %v, %v, want 7 and 30", found, err)
		}
		m, ok, err := s.Fetch(30)
		at := time.Date(2026, 7, 7, 9, 44, 25, 0, time.UTC)
		if m.Header != header || !m.Received.Equal(at) || !ok || err != nil {
			t.Errorf("fetch: %+v, %v, %v", m, ok, err)
		}
		if m, ok, err = s.Fetch(31); ok || err != nil {
			t.Errorf("fetch of none: %+v, %v, %v", m, ok, err)
		}
		return errors.Join(s.Delete(found), s.Delete(nil), s.Noop(), s.Logout())
	})
	if r.Outcome != checks.Up || r.Elapsed != 0 || names(r) != "resolve connect tls greeting capability auth select" {
		t.Errorf("got %+v, want up", r)
	}
}

func TestSessionNeverExpungesWhatIsNotItsOwn(t *testing.T) {
	script := seq(steps(ct.Expect("a3 UID STORE 5 "), ct.Send("a3 OK\r\n")), steps(ct.Expect("a4 LOGOUT"), ct.Silence()))
	r := converse(t, "", script, func(s *imap.Session) error {
		if err := s.Delete([]uint32{5}); !errors.Is(err, imap.ErrNoExpunge) {
			t.Errorf("got %v, want ErrNoExpunge", err)
		}
		return nil
	})
	if r.Outcome != checks.Up {
		t.Errorf("got %+v, want up", r)
	}
}

func TestSpecial(t *testing.T) {
	for _, tt := range []struct {
		name, caps, command, answer string
		junk, sent                  []string
	}{
		{
			"marked", "SPECIAL-USE LIST-EXTENDED", `a3 LIST "" "*" RETURN (SPECIAL-USE)`,
			"* LIST (\\HasNoChildren \\Junk) \"/\" \"M&APw-ll\"\r\n* LIST () \"/\" Spam\r\n* LIST (\\sent) \"/\" {4}\r\nPost\r\n* LIST (\\Sent) \"/\" \"Old\"\r\n",
			[]string{"Müll"},
			[]string{"Post", "Old"},
		},
		{
			"marked without being asked", "SPECIAL-USE", `a3 LIST "" "*"` + "\r\n",
			"* LIST (\\Junk) NIL Bin\r\n* LIST () NIL Sent\r\n",
			[]string{"Bin"},
			[]string{"Sent"},
		},
		{
			"by name", "", `a3 LIST "" "*"` + "\r\n",
			"* LIST (\\NoInferiors) \".\" INBOX\r\n* LIST () \".\" INBOX.Junk\r\n* LIST () \".\" \"INBOX.SENT ITEMS\"\r\n* LIST () \".\" INBOX.Spam\r\n* LIST () \".\" Junk.Mine\r\n",
			[]string{"INBOX.Junk", "INBOX.Spam"},
			[]string{"INBOX.SENT ITEMS"},
		},
		{"none", "", "a3 LIST", "* LIST () \"/\" INBOX\r\n", nil, nil},
		{
			"unreadable", "", "a3 LIST",
			"* LIST (\\Noselect) \"/\" Junk\r\n* LIST (\\Junk \"/\" x\r\n* LIST () \"/\" \"Sent\r\n* LIST (\\Junk) \"/\" \"&bad\"\r\n* LIST\r\n* LIST (\\Sent) \"/\"\r\n", nil, nil,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := converse(t, tt.caps, seq(steps(ct.Expect(tt.command)), ends(tt.answer+"a3 OK\r\n")), func(s *imap.Session) error {
				junk, sent, err := s.Special()
				if !reflect.DeepEqual(junk, tt.junk) || !reflect.DeepEqual(sent, tt.sent) {
					t.Errorf("got junk %q, sent %q, want %q and %q", junk, sent, tt.junk, tt.sent)
				}
				return err
			})
			if r.Outcome != checks.Up {
				t.Errorf("got %+v, want up", r)
			}
		})
	}
}

// TestSessionIsBounded has a server answer with more than anybody asked for.
func TestSessionIsBounded(t *testing.T) {
	many := "* SEARCH" + strings.Repeat(" 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30", 20)
	for i := range 200 {
		many += fmt.Sprintf("\r\n* SEARCH %d", 1000-i)
	}
	long := fmt.Sprintf("* 1 FETCH (UID 5 BODY[HEADER] {%d}\r\n%s)\r\n", 30<<10, strings.Repeat("x", 30<<10))
	script := steps(ct.Expect("SEARCH"), ct.Send(many+"\r\na3 OK\r\n"))
	for i := range 6 { // more in all than one conversation has room for
		script = append(script, ct.Expect("FETCH"), ct.Send(long+fmt.Sprintf("a%d OK\r\n", 4+i)))
	}
	script = append(script, ct.Expect("FETCH"), ct.Flood(long))
	r := converse(t, "", script, func(s *imap.Session) error {
		found, err := s.Search("X-Mail", "")
		if len(found) != imap.SearchMax || found[0] != 5 || err != nil {
			t.Errorf("search: %d found from %d, %v, want the first %d from 5", len(found), found[0], err, imap.SearchMax)
		}
		for range 6 {
			m, ok, err := s.Fetch(5)
			if len(m.Header) != imap.HeaderMax || !m.Received.IsZero() || !ok || err != nil {
				t.Errorf("fetch: %d bytes, %v, %v, want %d", len(m.Header), ok, err, imap.HeaderMax)
			}
		}
		_, _, err = s.Fetch(5)
		return err
	})
	if r.Class != checks.ProtocolError || r.FailedPhase != checks.Select || !strings.Contains(r.Detail, "more than 64 kB") {
		t.Errorf("got %+v, want protocol_error", r)
	}
}

func TestSessionRefusals(t *testing.T) {
	for _, tt := range []struct {
		name, answer string
		class        checks.Class
		elapsed      time.Duration
	}{
		{"no", "a3 NO x\r\n", checks.Busy, 0},
		{"nonexistent", "a3 NO [NONEXISTENT] x\r\n", checks.OwnError, 0},
		{"limit", "a3 NO [LIMIT] x\r\n", checks.Policy, 0},
		{"unavailable", "a3 NO [UNAVAILABLE] x\r\n", checks.Busy, 0},
		{"bad", "a3 BAD x\r\n", checks.ProtocolError, 0},
		{"asks for more", "+ go on\r\n", checks.ProtocolError, 0},
		{"bye", "* BYE x\r\n", checks.Closed, 0},
		{"silence", "", checks.CommandTimeout, 10 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := converse(t, "", steps(ct.Expect("a3 SELECT"), ct.Send(tt.answer), ct.Silence()), func(s *imap.Session) error {
				_, err := s.Select("INBOX")
				return err
			})
			if r.Class != tt.class || r.FailedPhase != checks.Select || r.Elapsed != tt.elapsed {
				t.Errorf("got %+v, want %s", r, tt.class)
			}
		})
	}
}

func TestSessionSendsNothingThatItCannotQuote(t *testing.T) {
	r := converse(t, "", steps(ct.Expect("a3 LOGOUT"), ct.Silence()), func(s *imap.Session) error {
		_, byValue := s.Search("X-Mail", "a\r\nb")
		_, byName := s.Search("Bjørn", "a")
		_, byMailbox := s.Select("\xff")
		for _, err := range []error{byValue, byName, byMailbox} {
			if f, ok := errors.AsType[*checks.Failure](err); !ok || f.Class != checks.OwnError {
				t.Errorf("got %v, want own_error", err)
			}
		}
		return nil
	})
	if r.Outcome != checks.Up {
		t.Errorf("got %+v, want up", r)
	}
}

// TestOpenLeaves wants a server that refused us to be told that we leave.
func TestOpenLeaves(t *testing.T) {
	left := false
	synctest.Test(t, func(t *testing.T) {
		lab := ct.NewLab()
		lab.Play(t, ":993", seq(entrance(lab, "AUTH=PLAIN SASL-IR"), steps(
			ct.Expect("a2 AUTHENTICATE"), ct.Send("a2 NO x\r\n"), ct.Expect("a3 LOGOUT"),
			func(*ct.Peer) error { left = true; return nil },
		))...)
		c, err := imap.New(by(""), lab.Env())
		if err != nil {
			t.Fatal(err)
		}
		r := checks.Record(t.Context(), time.Minute, func(ctx context.Context, rec *checks.Recorder) error {
			s, err := c.Open(ctx, rec, checks.IPv4)
			if s != nil {
				t.Error("got a session, want none")
			}
			return err
		})
		if r.Class != checks.AuthRejected {
			t.Errorf("got %+v, want auth_rejected", r)
		}
		synctest.Wait()
	})
	if !left {
		t.Error("no LOGOUT, want one")
	}
}
