package history

import (
	"encoding/json"
	"time"

	"varde/checks"
	"varde/proto/wire"
)

// ledger are the events that are not written yet, in the order of the journal.
type ledger struct {
	s        *Store
	mails    []checks.MailEvent
	findings []Findings
}

func newLedger(s *Store) *ledger { return &ledger{s: s} }

// take takes an event of a batch; ok is false if its times make no sense or nobody
// configured its check.
func (l *ledger) take(b *wire.Batch, e wire.Event) (ok bool) {
	switch {
	case e.Mail != nil && l.s.asked(e.Mail.Check):
		m, ok := correctMail(b, *e.Mail)
		if ok {
			l.mails = append(l.mails, m)
		}
		return ok
	case e.Findings != nil && l.s.asked(e.Findings.Check):
		f := Findings{Findings: *e.Findings, At: corrected(b, e.At)}
		ok := f.At.After(b.Received.Add(-maxAge))
		if ok {
			l.findings = append(l.findings, f)
		}
		return ok
	}
	return false
}

// corrected is a time of a batch by the coordinator's clock. What it tells of had
// happened when it arrived.
func corrected(b *wire.Batch, at time.Time) time.Time {
	if b.ClockKnown {
		at = at.Add(-b.ClockOffset)
	}
	return earlier(at, b.Received).UTC()
}

// correctMail returns what is told of a mail by the coordinator's clock; the delay
// stays as the probe measured it. ok is false when the times make no sense.
func correctMail(b *wire.Batch, m checks.MailEvent) (_ checks.MailEvent, ok bool) {
	delay := m.Delay()
	m.Sent = corrected(b, m.Sent)
	if !m.Found.IsZero() {
		m.Sent = earlier(m.Sent, b.Received.UTC().Add(-delay))
		m.Found = m.Sent.Add(delay)
	}
	return m, m.Sent.After(b.Received.Add(-maxAge))
}

// The columns that say where a mail stands.
const (
	mailOpen = iota
	mailUnknown
	mailLost
)

// finalOf is the final word in a state.
func finalOf(s checks.MailState) int {
	switch s {
	case checks.MailLost:
		return mailLost
	case checks.MailUnknown:
		return mailUnknown
	}
	return mailOpen
}

// maxMails is how many mails of one check and probe are kept of an hour: more than
// the shortest interval gives.
const maxMails = 1000

// saveMail keeps what is known and adds to it: what was found stays found, what was
// late stays late, and the gravest final word stands.
const saveMail = `INSERT INTO mail (probe, mail, check_id, service, route, region, sent, delay, late, final, junk, spf, dkim, dmarc)
	SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14
	WHERE EXISTS (SELECT 1 FROM mail WHERE probe = ?1 AND mail = ?2)
		OR (SELECT count(*) FROM mail WHERE check_id = ?3 AND probe = ?1 AND sent > ?7 - ?15 AND sent <= ?7) < ?16
	ON CONFLICT (probe, mail) DO UPDATE SET sent = min(sent, excluded.sent),
		delay = coalesce(min(delay, excluded.delay), delay, excluded.delay),
		late = max(late, excluded.late), final = max(final, excluded.final), junk = max(junk, excluded.junk),
		spf = iif(excluded.spf = '', spf, excluded.spf), dkim = iif(excluded.dkim = '', dkim, excluded.dkim),
		dmarc = iif(excluded.dmarc = '', dmarc, excluded.dmarc)`

// saveFindings keeps the newest of a check and probe.
const saveFindings = `INSERT INTO finding (check_id, probe, region, at, list) VALUES (?, ?, ?, ?, ?)
	ON CONFLICT (check_id, probe) DO UPDATE SET region = excluded.region, at = excluded.at, list = excluded.list
	WHERE excluded.at >= at`

// save writes what changed.
func (l *ledger) save(w *writer) {
	for _, m := range l.mails {
		var delay any
		if !m.Found.IsZero() {
			delay = int64(m.Delay())
		}
		late := m.State == checks.MailLate || m.State == checks.MailLost
		w.exec(saveMail, m.Probe, m.Mail, m.Check, m.Service, m.Route, m.Region, m.Sent.UnixNano(), delay, late,
			finalOf(m.State), m.Junk, m.SPF, m.DKIM, m.DMARC, int64(time.Hour), maxMails)
	}
	for _, f := range l.findings {
		list, err := json.Marshal(f.List)
		if err != nil {
			w.fail(err)
			return
		}
		w.exec(saveFindings, f.Check, f.Probe, f.Region, f.At.UnixNano(), string(list))
	}
}

// saved says that what save wrote is on disk.
func (l *ledger) saved() { l.mails, l.findings = nil, nil }
