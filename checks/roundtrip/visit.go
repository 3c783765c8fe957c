package roundtrip

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"varde/checks"
	"varde/checks/imap"
)

// inbox is where mail arrives; every server has it under this name.
const inbox = "INBOX"

// maxCopies is how many messages that bear the id of one mail are looked at.
const maxCopies = 8

// maxSpecial is how many mailboxes for junk are looked at, and how many for what
// was sent: a provider may have one of its own beside that of a mail program.
const maxSpecial = 3

// visit is one connection to the mailbox.
type visit struct {
	check *Check
	post  Post
	// began is when the look under way began, looks how many were completed.
	began time.Time
	looks int

	rec        *checks.Recorder
	session    *imap.Session
	junk, sent []string // mailboxes, at most maxSpecial of each
	remarks    []string // in the server's words too
}

// run opens the connection, does what is to be done, and leaves. The result is up
// if nothing went wrong; its detail is then what people should know all the same.
func (v *visit) run(ctx context.Context, timeout time.Duration, family checks.Family, do func(context.Context) error) (r checks.Result) {
	leave, err := v.post.Receive(ctx)
	if err != nil {
		return failed(ctx, err)
	}
	defer func() { leave(r) }() // whatever happens: others wait for the account
	return checks.Record(ctx, timeout, func(ctx context.Context, rec *checks.Recorder) error {
		var err error
		if v.session, err = v.check.receive.Open(ctx, rec, family); err != nil {
			return err
		}
		v.rec = rec
		err = v.step(ctx, func() error {
			junk, sent, err := v.session.Special()
			v.junk, v.sent = junk[:min(len(junk), maxSpecial)], sent[:min(len(sent), maxSpecial)]
			return err
		})
		if err == nil {
			err = do(ctx)
		}
		if err != nil {
			v.session.Leave()
			return err
		}
		_ = rec.Phase(ctx, checks.Logout, checks.LogoutLimit, func(context.Context) error { return v.session.Logout() }) // all is answered
		rec.Note("%s", strings.Join(v.remarks, "; "))
		return nil
	})
}

// reach is run over the family given or, where the mailbox's server has no address
// of it or cannot be connected to, over the other: it is a mail that is followed,
// and the way to its mailbox is the business of other checks. It returns the family
// to begin with next time.
func (v *visit) reach(ctx context.Context, timeout time.Duration, family checks.Family, do func(context.Context) error) (checks.Result, checks.Family) {
	r := v.post.Judge(ctx, v.run(ctx, timeout, family, do))
	if ctx.Err() != nil || r.FailedPhase != checks.Resolve && r.FailedPhase != checks.Connect {
		return r, family
	}
	other := checks.IPv4
	if family == checks.IPv4 {
		other = checks.IPv6
	}
	second := v.post.Judge(ctx, v.run(ctx, timeout, other, do))
	if second.FailedPhase == checks.Resolve || second.FailedPhase == checks.Connect {
		return r, family
	}
	return second, other
}

// step runs one exchange within the limit of a command.
func (v *visit) step(ctx context.Context, do func() error) error {
	return v.rec.Phase(ctx, checks.Select, checks.CommandLimit, func(context.Context) error { return do() })
}

// seek looks for one mail where it can arrive, notes what it saw, and removes
// what it found. It returns what the mail is now.
func (v *visit) seek(ctx context.Context, m Mail) (Mail, error) {
	began := time.Now()
	for i, box := range slices.Concat([]string{inbox}, v.junk) {
		copies, err := v.copies(ctx, box, &m)
		if err != nil {
			return m, err
		}
		if len(copies) == 0 {
			continue
		}
		at := time.Now()
		if limit := m.Limit(); !began.After(limit) && at.After(limit) {
			at = limit // the look began in time
		}
		a := arrival(copies[0], i > 0)
		m = v.change(m, func(m *Mail) { m.found(at, copies[0].received, a) })
		v.remove(ctx, copies)
		v.clear(ctx, m)
		return m, nil
	}
	v.looks++
	return v.change(m, func(m *Mail) { m.missed(began) }), nil
}

// change changes the mail in the ledger, or the copy of it alone where the
// ledger has let go of it.
func (v *visit) change(m Mail, change func(*Mail)) Mail {
	if kept, ok := v.post.Ledger.Change(m.ID, change); ok {
		return kept
	}
	change(&m)
	return m
}

// found is a message that bears the seal of a test mail.
type found struct {
	uid      uint32
	received time.Time
	letter
}

// copies are the messages in a mailbox that are the mail. What bears its id and
// is not the mail is left where it is.
func (v *visit) copies(ctx context.Context, box string, m *Mail) ([]found, error) {
	uids, err := v.search(ctx, box, m.ID)
	if err != nil {
		return nil, err
	}
	var same []found
	for _, uid := range uids[:min(len(uids), maxCopies)] {
		f, ok, err := v.fetch(ctx, uid)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if why := f.unlike(m); why != "" {
			v.remark("a message like the test mail does not count: %s", why)
			continue
		}
		same = append(same, f)
	}
	return same, nil
}

// search opens a mailbox and looks for what bears an id; every test mail does if
// it is empty. A mailbox that the server refuses to open holds nothing, unless it
// is the inbox.
func (v *visit) search(ctx context.Context, box, id string) (uids []uint32, err error) {
	var opening error
	err = v.step(ctx, func() error {
		if _, opening = v.session.Select(box); opening != nil {
			if f, ok := errors.AsType[*checks.Failure](opening); ok && box != inbox && (f.Class == checks.Busy || f.Class == checks.OwnError) {
				v.remark("%q cannot be looked at: %s", box, f.Detail)
				return nil
			}
			return opening
		}
		uids, err = v.session.Search(headerID, id)
		return err
	})
	return uids, err
}

// fetch reads one message; ok is false where it bears no seal of ours.
func (v *visit) fetch(ctx context.Context, uid uint32) (f found, ok bool, err error) {
	f.uid = uid
	err = v.step(ctx, func() error {
		var msg imap.Message
		if msg, ok, err = v.session.Fetch(uid, fields()...); err != nil || !ok {
			return err
		}
		f.received = msg.Received
		f.letter, ok = read(msg.Header)
		return nil
	})
	return f, ok, err
}

// remove takes messages out of the mailbox that is open, and returns how many are
// gone. That it cannot is for people to know, and says nothing of the mail.
func (v *visit) remove(ctx context.Context, messages []found) (gone int) {
	if len(messages) == 0 {
		return 0
	}
	var uids []uint32
	for _, f := range messages {
		uids = append(uids, f.uid)
	}
	err := v.step(ctx, func() error { return v.session.Delete(uids) })
	if err != nil {
		v.remark("test mails cannot be removed: %v", err)
		return 0
	}
	return len(uids)
}

// clear removes the copy that was kept of a mail when it was sent.
func (v *visit) clear(ctx context.Context, m Mail) {
	for _, box := range v.sent {
		if copies, err := v.copies(ctx, box, &m); err == nil {
			v.remove(ctx, copies)
		}
	}
}

func (v *visit) remark(format string, args ...any) {
	if words := fmt.Sprintf(format, args...); !slices.Contains(v.remarks, words) {
		v.remarks = append(v.remarks, words)
	}
}
