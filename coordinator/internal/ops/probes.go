package ops

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"

	"varde/coordinator/internal/graph"
	"varde/proto/wire"
)

// probeView is one probe, in the overview and in the table.
type probeView struct {
	Name, Region, Site, Network string
	Glyph                       template.HTML
	// Sick probes do not report, or hold themselves unfit to judge. Trouble says
	// which, or what else an operator should know.
	Sick           bool
	Trouble        string
	State, Seen    string
	Version, Clock string
	Plan           string
	Spool          string
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

// presenceWords counts the probes that report, and names those that do not and
// those that should not be believed.
func presenceWords(probes []Probe) string {
	var silent, unfit []string
	for _, p := range probes {
		switch {
		case !p.connected():
			silent = append(silent, p.Name)
		case p.unfit():
			unfit = append(unfit, p.Name)
		}
	}
	s := fmt.Sprintf("%d of %d connected.", len(probes)-len(silent), len(probes))
	if len(silent) > 0 {
		s += " Silent: " + some(silent) + "."
	}
	if len(unfit) > 0 {
		s += " Not fit to judge: " + some(unfit) + "."
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
		Name: p.Name, Region: p.Region, Site: p.Site, Version: p.Version, State: p.State.String(), Notice: p.Notice, Fit: fitness(p.Qualified),
		Glyph: graph.Up.Glyph(), Trouble: p.Notice, Spool: graph.Thousands(int(min(p.Spool, 1<<50))), Seen: "never",
		Clock: signed(p.ClockOffset), Plan: fmt.Sprintf("r%d", p.Plan),
	}
	if p.ASN != 0 {
		v.Network = fmt.Sprintf("AS%d", p.ASN)
	}
	if !p.LastSeen.IsZero() {
		v.Seen = graph.Span(n.At.Sub(p.LastSeen)) + " ago"
	}
	if v.Sick = !p.connected() || p.unfit(); v.Sick {
		v.Glyph, v.Trouble = graph.Unknown.Glyph(), cmp.Or(p.Notice, trouble(p))
	}
	return v
}

// trouble says what is wrong with a probe that has no words of its own for it.
func trouble(p Probe) string {
	if p.connected() {
		return "not fit to judge"
	}
	return p.State.String()
}

// fitness answers whether a probe holds itself fit to judge.
func fitness(q wire.Qualification) string {
	switch q {
	case wire.Qualified:
		return "yes"
	case wire.Disqualified:
		return "no"
	}
	return "not judged"
}

// signed writes an offset with its sign: "+4 ms", "-1.2 s".
func signed(d time.Duration) string {
	ms := d.Round(time.Millisecond)
	sign := "+"
	if ms < 0 {
		sign, ms = "-", -ms
	}
	if ms < time.Second {
		return fmt.Sprintf("%s%d ms", sign, ms/time.Millisecond)
	}
	return sign + strings.TrimPrefix(graph.Latency(ms), "+")
}

// probesView is the page of the roster.
type probesView struct {
	Bar      bar
	Presence string
	Groups   []probeGroup
}

// probeGroup is one region of the roster.
type probeGroup struct {
	Name   string
	Newest string
	Probes []probeView
}

func (s *Server) probes(w http.ResponseWriter, r *http.Request) {
	s.withNow(w, r, func(_ context.Context, now Now) error {
		v := probesView{Bar: s.bar(now, "Probes"), Presence: presenceWords(now.Probes)}
		for _, region := range now.Regions {
			g := probeGroup{Name: region.Name, Newest: "no observation yet"}
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
	g := probeGroup{Name: "Regions that are not configured"}
	for _, p := range n.Probes {
		if !slices.ContainsFunc(n.Regions, func(r Region) bool { return r.ID == p.Region }) {
			g.Probes = append(g.Probes, n.probeView(p))
		}
	}
	return g
}
