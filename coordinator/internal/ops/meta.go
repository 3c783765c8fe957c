package ops

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"varde/checks"
	"varde/coordinator/internal/graph"
)

// meta says what the check asks, and how often. It shows no secret and no header,
// which may hold one.
func (n Now) meta(c checks.Target) []metaView {
	c = c.WithDefaults()
	out := []metaView{
		{"", cmp.Or(c.URL, tripWords(c)), ""},
		{"every ", graph.Span(c.Every), ", timeout " + graph.Span(c.Timeout)},
		{"", familyWords(n.familiesOf(c)), ""},
	}
	for _, part := range [][]metaView{webMeta(c), mailMeta(c), expectMeta(c.Expect)} {
		for _, m := range part {
			if m.Value != "" {
				out = append(out, m)
			}
		}
	}
	if slo := n.serviceOf(c.Service).SLO; slo > 0 {
		out = append(out, metaView{"objective ", strconv.FormatFloat(slo, 'f', -1, 64) + " %", ""})
	}
	return out
}

// tripWords are the two ends of a round trip.
func tripWords(c checks.Target) string {
	if c.Submit == nil || c.Receive == nil {
		return string(c.Kind)
	}
	return c.Submit.URL + " to " + c.Receive.URL
}

// webMeta is how a page is asked for.
func webMeta(c checks.Target) []metaView {
	var out []metaView
	if c.Redirects > 0 {
		out = append(out, metaView{"up to ", graph.Count(c.Redirects, "redirect"), ""})
	}
	if c.MaxBody > 0 {
		out = append(out, metaView{"body up to ", graph.Thousands(int(c.MaxBody)) + " bytes", ""})
	}
	if len(c.Headers) > 0 {
		out = append(out, metaView{"", graph.Count(len(c.Headers), "header"), " of our own"})
	}
	if c.Client != nil {
		out = append(out, metaView{"", "client certificate", ""})
	}
	return append(out, metaView{"method ", c.Method, ""}, metaView{"HTTP ", c.HTTP, ""})
}

// mailMeta is what is sent, from where to where, and as whom.
func mailMeta(c checks.Target) []metaView {
	out := []metaView{{"from ", c.From, ""}, {"to ", c.To, ""}, {"mail of ", c.Domain, ""}}
	if c.Kind == checks.RoundTrip {
		out = append(out, metaView{"route ", c.Route, ""}, metaView{"late after ", graph.Span(c.Late), ""})
	}
	for field, l := range c.Logins() {
		as := strings.TrimSuffix(strings.TrimSuffix(field, "login"), ".")
		if as != "" {
			as = " to " + as
		}
		out = append(out, metaView{"logs in as ", l.User, as + mechanismWords(l.Mechanism)})
	}
	return out
}

func mechanismWords(m checks.Mechanism) string {
	if m == "" {
		return ""
	}
	return ", " + string(m)
}

// expectMeta is what the answer must hold.
func expectMeta(e checks.Expect) []metaView {
	newest := ""
	if e.Newest {
		newest = ", newest header read"
	}
	out := []metaView{{"mailbox ", e.Mailbox, newest}, {"status ", string(e.Status), ""}, {"banner ", quoted(e.Banner), ""}}
	out = append(out, metaView{"body has ", quoted(e.Body), ""}, metaView{"body matches ", quoted(e.BodyRegexp), ""})
	if len(e.Answers) > 0 {
		answers := slices.Clone(e.Answers[:min(len(e.Answers), maxShown)])
		out = append(out, metaView{"answers ", strings.Join(answers, ", "), ""})
	}
	return out
}

func quoted(s string) string {
	if s == "" {
		return ""
	}
	return fmt.Sprintf("%q", s)
}
