// Package provider is a small mail provider to watch: real IMAP, SMTP and
// HTTPS servers on loopback, with one account and an authority of its own.
//
//   - Every server speaks its protocol over TLS with a certificate for
//     127.0.0.1 that [Provider.CA] verifies. Nothing leaves the machine.
//   - The account can log in everywhere. Its mailbox is empty, and mail that is
//     sent to it is refused: there is nothing to keep.
//   - Run returns after every connection has been closed.
//
// A [Detour] makes a service fall silent for whoever looks through it, which is
// how one region can lose what the others still have.
package provider

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/emersion/go-imap/server"
	"github.com/emersion/go-smtp"
	"golang.org/x/sync/errgroup"

	"varde/checks"
)

// Service is one thing that the provider offers.
type Service struct {
	// ID and Name are as a configuration has them: webmail, imap, smtp.
	ID, Name string
	Kind     checks.Kind
	// URL is where a check asks.
	URL string
	// Login says whether a check can log in there.
	Login bool
}

// User is the name of the provider's account.
const User = "probe@mail.test"

// Options are what a provider needs.
type Options struct {
	// Listen opens the servers' sockets; net.Listen if nil. It is called with
	// "tcp" and "127.0.0.1:0".
	Listen func(network, address string) (net.Listener, error)
	// Logger gets what the servers have to say, at debug level. Required.
	Logger *slog.Logger
}

// Provider is the three servers.
type Provider struct {
	logger    *slog.Logger
	authority authority
	password  string
	web, imap *listener
	smtp      *listener
}

// New opens the sockets and mints the certificates. Run serves; a provider
// that is never run is closed by Close.
func New(o Options) (*Provider, error) {
	if o.Logger == nil {
		return nil, errors.New("new provider: logger is required")
	}
	if o.Listen == nil {
		o.Listen = net.Listen
	}
	a, err := newAuthority(time.Now())
	if err != nil {
		return nil, fmt.Errorf("new provider: %w", err)
	}
	p := &Provider{logger: o.Logger, authority: a, password: rand.Text()}
	for _, l := range []**listener{&p.web, &p.imap, &p.smtp} {
		opened, err := o.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, errors.Join(fmt.Errorf("new provider: %w", err), p.Close())
		}
		*l = track(opened)
	}
	return p, nil
}

// Offers are the services of every provider, without their URLs.
func Offers() []Service {
	return []Service{
		{ID: "webmail", Name: "Webmail", Kind: checks.HTTPS},
		{ID: "imap", Name: "IMAP", Kind: checks.IMAP, Login: true},
		{ID: "smtp", Name: "Outgoing mail", Kind: checks.SMTP, Login: true},
	}
}

// Services returns what the provider offers, in the order of Offers.
func (p *Provider) Services() []Service {
	services := Offers()
	for i, url := range []string{
		"https://" + p.web.Addr().String() + "/",
		"imaps://" + p.imap.Addr().String(),
		"submission://" + p.smtp.Addr().String(),
	} {
		services[i].URL = url
	}
	return services
}

// CA returns the authority's certificate as PEM.
func (p *Provider) CA() []byte { return p.authority.pem }

// Password returns the password of User, made for this run alone.
func (p *Provider) Password() string { return p.password }

// Close closes the sockets and every connection.
func (p *Provider) Close() error {
	var errs []error
	for _, l := range []*listener{p.web, p.imap, p.smtp} {
		if l != nil {
			errs = append(errs, l.Close())
		}
	}
	return errors.Join(errs...)
}

// Run serves until ctx ends and returns after its last connection is closed.
// The error is nil when ctx ended.
func (p *Provider) Run(ctx context.Context) error {
	config := &tls.Config{Certificates: []tls.Certificate{p.authority.leaf}, MinVersion: tls.VersionTLS12}
	g, run := errgroup.WithContext(ctx)
	g.Go(func() error { return p.serveWeb(tls.NewListener(p.web, config)) })
	g.Go(func() error { return p.serveIMAP(tls.NewListener(p.imap, config)) })
	g.Go(func() error { return p.serveSMTP(p.smtp, config) })
	g.Go(func() error {
		<-run.Done()
		return p.Close()
	})
	err := g.Wait()
	p.web.wait()
	p.imap.wait()
	p.smtp.wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// timeout ends what a client of the small provider leaves open.
const timeout = time.Minute

func (p *Provider) serveWeb(l net.Listener) error {
	s := &http.Server{
		Handler:           http.HandlerFunc(webmail),
		ReadHeaderTimeout: timeout, ReadTimeout: timeout, WriteTimeout: timeout, IdleTimeout: timeout, MaxHeaderBytes: 16 << 10,
		ErrorLog: slog.NewLogLogger(p.logger.Handler(), slog.LevelDebug),
	}
	return fmt.Errorf("serve webmail: %w", s.Serve(l))
}

func webmail(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	// An error means that the client has gone.
	_, _ = w.Write([]byte("<!doctype html><title>Webmail</title><h1>Webmail</h1><p>No mail.</p>\n"))
}

func (p *Provider) serveIMAP(l net.Listener) error {
	s := server.New(&accounts{password: p.password})
	s.MaxLiteralSize = 64 << 10
	s.AutoLogout = server.MinAutoLogout
	s.ErrorLog = slog.NewLogLogger(p.logger.Handler(), slog.LevelDebug)
	return fmt.Errorf("serve imap: %w", s.Serve(l))
}

func (p *Provider) serveSMTP(l net.Listener, config *tls.Config) error {
	s := smtp.NewServer(&accounts{password: p.password})
	s.Domain = "mail.test"
	s.TLSConfig = config
	s.ReadTimeout, s.WriteTimeout = timeout, timeout
	s.MaxMessageBytes, s.MaxRecipients = 64<<10, 1
	s.ErrorLog = slog.NewLogLogger(p.logger.Handler(), slog.LevelDebug)
	return fmt.Errorf("serve smtp: %w", s.Serve(l))
}
