package ops

import (
	"cmp"
	"context"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"time"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/verdict"
)

// noticeView is something that an operator should mend, and that says nothing of
// whether a service is up.
type noticeView struct {
	Class         string
	Glyph         template.HTML
	Title, Detail string
	// Checks and Probes are those that it is about.
	Checks, Probes []string
}

// Limits of the notices.
const (
	// maxNotices is how many the overview shows; the pages of the checks and probes
	// have all.
	maxNotices = 12
	// noticesFor is how long notices that were read stand: they change in days.
	noticesFor = 30 * time.Second
)

// standing is what notices are made of.
type standing struct {
	presented []Presented
	findings  []Findings
}

// readStanding returns what is presented and found now.
func (s *Server) readStanding(ctx context.Context) (standing, error) {
	return s.standing.Get(struct{}{}, func() (standing, error) {
		// Others wait for the same answer: it must not end with this request.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		presented, err := s.servers.Presented(ctx, "")
		if err != nil {
			return standing{}, fmt.Errorf("read what servers show: %w", err)
		}
		findings, err := s.servers.Findings(ctx, "")
		if err != nil {
			return standing{}, fmt.Errorf("read findings: %w", err)
		}
		return standing{presented, findings}, nil
	})
}

// notices are what is to be mended: what cannot wait, then the probes, then the
// coordinator itself, then of configured checks what ends first before what was found.
func (n Now) notices(now standing) []noticeView {
	views := append(alertViews(n.Notices, n.At), n.probeNotices()...)
	for _, own := range n.Own {
		views = append(views, noticeView{Class: graph.Slow.Class(), Glyph: graph.Slow.Glyph(), Title: own.Title, Detail: own.Detail})
	}
	presented := slices.DeleteFunc(slices.Clone(now.presented), func(p Presented) bool { return !n.has(p.Check) })
	for _, e := range endingsOf(presented, n.At) {
		views = append(views, e.notice(n.At))
	}
	for _, f := range findingViews(now.findings) {
		if n.has(f.check) {
			views = append(views, noticeView{
				Class: graph.Unknown.Class(), Glyph: graph.Unknown.Glyph(), Title: f.Code, Detail: f.Detail + " (" + f.SeenBy + ")", Checks: []string{f.check},
			})
		}
	}
	return views
}

// Alerts says what was found beside the verdicts, a line each.
func Alerts(list []verdict.Notice, now time.Time) []string {
	var out []string
	for _, v := range alertViews(list, now) {
		out = append(out, v.Title+" ("+graph.List(v.Checks)+"): "+v.Detail)
	}
	return out
}

// alertViews are what was found beside the verdicts: refused passwords, then each
// probe that is alone once, whatever it is alone with.
func alertViews(list []verdict.Notice, now time.Time) (views []noticeView) {
	var strays []noticeView
	for _, n := range list {
		v := noticeView{Detail: "since " + when(n.Since, now) + " UTC: " + n.Reason, Checks: []string{n.Check}}
		if n.Kind == verdict.Refused {
			v.Class, v.Glyph, v.Title = graph.Intermittent.Class(), graph.Intermittent.Glyph(), "Every login is refused"
			views = append(views, v)
			continue
		}
		v.Class, v.Glyph, v.Title = graph.Slow.Class(), graph.Slow.Glyph(), n.Probe+" sees what nobody else sees"
		if i := slices.IndexFunc(strays, func(s noticeView) bool { return s.Title == v.Title }); i >= 0 {
			strays[i].Checks = add(strays[i].Checks, n.Check)
			continue
		}
		strays = append(strays, v)
	}
	return append(views, strays...)
}

// findingView is one finding of a check, and who found it.
type findingView struct {
	check                string
	Code, Detail, SeenBy string
}

// findingViews are the different findings, by check and code. Those of which the
// probes say different things stand side by side.
func findingViews(all []Findings) []findingView {
	probes := map[findingView][]string{}
	for _, f := range all {
		for _, one := range f.List {
			v := findingView{check: f.Check, Code: one.Code, Detail: one.Detail}
			probes[v] = add(probes[v], f.Probe)
		}
	}
	out := make([]findingView, 0, len(probes))
	for v, who := range probes {
		v.SeenBy = graph.Count(len(who), "probe")
		if len(who) <= 3 {
			slices.Sort(who)
			v.SeenBy = strings.Join(who, ", ")
		}
		out = append(out, v)
	}
	slices.SortFunc(out, func(a, b findingView) int {
		return cmp.Or(cmp.Compare(a.check, b.check), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Detail, b.Detail))
	})
	return out
}
