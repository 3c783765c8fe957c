package discovery

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"varde/checks"
	"varde/checks/catalog"
)

// search is one search under way.
type search struct {
	Options
	services []service
	// leads are what was named, with the places that named it.
	leads []*candidate
	// settled says why a scheme is not looked for at usual names: it is declined,
	// or nobody could be asked.
	settled map[string]string
	notes   []string
}

// Why a scheme is settled.
const (
	declined = "plainly not offered"
	unasked  = "no answer"
)

// candidate is an endpoint that may be asked.
type candidate struct {
	lead
	sources []string
	tried   bool
	outcome checks.Outcome
	trouble []string
}

// gather makes one list of what all places say.
func (s *search) gather(all []announcement) {
	s.settled = map[string]string{}
	for _, a := range all {
		if a.failed != nil {
			s.notes = append(s.notes, fmt.Sprintf("not asked: %s: %s", a.source, words(a.failed)))
			s.settled[a.scheme] = unasked
		}
		s.notes = append(s.notes, a.notes[:min(len(a.notes), maxRecords)]...)
		if a.declined {
			s.settled[a.scheme] = declined
		}
		for _, l := range a.leads {
			s.lead(l, a.source)
		}
	}
}

// lead adds an endpoint once, whoever named it.
func (s *search) lead(l lead, source string) {
	for _, c := range s.leads {
		if c.target.URL == l.target.URL {
			c.sources = append(c.sources, source)
			return
		}
	}
	if !slices.ContainsFunc(s.services, func(x service) bool { return x.id == l.service }) {
		return
	}
	s.leads = append(s.leads, &candidate{lead: l, sources: []string{source}})
}

// groups are the endpoints to be asked, in the order of the services. The second
// of a group is asked only if the first is not up.
func (s *search) groups(ctx context.Context) [][]*candidate {
	s.Progress("looking for the usual names at " + s.Domain)
	there := s.usual(ctx)
	var groups [][]*candidate
	for _, service := range s.services {
		named := s.named(service.id)
		for _, c := range named {
			groups = append(groups, []*candidate{c})
		}
		if len(named) == 0 {
			groups = append(groups, s.guesses(service, there)...)
		}
	}
	return s.bounded(groups)
}

// named are the leads to one service.
func (s *search) named(service string) []*candidate {
	return slices.DeleteFunc(slices.Clone(s.leads), func(c *candidate) bool { return c.service != service })
}

// bounded leaves out what is more than MaxEndpoints, and says so.
func (s *search) bounded(groups [][]*candidate) [][]*candidate {
	n := 0
	var over []*candidate
	for i, g := range groups {
		groups[i] = g[:min(len(g), MaxEndpoints-n)]
		n += len(groups[i])
		over = append(over, g[len(groups[i]):]...)
	}
	if len(over) > 0 {
		s.notes = append(s.notes, fmt.Sprintf("left out: %s and what follows: a search asks at most %d endpoints", over[0].target.URL, MaxEndpoints))
	}
	return groups
}

// usual says which usual names there are, of services that nobody named.
func (s *search) usual(ctx context.Context) map[string]presence {
	there := map[string]presence{}
	var order []string
	for _, service := range s.services {
		for _, o := range service.offers {
			if s.settled[o.scheme] != "" || len(s.named(service.id)) > 0 {
				continue
			}
			order = slices.Concat(order, o.usual)
		}
	}
	slices.Sort(order)
	order = slices.Compact(order)
	found := make([]presence, len(order))
	var all sync.WaitGroup
	for i, host := range order {
		all.Go(func() { found[i] = s.presence(ctx, host) })
	}
	all.Wait()
	for i, host := range order {
		there[host] = found[i]
		if err := found[i].failed; err != nil && !found[i].known {
			s.notes = append(s.notes, fmt.Sprintf("not asked: addresses of %s: %s", host, words(err)))
		}
	}
	return there
}

// guesses are endpoints at usual names, of a service that nobody named.
func (s *search) guesses(of service, there map[string]presence) [][]*candidate {
	var groups [][]*candidate
	for _, o := range of.offers {
		var group []*candidate
		for _, host := range o.usual {
			t, err := catalog.FromURL(o.scheme + "://" + host)
			if err != nil || s.settled[o.scheme] != "" || !there[host].known || s.isNamed(t.URL) {
				continue
			}
			source := "a usual name"
			if o.mx {
				source = "the domain itself, since it has no MX"
			}
			group = append(group, &candidate{lead: lead{of.id, t}, sources: []string{source}})
		}
		if o.instead {
			groups = append(groups, group)
			continue
		}
		for _, c := range group {
			groups = append(groups, []*candidate{c})
		}
	}
	return groups
}

func (s *search) isNamed(url string) bool {
	return slices.ContainsFunc(s.leads, func(c *candidate) bool {
		return strings.TrimSuffix(c.target.URL, "/") == url
	})
}
