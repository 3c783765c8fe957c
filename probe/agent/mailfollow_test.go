package agent

import (
	"context"
	"crypto/rand"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/probe/internal/schedule"
)

// TestClockIsSet: whatever becomes of the clock, a run has one observation, by the
// life that can give it.
func TestClockIsSet(t *testing.T) {
	for _, ahead := range []time.Duration{-24 * time.Hour, 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			m := newMailing(t)
			m.stop()
			m.ahead = ahead
			m.office.Delivers(func(ct.Letter) (string, time.Duration) { return "INBOX", time.Minute })
			m.start(t)
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(100*time.Second, cancel)
			m.send(ctx)
			time.Sleep(time.Minute)
			if o, _ := m.seen(t); len(o) != 1 {
				t.Errorf("%s: %d observations of one run, want one", ahead, len(o))
			}
			ctx, cancel = context.WithCancel(t.Context())
			time.AfterFunc(10*time.Second, cancel)
			m.send(ctx)
			m.stop()
			m.start(t)
			time.Sleep(time.Hour)
			if o, e := m.seen(t); len(o) != 1 || o[0].Outcome != checks.Up || states(e) == "" {
				t.Errorf("%s: got %+v and the events %s of an earlier life's run, want up and arrived", ahead, o, states(e))
			}
		})
	}
}

// TestEventsThatTheSpoolDropped are told again when there is room.
func TestEventsThatTheSpoolDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailing(t)
		m.stop()
		m.bound = 64 << 10
		m.start(t)
		m.send(t.Context())
		for range 1000 {
			o := m.agent.observation(schedule.Run{Target: new(m.loop()), Family: checks.IPv4, Scheduled: time.Now()}, 1)
			o.Class = checks.OwnError
			for range 8 { // nothing that could be compressed
				o.Detail += rand.Text()
			}
			m.agent.keep(o)
		}
		time.Sleep(time.Hour)
		if _, e := m.seen(t); states(e) != "" {
			t.Fatalf("got the events %s in a spool that is full, want none", states(e))
		}
		if err := m.agent.spool.Ack(m.agent.spool.Epoch(), 1<<30); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if _, e := m.seen(t); states(e) != "arrived 500ms" {
			t.Errorf("got the events %s, want arrived, once", states(e))
		}
	})
}

// TestMailboxIsEmptied: when what filled the mailbox is gone, mails are sent soon.
func TestMailboxIsEmptied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailing(t)
		for range maxMails { // of other probes, which had been held back
			m.office.Put("INBOX", "X-Probe-Id: somebody\r\n\r\n")
		}
		m.office.CannotExpunge()
		time.Sleep(time.Hour + time.Minute)
		m.send(t.Context())
		m.office.Empty("INBOX")
		time.Sleep(10 * time.Minute)
		m.send(t.Context())
		if o, _ := m.seen(t); len(o) != 2 || o[0].Class != checks.OwnError || o[1].Outcome != checks.Up {
			t.Errorf("got %+v, want our own error and then up", o)
		}
		before := m.office.Logins()
		time.Sleep(90 * time.Minute)
		if n := m.office.Logins() - before; n > 2 {
			t.Errorf("%d logins in 90 minutes, want a sweep an hour again", n)
		}
	})
}

// TestStopsAtOnce: wherever a run is, and whoever says nothing, an agent that is
// told to stop has done so within a second.
func TestStopsAtOnce(t *testing.T) {
	for _, silent := range []string{"EHLO", "AUTH ", "DATA", ".", "AUTHENTICATE", "LIST", "SELECT", "UID SEARCH", "UID FETCH", "UID STORE", "LOGOUT"} {
		synctest.Test(t, func(t *testing.T) {
			m := newMailing(t)
			m.office.Answers(func(line string) string {
				if strings.HasPrefix(line, silent) {
					time.Sleep(time.Hour)
				}
				return ""
			})
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(2*time.Second, cancel)
			began := time.Now()
			m.send(ctx)
			m.stop()
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("silent at %s: stopped after %s, want within a second of 2s", silent, took)
			}
			time.Sleep(2 * time.Hour) // until the server has woken up
		})
	}
}
