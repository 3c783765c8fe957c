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
)

// probeView is one probe, in the overview and in the table.
type probeView struct {
	Name, Region, Site, Network string
	Glyph                       template.HTML
	// Sick probes do not judge, or have something to tell.
	Sick           bool
	State, Seen    string
	Version, Clock string
	Plan           string
	Spool          string
	Notice         string
}

// fit is the number of probes of a region that can judge now.
func (n Now) fit(region string) int {
	fit := 0
	for _, p := range n.Probes {
		if p.Region == region && p.Qualified && p.Connected {
			fit++
		}
	}
	return fit
}

// fitWords counts the probes that can judge and names those that cannot.
func fitWords(probes []Probe) string {
	var sick []string
	for _, p := range probes {
		if !p.Qualified || !p.Connected {
			sick = append(sick, p.Name)
		}
	}
	s := fmt.Sprintf("%d of %d fit to judge.", len(probes)-len(sick), len(probes))
	if len(sick) == 0 {
		return s
	}
	if len(sick) > 6 {
		sick = append(sick[:6:6], fmt.Sprintf("%d more", len(sick)-6))
	}
	return s + " Not: " + graph.List(sick) + "."
}

func (n Now) probeViews() []probeView {
	out := make([]probeView, len(n.Probes))
	for i, p := range n.Probes {
		out[i] = n.probeView(p)
	}
	return out
}

func (n Now) probeView(p Probe) probeView {
	fit := p.Qualified && p.Connected
	v := probeView{
		Name: p.Name, Region: p.Region, Site: p.Site, Version: p.Version, State: p.state(), Notice: p.Notice,
		Sick: !fit, Glyph: graph.Unknown.Glyph(), Spool: graph.Thousands(int(min(p.Spool, 1<<50))), Seen: "never",
		Clock: signed(p.ClockOffset), Plan: fmt.Sprintf("r%d", p.Plan),
	}
	if p.ASN != 0 {
		v.Network = fmt.Sprintf("AS%d", p.ASN)
	}
	if fit {
		v.Glyph = graph.Up.Glyph()
	}
	if !p.LastSeen.IsZero() {
		v.Seen = graph.Span(n.At.Sub(p.LastSeen)) + " ago"
	}
	if v.Sick && v.Notice == "" {
		v.Notice = v.State
		if p.Connected {
			v.Notice = "not qualified"
		}
	}
	return v
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
	Bar    bar
	Fit    string
	Groups []probeGroup
}

// probeGroup is one region of the roster.
type probeGroup struct {
	Name   string
	Newest string
	Probes []probeView
}

func (s *Server) probes(w http.ResponseWriter, r *http.Request) {
	s.withNow(w, r, func(_ context.Context, now Now) error {
		v := probesView{Bar: s.bar(now, "Probes"), Fit: fitWords(now.Probes)}
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
