package history

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	"varde/coordinator/internal/mail"
	"varde/proto/wire"
)

// atTen runs f in a bubble at ten, with a history that takes what is told.
func atTen(t *testing.T, f func(t *testing.T, fl *fleet, m *machine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(ten))
		fl := newFleet("imap")
		m := start(t, t.TempDir(), newFakeJournal(), func() *Config { return fl.config })
		defer func() { must(t, m.s.Close()) }()
		f(t, fl, m)
	})
}

// mailed is one event of a mail that was sent at ten plus the minutes, and found so
// many minutes later; -1 is not found.
func mailed(id string, minute int, state checks.MailState, after int) checks.MailEvent {
	m := checks.MailEvent{Mail: id, Check: "imap", Service: "mail", Route: "internal", Sent: ten.Add(time.Duration(minute) * time.Minute), State: state}
	if after >= 0 {
		m.Found = m.Sent.Add(time.Duration(after) * time.Minute)
	}
	return m
}

func (f *fleet) mails(t *testing.T, m *machine, received time.Time, list ...checks.MailEvent) {
	t.Helper()
	for _, e := range list {
		f.tell(t, m.j, "us-east-1", received, wire.Event{Mail: &e})
	}
	m.feedAll()
}

// What is known of a mail is the sum of its events, in whatever order they come: a
// later one never takes a fact back.
func TestEventsOfOneMail(t *testing.T) {
	const p, a, l, x, u = checks.MailPending, checks.MailArrived, checks.MailLate, checks.MailLost, checks.MailUnknown
	sort := rand.New(rand.NewPCG(1, 1))
	for name, c := range map[string]struct {
		events []checks.MailEvent
		want   string
	}{
		"sent":              {[]checks.MailEvent{mailed("m", 0, p, -1)}, "pending null"},
		"in time":           {[]checks.MailEvent{mailed("m", 0, p, -1), mailed("m", 0, a, 1)}, "arrived 60"},
		"late":              {[]checks.MailEvent{mailed("m", 0, p, -1), mailed("m", 0, l, -1)}, "late null"},
		"late and found":    {[]checks.MailEvent{mailed("m", 0, p, -1), mailed("m", 0, l, -1), mailed("m", 0, l, 47)}, "late 2820"},
		"lost":              {[]checks.MailEvent{mailed("m", 0, p, -1), mailed("m", 0, l, -1), mailed("m", 0, x, -1)}, "lost null"},
		"found after all":   {[]checks.MailEvent{mailed("m", 0, x, -1), mailed("m", 0, l, 47)}, "late 2820"},
		"nobody can tell":   {[]checks.MailEvent{mailed("m", 0, l, -1), mailed("m", 0, u, -1)}, "unknown null"},
		"lost by all means": {[]checks.MailEvent{mailed("m", 0, u, -1), mailed("m", 0, x, -1)}, "lost null"},
		"told twice":        {[]checks.MailEvent{mailed("m", 0, a, 1), mailed("m", 0, a, 3)}, "arrived 60"},
	} {
		t.Run(name, func(t *testing.T) {
			atTen(t, func(t *testing.T, f *fleet, m *machine) {
				sort.Shuffle(len(c.events), func(i, k int) { c.events[i], c.events[k] = c.events[k], c.events[i] })
				f.mails(t, m, ten.Add(time.Hour), c.events...)
				list, err := m.s.Mails(t.Context(), MailQuery{From: ten, To: ten.Add(time.Hour)})
				must(t, err)
				if len(list) != 1 {
					t.Fatalf("%d mails, want 1", len(list))
				}
				text, err := json.Marshal(list[0])
				must(t, err)
				var got struct {
					State  string          `json:"state"`
					DelayS json.RawMessage `json:"delay_s"`
				}
				must(t, json.Unmarshal(text, &got))
				if s := fmt.Sprintf("%s %s", got.State, got.DelayS); s != c.want {
					t.Errorf("got %s, want %s: %s", s, c.want, text)
				}
			})
		})
	}
}

