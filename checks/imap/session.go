package imap

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"varde/checks"
	"varde/checks/dialogue"
	"varde/checks/sasl"
)

// ErrNoExpunge is returned by [Session.Delete] when the server cannot expunge
// single messages (UIDPLUS, RFC 4315): they are marked as deleted and stay.
var ErrNoExpunge = errors.New("the server cannot expunge single messages, expected UIDPLUS")

// What one call of a session takes at most.
const (
	// SearchMax is the largest number of messages that a search returns.
	SearchMax = 100
	// HeaderMax is the largest part of a header that is fetched, in bytes.
	HeaderMax = 16 << 10
)

// Session is a conversation with a server that has let us in. Its methods run
// inside a phase that the caller has opened with [checks.Recorder.Phase], whose
// limit is theirs, and their errors are for that phase to judge. It belongs to
// the goroutine of the attempt.
type Session struct {
	check        *Check
	rec          *checks.Recorder
	talk         *dialogue.Conversation
	tags         int
	capabilities []string
	preauth      bool
	// exists is how many messages the mailbox has, as last told.
	exists int
	// idle is true while the server waits for a command: only then can it be
	// told that we leave.
	idle bool
}

// Message is what is fetched of one message.
type Message struct {
	// Received is when the server took it, by its own clock (INTERNALDATE);
	// zero if it does not say.
	Received time.Time
	// Header is the beginning of its header, or of the fields asked for, as they
	// stand in the mailbox, at most HeaderMax bytes.
	Header string
}

// Open connects, begins TLS and logs in, if the target has a login, in the
// phases of an attempt. The session ends with the attempt that r records; the
// caller says [Session.Logout] or [Session.Leave] before. An error is a
// *checks.Failure, and the server has been told that we leave.
func (c *Check) Open(ctx context.Context, r *checks.Recorder, family checks.Family) (*Session, error) {
	s := &Session{check: c, rec: r}
	r.Hide(sasl.Secrets(c.login, c.endpoint)...)
	if err := s.enter(ctx, family); err != nil {
		s.Leave()
		return nil, err
	}
	return s, nil
}

// Select opens a mailbox, named in UTF-8, for reading and writing, and returns
// how many messages it has.
func (s *Session) Select(mailbox string) (exists int, err error) {
	name, err := encodeName(mailbox)
	if err != nil {
		return 0, checks.Fail(checks.OwnError, "mailbox %v", err)
	}
	s.exists = 0
	err = s.ask(nil, pieces("SELECT", name)...)
	return s.exists, err
}

// Search returns the messages whose header of the given name holds value, in
// any case; an empty value is in every such header. They are UIDs in ascending
// order, at most the first SearchMax.
func (s *Session) Search(header, value string) ([]uint32, error) {
	if !quotable(header) || !quotable(value) {
		return nil, checks.Fail(checks.OwnError, "search for %.32q: %.64q, expected printable ASCII", header, value)
	}
	var found []uint32
	err := s.ask(func(r response) { found = append(found, r.found()...) }, pieces("UID SEARCH HEADER", header, value)...)
	return firstOf(found), err
}

// Fetch returns the header of a message without marking it as read, of it only
// the given fields if there are any; ok is false if there is none of this UID (any
// more).
func (s *Session) Fetch(uid uint32, fields ...string) (m Message, ok bool, err error) {
	section := "HEADER"
	if len(fields) > 0 {
		section = "HEADER.FIELDS (" + strings.Join(fields, " ") + ")"
	}
	command := fmt.Sprintf("UID FETCH %d (INTERNALDATE BODY.PEEK[%s]<0.%d>)", uid, section, HeaderMax)
	err = s.ask(func(r response) {
		if got := r.fetched(); got.header && got.uid == uid {
			m, ok = got.Message, true
		}
	}, command)
	return m, ok, err
}

// Delete removes exactly these messages, or returns ErrNoExpunge when it could
// only mark them as deleted. It never expunges what others have marked.
func (s *Session) Delete(uids []uint32) error {
	if len(uids) == 0 {
		return nil
	}
	set := sequence(uids)
	if err := s.ask(nil, "UID STORE "+set+` +FLAGS.SILENT (\Deleted)`); err != nil {
		return err
	}
	if !s.can("UIDPLUS") && !s.can("IMAP4rev2") {
		return ErrNoExpunge
	}
	return s.ask(nil, "UID EXPUNGE "+set)
}

// Special returns the mailboxes for junk and for mail that was sent: those that
// the server marks so (RFC 6154), else those that are called so. They are named
// in UTF-8.
func (s *Session) Special() (junk, sent []string, err error) {
	command := `LIST "" "*"`
	if s.can("SPECIAL-USE") && s.can("LIST-EXTENDED") {
		command += " RETURN (SPECIAL-USE)"
	}
	var all mailboxes
	err = s.ask(func(r response) { all = append(all, r.listed()...) }, command)
	return all.of(`\Junk`, junkNames()), all.of(`\Sent`, sentNames()), err
}

// Noop asks for nothing; the server may say what is new.
func (s *Session) Noop() error { return s.ask(nil, "NOOP") }

// Logout leaves and waits for the farewell.
func (s *Session) Logout() error { return s.command(checks.Logout, "LOGOUT") }

// Leave says that we leave, if the server waits for a command, and waits for
// nothing: a courtesy of an attempt that has its result.
func (s *Session) Leave() {
	if s.idle {
		_ = s.talk.Say(s.nextTag() + " LOGOUT") // nobody is there any more to be told that this failed
	}
}

// ask sends a command of a session that is open, with as much room for the
// answer as a conversation of its own has.
func (s *Session) ask(heed func(response), parts ...string) error {
	s.talk.Renew()
	_, err := s.finish(checks.Select, heed, parts...)
	return err
}

// sequence is a set of UIDs as commands have it.
func sequence(uids []uint32) string {
	all := make([]string, len(uids))
	for i, uid := range uids {
		all[i] = strconv.FormatUint(uint64(uid), 10)
	}
	return strings.Join(all, ",")
}
