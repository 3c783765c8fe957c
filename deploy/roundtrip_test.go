package deploy

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/server"
	"varde/deploy/fleettest"
	"varde/deploy/mailstack"
	"varde/proto/wire"
)

// The probes of TestFleetFollowsMail, by what becomes of the mails that each sends
// to itself.
const (
	sendsToInbox = "eu-north-1"
	sendsToJunk  = "eu-north-2"
	sendsLost    = "oceania-1"
	// isKilled is killed while its first mail is on the way.
	isKilled = "oceania-2"
	// isHeld and isHeldAndKilled send mails that are held until they are late; the
	// latter is killed before they are released.
	isHeld          = "us-east-1"
	isHeldAndKilled = "us-east-2"
)

// How the round trip is made. Each run is over before the next one begins.
const (
	tripEvery   = 15 * time.Second
	tripTimeout = 5 * time.Second
	tripLate    = 10 * time.Second
	// followed is when a late mail has certainly been looked for.
	followed = 3 * time.Minute
)

// TestFleetFollowsMail lets six real probes send mails through a real Postfix to a
// real Dovecot, which deliver, hold, junk and lose them, and kills two of the
// probes meanwhile. In the end it is known what became of every mail, and every
// run has one observation.
func TestFleetFollowsMail(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes for two minutes")
	}
	t.Parallel() // it waits more than it works
	stack := mailstack.Start(t)
	stack.Mail(mailstack.Junked, sendsToJunk)
	stack.Mail(mailstack.Discarded, sendsLost)
	stack.Mail(mailstack.Held, isKilled, isHeld, isHeldAndKilled)
	p := &trips{buildPrograms(t), stack}
	probes := p.setUp(tripCheck(stack))

	p.expectKilled()
	p.expectInbox()
	p.expectJunk()
	p.expectLost()
	p.expectHeld()
	p.expectSums()
	stopped := time.Now()
	for _, name := range append(probes, "coordinator") {
		p.signal(name, syscall.SIGTERM)
	}
	p.expectOnce(stopped)
}

// tripCheck is one round trip of the whole fleet.
func tripCheck(s *mailstack.Stack) string {
	login := fmt.Sprintf("{user: %q, password: {file: %q}}", s.User, s.PasswordFile)
	return fmt.Sprintf("services: [{id: mail, consent: true}]\nchecks:\n"+
		"  - {id: mail, service: mail, kind: roundtrip, every: %s, timeout: %s, late: %s, families: [ipv4], ca: {file: %q}, route: internal, from: %q, to: %q,"+
		" submit: {url: %q, login: %s}, receive: {url: %q, login: %s}}\n",
		tripEvery, tripTimeout, tripLate, s.CA, s.User, s.User, "submission://"+s.Submission, login, "imaps://"+s.IMAPS, login)
}

// trips are the mails of the fleet.
type trips struct {
	*programs
	stack *mailstack.Stack
}

// mailSums and mailEvent are what /api/v1/mail says.
type mailSums struct {
	Sent, Arrived, Late, Pending, Lost, Unknown, Junk int

	InTime  int      `json:"in_time"`
	Longest *float64 `json:"longest_delay_s"`
}

type mailEvent struct {
	Mail, Probe, Route string
	Sent               time.Time
	Found              *time.Time
	Delay              *float64 `json:"delay_s"`
	State              checks.MailState
	Junk               bool
	SPF, DKIM, DMARC   string
}

func (p *trips) ledger() (mailSums, []mailEvent) {
	p.t.Helper()
	var answer struct {
		Sums  mailSums
		Mails []mailEvent
	}
	p.get("/api/v1/mail", &answer)
	return answer.Sums, answer.Mails
}

// eventuallyMail waits until the ledger of the coordinator has a mail of a probe
// of which something is true.
func (p *trips) eventuallyMail(probe, what string, is func(mailEvent) bool) (found mailEvent) {
	p.t.Helper()
	p.within(followed, fmt.Sprintf("a mail of %s %s", probe, what), func() bool {
		_, all := p.ledger()
		i := slices.IndexFunc(all, func(m mailEvent) bool { return m.Probe == probe && is(m) })
		if i >= 0 {
			found = all[i]
		}
		return i >= 0
	})
	return found
}

var mailLine = regexp.MustCompile(`msg=mail .*mail=([0-9a-f]{32}) state=([a-z]+)`)

