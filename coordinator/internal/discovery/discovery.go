// Package discovery finds what a provider of mail offers under its domain and
// writes it down as services and checks.
//
//   - It looks where a domain says itself what it has: SRV records (RFC 6186,
//     8314), MX records and the autoconfig file of mail programs. Only for what
//     is not said there, and where the question was answered, it looks at names
//     that are usual.
//   - Each endpoint is asked once over each family, without a login. What is up
//     becomes a check; what is not is kept with its reason and asked by nobody.
//   - What others wrote is a name, a port or the path of a page, or it is
//     refused. A name that leads to no public address is not followed.
//   - A search ends within Limit, takes at most 64 kB of any document and asks
//     at most MaxEndpoints endpoints. Equal answers give equal bytes.
package discovery

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"strings"
	"time"

	"varde/checks"
)

// The bounds of one search.
const (
	// Limit is the longest that a search takes.
	Limit = time.Minute
	// MaxEndpoints is the most that one search asks.
	MaxEndpoints = 20
	// lookupLimit is how long the name servers have for one answer.
	lookupLimit = 5 * time.Second
	// together is how many endpoints are asked at the same time: few enough for
	// a server that is behind all of them.
	together = 8
)

// Resolver asks name servers what a domain says of its services.
type Resolver interface {
	// LookupSRV returns the records of _service._proto.name. None of that name
	// is a *net.DNSError with IsNotFound.
	LookupSRV(ctx context.Context, service, proto, name string) (string, []*net.SRV, error)
	// LookupMX returns the mail exchangers of a name, and says as LookupSRV
	// does that there are none.
	LookupMX(ctx context.Context, name string) ([]*net.MX, error)
}

var _ Resolver = (*net.Resolver)(nil)

// Options say what to search and with what.
type Options struct {
	// Domain is as ParseDomain returns it. Required.
	Domain string
	// Resolver and Network are the world. Required.
	Resolver Resolver
	Network  checks.Network
	// Roots are what certificates are verified against; nil means the system's.
	Roots *x509.CertPool
	// Progress is told what is being done, one call at a time; nil for nobody.
	Progress func(words string)
}

// Report is what a search saw.
type Report struct {
	// Domain is what was searched.
	Domain string
	// Services are all that there can be, in the order in which people read
	// them, found or not.
	Services []Service
	// Notes say what was refused, left out, or could not be asked.
	Notes []string
}

// Service is what a search saw of one service.
type Service struct {
	// ID and Name are those of the configuration.
	ID, Name string
	// Findings are its endpoints, in the order in which they were said.
	Findings []Finding
	// Looked says where it was looked for.
	Looked []string
	// Declined says that the domain says plainly that it has no such service.
	Declined bool
}

// Finding is one endpoint and how it went.
type Finding struct {
	// Target is the check of it: it is valid, logs in nowhere and keeps the
	// cadence of a service without consent. Its families are restricted to those
	// that are up where others are not.
	Target checks.Target
	// Source says how it was found.
	Source string
	// Outcome is Up if any family is, otherwise Down if any is.
	Outcome checks.Outcome
	// Trouble says what was not up, or not tried, and why; empty if all is well.
	Trouble string
}

// Search looks and asks. The error says that the name servers could not be
// asked or why ctx has ended.
func Search(ctx context.Context, o Options) (*Report, error) {
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	within, cancel := context.WithTimeout(ctx, Limit)
	defer cancel()
	s := &search{Options: o, services: services(o.Domain)}
	o.Progress("asking what " + o.Domain + " says of itself")
	all := s.announcements(within)
	if err := unanswered(all); err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("ask the name servers for %s: %w", o.Domain, err)
	}
	s.gather(all)
	groups := s.groups(within)
	s.tryAll(within, groups)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return s.report(groups), nil
}

// unanswered returns an error when no name server answered anything.
func unanswered(all []announcement) error {
	var first error
	for _, a := range all {
		switch {
		case a.asksDNS && a.failed == nil:
			return nil
		case a.asksDNS && first == nil:
			first = a.failed
		}
	}
	return first
}

// Blanks are a line for each service of which nothing was found, and the notes.
func (r *Report) Blanks() []string {
	var lines []string
	for _, s := range r.Services {
		if len(s.Findings) == 0 {
			lines = append(lines, s.blank())
		}
	}
	return append(lines, r.Notes...)
}

// blank says in words of a service without findings why there are none.
func (s Service) blank() string {
	if s.Declined {
		return s.Name + ": plainly not offered, says " + strings.Join(s.Looked, ", ")
	}
	return s.Name + ": nothing at " + strings.Join(s.Looked, ", ")
}
