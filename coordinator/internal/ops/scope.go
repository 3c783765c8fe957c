package ops

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
)

// span is a window that operators can choose.
type span struct {
	name, words  string
	length, step time.Duration
}

// spans are the windows that there are, the shortest first.
func spans() []span {
	const day = 24 * time.Hour
	return []span{
		{"1h", "1 hour", time.Hour, time.Minute},
		{"6h", "6 hours", 6 * time.Hour, time.Minute},
		{"24h", "24 hours", day, 5 * time.Minute},
		{"7d", "7 days", 7 * day, 30 * time.Minute},
		{"30d", "30 days", 30 * day, 2 * time.Hour},
		{"90d", "90 days", 90 * day, 6 * time.Hour},
		{"1y", "1 year", 365 * day, day},
	}
}

// span reads which of some windows is asked for, the usual one if none is.
func (q *question) span(all []span, usual string) span {
	var names []string
	for _, s := range all {
		names = append(names, s.name)
	}
	if i := slices.Index(names, q.oneOf("range", names)); i >= 0 {
		return all[i]
	}
	return all[slices.Index(names, usual)]
}

// usualSpan is the window where nobody chose one, for a check that began at the
// given time: the shortest of an hour or a day that holds all there is, a day at most.
func usualSpan(began, now time.Time) span {
	all := spans()
	hour, usual := all[0], all[2]
	if began.IsZero() || !began.Before(graph.Last(hour.length, hour.step, now).From) {
		return hour
	}
	return usual
}

// The bounds of a window that was chosen by its ends.
const (
	// maxSteps is how many steps a picture has: a step is two pixels or more of the
	// widest column.
	maxSteps = 400
	// minDrawn is the shortest window, five of the narrowest steps.
	minDrawn = 5 * minStep
	// maxDrawn is the longest: a year, and the day in which it began.
	maxDrawn = 367 * 24 * time.Hour
)

// stepFor is the narrowest round step of which the length has at most maxSteps.
func stepFor(length time.Duration) time.Duration {
	const day = 24 * time.Hour
	for _, step := range []time.Duration{minStep, 2 * minStep, 5 * minStep, 10 * minStep, 30 * minStep, time.Hour, 2 * time.Hour, 6 * time.Hour, 12 * time.Hour} {
		if length <= maxSteps*step {
			return step
		}
	}
	return day
}

// scope is what part of a history the graphs of a page draw. It stands in the address
// of the page, so that it can be passed on, and every switch is a link.
type scope struct {
	// span is one of spans; it has no length if nobody chose one, or if from and to
	// were chosen instead.
	span     span
	from, to time.Time
	// region is empty for all, family none for all, probe empty for all.
	region string
	family checks.Family
	probe  string
}

// scope reads range, or from and to, and region, family and probe.
func (q *question) scope() scope {
	out := scope{region: q.id("region"), probe: q.id("probe"), from: q.time("from", time.Time{}), to: q.time("to", time.Time{})}
	if word := q.oneOf("family", []string{"ipv4", "ipv6"}); word != "" && q.err == nil {
		if err := out.family.UnmarshalText([]byte(word)); err != nil {
			q.fail("family: %w", err)
		}
	}
	if name := q.values.Get("range"); name != "" {
		all := spans()
		i := slices.IndexFunc(all, func(s span) bool { return s.name == name })
		if i < 0 {
			q.fail("range %q, expected one of 1h, 6h, 24h, 7d, 30d, 90d, 1y", name)
			return out
		}
		out.span = all[i]
	}
	length := out.to.Sub(out.from)
	switch {
	case out.from.IsZero() && out.to.IsZero():
	case out.span.length != 0:
		q.fail("range and from or to are given, expected one of the two")
	case out.from.IsZero() || out.to.IsZero():
		q.fail("only one of from and to is given, expected both")
	case length < minDrawn || length > maxDrawn:
		q.fail("from %s to %s, expected 5 minutes to 366 days", out.from.Format(time.RFC3339), out.to.Format(time.RFC3339))
	}
	return out
}

// from puts a scope that names a probe into the region of that probe, and fails where
// there is no such probe.
func (n Now) from(q *question, c scope) scope {
	if c.probe == "" {
		return c
	}
	i := slices.IndexFunc(n.Probes, func(p Probe) bool { return p.Name == c.probe })
	switch {
	case i < 0:
		q.fail("probe %q is not on the roster", c.probe)
	case c.region != "" && c.region != n.Probes[i].Region:
		q.fail("probe %q is in region %q, not in %q", c.probe, n.Probes[i].Region, c.region)
	default:
		c.region = n.Probes[i].Region
	}
	return c
}

