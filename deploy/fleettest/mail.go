package fleettest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/emersion/go-imap"
	"github.com/emersion/go-imap/backend"
	"github.com/emersion/go-imap/backend/memory"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"varde/deploy/scenario"
)

// The account that every check logs in with; the in-memory IMAP backend knows
// this one only.
const (
	user     = "username"
	password = "password"
)

const (
	// stall is longer than any client waits.
	stall = time.Minute
	// slowly is how long what is slow takes.
	slowly = 2 * time.Second
)

// admit says what becomes of a login before anybody looks at its password.
func (f *Fleet) admit(kind string, client, server net.Addr, refusal error) error {
	switch f.effectOn(kind, client, server) {
	case scenario.AuthStall:
		time.Sleep(stall)
		return refusal
	case scenario.AuthTempfail:
		return refusal
	case scenario.SlowLogin:
		time.Sleep(slowly)
	}
	return nil
}

// mailbox is the in-memory IMAP backend behind the faults.
type mailbox struct {
	backend.Backend
	fleet *Fleet
}

func newMailbox(f *Fleet) backend.Backend { return mailbox{memory.New(), f} }

// Login admits the one account.
func (m mailbox) Login(info *imap.ConnInfo, user, password string) (backend.User, error) {
	refusal := &imap.ErrStatusResp{Resp: &imap.StatusResp{Type: imap.StatusRespNo, Code: "UNAVAILABLE", Info: "accounts cannot be looked up"}}
	if err := m.fleet.admit("imap", info.RemoteAddr, info.LocalAddr, refusal); err != nil {
		return nil, err
	}
	return m.Backend.Login(info, user, password)
}

// webmail answers with a page, or says that it cannot.
func (f *Fleet) webmail(w http.ResponseWriter, r *http.Request) {
	conn, ok := r.Context().Value(connKey{}).(net.Conn)
	if ok && f.effectOn("https", conn.RemoteAddr(), conn.LocalAddr()) == scenario.HTTP503 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = io.WriteString(w, "webmail\n") // a client that left is nobody's loss
}

// connKey is where a request's context has its stream.
type connKey struct{}

func withConn(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, conn)
}

// pop3 serves a mailbox without mail.
func (f *Fleet) pop3(_ context.Context, conn net.Conn) {
	say := func(text string) { _, _ = io.WriteString(conn, text+"\r\n") } // the next read says that it is closed
	say("+OK ready")
	for in := bufio.NewReader(conn); ; {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch verb, _, _ := strings.Cut(strings.TrimSpace(line), " "); verb {
		case "CAPA":
			say("+OK\r\nSASL PLAIN\r\nUSER\r\n.")
		case "AUTH":
			if err := f.admit("pop3", conn.RemoteAddr(), conn.LocalAddr(), errors.New("-ERR [SYS/TEMP] accounts cannot be looked up")); err != nil {
				say(err.Error())
				continue
			}
			say("+OK in")
		case "STAT":
			say("+OK 0 0")
		case "QUIT":
			say("+OK bye")
			return
		default:
			say("-ERR what")
		}
	}
}

// probeID is the probe in the message ID of a test mail.
var probeID = regexp.MustCompile(`(?m)^Message-ID: <[^.>]+\.([^@>]+)@`)

// effectOnMail is what becomes of a test mail that was handed in.
func (f *Fleet) effectOnMail(text string) scenario.Effect {
	found := probeID.FindStringSubmatch(text)
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.hosts {
		if found != nil && m.name == found[1] {
			return f.drawLocked(m, "roundtrip", f.opts.Families[0], time.Now(), scenario.Effect.OfMail).effect
		}
	}
	return ""
}

// session is an SMTP session that takes the one account and no mail.
type session struct {
	fleet *Fleet
	conn  net.Conn
}

var _ smtp.AuthSession = session{}

// AuthMechanisms offers one.
func (session) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth takes the one account.
func (s session) Auth(string) (sasl.Server, error) {
	refusal := &smtp.SMTPError{Code: 454, EnhancedCode: smtp.EnhancedCode{4, 7, 0}, Message: "accounts cannot be looked up"}
	return sasl.NewPlainServer(func(_, u, p string) error {
		if err := s.fleet.admit("smtp", s.conn.RemoteAddr(), s.conn.LocalAddr(), refusal); err != nil {
			return err
		}
		if u != user || p != password {
			return errors.New("wrong account")
		}
		return nil
	}), nil
}

// Mail takes none, and neither do the others.
func (session) Mail(string, *smtp.MailOptions) error { return errNoMail }

// Rcpt takes no recipient.
func (session) Rcpt(string, *smtp.RcptOptions) error { return errNoMail }

// Data takes no mail.
func (session) Data(io.Reader) error { return errNoMail }

// Reset has nothing to forget.
func (session) Reset() {}

// Logout has nothing to end.
func (session) Logout() error { return nil }

var errNoMail = errors.New("no mail is taken here")
