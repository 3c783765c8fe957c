package ops

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/presence"
	"varde/proto/wire"
)

// probeView is one probe, in the overview and in the table.
type probeView struct {
	Name, Region, Site, Network string
	Glyph                       template.HTML
	// Sick probes do not report, or hold themselves unfit to judge. Trouble says
	// which, and what else an operator should know.
	Sick           bool
	Trouble        string
	State, Seen    string
	Version, Clock string
	Plan           string
	Spool          string
	// Through is the probe that passes the connection on, empty for a direct one.
	Through string
	// Fit says whether it holds itself fit to judge; Notice is what it or the
	// coordinator says besides.
	Fit, Notice string
}

// measuring is the number of probes of a region that report and do not hold
// themselves unfit.
func (n Now) measuring(region string) int {
	count := 0
	for _, p := range n.Probes {
		if p.Region == region && p.connected() && !p.unfit() {
			count++
		}
	}
	return count
}

// presenceWords counts the probes that report, and names those that do not, those
// that should not be believed, and those that depend on another.
func presenceWords(probes []Probe) string {
	var silent, unfit, relayed []string
	for _, p := range probes {
		switch {
		case !p.connected():
			silent = append(silent, p.Name)
		case p.unfit():
			unfit = append(unfit, p.Name)
		}
		if p.relayed() {
			relayed = append(relayed, p.Name)
		}
	}
	s := fmt.Sprintf("%d of %d connected.", len(probes)-len(silent), len(probes))
	if len(silent) > 0 {
		s += " Silent: " + some(silent) + "."
	}
	if len(unfit) > 0 {
		s += " Not fit to judge: " + some(unfit) + "."
	}
	if len(relayed) > 0 {
		s += " Through another probe: " + some(relayed) + "."
	}
	return s
}

// some lists names, the first six of many.
func some(names []string) string {
	if len(names) > 6 {
		names = append(names[:6:6], fmt.Sprintf("%d more", len(names)-6))
	}
	return graph.List(names)
}

func (n Now) probeViews() []probeView {
	out := make([]probeView, len(n.Probes))
	for i, p := range n.Probes {
		out[i] = n.probeView(p)
	}
	return out
}

func (n Now) probeView(p Probe) probeView {
	v := probeView{
		Name: p.Name, Region: p.Region, Site: p.Site, Version: p.Version, State: p.State.String(), Glyph: graph.Up.Glyph(), Seen: "never",
	}
	if p.connected() {
		v.Fit = presence.Fitness(p.Qualified)
	}
	if p.Epoch != "" {
		v.Spool, v.Plan = thousands(p.Spool), fmt.Sprintf("r%d", p.Plan)
	}
	if p.ClockOffset != nil {
		v.Clock = graph.Offset(*p.ClockOffset)
	}
	if p.ASN != 0 {
		v.Network = fmt.Sprintf("AS%d", p.ASN)
	}
	if !p.LastSeen.IsZero() {
		v.Seen = graph.Span(n.At.Sub(p.LastSeen)) + " ago"
	}
	if p.relayed() {
		v.Through = p.Relay
	}
	if v.Sick = !p.connected() || p.unfit(); v.Sick {
		v.Glyph = graph.Unknown.Glyph()
	}
	v.Notice = strings.Join(n.oddities(p), "; ")
	v.Trouble = strings.Join(n.troublesOf(p), "; ")
	return v
}

// thousands writes what a probe counts.
func thousands(n uint64) string { return graph.Thousands(int(min(n, 1<<50))) }

// troublesOf is all that an operator should know of a probe, in a few words each.
func (n Now) troublesOf(p Probe) []string {
	var out []string
	if !p.connected() {
		out = append(out, p.State.String())
	} else if p.unfit() {
		out = append(out, "not fit to judge")
	}
	if p.relayed() {
		out = append(out, "through "+p.Relay)
	}
	return append(out, n.oddities(p)...)
}

// oddities are what is odd about a probe beside whether and how it reports.
func (n Now) oddities(p Probe) []string {
	var out []string
	if p.unfit() && p.Reason != "" {
		out = append(out, p.Reason)
	}
	for _, f := range p.Faults {
		out = append(out, faultWord(f))
	}
	if n.losing(p) {
		out = append(out, "lost "+records(p.Counts.Dropped))
	}
	if p.Notice != "" {
		out = append(out, p.Notice)
	}
	return out
}

// faultWord is what a fault is called; one that is not known yet is its own word.
func faultWord(f wire.Fault) string {
	switch f {
	case wire.FaultUDPBlocked:
		return "UDP is blocked"
	case wire.FaultNAT:
		return "behind NAT"
	case wire.FaultUnreachable:
		return "not reachable for others"
	case wire.FaultNoIPv4:
		return "no IPv4"
	case wire.FaultNoIPv6:
		return "no IPv6"
	}
	return string(f)
}

// lossesFor is how long a loss of records is told of.
const lossesFor = 24 * time.Hour

// losing says whether the probe has lost records lately.
func (n Now) losing(p Probe) bool { return !p.LostAt.IsZero() && n.At.Sub(p.LostAt) < lossesFor }

func records(n uint64) string { return graph.Count(int(min(n, 1<<50)), "record") }

// probesView is the page of the roster.
type probesView struct {
	Bar      bar
	Presence string
	Groups   []probeGroup
}

// probeGroup is one region of the roster.
type probeGroup struct {
	ID     string
	Name   string
	Newest string
	Probes []probeView
}

func (s *Server) probes(w http.ResponseWriter, r *http.Request) {
	s.withNow(w, r, func(_ context.Context, now Now) error {
		v := probesView{Bar: s.bar(now, "Probes"), Presence: presenceWords(now.Probes)}
		for _, region := range now.Regions {
			g := probeGroup{ID: "r-" + region.ID, Name: region.Name, Newest: "no observation yet"}
			if !region.Newest.IsZero() {
				g.Newest = "newest observation " + graph.Span(now.At.Sub(region.Newest)) + " ago"
			}
			for _, p := range now.Probes {
				if p.Region == region.ID {
					g.Probes = append(g.Probes, now.probeView(p))
				}
			}
			v.Groups = append(v.Groups, g)
		}
		if g := now.strays(); len(g.Probes) > 0 {
			v.Groups = append(v.Groups, g)
		}
		s.show(w, r, http.StatusOK, "probes.html", "varde: probes", v)
		return nil
	})
}

// strays are probes of regions that are no longer configured.
func (n Now) strays() probeGroup {
	g := probeGroup{ID: "strays", Name: "Regions that are not configured"}
	for _, p := range n.Probes {
		if !slices.ContainsFunc(n.Regions, func(r Region) bool { return r.ID == p.Region }) {
			g.Probes = append(g.Probes, n.probeView(p))
		}
	}
	return g
}
