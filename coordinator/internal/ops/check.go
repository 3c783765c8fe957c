package ops

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/verdict"
)

// checkQuery is what an operator asks of a check's page.
type checkQuery struct {
	scope
	// outcome restricts the list of observations; empty for all.
	outcome string
	// of, epoch and seq name the one observation to show, which is of a probe; seq is 0 for
	// none. The graphs are not of that probe alone.
	of, epoch string
	seq       uint64
}

// named says that one observation is asked for.
func (q checkQuery) named() bool { return q.of != "" && q.seq != 0 }

// checkView is what the page of one check shows.
type checkView struct {
	Bar            bar
	Service, ID    string
	Headline       string
	Meta           []metaView
	Words, Outcome string
	// Probe is the one of which the graphs are, empty for all.
	Probe    string
	Ranges   []switchView
	Switches []switches
	// All and Failed are the addresses of the lists of observations, Data the query of
	// the numbers that are drawn.
	All, Failed          string
	Data                 template.URL
	Drawn                drawnView
	Script               template.JS
	Axis, Letters        template.HTML
	Regions              []regionView
	HasLatency, HasPhase bool
	Classes              []classView
	ClassStep            string
	Changes              []changeView
	// Occasions are incidents and times that were announced.
	Occasions []occasionView
	// Moves are the changes of the server, Findings those of its configuration,
	// Shown what it presents now.
	Moves        []moveView
	Findings     []findingView
	Shown        []shownView
	MoreShown    int
	Observations []observationView
	One          *oneView
	// Gone says that the observation asked for is not in the journal.
	Gone bool
}

type metaView struct{ Before, Value, After string }

type rangeView struct {
	Name    string
	Current bool
}

type classView struct {
	Class, Where, Total string
	Bars                template.HTML
}

func (s *Server) check(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	q := ask(r.URL.Query())
	query := checkQuery{outcome: q.oneOf("outcome", []string{"up", "down", "unknown"}), epoch: r.URL.Query().Get("epoch"), scope: q.scope()}
	if v := r.URL.Query().Get("seq"); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			q.fail("seq %q, expected a whole number", v)
		}
		if query.seq = n; n != 0 {
			query.of, query.probe = query.probe, ""
		}
	}
	if q.err != nil {
		s.refuse(w, r, http.StatusBadRequest, q.err.Error())
		return
	}
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		if !now.has(id) {
			s.refuse(w, r, http.StatusNotFound, fmt.Sprintf("check %q is not configured", id))
			return nil
		}
		if now.expect(q, "", query.region); q.err == nil {
			query.scope = now.from(q, query.scope)
		}
		if q.err != nil {
			s.refuse(w, r, http.StatusBadRequest, q.err.Error())
			return nil
		}
		v, err := s.checkOf(ctx, now, now.checkOf(id), query)
		if err != nil {
			return err
		}
		s.views.graphs.policy.Set(w.Header())
		s.show(w, r, http.StatusOK, "check.html", "varde: "+id, v)
		return nil
	})
}