// eventuallyLogged waits until a probe has seen a mail in a state, without the
// way through the coordinator, and returns its name.
func (p *trips) eventuallyLogged(probe string, state checks.MailState) (mail string) {
	p.t.Helper()
	p.eventually(fmt.Sprintf("a mail of %s that is %s", probe, state), func() bool {
		b, err := os.ReadFile(p.all[probe].log)
		if err != nil {
			p.t.Fatal(err)
		}
		for _, m := range mailLine.FindAllSubmatch(b, -1) {
			if mail = string(m[1]); checks.MailState(m[2]) == state {
				return true
			}
		}
		return false
	})
	return mail
}

// eventuallyHolds waits until the mailbox has or has no longer a mail.
func (p *trips) eventuallyHolds(mail string, messages int, mailboxes ...string) {
	p.t.Helper()
	for _, box := range mailboxes {
		p.eventually(fmt.Sprintf("%d messages of mail %s in %s", messages, mail, box), func() bool { return p.stack.Holding(box, mail) == messages })
	}
}

// eventuallyObserved waits for the observation of the run that sent a mail.
func (p *trips) eventuallyObserved(m mailEvent) (o checks.Observation) {
	p.t.Helper()
	region := m.Probe[:strings.LastIndexByte(m.Probe, '-')]
	p.eventually("the observation of mail "+m.Mail, func() bool {
		list := fleettest.ReadObservations(p.get, time.Time{}, time.Time{}, url.Values{"check": {"mail"}, "region": {region}})
		i := slices.IndexFunc(list, func(o checks.Observation) bool { return sentBy(o, m.Probe, m.Sent) })
		if i >= 0 {
			o = list[i]
		}
		return i >= 0
	})
	return o
}

// sentBy says whether a run sent a mail: no other begins within its timeout.
func sentBy(o checks.Observation, probe string, sent time.Time) bool {
	return o.Probe == probe && !sent.Before(o.Started) && sent.Sub(o.Started) < tripTimeout
}

func (p *trips) expectInbox() {
	p.t.Helper()
	m := p.eventuallyMail(sendsToInbox, "that arrived", func(m mailEvent) bool { return m.State == checks.MailArrived })
	if m.Junk || m.Delay == nil || *m.Delay <= 0 || *m.Delay > tripLate.Seconds() || m.Route != "internal" {
		p.t.Errorf("got %+v, want it in the inbox in time", m)
	}
	if m.SPF != "pass" || m.DKIM != "none" || m.DMARC != "fail" {
		p.t.Errorf("got %q, %q and %q, want what the header says: pass, none, fail", m.SPF, m.DKIM, m.DMARC)
	}
	p.eventuallyHolds(m.Mail, 0, "INBOX", "Junk")
	o := p.eventuallyObserved(m)
	var names []string
	for _, phase := range o.Phases {
		names = append(names, string(phase.Name))
	}
	if got := strings.Join(names, " "); o.Outcome != checks.Up || got != "connect greeting starttls tls capability auth submit deliver" {
		p.t.Errorf("got %s through %s", o.Outcome, got)
	}
}

func (p *trips) expectJunk() {
	p.t.Helper()
	m := p.eventuallyMail(sendsToJunk, "that arrived", func(m mailEvent) bool { return m.State == checks.MailArrived })
	if !m.Junk || m.SPF != "pass" {
		p.t.Errorf("got %+v, want it among the junk", m)
	}
	p.eventuallyHolds(m.Mail, 0, "INBOX", "Junk")
	if o := p.eventuallyObserved(m); o.Outcome != checks.Up || o.Detail != "arrived in the junk" {
		p.t.Errorf("got %s, %q", o.Outcome, o.Detail)
	}
}

// expectKilled kills a probe that waits for its mail, and delivers the mail while
// the probe is away, with the copy for the sender.
func (p *trips) expectKilled() {
	p.t.Helper()
	mail := p.eventuallyLogged(isKilled, checks.MailPending)
	p.signal(isKilled, syscall.SIGKILL)
	p.stack.Mail(mailstack.Delivered, isKilled)
	p.eventuallyHolds(mail, 1, "INBOX", "Sent")
	p.start(isKilled)
	m := p.eventuallyMail(isKilled, "that was found", func(m mailEvent) bool { return m.Mail == mail && m.Found != nil })
	o := p.eventuallyObserved(m)
	if late := *m.Delay > tripLate.Seconds(); late != (m.State == checks.MailLate) || late == (o.Outcome == checks.Up) {
		p.t.Errorf("got %s, %s and %+v", o.Outcome, o.Class, m)
	}
	p.eventuallyHolds(mail, 0, "INBOX", "Sent")
}

