package agent

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"varde/checks"
	"varde/checks/roundtrip"
	"varde/probe/internal/ledger"
	"varde/proto/wire"
)

// No mail is sent while there are more than so many.
const (
	// maxMails is for those in the mailbox: something keeps them from being
	// removed, and more of them would fill it.
	maxMails = 50
	// maxUnderway is for those that are still looked for: as many as a provider
	// holds back that delivers nothing for five days, at one in 15 min. An outage
	// must go on being measured.
	maxUnderway = 500
)

// mailroom is what the agent keeps for its round trips.
type mailroom struct {
	ledger *ledger.Ledger
	// inherited are the runs that an earlier life of the agent has begun and not
	// observed, by their mails. No clock tells them: it may have been set since.
	inherited map[string]bool

	telling sync.Mutex // held by tell, so that nothing is told twice

	mu sync.Mutex // protects all following fields
	// left is how many test mails the last sweep left in a mailbox.
	left map[seat]int
}

// openMails opens the ledger of this probe.
func (a *Agent) openMails() (err error) {
	a.mails.left, a.mails.inherited = map[seat]int{}, map[string]bool{}
	a.mails.ledger, err = ledger.Open(ledger.Options{
		Dir: filepath.Join(a.opts.State, "mails"), Owner: owner(a.identity), NoSync: a.opts.NoSync,
		Logger: a.opts.Logger.With("component", "ledger"),
	})
	if err != nil {
		return err
	}
	for _, m := range a.mails.ledger.List(func(m roundtrip.Mail) bool { return !m.Observed }) {
		a.mails.inherited[m.ID] = true
	}
	return nil
}

// trip is one run of a round trip: an attempt that knows for which slot it is
// made, since a later life of the agent may have to observe it.
type trip struct {
	*roundtrip.Check
	agent *Agent
	job   job
	slot  checks.Observation
}

// onTrip makes the job's check a trip if it is a round trip.
func (a *Agent) onTrip(j job, slot checks.Observation) job {
	if c, ok := j.check.(*roundtrip.Check); ok {
		j.check = trip{c, a, j, slot}
	}
	return j
}

// Attempt sends a mail and waits for it.
func (t trip) Attempt(ctx context.Context, _ checks.Family) checks.Result {
	if why := t.agent.crowded(t.job); why != "" {
		return checks.Result{FailedPhase: checks.Submit, Class: checks.OwnError, Detail: why}
	}
	t.slot.Started = time.Now()
	r, id := t.Send(ctx, t.agent.post(t.job), t.slot)
	if ctx.Err() == nil || r.Outcome != checks.Unknown { // then it is observed
		t.agent.mails.ledger.Change(id, func(m *roundtrip.Mail) { m.Observed = true })
	}
	return r
}

// crowded says why no more mails may be sent to the mailbox of j; empty if they
// may.
func (a *Agent) crowded(j job) string {
	pending := len(a.mails.ledger.List(func(m roundtrip.Mail) bool { return m.IsOpen() && m.To == j.target.To }))
	switch left := a.mails.leftIn(j.seats[receiveLogin]); {
	case left >= maxMails:
		return fmt.Sprintf("%d test mails are in the mailbox, expected fewer than %d: none is sent until they are gone", left, maxMails)
	case pending >= maxUnderway:
		return fmt.Sprintf("%d test mails are on their way, expected fewer than %d: none is sent until they are found or lost", pending, maxUnderway)
	}
	return ""
}

// leftIn is how many test mails the last sweep left in the mailbox of s.
func (m *mailroom) leftIn(s seat) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.left[s]
}

// post is what the round trip of j needs.
func (a *Agent) post(j job) roundtrip.Post {
	return roundtrip.Post{
		Ledger: book{a.mails.ledger, a}, Key: a.mails.ledger.Key(),
		Submit: a.doorOf(j, submitLogin), Receive: a.doorOf(j, receiveLogin), Judge: a.judgeMail,
	}
}

// doorOf gives leave to use one of the job's logins, which every check here with
// the same account waits for.
func (a *Agent) doorOf(j job, field string) roundtrip.Door {
	s, ok := j.seats[field]
	if !ok {
		return func(context.Context) (func(checks.Result), error) { return func(checks.Result) {}, nil }
	}
	return func(ctx context.Context) (func(checks.Result), error) {
		t, why := a.work.enter(ctx, s, j.target.WithDefaults().Timeout)
		if why != nil {
			return nil, why
		}
		return func(r checks.Result) {
			if until, rests := a.work.leave(t, welcomeOf(r)); rests {
				a.opts.Logger.Warn("login is refused, leaving it alone", "check", j.target.ID, "login", field, "detail", r.Detail, "until", until.UTC())
			}
		}, nil
	}
}

// book is the ledger, of which every change is told.
type book struct {
	*ledger.Ledger
	agent *Agent
}

// Change changes a mail and tells what became of it.
func (b book) Change(id string, change func(*roundtrip.Mail)) (roundtrip.Mail, bool) {
	m, ok := b.Ledger.Change(id, change)
	if ok {
		b.agent.tell(id)
	}
	return m, ok
}

// tell makes an event of what is new about a mail. What the spool does not take
// is told later: an event that comes twice says the same twice.
func (a *Agent) tell(id string) {
	a.mails.telling.Lock()
	defer a.mails.telling.Unlock()
	m, _ := a.mails.ledger.Mail(id)
	e, ok := m.Event()
	if !ok || m.Told {
		return
	}
	if err := a.spool.AppendEvent(wire.Event{At: time.Now(), Mail: &e}); err != nil {
		a.opts.Logger.Debug("a mail event is told later", "check", m.Check, "mail", m.ID, "error", err)
		return
	}
	a.opts.Logger.Debug("mail", "check", m.Check, "mail", m.ID, "state", m.State, "delay_ms", checks.Milliseconds(e.Delay()))
	a.mails.ledger.Change(m.ID, func(now *roundtrip.Mail) {
		now.Told = now.Told || now.State == m.State && now.Found.Equal(m.Found)
	})
}

// roundTrips are the jobs that send mails, by their checks.
func (w *workload) roundTrips() map[string]job {
	w.mu.Lock()
	defer w.mu.Unlock()
	trips := map[string]job{}
	for id, j := range w.jobs {
		if _, ok := j.check.(*roundtrip.Check); ok {
			trips[id] = *j
		}
	}
	return trips
}