func (s *Server) checkOf(ctx context.Context, now Now, c checks.Target, q checkQuery) (checkView, error) {
	var err error
	if q.scope, err = s.settle(ctx, q.scope, c.ID, now.At); err != nil {
		return checkView{}, err
	}
	w := q.window(now.At)
	h, err := s.history.Check(ctx, CheckQuery{Check: c.ID, Region: q.region, Family: q.family, Probe: q.probe, Window: w})
	if err != nil {
		return checkView{}, fmt.Errorf("read history of %s: %w", c.ID, err)
	}
	sv, err := s.serverOf(ctx, c.ID, w)
	if err != nil {
		return checkView{}, err
	}
	events := now.turnsOf(c.ID, w)
	occasions, err := s.occasions(ctx, func(check string) bool { return check == c.ID }, w, h.Windows)
	if err != nil {
		return checkView{}, err
	}
	lines, letters := lettered(begun(occasions, w),
		timesOf(events, func(t turn) time.Time { return t.since }), timesOf(sv.moves, func(m moved) time.Time { return m.at }))
	d := drawing{now: now, check: c, scope: q.scope, window: w, history: h, lines: lines}
	v := checkView{
		Bar: s.bar(now, "Checks"), Service: now.serviceOf(c.Service).Name, ID: c.ID, Headline: now.checkHeadline(c.ID),
		Meta: now.meta(c), Words: q.words(), Outcome: q.outcome, Probe: q.probe, Axis: w.Axis("", q.end()),
		Findings: findingViews(sv.findings), Regions: d.regions(), Classes: d.classes(), ClassStep: graph.Span(w.Step),
	}
	v.Ranges, v.Switches = q.ranges(), q.switches(now, c)
	v.All, v.Failed = q.address("outcome", ""), q.address("outcome", "down")
	v.Data, v.Drawn, v.Script = template.URL(q.with("check", c.ID).Encode()), q.drawn(c.ID, w), s.views.graphs.source
	for i, x := range occasions {
		v.Occasions = append(v.Occasions, now.occasionView(x, letters[0][i]))
	}
	for i, event := range events {
		view := now.changeView(event)
		view.Letter = letters[1][i]
		v.Changes = append(v.Changes, view)
	}
	for i, m := range sv.moves {
		view := now.moveView(m)
		view.Letter = letters[2][i]
		v.Moves = append(v.Moves, view)
	}
	v.Shown, v.MoreShown = now.shownViews(sv.presented)
	if len(lines) > 0 {
		v.Letters = w.Letters(lines)
	}
	for _, r := range v.Regions {
		v.HasLatency = v.HasLatency || r.P50 != ""
		v.HasPhase = v.HasPhase || r.Stack != ""
	}
	v.Observations, v.One, err = s.observed(ctx, now, c, q)
	v.Gone = q.named() && v.One == nil
	return v, err
}

// checkHeadline says where the check is not up, and in how many regions it is.
func (n Now) checkHeadline(id string) string {
	up := 0
	var parts []string
	for _, r := range n.Regions {
		v := n.verdicts(func(v Verdict) bool { return v.Check == id && v.Region == r.ID })
		if len(v) == 0 {
			continue
		}
		w := worstOf(v)
		if w.state == verdict.Up {
			up++
			continue
		}
		part := n.word(w.state, id) + " in " + r.Name
		if !w.since.IsZero() {
			part += " since " + strings.TrimSuffix(when(w.since, n.At), w.since.UTC().Format(":05"))
		}
		parts = append(parts, part)
	}
	parts = append(parts, "up in "+graph.Count(up, "region"))
	return id + ": " + strings.Join(parts, ", ")
}

// serverView is what the server of a check showed in a window and shows now.
type serverView struct {
	moves     []moved
	findings  []Findings
	presented []Presented
}

// maxMoves is how many annotations are read for a page.
const maxMoves = 100

func (s *Server) serverOf(ctx context.Context, check string, w graph.Window) (v serverView, err error) {
	list, err := s.servers.Annotations(ctx, AnnotationQuery{Check: check, From: w.From, To: w.To, Limit: maxMoves})
	if err != nil {
		return v, fmt.Errorf("read annotations of %s: %w", check, err)
	}
	v.moves = moves(list)
	if v.findings, err = s.servers.Findings(ctx, check); err != nil {
		return v, fmt.Errorf("read findings of %s: %w", check, err)
	}
	if v.presented, err = s.servers.Presented(ctx, check); err != nil {
		return v, fmt.Errorf("read what the server of %s shows: %w", check, err)
	}
	return v, nil
}

// familiesOf are the address families over which a check is made: the configured
// ones, else those that its name turned out to have.
func (n Now) familiesOf(c checks.Target) []checks.Family {
	families := slices.Clone(c.Families)
	if len(families) == 0 {
		for _, v := range n.verdicts(func(v Verdict) bool { return v.Check == c.ID }) {
			families = append(families, v.Family)
		}
	}
	if len(families) == 0 { // it was never looked at
		families = []checks.Family{checks.IPv4, checks.IPv6}
	}
	slices.Sort(families)
	return slices.Compact(families)
}
