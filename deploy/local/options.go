package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"varde"
	"varde/checks"
	"varde/checks/catalog"
	"varde/deploy/local/internal/provider"
)

// options is the command line.
type options struct {
	HTTP  string        `help:"Where the status page is, ${default} if not given." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Ops   string        `help:"Where the operators' pages are, ${default} if not given. They ask for a token where that is not on loopback." default:"127.0.0.1:8081" placeholder:"HOST:PORT"`
	For   time.Duration `help:"End by itself after this time, with a summary; runs until Ctrl-C if not given." placeholder:"2m"`
	State string        `help:"Keep everything in this folder; a temporary one that is removed at the end if not given." placeholder:"DIR"`
	Break string        `help:"Make a service fall silent for a region from the start; SIGUSR1 heals it." placeholder:"SERVICE@REGION"`
	URLs  []string      `arg:"" optional:"" name:"url" help:"What to watch instead of the built-in mail provider: https, imaps, imap, smtps, submission or smtp."`

	// targets are the checks that the URLs ask for; empty without URLs.
	targets []checks.Target
	// breakService and breakRegion are the halves of Break.
	breakService, breakRegion string
}

// region is one of the fleet's.
type region struct{ ID, Name string }

func regions() []region {
	return []region{{"eu-north", "Northern Europe"}, {"us-east", "Eastern US"}, {"oceania", "Oceania"}}
}

// every is the interval of every check. It is what the limits of checks allow
// at least, so that a newcomer does not wait.
const every = 5 * time.Second

const description = `A whole fleet on this machine: one coordinator, six probes in three regions, and a small mail provider to watch, or the URLs given.

Examples:

  go run ./deploy/local
  go run ./deploy/local --break imap@oceania
  go run ./deploy/local --for 2m https://www.example.org/

Whoever gives a URL says that its operator agreed to six connections every 5 s.`

// Run plays the fleet.
func (o *options) Run(ctx context.Context, p *process) error {
	if err := o.check(); err != nil {
		return varde.Misuse(err)
	}
	return p.play(ctx, *o, p.heal, p.stdout)
}

// check returns every fault of the command line, joined.
func (o *options) check() error {
	var errs []error
	var services []string // what --break may name
	for _, a := range []struct{ flag, address string }{{"--http", o.HTTP}, {"--ops", o.Ops}} {
		if _, _, err := net.SplitHostPort(a.address); err != nil {
			errs = append(errs, fmt.Errorf("%s: got %q, expected host:port", a.flag, a.address))
		}
	}
	if o.For < 0 {
		errs = append(errs, fmt.Errorf("--for: got %s, expected a time above zero", o.For))
	}
	if len(o.URLs) == 0 {
		for _, s := range provider.Offers() {
			services = append(services, s.ID)
		}
	}
	for _, u := range o.URLs {
		t, err := catalog.FromURL(u)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", u, err))
			continue
		}
		if slices.Contains(services, t.ID) {
			errs = append(errs, fmt.Errorf("%s: got it again as %s, expected each once", u, t.ID))
		}
		t.Service, t.Every, t.Timeout = t.ID, every, every
		o.targets, services = append(o.targets, t), append(services, t.ID)
	}
	errs = append(errs, o.checkBreak(services))
	return errors.Join(errs...)
}

func (o *options) checkBreak(services []string) error {
	if o.Break == "" {
		return nil
	}
	var ids []string
	for _, r := range regions() {
		ids = append(ids, r.ID)
	}
	service, at, ok := strings.Cut(o.Break, "@")
	if !ok || !slices.Contains(services, service) || !slices.Contains(ids, at) {
		return fmt.Errorf("--break: got %q, expected SERVICE@REGION with one of %s and one of %s",
			o.Break, strings.Join(services, ", "), strings.Join(ids, ", "))
	}
	o.breakService, o.breakRegion = service, at
	return nil
}
