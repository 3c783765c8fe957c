package roundtrip_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"varde/checks"
	ct "varde/checks/checktest"
	"varde/checks/roundtrip"
)

// book is a ledger in memory.
type book struct {
	mu    sync.Mutex
	mails map[string]roundtrip.Mail
	// refuses is what Enter says.
	refuses error
}

func (b *book) Enter(m roundtrip.Mail) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.refuses == nil {
		b.mails[m.ID] = m
	}
	return b.refuses
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
	if ok {
		change(&m)
		b.mails[id] = m
	}
	return m, ok
}

func (b *book) Mail(id string) (roundtrip.Mail, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	m, ok := b.mails[id]
	return m, ok
}

// all are the mails by id.
func (b *book) all() map[string]roundtrip.Mail {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.mails)
}

// world is a probe and a mail provider.
type world struct {
	*ct.Lab
	office *ct.PostOffice
	book   *book
	check  *roundtrip.Check
	// shut is what the door of the mailbox says.
	shut error
	// blocked says that the port of the mailbox is blocked here.
	blocked bool
	// said are the results that were told to the doors.
	said []checks.Result
}

func target() checks.Target {
	login := func(whose string) *checks.Login {
		return &checks.Login{User: "probe@example.net", Password: checks.Secret{Name: "mail-loop/" + whose}}
	}
	return checks.Target{
		ID: "mail-loop", Service: "imap", Kind: checks.RoundTrip, Every: 15 * time.Minute, Timeout: 20 * time.Second,
		MailOptions: checks.MailOptions{
			From: "probe@example.net", To: "Probe@example.net", Late: 2 * time.Minute,
			Submit:  &checks.Leg{URL: "smtps://" + ct.LabName, Login: login("submit")},
			Receive: &checks.Leg{URL: "imaps://" + ct.LabName, Login: login("receive")},
		},
	}
}

// in runs a test in a world in a bubble.
func in(t *testing.T, test func(*testing.T, *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{Lab: ct.NewLab(), book: &book{mails: map[string]roundtrip.Mail{}}}
		w.office = w.PostOffice(t)
		time.Sleep(time.Hour) // a day that began before the test
		c, err := roundtrip.New(target().WithDefaults(), w.Env())
		if err != nil {
			t.Fatal(err)
		}
		w.check = c
		test(t, w)
	})
}

func (w *world) post() roundtrip.Post {
	door := func(shut *error) roundtrip.Door {
		return func(context.Context) (func(checks.Result), error) {
			if *shut != nil {
				return nil, *shut
			}
			return func(r checks.Result) { w.said = append(w.said, r) }, nil
		}
	}
	var open error
	return roundtrip.Post{
		Ledger: w.book, Key: []byte(strings.Repeat("k", roundtrip.KeySize)), Submit: door(&open), Receive: door(&w.shut),
		Judge: func(_ context.Context, r checks.Result) checks.Result {
			if r.Class == checks.ConnectTimeout && w.blocked {
				r.Class, r.Outcome = checks.OwnNetwork, checks.Unknown
			}
			return r
		},
	}
}

func (w *world) slot() checks.Observation {
	return checks.Observation{
		Check: "mail-loop", Service: "imap", Probe: "osl-1", Family: checks.IPv4, Plan: 3,
		Scheduled: time.Now(), Started: time.Now(), Every: 15 * time.Minute,
	}
}

// send makes a run, and returns the mail that the ledger holds of it.
func (w *world) send(t *testing.T) (checks.Result, roundtrip.Mail) {
	t.Helper()
	r, id := w.check.Send(t.Context(), w.post(), w.slot())
	if id == "" && len(w.book.all()) > 0 {
		t.Errorf("the ledger holds %v, want nothing", w.book.all())
	}
	m, _ := w.book.Mail(id)
	return r, m
}

// visit looks once for everything that is open, at the given time after the run.
func (w *world) visit(t *testing.T, sweep bool) roundtrip.Visited {
	t.Helper()
	return w.check.Visit(t.Context(), w.post(), "osl-1", w.open(), sweep)
}

// open are the mails that are looked for, the oldest first.
func (w *world) open() (mails []roundtrip.Mail) {
	for _, m := range w.book.all() {
		if m.IsOpen() {
			mails = append(mails, m)
		}
	}
	slices.SortFunc(mails, func(x, y roundtrip.Mail) int { return x.Written.Compare(y.Written) })
	return mails
}

func names(r checks.Result) string {
	var all []string
	for _, p := range r.Phases {
		all = append(all, string(p.Name))
	}
	return strings.Join(all, " ")
}

func deliver(r checks.Result) time.Duration {
	for _, p := range r.Phases {
		if p.Name == checks.Deliver {
			return p.Duration
		}
	}
	return -1
}

func (w *world) empty(t *testing.T) {
	t.Helper()
	for _, box := range []string{"INBOX", "Spam", "Sent Items"} {
		if n := len(w.office.Letters(box)); n > 0 {
			t.Errorf("%s holds %d messages, want none", box, n)
		}
	}
}

var errDisk = errors.New("no space left on device")
