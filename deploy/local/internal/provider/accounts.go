package provider

import (
	"crypto/subtle"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/emersion/go-imap"
	"github.com/emersion/go-imap/backend"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

// accounts is the one account of the provider, behind both protocols.
type accounts struct{ password string }

var (
	_ backend.Backend  = (*accounts)(nil)
	_ smtp.Backend     = (*accounts)(nil)
	_ smtp.AuthSession = (*session)(nil)
)

func (a *accounts) valid(user, password string) bool {
	return user == User && subtle.ConstantTimeCompare([]byte(password), []byte(a.password)) == 1
}

// Login admits the account over IMAP; otherwise the response code is that of
// RFC 5530.
func (a *accounts) Login(_ *imap.ConnInfo, user, password string) (backend.User, error) {
	if !a.valid(user, password) {
		return nil, &imap.ErrStatusResp{Resp: &imap.StatusResp{
			Type: imap.StatusRespNo, Code: "AUTHENTICATIONFAILED", Info: "no such user or another password",
		}}
	}
	return account{}, nil
}

// errReadOnly answers everything that would change the account.
var errReadOnly = errors.New("this account cannot be changed")

// account is a user with one mailbox, INBOX.
type account struct{}

// Username returns the name of the account.
func (account) Username() string { return User }

// ListMailboxes returns INBOX.
func (account) ListMailboxes(bool) ([]backend.Mailbox, error) { return []backend.Mailbox{inbox{}}, nil }

// GetMailbox returns INBOX, whose name is the same in any case (RFC 9051, 5.1).
func (account) GetMailbox(name string) (backend.Mailbox, error) {
	if !strings.EqualFold(name, imap.InboxName) {
		return nil, backend.ErrNoSuchMailbox
	}
	return inbox{}, nil
}

// CreateMailbox refuses.
func (account) CreateMailbox(string) error { return errReadOnly }

// DeleteMailbox refuses.
func (account) DeleteMailbox(string) error { return errReadOnly }

// RenameMailbox refuses.
func (account) RenameMailbox(string, string) error { return errReadOnly }

// Logout does nothing: there is no state.
func (account) Logout() error { return nil }

// inbox is an empty mailbox that nobody can fill.
type inbox struct{}

// Name returns INBOX.
func (inbox) Name() string { return imap.InboxName }

// Info describes the mailbox for LIST.
func (inbox) Info() (*imap.MailboxInfo, error) {
	return &imap.MailboxInfo{Delimiter: "/", Name: imap.InboxName}, nil
}

// Status says that the mailbox is empty.
func (inbox) Status(items []imap.StatusItem) (*imap.MailboxStatus, error) {
	s := imap.NewMailboxStatus(imap.InboxName, items)
	s.Flags = []string{imap.SeenFlag, imap.DeletedFlag}
	s.UidNext, s.UidValidity, s.ReadOnly = 1, 1, true
	return s, nil
}

// SetSubscribed refuses.
func (inbox) SetSubscribed(bool) error { return errReadOnly }

// Check does nothing.
func (inbox) Check() error { return nil }

// ListMessages lists none.
func (inbox) ListMessages(_ bool, _ *imap.SeqSet, _ []imap.FetchItem, ch chan<- *imap.Message) error {
	close(ch)
	return nil
}

// SearchMessages finds none.
func (inbox) SearchMessages(bool, *imap.SearchCriteria) ([]uint32, error) { return nil, nil }

// CreateMessage refuses.
func (inbox) CreateMessage([]string, time.Time, imap.Literal) error { return errReadOnly }

// UpdateMessagesFlags refuses.
func (inbox) UpdateMessagesFlags(bool, *imap.SeqSet, imap.FlagsOp, []string) error {
	return errReadOnly
}

// CopyMessages refuses.
func (inbox) CopyMessages(bool, *imap.SeqSet, string) error { return errReadOnly }

// Expunge does nothing: there is nothing to remove.
func (inbox) Expunge() error { return nil }

// NewSession opens an SMTP session.
func (a *accounts) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{accounts: a}, nil }

// session is one SMTP connection.
type session struct {
	accounts *accounts
	admitted bool
}

// AuthMechanisms lists PLAIN, which go-smtp offers under TLS only.
func (s *session) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth admits the account.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(identity, user, password string) error {
		if identity != "" && identity != user || !s.accounts.valid(user, password) {
			return smtp.ErrAuthFailed
		}
		s.admitted = true
		return nil
	}), nil
}

// Mail wants a login first (RFC 6409, 4.3).
func (s *session) Mail(string, *smtp.MailOptions) error {
	if !s.admitted {
		return smtp.ErrAuthRequired
	}
	return nil
}

// Rcpt refuses: the provider keeps no mail.
func (s *session) Rcpt(string, *smtp.RcptOptions) error {
	return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 2, 1}, Message: "this mailbox takes no mail"}
}

// Data is never reached, since no recipient is taken.
func (s *session) Data(io.Reader) error { return errReadOnly }

// Reset forgets nothing: a session holds only its login.
func (s *session) Reset() {}

// Logout does nothing.
func (s *session) Logout() error { return nil }
