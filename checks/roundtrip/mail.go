package roundtrip

import (
	"fmt"
	"slices"
	"time"

	"varde/checks"
)

// Mail is one test mail, as a ledger keeps it. All times are by the probe's own
// clock.
type Mail struct {
	// ID names the mail for ever: 32 hexadecimal digits that nobody can guess.
	ID string `json:"id"`
	// Token is the header by which the mail is known in a mailbox.
	Token   string `json:"token"`
	Check   string `json:"check"`
	Service string `json:"service"`
	Route   string `json:"route"`
	Probe   string `json:"probe"`
	From    string `json:"from"`
	To      string `json:"to"`
	// Family, Plan, Every, Scheduled and Started are those of the run, which
	// may have to be observed by a later life of the probe.
	Family    checks.Family `json:"family"`
	Plan      uint64        `json:"plan"`
	Every     time.Duration `json:"every_ns"`
	Scheduled time.Time     `json:"scheduled"`
	Started   time.Time     `json:"started"`
	// Late is after how long the mail is late.
	Late time.Duration `json:"late_ns"`
	// Written is when the message was made, before it was sent.
	Written time.Time `json:"written"`
	// Sent is when the server took it; zero until then, and for ever where
	// nobody can say whether it did.
	Sent time.Time `json:"sent,omitzero"`
	// Submission is how it was handed in.
	Submission checks.Result `json:"submission,omitzero"`
	// Observed says that the run has its observation.
	Observed bool `json:"observed,omitempty"`
	// Looked is when the mailbox was last seen without the mail.
	Looked time.Time `json:"looked,omitzero"`
	// State is what people are told; empty as long as there is nothing to tell.
	State checks.MailState `json:"state,omitempty"`
	// Found is when the mail was first seen in a mailbox, Closed when there was
	// no more to be learnt of it.
	Found  time.Time `json:"found,omitzero"`
	Closed time.Time `json:"closed,omitzero"`
	Arrival
	// Told says that what State and Found say now was told.
	Told bool `json:"told,omitempty"`
}

// Arrival is what a found mail says of its way.
type Arrival struct {
	Junk  bool   `json:"junk,omitempty"`
	SPF   string `json:"spf,omitempty"`
	DKIM  string `json:"dkim,omitempty"`
	DMARC string `json:"dmarc,omitempty"`
}

// graceOfFollow is for how long after checks.MailFollow a last look is tried
// before the probe says that it can no longer tell.
const graceOfFollow = 24 * time.Hour

// IsOpen says whether the mail is still looked for.
func (m *Mail) IsOpen() bool { return m.Closed.IsZero() }

// begin is when the mail set out, as far as is known.
func (m *Mail) begin() time.Time {
	if m.Sent.IsZero() {
		return m.Written
	}
	return m.Sent
}

// Limit is when the mail is late.
func (m *Mail) Limit() time.Time { return m.begin().Add(m.Late) }

// taken notes that the server has the mail.
func (m *Mail) taken(at time.Time, submission checks.Result) {
	m.Sent, m.State, m.Told = at, checks.MailPending, false
	m.Submission = submission
	m.Submission.Presented = nil // it stays on the machine that looked, and out of its files
}

// missed notes that a mailbox without the mail was seen.
func (m *Mail) missed(at time.Time) {
	if !m.IsOpen() {
		return
	}
	m.Looked = at
	switch {
	case !at.Before(m.begin().Add(checks.MailFollow)) && m.Sent.IsZero():
		m.close(checks.MailUnknown, at) // it was perhaps never taken
	case !at.Before(m.begin().Add(checks.MailFollow)):
		m.close(checks.MailLost, at)
	case !m.Sent.IsZero() && !at.Before(m.Limit()) && m.State != checks.MailLate:
		m.State, m.Told = checks.MailLate, false
	}
}

// turns says whether there would be something new to tell of the mail if it were
// missed.
func (m Mail) turns(at time.Time) bool {
	was := m.State
	m.missed(at)
	return m.State != was
}

// Expire gives the mail up if it could not be looked for when its time was over,
// and says whether it did.
func (m *Mail) Expire(now time.Time) bool {
	over := m.IsOpen() && now.After(m.begin().Add(checks.MailFollow+graceOfFollow))
	if over {
		m.close(checks.MailUnknown, now)
	}
	return over
}

