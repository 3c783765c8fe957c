package evidence

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/page"
	"varde/coordinator/internal/verdict"
)

//go:embed summary.html
var summaryHTML string

//go:embed summary.css
var summaryCSS string

// Bounds of the lists of the summary. What is left out stands in the other files.
const (
	maxLines    = 300
	maxVerdicts = 300
	maxRows     = 100
)

// summaryView is what the summary shows.
type summaryView struct {
	Mast, Word          template.HTML
	Title, Rest, False  string
	Facts               []factView
	Signs               []string
	Step                string
	Legend              []legendView
	Axis                template.HTML
	Checks              []checkView
	Lines               []lineView
	MoreLines           int
	Failures            []failureView
	MoreFailures        int
	Verdicts            []verdictView
	MoreVerdicts        int
	Addresses           []addressRecord
	Certificates        []certificateView
	Moves               []moveRecord
	Probes              []probeView
	ID, Written, Author string
	Key                 string
}

type factView struct{ Name, Value string }

type legendView struct {
	Key  template.HTML
	Text string
}

type checkView struct {
	ID, Service          string
	Strips, Panels, Bars []rowView
}

type lineView struct{ At, By, Words string }

type failureView struct {
	Check, Region, Phase, Class, Counts, Probes, First, Last string
	Unknown                                                  bool
}

type verdictView struct {
	At, Series string
	Glyph      template.HTML
	Word       string
	Reason     string
}

type certificateView struct {
	chainRecord
	Where string
}

type probeView struct {
	probeRecord
	Region, Clock, Note string
}

// writeSummary writes the page.
func (c Case) writeSummary(w io.Writer, a *account) error {
	t, err := template.New("summary").Funcs(template.FuncMap{"moment": moment, "join": strings.Join, "region": c.regionName}).Parse(summaryHTML)
	if err != nil {
		return err
	}
	shell, err := page.NewShell(page.NewSheet(summaryCSS), true)
	if err != nil {
		return err
	}
	v := c.summary(a)
	var body bytes.Buffer
	if err := t.Execute(&body, v); err != nil {
		return err
	}
	doc, err := shell.HTML(page.Document{Title: "Evidence: " + v.Title, Body: template.HTML(body.String())})
	if err != nil {
		return err
	}
	_, err = w.Write(doc)
	return err
}

func (c Case) summary(a *account) summaryView {
	s := c.shown()
	v := summaryView{
		Mast: graph.Mast(s.Resolved.IsZero(), 26, "mast", ""), Word: graph.Wordmark(), Title: s.Title, Rest: s.Summary,
		Facts: c.facts(a), Step: graph.Span(a.window.Step), Axis: a.window.Axis(axisEnds(a.window)), Legend: legend(),
		Addresses: a.addressRecords(), Moves: c.moveRecords(), ID: c.Incident.ID, Written: moment(c.Written),
		Author: strings.TrimSpace(c.Coordinator + ", varde " + c.Version), Key: publicOf(c.Key),
	}
	if m := s.FalseAlarm; m != nil {
		v.False = m.By + ", " + moment(m.At) + ": " + m.Text
	}
	for _, sign := range c.Signs {
		v.Signs = append(v.Signs, sign.Words)
	}
	for i, t := range c.Checks {
		d := drawing{c: c, a: a, window: a.window, check: t.ID, regions: c.regionsOf(a, t.ID), number: i}
		v.Checks = append(v.Checks, checkView{t.ID, c.serviceName(t.Service), d.strips(), d.panels(), d.bars()})
	}
	for _, l := range s.Lines {
		v.Lines = append(v.Lines, lineView{moment(l.At), l.By, l.Words})
	}
	v.Lines, v.MoreLines = first(v.Lines, maxLines)
	v.Failures, v.MoreFailures = first(c.failures(a), maxRows)
	v.Verdicts, v.MoreVerdicts = first(c.changes(), maxVerdicts)
	v.Addresses, _ = first(v.Addresses, maxRows)
	v.Moves, _ = first(v.Moves, maxRows)
	for _, r := range a.chainRecords() {
		v.Certificates = append(v.Certificates, certificateView{r, c.regionNames(r.Regions)})
	}
	v.Certificates, _ = first(v.Certificates, maxRows)
	for _, p := range c.probeRecords(a) {
		v.Probes = append(v.Probes, probeView{p, c.regionName(p.Region), clockWords(p), probeNote(p)})
	}
	return v
}