// expectHeld holds the mails of a region until the verdict says that they are late.
// Then it delivers them, while one of the probes is away.
func (p *trips) expectHeld() {
	p.t.Helper()
	mails := map[string]string{}
	for _, probe := range []string{isHeld, isHeldAndKilled} {
		mails[probe] = p.eventuallyLogged(probe, checks.MailLate)
	}
	p.within(2*time.Minute, "a verdict of late mail", func() bool {
		v := p.verdicts()
		return v["mail in us-east"].State == "slow" && v["mail in eu-north"].State == "up"
	})
	p.signal(isHeldAndKilled, syscall.SIGKILL)
	p.stack.Mail(mailstack.Delivered, isHeld, isHeldAndKilled)
	p.eventuallyHolds(mails[isHeldAndKilled], 1, "INBOX", "Sent")
	p.start(isHeldAndKilled)
	for probe, mail := range mails {
		p.expectLate(probe, mail)
	}
}

// expectLate wants a mail found that was late.
func (p *trips) expectLate(probe, mail string) {
	p.t.Helper()
	m := p.eventuallyMail(probe, "that was found late", func(m mailEvent) bool { return m.Mail == mail && m.Found != nil })
	if m.State != checks.MailLate || *m.Delay < tripLate.Seconds() || m.SPF != "pass" {
		p.t.Errorf("got %+v, want it late", m)
	}
	p.eventuallyHolds(mail, 0, "INBOX", "Sent")
	p.expectObservedLate(m)
}

// expectObservedLate wants the run of a mail down, unless this machine was so busy
// that the run itself began late.
func (p *trips) expectObservedLate(m mailEvent) {
	p.t.Helper()
	if o := p.eventuallyObserved(m); o.Class != checks.OwnLate && (o.Outcome != checks.Down || o.FailedPhase != checks.Deliver || o.Class != checks.Late) {
		p.t.Errorf("got %s, %s in %s, want late in deliver", o.Outcome, o.Class, o.FailedPhase)
	}
}

func (p *trips) expectLost() {
	p.t.Helper()
	m := p.eventuallyMail(sendsLost, "that is late", func(m mailEvent) bool { return m.State == checks.MailLate })
	if m.Found != nil || m.Delay != nil {
		p.t.Errorf("got %+v, want it never found", m)
	}
	p.expectObservedLate(m)
}

// expectSums counts the mails once more. Each is in the list once.
func (p *trips) expectSums() {
	p.t.Helper()
	got, list := p.ledger()
	byName := map[string]mailEvent{}
	for _, m := range list {
		byName[m.Mail] = m
	}
	var want mailSums
	var longest float64
	for m := range maps.Values(byName) {
		want.Sent++
		if m.State == checks.MailLate {
			want.Late++
		}
		if m.State == checks.MailArrived {
			want.InTime++
		}
		if m.Junk {
			want.Junk++
		}
		if m.Found == nil {
			want.Pending++
			continue
		}
		want.Arrived++
		longest = max(longest, *m.Delay)
	}
	if got.Longest == nil || *got.Longest != longest || longest < tripLate.Seconds() {
		p.t.Errorf("the longest delay is %v s, want %v", got.Longest, longest)
	}
	got.Longest = nil
	if got != want || want.Arrived == 0 || want.Late < 4 || want.Pending == 0 || want.Junk == 0 {
		p.t.Errorf("got %+v, want %+v", got, want)
	}
	p.t.Logf("%+v, longest delay %.1f s", got, longest)
}

// expectOnce wants one observation in the journal for every run, and for every
// mail, also of the probes that were killed.
func (p *trips) expectOnce(stopped time.Time) {
	p.t.Helper()
	runs := map[string]int{}
	var all []checks.Observation
	mails := map[string]checks.MailEvent{}
	err := server.ReadJournal(context.Background(), filepath.Join(p.dir, "data"), func(b wire.Batch) error {
		for _, r := range b.Records {
			switch {
			case r.IsObservation():
				all = append(all, r.Observation)
				runs[r.Observation.Probe+r.Observation.Scheduled.String()]++
			case r.Event != nil && r.Event.Mail != nil:
				mails[r.Event.Mail.Mail] = *r.Event.Mail
			}
		}
		return nil
	})
	if err != nil {
		p.t.Fatal(err)
	}
	for run, n := range runs {
		if n != 1 {
			p.t.Errorf("%d observations of the run %s", n, run)
		}
	}
	for _, m := range mails {
		if stopped.Sub(m.Sent) < 2*tripEvery {
			continue // its run may have been under way
		}
		n := 0
		for _, o := range all {
			if sentBy(o, m.Probe, m.Sent) {
				n++
			}
		}
		if n != 1 {
			p.t.Errorf("%d observations of the run that sent a mail of %s at %s (%s)", n, m.Probe, m.Sent, m.State)
		}
	}
}
