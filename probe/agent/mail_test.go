package agent

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/roundtrip"
	"varde/probe/internal/schedule"
)

// loop is a check that sends a mail every quarter of an hour.
func (s *station) loop() checks.Target {
	login := &checks.Login{User: "probe", Password: checks.Secret{Name: "one"}}
	return checks.Target{
		ID: "mail-loop", Service: "imap", Kind: checks.RoundTrip, Every: 15 * time.Minute, Timeout: 10 * time.Second, Consent: true,
		Families: []checks.Family{checks.IPv4}, CA: &checks.Authority{PEM: s.CA.PEM()},
		MailOptions: checks.MailOptions{
			From: "probe@example.net", To: "probe@example.net", Route: "internal", Late: 2 * time.Minute,
			Submit: &checks.Leg{URL: "smtps://" + ct.LabName, Login: login}, Receive: &checks.Leg{URL: "imaps://" + ct.LabName, Login: login},
		},
	}
}

// mailing is an agent that follows its mails, in a lab with a post office.
type mailing struct {
	*station
	office *ct.PostOffice
	agent  *Agent
	stop   func()
	// ahead is by how much the clock is wrong when an agent starts, and set right
	// thereafter.
	ahead time.Duration
	// bound is that of the spool, in bytes.
	bound int64
}

// newMailing makes a station with a post office and starts an agent there.
func newMailing(t *testing.T, others ...checks.Target) *mailing {
	t.Helper()
	m := &mailing{station: newStation(t)}
	m.office = m.PostOffice(t)
	m.start(t, others...)
	t.Cleanup(func() { m.stop() })
	return m
}

// start starts an agent, a life of the probe that ends with stop.
func (m *mailing) start(t *testing.T, others ...checks.Target) {
	t.Helper()
	time.Sleep(time.Second) // lives do not begin at the same time
	m.agent = m.station.agent(t, func(o *Options) { o.SpoolBytes = m.bound })
	m.agent.started = m.agent.started.Add(m.ahead)
	m.give(t, m.agent, "right", append(others, m.loop())...)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- m.agent.followMails(ctx) }()
	m.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := m.agent.spool.Close(); err != nil {
			t.Error(err)
		}
		m.stop = func() {}
	}
}

// send makes one run.
func (m *mailing) send(ctx context.Context) {
	m.agent.run(ctx, schedule.Run{Target: new(m.loop()), Family: checks.IPv4, Scheduled: time.Now(), Speaks: m.loop().Every})
}

// seen are the observations and events that the agent has spooled since its start.
func (m *mailing) seen(t *testing.T) (observations []checks.Observation, events []checks.MailEvent) {
	t.Helper()
	records, err := m.agent.spool.Next(m.agent.spool.Epoch(), 0, 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if r.Event != nil {
			events = append(events, *r.Event.Mail)
		} else {
			observations = append(observations, r.Observation)
		}
	}
	return observations, events
}

// states are what the events say, with the delay of what was found.
func states(events []checks.MailEvent) string {
	var all []string
	for _, e := range events {
		state := string(e.State)
		if !e.Found.IsZero() {
			state += fmt.Sprintf(" %s", e.Delay())
		}
		all = append(all, state)
	}
	return strings.Join(all, ", ")
}

func TestMailArrives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailing(t)
		m.send(t.Context())
		o, e := m.seen(t)
		if len(o) != 1 || o[0].Outcome != checks.Up || o[0].Elapsed != 500*time.Millisecond || states(e) != "pending, arrived 500ms" {
			t.Errorf("got %+v and the events %s, want up and arrived", o, states(e))
		}
		if e[1].Check != "mail-loop" || e[1].Service != "imap" || e[1].Route != "internal" || e[1].Mail != e[0].Mail {
			t.Errorf("got %+v, want the mail of the check", e[1])
		}
		if n := len(m.office.Letters("INBOX")); n > 0 {
			t.Errorf("%d messages are left", n)
		}
	})
}

// TestLateMailIsFollowed: a mail that is late is found, with its true delay, by few
// looks.
func TestLateMailIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailing(t)
		m.office.Delivers(func(ct.Letter) (string, time.Duration) { return "INBOX", 2*time.Hour + 7*time.Minute })
		m.send(t.Context())
		logins := m.office.Logins()
		time.Sleep(3 * time.Hour)
		o, e := m.seen(t)
		if len(o) != 1 || o[0].Class != checks.Late || states(e) != "pending, late, late 2h7m0s" {
			t.Errorf("got %+v and the events %s, want one late observation, and found after 2h7m", o, states(e))
		}
		if logins = m.office.Logins() - logins; logins > 16 {
			t.Errorf("%d logins in three hours, want at most 16", logins)
		}
	})
}