// settle chooses the span of a check where nobody did.
func (s *Server) settle(ctx context.Context, c scope, check string, now time.Time) (scope, error) {
	if c.span.length != 0 || !c.from.IsZero() {
		return c, nil
	}
	began, err := s.history.Began(ctx, check)
	if err != nil {
		return c, fmt.Errorf("read beginning of %s: %w", check, err)
	}
	c.span = usualSpan(began, now)
	return c, nil
}

// window is the time that is drawn, in steps that fit the picture.
func (c scope) window(now time.Time) graph.Window {
	if c.from.IsZero() {
		return graph.Last(c.span.length, c.span.step, now)
	}
	step := stepFor(c.to.Sub(c.from))
	w := graph.Window{From: c.from.Truncate(step), To: c.to.Truncate(step), Step: step}
	if w.To.Before(c.to) {
		w.To = w.To.Add(step)
	}
	return w
}

// over says whether a family is drawn.
func (c scope) over(f checks.Family) bool { return c.family == checks.NoFamily || c.family == f }

// words says how long, or from when to when.
func (c scope) words() string {
	if c.from.IsZero() {
		return c.span.words
	}
	const format = "2 Jan 2006, 15:04"
	to := c.to.Format(format)
	if c.from.Format(time.DateOnly) == c.to.Format(time.DateOnly) {
		to = c.to.Format("15:04")
	}
	return c.from.Format(format) + " to " + to + " UTC"
}

// end is the word at the right end of an axis.
func (c scope) end() string {
	if c.from.IsZero() {
		return "now"
	}
	return ""
}

// with is the query of this scope with one parameter changed, or without it if the
// value is empty.
func (c scope) with(name, value string) url.Values {
	out := url.Values{}
	if c.from.IsZero() {
		out.Set("range", c.span.name)
	} else {
		out.Set("from", c.from.Format(time.RFC3339))
		out.Set("to", c.to.Format(time.RFC3339))
	}
	if c.region != "" {
		out.Set("region", c.region)
	}
	if c.family != checks.NoFamily {
		out.Set("family", c.family.String())
	}
	if c.probe != "" && name != "region" { // a probe is in one region
		out.Set("probe", c.probe)
	}
	if out.Set(name, value); value == "" {
		out.Del(name)
	}
	return out
}

// drawnView is for the script: which window is drawn, in milliseconds since 1970, the
// query of its numbers, and whether the window moves on with the time.
type drawnView struct {
	From, To, Step int64
	Query          string
	Live           bool
}

func (c scope) drawn(check string, w graph.Window) drawnView {
	fixed := c
	fixed.from, fixed.to = w.From, w.To
	return drawnView{w.From.UnixMilli(), w.To.UnixMilli(), w.Step.Milliseconds(), fixed.with("check", check).Encode(), c.from.IsZero()}
}

// address is the page with one parameter changed.
func (c scope) address(name, value string) string { return "?" + c.with(name, value).Encode() }

// switchView is one position of a switch.
type switchView struct {
	Name, Link string
	Current    bool
}

// switches is a named row of positions.
type switches struct {
	Name      string
	Positions []switchView
}

// ranges are the windows that can be chosen.
func (c scope) ranges() []switchView {
	other := c
	other.from, other.to = time.Time{}, time.Time{}
	var out []switchView
	for _, x := range spans() {
		out = append(out, switchView{x.name, other.address("range", x.name), c.from.IsZero() && x.name == c.span.name})
	}
	return out
}

// switches are the regions, families and, of one region, probes of a check, where there
// is a choice.
func (c scope) switches(now Now, check checks.Target) []switches {
	regions := switches{"Region", []switchView{{"all", c.address("region", ""), c.region == ""}}}
	for _, r := range now.Regions {
		if check.In(r.ID) {
			regions.Positions = append(regions.Positions, switchView{r.Name, c.address("region", r.ID), c.region == r.ID})
		}
	}
	families := switches{"Family", []switchView{{"all", c.address("family", ""), c.family == checks.NoFamily}}}
	for _, f := range now.familiesOf(check) {
		if f != checks.NoFamily {
			families.Positions = append(families.Positions, switchView{f.Name(), c.address("family", f.String()), c.family == f})
		}
	}
	probes := switches{"Probe", []switchView{{"all", c.address("probe", ""), c.probe == ""}}}
	for _, p := range now.Probes {
		if c.region == p.Region {
			probes.Positions = append(probes.Positions, switchView{p.Name, c.address("probe", p.Name), c.probe == p.Name})
		}
	}
	return slices.DeleteFunc([]switches{regions, families, probes}, func(s switches) bool { return len(s.Positions) < 3 })
}
