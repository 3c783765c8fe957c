package discovery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"varde/checks"
	"varde/checks/catalog"
)

// maxRecords is how much of what one place says is read.
const maxRecords = 20

// announcement is what one place says of a domain.
type announcement struct {
	// source names the place.
	source string
	// asksDNS says that the place is a name server.
	asksDNS bool
	// scheme is what it was asked for; empty if it can speak of several.
	scheme string
	leads  []lead
	// declined says that it says plainly that there is nothing.
	declined bool
	// failed is why it could not be asked.
	failed error
	notes  []string
}

// lead is an endpoint that was named.
type lead struct {
	service string
	target  checks.Target
}

// announcements asks every place at once and returns what they say, in the
// order of their worth.
func (s *search) announcements(ctx context.Context) []announcement {
	var ask []func() announcement
	for _, service := range s.services {
		for _, o := range service.offers {
			if o.srv != "" {
				ask = append(ask, func() announcement { return s.srv(ctx, service.id, o) })
			}
			if o.mx {
				ask = append(ask, func() announcement { return s.mx(ctx, service.id, o) })
			}
		}
	}
	ask = append(ask, func() announcement { return s.autoconfig(ctx) })
	said := make([]announcement, len(ask))
	var all sync.WaitGroup
	for i, do := range ask {
		all.Go(func() { said[i] = do() })
	}
	all.Wait()
	return said
}

func (s *search) srv(ctx context.Context, service string, o offer) announcement {
	a := announcement{source: "SRV " + srvName(o.srv, s.Domain), asksDNS: true, scheme: o.scheme}
	within, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	_, records, err := s.Resolver.LookupSRV(within, o.srv, "tcp", s.Domain+".")
	a.failed = a.partly(len(records), err)
	slices.SortFunc(records, func(a, b *net.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), -cmp.Compare(a.Weight, b.Weight),
			cmp.Compare(a.Target, b.Target), cmp.Compare(a.Port, b.Port))
	})
	for _, r := range records[:min(len(records), maxRecords)] {
		switch {
		case r.Target == ".":
			a.declined = true
		case r.Port == 0:
			a.refuse("port 0, expected 1 to 65535")
		default:
			a.name(service, o.scheme, r.Target, r.Port)
		}
	}
	return a
}

func (s *search) mx(ctx context.Context, service string, o offer) announcement {
	a := announcement{source: "MX " + s.Domain, asksDNS: true, scheme: o.scheme}
	within, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	records, err := s.Resolver.LookupMX(within, s.Domain+".")
	a.failed = a.partly(len(records), err)
	slices.SortFunc(records, func(a, b *net.MX) int {
		return cmp.Or(cmp.Compare(a.Pref, b.Pref), cmp.Compare(a.Host, b.Host))
	})
	for _, r := range records[:min(len(records), maxRecords)] {
		if r.Host == "." { // RFC 7505
			a.declined = true
			continue
		}
		a.name(service, o.scheme, r.Host, 0)
	}
	return a
}

// partly says whether a lookup failed. That there is nothing is an answer, and
// of several records some may have names that Go does not let through.
func (a *announcement) partly(records int, err error) error {
	if err != nil && records > 0 {
		a.refuse("some records have no name of a host")
		return nil
	}
	if checks.IsNoAddress(err) {
		return nil
	}
	return err
}

// refuse notes what is not followed.
func (a *announcement) refuse(format string, args ...any) {
	a.notes = append(a.notes, "refused: "+a.source+": "+fmt.Sprintf(format, args...))
}

// name adds the endpoint of a host and port, 0 for the port of the scheme.
func (a *announcement) name(service, scheme, host string, port uint16) {
	name, ok := hostname(host)
	if !ok {
		a.refuse("%.80q is not the name of a host", host)
		return
	}
	a.add(service, scheme+"://"+name, port)
}

// add adds the endpoint of a URL, unless no check can be made of it.
func (a *announcement) add(service, raw string, port uint16) {
	t, err := catalog.FromURL(raw)
	if err == nil && port != 0 {
		var usual checks.Endpoint
		if usual, err = catalog.Endpoint(t); err == nil && usual.Port != port {
			t, err = catalog.FromURL(fmt.Sprintf("%s:%d", raw, port))
		}
	}
	if err != nil {
		a.refuse("%s", first(err))
		return
	}
	a.leads = append(a.leads, lead{service, t})
}

// first is the first of several errors in words.
func first(err error) string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return first(joined.Unwrap()[0])
	}
	return err.Error()
}

// words says why a place could not be asked.
func words(err error) string {
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.Err
	}
	return err.Error()
}