// TestLateMailIsFoundSoon: the first look for a mail that is late comes a minute
// after its limit.
func TestLateMailIsFoundSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailing(t)
		m.office.Delivers(func(ct.Letter) (string, time.Duration) { return "INBOX", 2*time.Minute + 30*time.Second })
		m.send(t.Context())
		time.Sleep(time.Minute + followTurn)
		if _, e := m.seen(t); states(e) != "pending, late, late 2m30s" {
			t.Errorf("got the events %s, want found after 2m30s", states(e))
		}
	})
}

// TestLostMail: after five days nobody looks any more.
func TestLostMail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailing(t)
		m.office.Delivers(func(ct.Letter) (string, time.Duration) { return "", 0 })
		m.send(t.Context())
		time.Sleep(checks.MailFollow + 2*time.Hour)
		o, e := m.seen(t)
		if len(o) != 1 || states(e) != "pending, late, lost" {
			t.Errorf("got %d observations and the events %s, want one, and lost", len(o), states(e))
		}
		if n := m.office.Logins(); n > 200 {
			t.Errorf("%d logins in five days, want at most 200", n)
		}
	})
}

// TestRestartInTheMiddle: a run that an agent began is observed by the next one,
// once, as if nothing had been.
func TestRestartInTheMiddle(t *testing.T) {
	for _, tt := range []struct {
		name           string
		arrives, pause time.Duration
		class          checks.Class
		events         string
	}{
		{"arrives after it", time.Minute, 10 * time.Second, "", "arrived 1m2.5s"},
		{"arrived meanwhile", 30 * time.Second, time.Hour, "", "arrived 30s"},
		{"is late", time.Hour, 10 * time.Second, checks.Late, "late, late 1h0m0s"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMailing(t)
				m.office.Delivers(func(ct.Letter) (string, time.Duration) { return "INBOX", tt.arrives })
				began := time.Now()
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(10*time.Second, cancel)
				m.send(ctx)
				if o, e := m.seen(t); len(o) != 0 || states(e) != "pending" {
					t.Errorf("the first life: got %+v and the events %s, want none and pending", o, states(e))
				}
				m.stop()
				time.Sleep(tt.pause)
				m.start(t)
				time.Sleep(2 * time.Hour)
				o, e := m.seen(t)
				if len(o) != 1 || o[0].Class != tt.class || !o[0].Scheduled.Equal(began) || o[0].Trigger != checks.Scheduled || o[0].Every != 15*time.Minute {
					t.Errorf("the second life: got %+v, want one observation of %s, %q", o, began, tt.class)
				}
				if got := states(e); !strings.HasPrefix(got, strings.Split(tt.events, " ")[0]) || tt.class == "" && e[0].Delay() > tt.arrives+roundTripTurn {
					t.Errorf("got the events %s, want %s or a little later", got, tt.events)
				}
				m.stop()
				m.start(t)
				time.Sleep(time.Hour)
				if o, e := m.seen(t); len(o)+len(e) > 0 {
					t.Errorf("the third life: got %+v and the events %s, want nothing", o, states(e))
				}
			})
		})
	}
}

// roundTripTurn is the longest time between two looks at a new mail.
const roundTripTurn = 16 * time.Second

// TestEventIsToldAgain: what the spool could not take is told later.
func TestEventIsToldAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailing(t)
		if err := m.agent.spool.Close(); err != nil {
			t.Fatal(err)
		}
		m.send(t.Context())
		m.stop()
		m.start(t)
		time.Sleep(time.Minute)
		if _, e := m.seen(t); states(e) != "arrived 500ms" {
			t.Errorf("got the events %s, want arrived", states(e))
		}
	})
}

// TestMailboxIsFull: fifty test mails in the mailbox are enough. Those that a
// provider holds back are many more in an attack, which goes on being measured.
func TestMailboxIsFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailing(t)
		underway := func(n int) {
			for i := range n {
				held := roundtrip.Mail{
					ID: fmt.Sprintf("%032x", i), Check: "other", Service: "imap", To: m.loop().To, Written: time.Now(), Late: time.Hour, Observed: true,
				}
				if err := m.agent.mails.ledger.Enter(held); err != nil {
					t.Fatal(err)
				}
			}
		}
		last := func() checks.Observation {
			m.send(t.Context())
			o, _ := m.seen(t)
			return o[len(o)-1]
		}
		underway(maxMails)
		if o := last(); o.Outcome != checks.Up {
			t.Errorf("%d on their way: got %+v, want up", maxMails, o)
		}
		underway(maxUnderway)
		if o := last(); o.Outcome != checks.Unknown || o.Class != checks.OwnError ||
			o.Detail != "500 test mails are on their way, expected fewer than 500: none is sent until they are found or lost" {
			t.Errorf("got %+v, want our own error", o)
		}
		for _, held := range m.agent.mails.ledger.List(func(m roundtrip.Mail) bool { return m.IsOpen() }) {
			m.agent.mails.ledger.Change(held.ID, func(m *roundtrip.Mail) { m.Closed = time.Now() })
		}
		m.office.CannotExpunge()
		if o := last(); o.Outcome != checks.Up {
			t.Fatalf("got %+v, want up", o)
		}
		for range maxMails { // found, and never removed
			m.office.Put("INBOX", m.office.Letters("INBOX")[0].Text)
		}
		time.Sleep(time.Hour)
		if o := last(); o.Class != checks.OwnError || !strings.HasPrefix(o.Detail, "51 test mails are in the mailbox") {
			t.Errorf("got %+v, want our own error", o)
		}
		if n := strings.Count(m.log.String(), "test mails cannot be removed"); n != 1 {
			t.Errorf("told %d times that mails cannot be removed, want once; logged\n%s", n, m.log.String())
		}
	})
}

