package catalog_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/roundtrip"
)

// loop is a round trip whose mail is handed in at the given address.
func loop(submit string) ask {
	a := to(checks.RoundTrip, "", ":465")
	a.target.From, a.target.To, a.target.Late = user, user, 2*time.Minute
	a.target.Submit = &checks.Leg{URL: submit, Login: login("")}
	a.target.Receive = &checks.Leg{URL: "imaps://" + ct.LabName, Login: login("")}
	return a
}

// office is a post office that answers a command in its own way.
func office(to, answer string) world {
	return func(t *testing.T, lab *ct.Lab, _ ask) {
		lab.PostOffice(t).Answers(func(line string) string {
			if strings.HasPrefix(line, to) {
				return answer
			}
			return ""
		})
	}
}

// delivering is a post office that brings mails where a rule says.
func delivering(rule func(ct.Letter) (string, time.Duration)) world {
	return func(t *testing.T, lab *ct.Lab, _ ask) { lab.PostOffice(t).Delivers(rule) }
}

// mails are the behaviours of those that carry mail.
func mails() []behaviour {
	const submit, deliver, policy, late = checks.Submit, checks.Deliver, checks.Policy, checks.Late
	in := []ask{loop("smtps://" + ct.LabName)}
	honest := conversation("TLS\n" + smtpEHLO + "S: 250-hi\nS: 250 AUTH PLAIN\nC: AUTH\nS: 235 in\nC: MAIL\n")
	at := func(command, answer string, p checks.Phase, class checks.Class) behaviour {
		return behaviour{answer + " at " + strings.ReplaceAll(command, ".", "the dot"), in, office(command, answer), p, class, 0}
	}
	silent := func(name string, more conversation, after time.Duration) behaviour {
		return behaviour{"silent at " + name, in, then(honest+more, ct.Silence()), submit, checks.CommandTimeout, after}
	}
	const data = "S: 250 ok\nC: RCPT\nS: 250 ok\nC: DATA\n"
	return []behaviour{
		silent("MAIL", "", 5*time.Second),
		silent("DATA", data, 5*time.Second),
		silent("the dot", data+"S: 354 go\n", 20*time.Second),
		{"an endless answer to MAIL", in, then(honest, ct.Flood("250-x\r\n")), submit, checks.ProtocolError, 0},
		at("AUTH", "535 5.7.8 no", checks.Auth, checks.AuthRejected),
		{"repeats the password", in, office("AUTH", "535 5.7.8 "+ct.LabPassword), checks.Auth, checks.AuthRejected, 0},
		at("AUTH", "454 4.7.0 later", checks.Auth, checks.AuthTempfail),
		at("MAIL", "421 bye", submit, checks.Busy),
		at("MAIL", "550 5.7.1 not you", submit, policy),
		at("RCPT", "450 4.2.0 greylisted", submit, policy),
		at("RCPT", "550 5.1.1 no such user", submit, checks.OwnError),
		at("RCPT", "bye", submit, checks.Closed),
		at("DATA", "452 4.3.1 full", submit, checks.Busy),
		at("DATA", "554 5.7.1 not you", submit, policy),
		at(".", "421 bye", submit, checks.Busy),
		at(".", "451 4.3.0 later", submit, checks.Busy),
		at(".", "554 5.7.1 spam", submit, policy),
		at(".", "bye", submit, checks.Closed),
		at("AUTHENTICATE", "NO [AUTHENTICATIONFAILED] no", deliver, checks.AuthRejected),
		at("AUTHENTICATE", "NO [LIMIT] no", deliver, policy),
		{"the mailbox repeats the login", in, office("AUTHENTICATE", "NO [AUTHENTICATIONFAILED] "+initial("", 993)), deliver, checks.AuthRejected, 0},
		{"the mailbox hangs up", in, office("LIST", "bye"), deliver, late, 2 * time.Minute},
		{"delivers at once", in, delivering(nil), "", "", 500 * time.Millisecond},
		{"delivers into the junk", in, delivering(func(ct.Letter) (string, time.Duration) { return "Spam", 0 }), "", "", 500 * time.Millisecond},
		{"delivers after an hour", in, delivering(func(ct.Letter) (string, time.Duration) { return "INBOX", time.Hour }), deliver, late, 2 * time.Minute},
		{"delivers nothing", in, delivering(func(ct.Letter) (string, time.Duration) { return "", 0 }), deliver, late, 2 * time.Minute},
	}
}

// post is a probe of one ledger, whose doors stand open.
func post() roundtrip.Post {
	door := func(context.Context) (func(checks.Result), error) { return func(checks.Result) {}, nil }
	return roundtrip.Post{
		Ledger: &book{mails: map[string]roundtrip.Mail{}}, Key: []byte(strings.Repeat("k", roundtrip.KeySize)),
		Submit: door, Receive: door,
		Judge: func(_ context.Context, r checks.Result) checks.Result { return r },
	}
}

// book is a ledger in memory.
type book struct {
	mu    sync.Mutex
	mails map[string]roundtrip.Mail
}

func (b *book) Enter(m roundtrip.Mail) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mails[m.ID] = m
	return nil
}

func (b *book) Withdraw(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.mails, id)
}

func (b *book) Change(id string, change func(*roundtrip.Mail)) (roundtrip.Mail, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, ok := b.mails[id]
	change(&m)
	b.mails[id] = m
	return m, ok
}

func (b *book) Mail(id string) (roundtrip.Mail, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, ok := b.mails[id]
	return m, ok
}