// Times are the coordinator's, delays the probe's own; what cannot be is left out.
func TestMailsByOurClock(t *testing.T) {
	atTen(t, func(t *testing.T, f *fleet, m *machine) {
		for i, offset := range []time.Duration{0, 20 * time.Second, time.Hour, -time.Hour} {
			e := mailed(fmt.Sprint("m", i), 0, checks.MailArrived, 1)
			e.Sent, e.Found = e.Sent.Add(offset), e.Found.Add(offset)
			b := wire.Batch{Epoch: fmt.Sprint("clock", i), Received: ten.Add(2 * time.Minute), ClockKnown: true, ClockOffset: offset, Records: []wire.Record{{Event: &wire.Event{Seq: 1, At: e.Found, Mail: &e}}}}
			b.Attribute("us-east-1", "us-east", "")
			m.j.append(t, b)
		}
		ahead, old, strange := mailed("ahead", 600, checks.MailArrived, 1), mailed("old", -61*24*60, checks.MailPending, -1), mailed("strange", 0, checks.MailPending, -1)
		strange.Check = "nobody-asked"
		f.mails(t, m, ten.Add(2*time.Minute), ahead, old, strange)
		list, err := m.s.Mails(t.Context(), MailQuery{To: ten.AddDate(1, 0, 0)})
		must(t, err)
		if len(list) != 5 {
			t.Fatalf("got %d mails, want 5: %+v", len(list), list)
		}
		for _, e := range list {
			want := ten
			if e.Mail == "ahead" {
				want = ten.Add(time.Minute)
			}
			if !e.Sent.Equal(want) || e.Delay() != time.Minute || e.Probe != "us-east-1" || e.Region != "us-east" {
				t.Errorf("%s: sent %s, took %s: %+v", e.Mail, e.Sent, e.Delay(), e)
			}
		}
		if got := m.s.ignored.Load(); got != 2 {
			t.Errorf("%d ignored, want the old and the strange one", got)
		}
	})
}

// Every mail is one of arrived, pending, lost and unknown, and is counted once, also
// where a gone probe gave no last word.
func TestMailSums(t *testing.T) {
	const p, a, l, x = checks.MailPending, checks.MailArrived, checks.MailLate, checks.MailLost
	atTen(t, func(t *testing.T, f *fleet, m *machine) {
		junk, failed, outbound := mailed("junk", 6, a, 1), mailed("failed", 7, a, 1), mailed("out", 8, p, -1)
		junk.Junk, failed.DMARC, outbound.Route, outbound.Service = true, "fail", "outbound", "smtp"
		for i := range 70 {
			f.mails(t, m, ten.Add(time.Hour), mailed(fmt.Sprint("fine", i), 9, a, 0))
		}
		f.mails(t, m, ten.Add(time.Hour), mailed("a", 0, a, 1), mailed("b", 1, l, -1), mailed("c", 2, l, 47), mailed("d", 3, x, -1), mailed("e", 4, p, -1), junk, failed, outbound)
		time.Sleep(time.Hour)
		q := MailQuery{From: ten, To: ten.Add(time.Hour)}
		check := func(when string, q MailQuery, want ...string) {
			t.Helper()
			all, routes, err := m.s.MailSums(t.Context(), q)
			must(t, err)
			got := []string{all.Sentence(time.Now())}
			for _, r := range append(routes, mail.Route{Sums: all}) {
				if r.Sent != r.Arrived+r.Pending+r.Lost+r.Unknown || r.InTime > r.Arrived {
					t.Errorf("%s: %s does not add up: %+v", when, r.Route, r.Sums)
				}
			}
			for _, r := range routes {
				got = append(got, r.Route+": "+r.Sentence(time.Now()))
			}
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Errorf("%s: got\n%s", when, strings.Join(got, "\n"))
			}
		}
		check("an hour later", q,
			"78 test mails, 1 lost, longest delay 47 min, 3 late, 3 pending, the oldest for 59 min.",
			"internal: 77 test mails, 1 lost, longest delay 47 min, 3 late, 2 pending, the oldest for 59 min.",
			"outbound: 1 test mail, 0 lost, 1 pending, the oldest for 52 min.")
		check("one service", MailQuery{From: ten, To: ten.Add(time.Hour), Services: []string{"smtp"}},
			"1 test mail, 0 lost, 1 pending, the oldest for 52 min.", "outbound: 1 test mail, 0 lost, 1 pending, the oldest for 52 min.")
		check("a range", MailQuery{From: ten, To: ten.Add(2 * time.Minute), Route: "internal"},
			"2 test mails, 0 lost, longest delay 1 min, 1 late, 1 pending, the oldest for 59 min.", "internal: 2 test mails, 0 lost, longest delay 1 min, 1 late, 1 pending, the oldest for 59 min.")
		check("nothing", MailQuery{From: ten.Add(-time.Hour), To: ten}, "")
		all, _, err := m.s.MailSums(t.Context(), q)
		must(t, err)
		if all.P50 != 0 || all.P95 != time.Minute || all.Junk != 1 || !all.First.Equal(ten) || !all.Last.Equal(ten.Add(9*time.Minute)) {
			t.Errorf("got %+v", all)
		}
		list, err := m.s.Mails(t.Context(), MailQuery{From: ten, To: ten.Add(time.Hour), Notable: true})
		must(t, err)
		names := ""
		for _, e := range list {
			names += e.Mail + " "
		}
		if names != "out failed junk e d c b " {
			t.Errorf("notable: %s", names)
		}
		if list, err := m.s.Mails(t.Context(), MailQuery{From: ten, To: ten.Add(time.Hour), Limit: 3}); err != nil || len(list) != 3 {
			t.Errorf("got %d, %v, want 3", len(list), err)
		}
		steps, err := m.s.MailSteps(t.Context(), q, 5*time.Minute)
		must(t, err)
		if s := fmt.Sprint(steps); len(steps) != 2 || steps[0] != (MailStep{At: ten, Longest: 47 * time.Minute, Sent: 5, Arrived: 2, Late: 3, Pending: 2, Lost: 1}) || steps[1].Sent != 73 {
			t.Errorf("got %s", s)
		}
		time.Sleep(mail.WordBy)
		check("six days later", q,
			"78 test mails, 1 lost, longest delay 47 min, 3 late, of 3 nobody can tell.",
			"internal: 77 test mails, 1 lost, longest delay 47 min, 3 late, of 2 nobody can tell.",
			"outbound: 1 test mail, 0 lost, of 1 nobody can tell.")
		f.mails(t, m, ten.Add(145*time.Hour), mailed("e", 4, l, 8000))
		check("and yet", MailQuery{From: ten, To: ten.Add(time.Hour), Route: "internal"},
			"77 test mails, 1 lost, longest delay 5 d 14 h, 4 late, of 1 nobody can tell.", "internal: 77 test mails, 1 lost, longest delay 5 d 14 h, 4 late, of 1 nobody can tell.")
	})
}

