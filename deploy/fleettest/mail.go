package fleettest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"testing"

	"github.com/emersion/go-imap/backend/memory"
	imapserver "github.com/emersion/go-imap/server"
	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"varde/checks/checktest"
)

// ports are where the mail host serves each kind.
var ports = map[string]uint16{"imap": 993, "smtp": 465, "https": 443}

// urls are what the checks of each kind ask.
var urls = map[string]string{
	"imap": "imaps://mail.test", "smtp": "smtps://mail.test", "https": "https://mail.test/",
}

// plainPorts and plainURLs are those of a fleet without TLS; IMAP is never
// spoken without it.
var (
	plainPorts = map[string]uint16{"imap": 993, "smtp": 25, "https": 80}
	plainURLs  = map[string]string{"imap": "imaps://mail.test", "smtp": "smtp://mail.test", "https": "http://mail.test/"}
)

// The account that every check logs in with; the in-memory IMAP backend knows
// this one only.
const (
	user     = "username"
	password = "password"
)

// mailHost is a small mail provider: real IMAP, SMTP and HTTP servers.
type mailHost struct {
	ca *checktest.CA
}

func newMailHost(t *testing.T, internet *checktest.Internet, plain bool) *mailHost {
	ports := ports
	if plain {
		ports = plainPorts
	}
	m := &mailHost{ca: checktest.NewCA()}
	host := internet.Host(mailAddr)
	internet.Name("mail.test", mailAddr)
	config := &tls.Config{Certificates: []tls.Certificate{m.ca.Certificate("mail.test")}}
	listen := func(kind string) net.Listener {
		l, err := host.Listen("tcp", netAddr(mailAddr, ports[kind]))
		if err != nil {
			t.Fatal(err)
		}
		if plain && kind != "imap" {
			return l
		}
		return &handshaker{tls.NewListener(l, config)}
	}
	imap := imapserver.New(memory.New())
	imap.ErrorLog = log.New(io.Discard, "", 0)
	serve(t, listen("imap"), imap.Serve, imap.Close)

	mail := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return session{}, nil }))
	mail.Domain, mail.ErrorLog = "mail.test", log.New(io.Discard, "", 0)
	serve(t, listen("smtp"), mail.Serve, mail.Close)

	web := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "webmail\n")
	}), ErrorLog: log.New(io.Discard, "", 0)}
	serve(t, listen("https"), web.Serve, web.Close)
	return m
}

// serve runs a server until the test ends and waits for it.
func serve(t *testing.T, l net.Listener, run func(net.Listener) error, closeServer func() error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = run(l) // every one of them returns an error of its own when closed
	}()
	t.Cleanup(func() {
		_ = closeServer()
		<-done
	})
}

// handshaker shakes hands when a stream is accepted: a server that did it at
// its first read or write would charge its own delay to the phase "tls".
type handshaker struct{ net.Listener }

// Accept takes a stream and begins its handshake.
func (l *handshaker) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	go func() { _ = conn.(*tls.Conn).HandshakeContext(context.Background()) }()
	return conn, nil
}

// session is an SMTP session that takes the one account and no mail.
type session struct{}

var _ smtp.AuthSession = session{}

// AuthMechanisms offers one.
func (session) AuthMechanisms() []string { return []string{sasl.Plain} }

// Auth takes the one account.
func (session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, u, p string) error {
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