func (m *Mail) close(state checks.MailState, at time.Time) {
	m.State, m.Closed, m.Told = state, at, false
}

// found notes that a mailbox holds the mail at the time at, which its server
// took at received by its own clock; zero if it does not say. Where this probe
// looked away for longer than between two looks at a new mail, the server's word
// counts, but only within what the probe knows itself: the mail came after the
// last look without it, and before this one.
func (m *Mail) found(at, received time.Time, a Arrival) {
	if !m.IsOpen() {
		return
	}
	if earliest := m.lastWithout(); !received.IsZero() && at.Sub(earliest) > maxTurn+lastLook {
		at = clamp(received, earliest, at)
	}
	if m.Sent.IsZero() {
		m.Sent = m.Written // so the server had taken it
	}
	state := checks.MailArrived
	if m.State == checks.MailLate || at.After(m.Limit()) {
		state = checks.MailLate
	}
	m.Found, m.Arrival = at, a
	m.close(state, at)
}

// lastWithout is the last time at which the mail was certainly not there.
func (m *Mail) lastWithout() time.Time {
	if m.Looked.After(m.begin()) {
		return m.Looked
	}
	return m.begin()
}

func clamp(t, from, to time.Time) time.Time {
	switch {
	case t.Before(from):
		return from
	case t.After(to):
		return to
	}
	return t
}

// Event is what people are told of the mail; ok is false while there is nothing.
func (m *Mail) Event() (e checks.MailEvent, ok bool) {
	e = checks.MailEvent{
		Mail: m.ID, Check: m.Check, Service: m.Service, Route: m.Route, Sent: m.begin(), Found: m.Found,
		State: m.State, Junk: m.Junk, SPF: m.SPF, DKIM: m.DKIM, DMARC: m.DMARC,
	}
	return e, m.State != ""
}

// Observation is that of the run which sent the mail, given by what is known of
// it now. It is for a run that an earlier life of the probe has begun; region is
// where the probe stands.
func (m *Mail) Observation(region string) checks.Observation {
	o := checks.Observation{
		Check: m.Check, Service: m.Service, Probe: m.Probe, Region: region, Family: m.Family, Plan: m.Plan,
		Trigger: checks.Scheduled, Scheduled: m.Scheduled, Started: m.Started, Every: m.Every, Result: m.Submission,
	}
	o.Phases = slices.Clone(o.Phases)
	switch {
	case m.Sent.IsZero():
		o.Result = checks.Result{
			FailedPhase: checks.Submit, Class: checks.OwnError, Detail: "the probe was stopped while it handed the mail in",
		}
	case m.State == checks.MailUnknown:
		o.Outcome, o.FailedPhase, o.Class = checks.Unknown, checks.Deliver, checks.OwnError
		o.Detail = "the probe could not look for the mail"
	default:
		delivered(&o.Result, *m)
	}
	return o
}

// elapsed is how long the run took that sent the mail.
func (m *Mail) elapsed() time.Duration {
	end := m.Limit()
	if !m.Found.IsZero() && m.Found.Before(end) {
		end = m.Found
	}
	return max(0, end.Sub(m.Started))
}

// delivered completes the result of a submission by what became of the mail
// within its limit.
func delivered(r *checks.Result, m Mail) {
	deliver := checks.PhaseTiming{Name: checks.Deliver, Duration: m.Late}
	if m.State == checks.MailArrived {
		deliver.Duration = max(0, m.Found.Sub(m.Sent))
		r.Outcome, r.FailedPhase, r.Class, r.Detail = checks.Up, "", "", m.words()
	} else {
		r.Outcome, r.FailedPhase, r.Class = checks.Down, checks.Deliver, checks.Late
		r.Detail = fmt.Sprintf("the mail is not in the mailbox after %s", m.Late)
	}
	r.Phases, r.Elapsed = append(r.Phases, deliver), m.elapsed()
}

// words is what there is to say of a mail that arrived.
func (m *Mail) words() string {
	if m.Junk {
		return "arrived in the junk"
	}
	return ""
}
