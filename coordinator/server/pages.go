package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"

	"varde/coordinator/internal/config"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/history"
	"varde/coordinator/internal/mail"
	"varde/coordinator/internal/ops"
	"varde/coordinator/internal/statuspage"
	"varde/proto/durable"
)

// buildPages makes the handlers of both HTTP listeners.
func (s *Server) buildPages() error {
	c := s.opts.Config
	s.began = s.authority.Made() // its CA is a coordinator's oldest possession
	site, err := s.newSite(c)
	if err != nil {
		return err
	}
	s.site.Store(site)
	providers, err := providersOf(c)
	if err != nil {
		return err
	}
	s.providers.Store(&providers)
	token, err := s.operatorToken()
	if err != nil {
		return err
	}
	s.ops, err = ops.New(ops.Options{
		Live: present{s}, History: past{s}, Observations: past{s}, Ledger: past{s}, Servers: past{s}, Incidents: cases{s}, Reports: s.reports,
		Logger: s.log.With("component", "ops"), Listen: c.Listen.Ops, Token: token,
		Providers: func() []ops.Provider { return *s.providers.Load() },
		Hosts:     func() []string { return hostNames(s.current().Advertise) }, Metrics: s.metricsHandler(), Ready: s.ready,
	})
	return err
}

// providersOf are the providers of a configuration, with the tokens of their people.
func providersOf(c config.Config) ([]ops.Provider, error) {
	tokens, faults := c.ProviderTokens()
	if len(faults) > 0 {
		return nil, faults[0]
	}
	out := make([]ops.Provider, len(c.Providers))
	for i, p := range c.Providers {
		out[i] = ops.Provider{ID: p.ID, Token: tokens[p.ID]}
	}
	return out, nil
}

// newSite makes the public pages of a configuration.
func (s *Server) newSite(c config.Config) (*statuspage.Site, error) {
	pages := make([]statuspage.Page, len(c.Pages))
	for i, p := range c.Pages {
		words, err := p.Lexicon()
		if err != nil {
			return nil, err
		}
		pages[i] = statuspage.Page{ID: p.ID, Title: p.Title, URL: p.URL, Services: p.Services, Language: words.Tag()}
	}
	return statuspage.New(statuspage.Options{
		Source: publicSource{s}, Pages: pages, Logger: s.log.With("component", "statuspage"),
	})
}

// public serves the public pages of the configuration in force.
func (s *Server) public(w http.ResponseWriter, r *http.Request) { s.site.Load().ServeHTTP(w, r) }

// publicSource is the public page's door to the facts.
type publicSource struct{ *Server }

var _ statuspage.Source = publicSource{}

// Now is what is known at this moment.
func (p publicSource) Now(ctx context.Context) (statuspage.Now, error) { return p.publicPresent(ctx) }

// History is what was seen of one service.
func (p publicSource) History(ctx context.Context, service string, w graph.Window) ([]statuspage.RegionHistory, error) {
	return p.publicHistory(ctx, service, w)
}

// Mail is what became of the test mails of one service.
func (p publicSource) Mail(ctx context.Context, service string, w graph.Window) (mail.Sums, error) {
	all, _, err := p.history.MailSums(ctx, history.MailQuery{Services: []string{service}, From: w.From, To: w.To})
	return all, err
}

// hostNames are the names under which this machine is known: operators may ask
// for their pages by them.
func hostNames(addresses []string) []string {
	var out []string
	for _, a := range addresses {
		if host, _, err := net.SplitHostPort(a); err == nil {
			out = append(out, host)
		}
	}
	return out
}

// ready says what keeps the coordinator from its work.
func (s *Server) ready(ctx context.Context) error {
	if err := s.journal.Ready(); err != nil {
		return err
	}
	_, err := s.history.Stats(ctx)
	return err
}

// operatorToken returns the token that operators must show where the listener
// is not on loopback, and makes it the first time.
func (s *Server) operatorToken() (string, error) {
	if ops.Loopback(s.opts.Config.Listen.Ops) {
		return "", nil
	}
	path := config.OperatorToken(s.opts.Config.Data)
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		token := rand.Text()
		s.log.Info("operator token made", "file", path)
		return token, durable.Replace(path, []byte(token+"\n"))
	}
	if err != nil {
		return "", fmt.Errorf("read operator token: %w", err)
	}
	return strings.TrimSpace(string(b)), nil
}