// What is asked of one route reads the mails of that route, and not those of all.
func TestOneRouteIsReadAlone(t *testing.T) {
	atTen(t, func(t *testing.T, _ *fleet, m *machine) {
		for route, want := range map[string]string{"": "mail_sent", "internal": "mail_route"} {
			q := MailQuery{Route: route}
			rows := rowsOf(t, m.s.reads, "", `EXPLAIN QUERY PLAN SELECT delay`+q.conditions(), q.args(ten)[:4]...)
			if s := fmt.Sprint(rows); len(rows) != 1 || !strings.Contains(s, want) {
				t.Errorf("route %q: got %s, want a search of %s", q.Route, s, want)
			}
		}
	})
}

// A probe that sends without end does not fill the disk, and what it sent before is
// still brought up to date.
func TestMailsAreBounded(t *testing.T) {
	atTen(t, func(t *testing.T, f *fleet, m *machine) {
		_, err := m.s.db.Exec(`INSERT INTO mail WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
			SELECT 'us-east-1', 'm' || i, 'imap', 'mail', 'internal', 'us-east', ?, NULL, 0, 0, 0, '', '', '' FROM n`, maxMails, ten.UnixNano())
		must(t, err)
		f.mails(t, m, ten.Add(48*time.Hour), mailed("more", 1, checks.MailPending, -1), mailed("m7", 0, checks.MailArrived, 1), mailed("next", 61, checks.MailPending, -1))
		all, _, err := m.s.MailSums(t.Context(), MailQuery{To: ten.AddDate(0, 0, 3)})
		must(t, err)
		if all.Sent != maxMails+1 || all.Arrived != 1 {
			t.Errorf("got %d sent, %d arrived, want %d and 1: that of the next hour too", all.Sent, all.Arrived, maxMails+1)
		}
	})
}

// The newest findings stand, and go with their check and probe.
func TestFindings(t *testing.T) {
	atTen(t, func(t *testing.T, f *fleet, m *machine) {
		found := func(probe string, minute int, codes ...string) {
			list := &checks.Findings{Check: "imap", Service: "mail"}
			for _, c := range codes {
				list.List = append(list.List, checks.Finding{Code: c, Detail: "what is wrong"})
			}
			f.tell(t, m.j, probe, ten.Add(time.Duration(minute)*time.Minute), wire.Event{Findings: list})
			m.feedAll()
		}
		found("us-east-1", 5, "dane", "mta_sts_mx")
		found("us-east-2", 6)
		found("us-east-1", 7, "dane")
		found("us-east-1", 6, "late")
		got := func() string {
			list, err := m.s.Findings(t.Context(), "imap")
			must(t, err)
			out := ""
			for _, one := range list {
				out += fmt.Sprintf("%s %s %s %d %s; ", one.Probe, one.Region, one.Service, len(one.List), one.At.Format("15:04"))
			}
			return out
		}
		if s := got(); s != "us-east-1 us-east mail 1 10:07; us-east-2 us-east mail 0 10:06; " {
			t.Errorf("got %s", s)
		}
		elsewhere := *f.config
		elsewhere.Checks = []Check{{ID: "imap", Service: "mail", Every: time.Minute, Regions: []string{"oceania"}}}
		whole := f.config
		f.config = &elsewhere
		if s := got(); s != "" {
			t.Errorf("of probes that run the check no longer: %s", s)
		}
		smaller := *whole
		smaller.Probes = smaller.Probes[:1]
		f.config = &smaller
		if s := got(); s != "" {
			t.Errorf("of probes that are gone: %s", s)
		}
	})
}
