package imap_test

import (
	"reflect"
	"strings"
	"testing"

	"varde/checks"
	ct "varde/checks/checktest"
)

func TestPresented(t *testing.T) {
	r := attempt(t, full(), func(l *ct.Lab) []ct.Step {
		return seq(
			steps(ct.Send("* OK [CAPABILITY IMAP4rev1 STARTTLS] lab ready\r\n"), ct.Expect("CAPABILITY")), offerTLS(), secure(l),
			offerLogin("AUTH=PLAIN SASL-IR"),
			steps(
				ct.Expect("AUTHENTICATE"), ct.Send("* OK [ALERT] maintenance at noon\r\na4 OK [CAPABILITY IMAP4rev1 Idle] in\r\n"), ct.Expect("EXAMINE"),
				ct.Send("* 1 EXISTS\r\na5 OK [READ-ONLY] done\r\n"), ct.Expect("NOOP"), ct.Send("a6 OK\r\n"), ct.Expect("FETCH"),
				ct.Send("a7 NO [UNAVAILABLE] storage\r\n"), ct.Silence(),
			),
		)
	})
	want := &checks.Presented{
		Banner:       "lab ready",
		Capabilities: []string{"IMAP4rev1", "Idle"},
		Replies: []string{
			"OK [CAPABILITY]", "OK", "OK", "OK", "OK [ALERT] maintenance at noon", "OK [CAPABILITY]", "OK [READ-ONLY]", "OK", "NO [UNAVAILABLE]",
		},
	}
	if !reflect.DeepEqual(r.Presented, want) {
		t.Errorf("got %+v, want %+v", r.Presented, want)
	}
	if r.TLS == nil || r.Class != checks.Busy {
		t.Errorf("got %+v, want busy with what TLS showed", r)
	}
}

func TestBannerOfWhoIsNoServer(t *testing.T) {
	for greeting, want := range map[string]checks.Presented{
		"* BYE [UNAVAILABLE] back at noon\r\n": {Banner: "back at noon", Replies: []string{"BYE [UNAVAILABLE]"}},
		"* NO way\r\n":                         {Banner: "way"},
	} {
		r := attempt(t, full(), func(*ct.Lab) []ct.Step { return steps(ct.Send(greeting), ct.Silence()) })
		if r.Presented == nil || !reflect.DeepEqual(*r.Presented, want) {
			t.Errorf("%q: got %+v, want %+v", greeting, r.Presented, want)
		}
	}
}

// TestNewest has all the ways in which the newest header is no question of up
// or down.
func TestNewest(t *testing.T) {
	logout := func(tag string) []ct.Step { return steps(ct.Expect(tag+" LOGOUT"), ct.Send(tag+" OK\r\n")) }
	for _, tt := range []struct {
		name   string
		script script
		detail string
	}{
		{"header", func(l *ct.Lab) []ct.Step { return seq(untilLogout(l), steps(ct.Send("a8 OK\r\n"))) }, ""},
		{"quoted header among others", func(l *ct.Lab) []ct.Step {
			return seq(untilNewest(l), steps(ct.Send(`* 4 FETCH (FLAGS (\Seen) UID 9 BODY[HEADER]<0> "")`+"\r\n* 2 FETCH (FLAGS ())\r\na7 OK\r\n")), logout("a8"))
		}, ""},
		{"empty mailbox", func(l *ct.Lab) []ct.Step {
			return seq(untilSelect(l), steps(ct.Send("* 0 EXISTS\r\na5 OK\r\n"), ct.Expect("NOOP"), ct.Send("a6 OK\r\n")), logout("a7"))
		}, "the mailbox is empty"},
		{"emptied meanwhile", func(l *ct.Lab) []ct.Step {
			return seq(untilSelect(l), steps(ct.Send("* 1 EXISTS\r\na5 OK\r\n"), ct.Expect("NOOP"), ct.Send("* 1 EXPUNGE\r\na6 OK\r\n")), logout("a7"))
		}, "the mailbox is empty"},
		{"more removed than there was", func(l *ct.Lab) []ct.Step {
			return seq(untilSelect(l), steps(ct.Send("* 1 EXPUNGE\r\n* 99999999999999999999 EXISTS\r\na5 OK\r\n"), ct.Expect("NOOP"), ct.Send("a6 OK\r\n")), logout("a7"))
		}, "the mailbox is empty"},
		{"removed meanwhile", func(l *ct.Lab) []ct.Step {
			return seq(untilNewest(l), steps(ct.Send("a7 NO [EXPUNGEISSUED] gone\r\n")), logout("a8"))
		}, "the newest message was removed meanwhile"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := attempt(t, full(), tt.script)
			if r.Outcome != checks.Up || r.Elapsed != 0 || r.Detail != tt.detail {
				t.Errorf("got %+v, want up with %q", r, tt.detail)
			}
			if strings.Contains(strings.Join(r.Presented.Replies, " ")+r.Detail, "secret") {
				t.Errorf("got %+v, want nothing of the header", r.Presented)
			}
		})
	}
}
