package ops

import (
	"cmp"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
)

// endings are how long before its end a certificate is told of, and told of again.
func endings() []time.Duration {
	const day = 24 * time.Hour
	return []time.Duration{0, day, 3 * day, 7 * day, 14 * day}
}

// ending is a certificate that ends soon, or has ended.
type ending struct {
	checks.Certificate
	// leaf says that it is a server's own.
	leaf bool
	// within is the smallest of the endings that it is in.
	within time.Duration
	checks []string
}

// endingsOf are the certificates that end soon of those that are presented now, the
// first to end first; each once, however many servers show it. A certificate that
// trusts itself at the end of a chain is looked at by nobody.
func endingsOf(presented []Presented, now time.Time) []ending {
	type name struct {
		key string
		end time.Time
	}
	at := map[name]int{}
	var out []ending
	for _, p := range presented {
		for i, c := range p.Handshake.Chain {
			k := slices.IndexFunc(endings(), func(d time.Duration) bool { return c.NotAfter.Sub(now) <= d })
			if k < 0 || i > 0 && c.Subject == c.Issuer {
				continue
			}
			n := name{c.Key, c.NotAfter}
			if _, ok := at[n]; !ok {
				at[n] = len(out)
				out = append(out, ending{Certificate: c, within: endings()[k]})
			}
			e := &out[at[n]]
			e.leaf, e.checks = e.leaf || i == 0, add(e.checks, p.Check)
		}
	}
	slices.SortStableFunc(out, func(a, b ending) int {
		return cmp.Or(a.NotAfter.Compare(b.NotAfter), cmp.Compare(a.Key, b.Key))
	})
	return out
}

// Endings says in a sentence each which certificates of those that are presented end
// within 14 days, or have ended, and whose checks see them.
func Endings(presented []Presented, now time.Time) []string {
	var out []string
	for _, e := range endingsOf(presented, now) {
		out = append(out, e.notice(now).Title+" ("+graph.List(e.checks)+")")
	}
	return out
}

// notice says when it ends.
func (e ending) notice(now time.Time) noticeView {
	what := "The certificate of "
	if !e.leaf {
		what = "The intermediate certificate "
	}
	v := noticeView{Class: graph.Slow.Class(), Glyph: graph.Slow.Glyph(), Checks: e.checks, Detail: "issued by " + e.Issuer}
	left := e.NotAfter.Sub(now)
	switch {
	case left <= 0:
		v.Title = what + e.Subject + " has ended"
	case left < time.Minute:
		v.Title = what + e.Subject + " ends within a minute"
	default:
		v.Title = what + e.Subject + " ends in " + graph.Span(left)
	}
	if e.within <= 3*24*time.Hour {
		v.Class, v.Glyph = graph.Intermittent.Class(), graph.Intermittent.Glyph()
	}
	switch {
	case e.within == 0 && !e.leaf: // a check that needs it says so itself
		v.Class, v.Glyph = graph.Slow.Class(), graph.Slow.Glyph()
		v.Detail += "; it may be left out where no check fails"
	case e.within == 0:
		v.Class, v.Glyph = graph.Down.Class(), graph.Down.Glyph()
	}
	v.Title += ", " + e.NotAfter.UTC().Format("2 Jan 2006, 15:04 UTC")
	return v
}

// shownView is what some servers of a check present now.
type shownView struct {
	Names, Issuer, Ends, Version string
	// Soon is the class of the end where it is near.
	Soon      string
	Key       string
	Chain     []string
	Addresses []string
	SeenBy    string
	Seen      stamp
}

// maxShown is how many different certificates a page shows.
const maxShown = 8

// shownViews are what is presented now, each different handshake once, the one that
// most probes see first, and how many are left out.
func (n Now) shownViews(presented []Presented) (views []shownView, more int) {
	type group struct {
		h         *checks.Handshake
		at        time.Time
		addresses []string
		regions   []string
		probes    []string
	}
	var groups []*group
	for _, p := range presented {
		i := slices.IndexFunc(groups, func(g *group) bool { return sameHandshake(g.h, p.Handshake) })
		if i < 0 {
			groups = append(groups, &group{h: p.Handshake})
			i = len(groups) - 1
		}
		g := groups[i]
		g.addresses, g.probes, g.regions = add(g.addresses, p.Address), add(g.probes, p.Probe), add(g.regions, n.regionName(p.Region))
		if p.At.After(g.at) {
			g.at = p.At
		}
	}
	slices.SortStableFunc(groups, func(a, b *group) int { return cmp.Compare(len(b.probes), len(a.probes)) })
	for _, g := range groups[:min(maxShown, len(groups))] {
		v := shownOf(g.h, n.At)
		slices.Sort(g.addresses)
		v.Addresses = g.addresses[:min(maxShown, len(g.addresses))]
		v.SeenBy = graph.Count(len(g.probes), "probe") + " in " + graph.List(g.regions)
		v.Seen = stamp{g.at.UTC().Format(time.RFC3339), when(g.at, n.At)}
		views = append(views, v)
	}
	return views, max(0, len(groups)-maxShown)
}

func sameHandshake(a, b *checks.Handshake) bool {
	return a == b || a.Version == b.Version && slices.EqualFunc(a.Chain, b.Chain, func(x, y checks.Certificate) bool {
		return x.Key == y.Key && x.NotAfter.Equal(y.NotAfter) && x.Subject == y.Subject && x.Issuer == y.Issuer && slices.Equal(x.Names, y.Names)
	})
}

// shownOf is one handshake, with at least one certificate, as people read it.
func shownOf(h *checks.Handshake, now time.Time) shownView {
	leaf := h.Chain[0]
	v := shownView{
		Names: graph.List(leaf.Names), Issuer: leaf.Issuer, Version: h.Version, Key: leaf.Key,
		Ends: leaf.NotAfter.UTC().Format("2 Jan 2006, 15:04 UTC"),
	}
	if len(leaf.Names) == 0 {
		v.Names = leaf.Subject
	}
	switch left := leaf.NotAfter.Sub(now); {
	case left <= 0:
		v.Soon, v.Ends = graph.Down.Class(), v.Ends+", it has ended"
	default:
		v.Ends += ", in " + graph.Span(left)
	}
	for _, c := range h.Chain[1:] {
		v.Chain = append(v.Chain, c.Subject+", by "+c.Issuer+", ends "+c.NotAfter.UTC().Format("2 Jan 2006"))
	}
	return v
}