// first are at most so many of a list, and how many more there are.
func first[T any](list []T, most int) (some []T, more int) {
	some = list[:min(most, len(list))]
	return some, len(list) - len(some)
}

// facts are the incident in a few lines.
func (c Case) facts(a *account) []factView {
	s := c.shown()
	facts := []factView{{"Began", moment(s.Started)}}
	add := func(name, value string) { facts = append(facts, factView{name, value}) }
	if s.Detected.IsZero() {
		add("Told", "it was recorded afterwards")
	} else {
		add("Told", moment(s.Detected)+", "+graph.Span(s.Detected.Sub(s.Started))+" later")
	}
	switch {
	case s.Resolved.IsZero():
		add("Over", "not when this was written")
	case s.Recovered.IsZero():
		add("Over", moment(s.Resolved))
	default:
		add("Well again", moment(s.Recovered)+", after "+graph.Span(s.Recovered.Sub(s.Started)))
	}
	if s.Intermittent {
		add("Kind", "its trouble came and went")
	}
	var services []string
	for _, id := range s.Services {
		services = append(services, c.serviceName(id))
	}
	add("Services", graph.List(services))
	add("Regions", c.regionNames(s.Regions))
	r := a.runs
	add("Runs", fmt.Sprintf("%s from %s: %s up, %s down, %s unknown", graph.Thousands(r.all()), graph.Count(len(a.probes), "probe"),
		graph.Thousands(r.Up), graph.Thousands(r.Down), graph.Thousands(r.Unknown)))
	add("Measured", "from "+moment(c.From)+" to "+moment(c.Until))
	return facts
}

// regionsOf are the regions from which a check was seen or judged, in the order of the
// configuration.
func (c Case) regionsOf(a *account, check string) []string {
	known := func(region string) bool {
		of := func(v Verdict) bool { return v.Check == check && v.Region == region }
		return a.places[site{check, region}] != nil || slices.ContainsFunc(c.Told, of) || slices.ContainsFunc(c.Final, of)
	}
	var out []string
	for _, r := range c.World.Regions {
		if known(r.ID) {
			out = append(out, r.ID)
		}
	}
	for _, s := range slices.SortedFunc(maps.Keys(a.places), site.compare) {
		if s.check == check && !slices.Contains(out, s.region) {
			out = append(out, s.region)
		}
	}
	return out
}

// changes are the verdicts that began in the window, in order of time: those that stand.
func (c Case) changes() []verdictView {
	type moved struct {
		Verdict
		from time.Time
	}
	var list []moved
	seen := make(map[verdict.Series]bool)
	for _, v := range slices.Concat(c.Final, c.Told) {
		if seen[v.Series] {
			continue
		}
		seen[v.Series] = true
		last := verdict.State(verdict.States)
		c.stands(v.Series, func(v Verdict, from, _ time.Time) {
			if v.State != last && from.After(c.From) {
				list = append(list, moved{v, from})
			}
			last = v.State
		})
	}
	slices.SortStableFunc(list, func(x, y moved) int {
		if n := x.from.Compare(y.from); n != 0 {
			return n
		}
		return x.Compare(y.Series)
	})
	out := make([]verdictView, 0, len(list))
	for _, m := range list {
		mark := graph.MarkOf(m.State)
		out = append(out, verdictView{moment(m.from), m.Check + ", " + c.regionName(m.Region) + ", " + m.Family.Name(), mark.Glyph(), mark.String(), m.Reason})
	}
	return out
}

// axisEnds are the words at the ends of the time axis; the days stand above.
func axisEnds(w graph.Window) (first, last string) {
	format := "2 Jan"
	if w.To.Sub(w.From) < 24*time.Hour {
		format = "15:04"
	}
	return w.From.Format(format), w.To.Format(format)
}

func legend() []legendView {
	var out []legendView
	for _, m := range []graph.Mark{graph.Up, graph.Slow, graph.Intermittent, graph.Down, graph.Unknown} {
		out = append(out, legendView{graph.Key(m), strings.ToLower(m.Public())})
	}
	return out
}
