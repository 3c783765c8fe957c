package fleettest

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	imapserver "github.com/emersion/go-imap/server"
	"github.com/emersion/go-smtp"

	"varde/checks"
	"varde/checks/checktest"
	"varde/deploy/scenario"
)

// The names of the mail provider: one for its servers, one for those of its test
// mails.
const (
	mailName   = "mail.test"
	officeName = checktest.LabName
)

// Control is the kind of check by which a fault means the control targets.
const Control = "control"

// place is where a kind is served, and what its check asks.
type place struct {
	port uint16
	url  string
}

// places are those of a kind with TLS and without it; IMAP and POP3 are never
// spoken without.
func places() map[string][2]place {
	return map[string][2]place{
		"https": {{443, "https://mail.test/"}, {80, "http://mail.test/"}},
		"imap":  {{993, "imaps://mail.test"}, {993, "imaps://mail.test"}},
		"smtp":  {{465, "smtps://mail.test"}, {25, "smtp://mail.test"}},
		"pop3":  {{995, "pop3s://mail.test"}, {995, "pop3s://mail.test"}},
		"tcp":   {{7, "tcp://mail.test:7"}, {7, "tcp://mail.test:7"}},
		"dns":   {{53, "dns://mail.test/mail.test"}, {53, "dns://mail.test/mail.test"}},
	}
}

func (f *Fleet) place(kind string) place {
	p := places()[kind]
	if f.opts.Plain && !slices.Contains(f.opts.Secure, kind) {
		return p[1]
	}
	return p[0]
}

// secure says whether a kind is served with TLS.
func (f *Fleet) secure(kind string) bool {
	scheme, _, _ := strings.Cut(f.place(kind).url, "://")
	return slices.Contains([]string{"https", "imaps", "smtps", "pop3s"}, scheme)
}

// private says whether a kind that is never spoken without TLS is spoken without
// it here, over streams of which the probes know that nobody listens.
func (f *Fleet) private(kind string) bool {
	return f.opts.Plain && f.secure(kind) && !slices.Contains(f.opts.Secure, kind)
}

// addrs are the n-th addresses of the provider or a control target, one of each
// family in which servers can be reached.
func (f *Fleet) addrs(v4, v6 string) (out []netip.Addr) {
	for family, addr := range map[checks.Family]string{checks.IPv4: v4, checks.IPv6: v6} {
		if slices.Contains(f.opts.Families, family) {
			out = append(out, netip.MustParseAddr(addr))
		}
	}
	slices.SortFunc(out, netip.Addr.Compare)
	return out
}

// host makes a machine of that name.
func (f *Fleet) host(name string, addrs []netip.Addr) *checktest.Host {
	f.internet.Name(name, addrs...)
	return f.internet.Host(addrs...)
}

// serveMail opens a small mail provider: real IMAP, SMTP and HTTP servers, and
// scripted ones of what has no library.
func (f *Fleet) serveMail() {
	f.ca = checktest.NewCA()
	addrs := f.addrs("203.0.113.1", "2001:db8:25::1")
	host := f.host(mailName, addrs)
	listen := func(kind string) net.Listener {
		port := f.place(kind).port
		for _, a := range addrs {
			f.watched[netip.AddrPortFrom(a, port)] = kind
		}
		l, err := host.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			f.t.Fatal(err)
		}
		return newStage(f, kind, l)
	}
	imap := imapserver.New(newMailbox(f))
	imap.ErrorLog, imap.AllowInsecureAuth = log.New(io.Discard, "", 0), f.private("imap")
	f.serve(listen("imap"), imap.Serve, imap.Close)

	mail := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return session{fleet: f, conn: c.Conn()}, nil
	}))
	mail.Domain, mail.ErrorLog = mailName, log.New(io.Discard, "", 0)
	f.serve(listen("smtp"), mail.Serve, mail.Close)

	web := &http.Server{Handler: http.HandlerFunc(f.webmail), ErrorLog: log.New(io.Discard, "", 0), ConnContext: withConn}
	f.serve(listen("https"), web.Serve, web.Close)

	checktest.Serve(f.t, listen("pop3"), f.pop3)
	checktest.Serve(f.t, listen("tcp"), banner)
	if f.asks(checks.DNS) {
		f.serveNames(host, addrs)
	}
	if f.asks(checks.RoundTrip) {
		f.servePost()
	}
}

// serve runs a server until the test ends and waits for it.
func (f *Fleet) serve(l net.Listener, run func(net.Listener) error, closeServer func() error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = run(l) // every one of them returns an error of its own when closed
	}()
	f.t.Cleanup(func() {
		_ = closeServer()
		<-done
	})
}

// serveNames answers what the provider's name server is asked.
func (f *Fleet) serveNames(host *checktest.Host, addrs []netip.Addr) {
	var zone []string
	for _, a := range addrs {
		record := "A"
		if a.Is6() {
			record = "AAAA"
		}
		zone = append(zone, fmt.Sprintf("%s. 300 IN %s %s", mailName, record, a))
		f.watched[netip.AddrPortFrom(a, f.place("dns").port)] = "dns"
	}
	checktest.ServeNames(f.t, host, checktest.Zone(zone...))
}

// asks says whether any check is of a kind.
func (f *Fleet) asks(kind checks.Kind) bool {
	for name, c := range f.opts.Checks {
		if c.Is(name) == string(kind) {
			return true
		}
	}
	return false
}

// late is after how long a test mail is late that is handed in so often.
func late(every time.Duration) time.Duration {
	return min(checks.DefaultLate, every-tripTimeout(every))
}

// tripTimeout bounds handing in a test mail.
func tripTimeout(every time.Duration) time.Duration { return min(20*time.Second, every/2) }

// servePost opens the post office for test mails, which loses and keeps back what
// the faults say.
func (f *Fleet) servePost() {
	addrs := f.addrs("203.0.113.2", "2001:db8:25::2")
	lab := &checktest.Lab{Internet: f.internet, Server: f.host(officeName, addrs), CA: f.ca}
	for _, a := range addrs {
		for _, port := range []uint16{465, 993} {
			f.watched[netip.AddrPortFrom(a, port)] = "roundtrip"
		}
	}
	lab.PostOffice(f.t).Delivers(func(l checktest.Letter) (string, time.Duration) {
		switch f.effectOnMail(l.Text) {
		case scenario.MailLoss:
			return "", 0
		case scenario.MailDelay:
			return "INBOX", checks.DefaultLate + time.Minute
		}
		return "INBOX", 0
	})
}

// serveControls opens the control targets, in three networks that no fault is of.
func (f *Fleet) serveControls() {
	for i, addrs := range [][]netip.Addr{
		f.addrs("192.0.2.7", "2001:db8:c1::1"), f.addrs("198.51.100.9", "2001:db8:c2::1"), f.addrs("198.18.0.9", "2001:db8:c3::1"),
	} {
		host := f.host(fmt.Sprintf("control-%d.test", i+1), addrs)
		l, err := host.Listen("tcp", ":443")
		if err != nil {
			f.t.Fatal(err)
		}
		checktest.Serve(f.t, l, hearOut)
		for _, a := range addrs {
			f.watched[netip.AddrPortFrom(a, 443)] = Control
		}
	}
}
