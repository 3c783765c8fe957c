package discovery

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"varde/checks"
	"varde/checks/catalog"
)

// presence is what name servers say of a host, and this machine of the way there.
type presence struct {
	// known says that there is an address.
	known bool
	// families are those to be tried; away are those to which this machine has
	// no way.
	families, away []checks.Family
	failed         error
}

// presence looks up one host. A family that could not be looked up is tried.
func (s *search) presence(ctx context.Context, host string) presence {
	within, cancel := context.WithTimeout(ctx, lookupLimit)
	defer cancel()
	families, networks := []checks.Family{checks.IPv4, checks.IPv6}, []string{"ip4", "ip6"}
	var addrs [2][]netip.Addr
	var errs [2]error
	var both sync.WaitGroup
	for i := range families {
		both.Go(func() { addrs[i], errs[i] = s.Network.LookupNetIP(within, networks[i], host) })
	}
	both.Wait()
	routed := func(a netip.Addr) bool { return checks.Routed(within, s.Network, a.Unmap()) }
	var p presence
	for i, f := range families {
		switch {
		case checks.IsNoAddress(errs[i]):
		case errs[i] != nil:
			p.failed = errs[i]
			p.families = append(p.families, f)
		case slices.ContainsFunc(addrs[i], routed):
			p.known = true
			p.families = append(p.families, f)
		default:
			p.known = true
			p.away = append(p.away, f)
		}
	}
	return p
}

// tryAll asks every group, some at a time.
func (s *search) tryAll(ctx context.Context, groups [][]*candidate) {
	total, done := 0, 0
	for _, g := range groups {
		total += len(g)
	}
	var mu sync.Mutex
	tell := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		done += n
		s.Progress(fmt.Sprintf("asking %d endpoints, %d done", total, done))
	}
	if total > 0 {
		tell(0)
	}
	var all errgroup.Group
	all.SetLimit(together)
	for _, g := range groups {
		all.Go(func() error {
			for i, c := range g {
				s.try(ctx, c)
				if c.outcome == checks.Up {
					tell(len(g) - i)
					break
				}
				tell(1)
			}
			return nil
		})
	}
	_ = all.Wait() // what goes wrong stands in the candidates
}

// try asks one endpoint over each family that its name has.
func (s *search) try(ctx context.Context, c *candidate) {
	c.tried = true
	t := &c.target
	t.Service = c.service
	t.Every = t.Floor()
	at, err := catalog.Endpoint(*t)
	check, refused := catalog.New(*t, checks.Env{Network: s.Network, Roots: s.Roots})
	if err := errors.Join(err, refused); err != nil {
		c.blame("no check: " + first(err))
		return
	}
	p := s.presence(ctx, at.Host)
	switch {
	case over(ctx):
		c.blame("not tried: the search may take no more than " + Limit.String())
		return
	case len(p.families)+len(p.away) == 0:
		c.outcome = checks.Down
		c.blame(fmt.Sprintf("%s (%s has no address)", checks.DNSError, at.Host))
		return
	}
	results := make([]checks.Result, len(p.families))
	var all sync.WaitGroup
	for i, f := range p.families {
		all.Go(func() { results[i] = check.Attempt(ctx, f) })
	}
	all.Wait()
	c.judge(p, results)
	if c.outcome != checks.Up && over(ctx) {
		c.outcome, c.trouble = checks.Unknown, []string{"no answer before the end of the search"}
	}
}

// over says that the time of the search has passed, though its timer may not have
// run yet.
func over(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

func (c *candidate) blame(words string) { c.trouble = append(c.trouble, words) }

// judge makes one outcome of those of the families. A family that is not up is
// left out of the check where another is: this is all that was seen of it.
func (c *candidate) judge(p presence, results []checks.Result) {
	var up []checks.Family
	var faults []string
	at := map[string][]string{}
	for i, r := range results {
		c.outcome = max(c.outcome, r.Outcome) // down as soon as one is
		if r.Outcome == checks.Up {
			up = append(up, p.families[i])
			continue
		}
		why := blame(r)
		if at[why] == nil {
			faults = append(faults, why)
		}
		at[why] = append(at[why], p.families[i].String())
	}
	for _, why := range faults {
		c.blame(fmt.Sprintf("over %s: %s", strings.Join(at[why], " and "), why))
	}
	for _, f := range p.away {
		c.blame(fmt.Sprintf("not tried over %s: this machine has no way there", f))
	}
	if len(up) == 0 {
		return
	}
	c.outcome = checks.Up
	if len(up) < len(results) {
		c.target.Families = up
	}
}