// TestAccountIsShared: while a mail is awaited others here can use its mailbox.
func TestAccountIsShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mailing{station: newStation(t)}
		m.office = m.PostOffice(t)
		inbox := m.inbox("inbox", 10*time.Second)
		m.start(t, inbox)
		defer m.stop()
		m.office.Delivers(func(ct.Letter) (string, time.Duration) { return "", 0 })
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			m.send(t.Context())
		}()
		for range 11 {
			time.Sleep(10 * time.Second)
			m.turn(t, m.agent, inbox, checks.IPv4)
		}
		<-sent
		o, _ := m.seen(t)
		if n := len(slices.DeleteFunc(o, func(o checks.Observation) bool { return o.Check != "inbox" || o.Outcome != checks.Up })); n != 11 {
			t.Errorf("%d looks at the mailbox were up, want all 11", n)
		}
	})
}

// TestRefusedMailbox: no mail is sent that could not be found.
func TestRefusedMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailing(t)
		m.office.Answers(func(line string) string {
			if strings.HasPrefix(line, "AUTHENTICATE") {
				return "NO [AUTHENTICATIONFAILED] no"
			}
			return ""
		})
		for range 4 {
			m.send(t.Context())
			time.Sleep(time.Second)
		}
		open := m.agent.mails.ledger.List(func(m roundtrip.Mail) bool { return m.IsOpen() })
		o, e := m.seen(t)
		if len(open) != 2 || len(o) != 4 || o[3].Outcome != checks.Unknown || o[3].Class != checks.AuthRejected || states(e) != "pending, pending" {
			t.Errorf("%d mails, got %+v and the events %s, want two, and none while the login rests", len(open), o, states(e))
		}
		m.office.Answers(nil)
		time.Sleep(time.Hour)
		if _, e := m.seen(t); states(e) != "pending, pending, arrived 0s, arrived 0s" {
			t.Errorf("got the events %s, want both arrived", states(e))
		}
	})
}

// TestMailboxTurnsAway: a server that limits us is left alone ever longer.
func TestMailboxTurnsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMailing(t)
		m.office.Delivers(func(ct.Letter) (string, time.Duration) { return "INBOX", 5 * time.Minute })
		m.send(t.Context())
		before := m.office.Logins()
		m.office.Answers(func(line string) string {
			if strings.HasPrefix(line, "SELECT") {
				return "NO [LIMIT] slow down"
			}
			return ""
		})
		time.Sleep(2 * time.Hour)
		if n := m.office.Logins() - before; n != 4 {
			t.Errorf("%d logins in two hours, want 4: at once and after 15, 30 and 60 min", n)
		}
		m.office.Answers(nil)
		time.Sleep(2 * time.Hour)
		if _, e := m.seen(t); states(e) != "pending, late, late 5m0s" {
			t.Errorf("got the events %s, want late and found", states(e))
		}
	})
}

// TestSubmissionDoesNotResolve: what is tried then is where mails were handed in,
// not the mailbox, which has been looked at since.
func TestSubmissionDoesNotResolve(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mailing{station: newStation(t)}
		network := &mute{Network: m.network}
		m.network = network
		m.office = m.PostOffice(t)
		m.start(t)
		defer m.stop()
		m.send(t.Context())
		time.Sleep(3 * time.Hour)
		network.name.Store(ct.LabName)
		m.Rule(func(_, to netip.AddrPort, network string) ct.Effect {
			if network == "tcp" && to.Port() == 465 {
				return ct.Drop
			}
			return ct.Pass
		})
		m.send(t.Context())
		o, _ := m.seen(t)
		if last := o[len(o)-1]; len(o) != 2 || o[0].Outcome != checks.Up || last.Outcome != checks.Down || !strings.HasSuffix(last.Detail, "; addresses do not answer either") {
			t.Errorf("got %+v, want a failure that says that the submission is gone", o)
		}
	})
}
