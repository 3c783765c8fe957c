package ops

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"varde/coordinator/internal/graph"
	"varde/proto/wire"
)

// probePage is what the page of one probe shows.
type probePage struct {
	Bar bar
	probeView
	RegionName string
	Headline   string
	Facts      []factView
	// Mend are what an operator should do; Counts what happened, Since when.
	Mend   []mendView
	Counts []countView
	Since  string
	Peers  []string
	// Pulse is the probe over time.
	Pulse  pulseView
	Script template.JS
}

// factView is one fact, bold where it is trouble.
type factView struct {
	Name, Text string
	Bold       bool
}

// mendView is one thing to mend, and how.
type mendView struct{ Word, Advice string }

// countView is one count; it is bold where something is lost or refused.
type countView struct {
	N, Meaning string
	Bold       bool
}

func (s *Server) probe(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	q := ask(r.URL.Query())
	sp := q.span(pulseSpans(), "24h")
	if q.err != nil {
		s.refuse(w, r, http.StatusBadRequest, q.err.Error())
		return
	}
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		i := slices.IndexFunc(now.Probes, func(p Probe) bool { return p.Name == name })
		if i < 0 {
			s.refuse(w, r, http.StatusNotFound, fmt.Sprintf("probe %q is not in the roster", name))
			return nil
		}
		v := s.probePage(now, now.Probes[i])
		var err error
		if v.Pulse, err = s.pulsesOf(ctx, now, name, sp); err != nil {
			return err
		}
		v.Script = s.views.graphs.source
		s.views.graphs.policy.Set(w.Header())
		s.show(w, r, http.StatusOK, "probe.html", "varde: "+name, v)
		return nil
	})
}

func (s *Server) probePage(now Now, p Probe) probePage {
	v := probePage{
		Bar: s.bar(now, "Probe"), probeView: now.probeView(p), RegionName: p.Region, Headline: headlineOf(p),
		Facts: now.facts(p), Mend: now.mend(p), Since: "since its program started", Peers: p.Peers,
	}
	for _, region := range now.Regions {
		if region.ID == p.Region {
			v.RegionName = region.Name
		}
	}
	if at, ok := wire.EpochStart(p.Epoch); ok {
		v.Since += ", " + when(at, now.At) + " UTC by its clock"
	}
	if p.Epoch != "" {
		v.Counts = countViews(p.Counts)
	}
	return v
}

// headlineOf says whether the probe is there, how, and whether to believe it.
func headlineOf(p Probe) string {
	s := p.Name + ": " + p.State.String()
	if p.relayed() {
		s += " through " + p.Relay
	}
	if p.unfit() {
		s += ", not fit to judge"
	}
	return s
}

// facts are what is known of a probe now.
func (n Now) facts(p Probe) []factView {
	v := n.probeView(p)
	out := []factView{
		{"State", v.State + ", seen " + v.Seen, !p.connected()},
		{"Way", n.wayOf(p), p.relayed()},
		{"Fit to judge", n.fitOf(p), p.unfit()},
		{"Plan", n.planOf(p), p.Epoch != "" && p.Plan != n.Plan},
		{"Spool", waiting(p), false},
		{"Clock", clockOf(v), false},
		{"Site", v.Site, false},
		{"Network", v.Network, false},
		{"Mesh", p.MeshAddress, false},
		{"Version", v.Version, false},
		{"Epoch", p.Epoch, false},
	}
	return slices.DeleteFunc(out, func(f factView) bool { return f.Text == "" })
}

func clockOf(v probeView) string {
	if v.Clock == "" {
		return ""
	}
	return v.Clock + " against ours"
}

// wayOf says how the probe reports; nothing while it does not.
func (n Now) wayOf(p Probe) string {
	switch {
	case !p.connected() || p.Epoch == "":
		return ""
	case p.Relay == "":
		return "directly" + n.sinceWords(p.RelayedSince)
	}
	return "through " + p.Relay + n.sinceWords(p.RelayedSince)
}

// fitOf says whether the probe is fit to judge; nothing while it does not report.
func (n Now) fitOf(p Probe) string {
	if !p.connected() {
		return ""
	}
	switch p.Qualified {
	case wire.NotJudged:
		return "not judged: no control was asked"
	case wire.Qualified:
		return "yes" + n.sinceWords(p.QualifiedSince)
	}
	s := "no" + n.sinceWords(p.QualifiedSince)
	if p.Reason != "" {
		s += ": " + p.Reason
	}
	return s + "; its failures count as unknown"
}

func (n Now) planOf(p Probe) string {
	switch {
	case p.Epoch == "":
		return ""
	case p.Plan == n.Plan:
		return fmt.Sprintf("r%d, the newest", p.Plan)
	}
	return fmt.Sprintf("r%d, the newest is r%d", p.Plan, n.Plan)
}

func waiting(p Probe) string {
	switch {
	case p.Epoch == "":
		return ""
	case p.Spool == 0:
		return "empty"
	}
	return records(p.Spool) + " to send"
}

// sinceWords writes " since 10:42:00 UTC, 12 min"; nothing for the zero time.
func (n Now) sinceWords(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " since " + when(t, n.At) + " UTC, " + graph.Span(n.At.Sub(t))
}

// mend is what an operator should do about a probe.
func (n Now) mend(p Probe) []mendView {
	var out []mendView
	if p.connected() && p.unfit() {
		out = append(out, mendView{"not fit to judge", "see whether its network works; where many probes say so, see whether the controls do"})
	}
	if p.relayed() {
		out = append(out, mendView{"relayed", "no address of a coordinator answers it; see what is between the two: firewalls, routes, the addresses under advertise"})
	}
	for _, f := range p.Faults {
		out = append(out, mendView{faultWord(f), f.Advice(p.MeshAddress)})
	}
	if n.losing(p) {
		out = append(out, mendView{"loses records", "its spool lost " + records(p.Counts.Dropped) +
			", the last of them " + graph.Span(n.At.Sub(p.LostAt)) + " ago or before; see its log: its disk is full, or it was cut off for too long"})
	}
	if p.Notice != "" {
		out = append(out, mendView{"odd", p.Notice})
	}
	return out
}

// countViews are all counts; those of losses and refusals stand out when they are
// not zero.
func countViews(c wire.Counts) []countView {
	bad := wire.Counts{
		Late: c.Late, Missed: c.Missed, Panics: c.Panics, Dropped: c.Dropped, Disqualified: c.Disqualified,
		ConfirmsRefused: c.ConfirmsRefused, PlansRefused: c.PlansRefused, MeshRefused: c.MeshRefused,
	}.List()
	var out []countView
	for i, one := range c.List() {
		out = append(out, countView{thousands(one.N), one.Meaning, bad[i].N > 0})
	}
	return out
}
