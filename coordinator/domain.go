package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"varde/checks"
	"varde/coordinator/internal/discovery"
)

// search finds what a domain offers. A signal ends it.
func (p *process) search(ctx context.Context, domain string) (*discovery.Report, error) {
	ctx, release := p.stoppable(ctx)
	defer release()
	o := discovery.Options{Domain: domain, Resolver: p.resolver, Network: p.network, Roots: p.roots}
	if p.terminal(p.stderr) {
		o.Progress = func(words string) { fmt.Fprintf(p.stderr, "\r\x1b[K%s …", words) }
		defer fmt.Fprint(p.stderr, "\r\x1b[K") // take the line back
	}
	r, err := discovery.Search(ctx, o)
	if err == nil && r.Found() == 0 {
		err = fmt.Errorf("found nothing at %s\n%s", domain, strings.Join(r.Blanks(), "\n"))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("init: %w", err), errors.New("nothing was written; without --domain, init writes an example"))
	}
	return r, nil
}

// tell prints what was found and what was not.
func (p *process) tell(r *discovery.Report) error {
	t := tabwriter.NewWriter(p.stdout, 0, 0, 2, ' ', 0)
	for _, s := range r.Services {
		for _, f := range s.Findings {
			why := f.Trouble
			if f.Outcome == checks.Up && why == "" {
				why = f.Source
			}
			write(t, f.Outcome.String(), f.Target.URL, why)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, line := range r.Blanks() {
		fmt.Fprintln(p.stdout, clean(line))
	}
	_, err := fmt.Fprintln(p.stdout)
	return err
}
