package ops

import (
	"context"
	"fmt"
	"html/template"
	"strconv"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
)

// observationView is one line of the list.
type observationView struct {
	Link string
	// Time is the end of the run, by which the list is in order.
	Time    stamp
	Probe   string
	Family  string
	Glyph   template.HTML
	Class   string
	Outcome string
	Trigger string
	Elapsed string
	Phase   string
	Detail  string
	Current bool
}

// oneView is one observation, and the last one from the same place that
// worked.
type oneView struct {
	Line    string
	Flow    template.HTML
	Class   string
	Outcome string
	Where   string
	Code    string
	Detail  string
	Address string
	// TLS is what the server presented; nothing if it came not so far.
	TLS *shownView
	// Good is the last run that worked; nothing if there is none or if the
	// observation itself worked.
	GoodLine string
	GoodFlow template.HTML
}

// listed is how many observations a page lists.
const listed = 20

// observed reads the list of observations and the one to show: the one asked
// for, or else the newest that failed, or else the newest.
func (s *Server) observed(ctx context.Context, now Now, c checks.Target, q checkQuery) ([]observationView, *oneView, error) {
	query := ObservationQuery{Check: c.ID, Region: q.region, Family: q.family, Probe: q.probe, Limit: listed}
	if q.outcome != "" {
		var o checks.Outcome
		if err := o.UnmarshalText([]byte(q.outcome)); err != nil {
			return nil, nil, fmt.Errorf("read outcome: %w", err)
		}
		query.Outcomes = []checks.Outcome{o}
	}
	list, _, err := s.observations.Observations(ctx, query)
	if err != nil {
		return nil, nil, fmt.Errorf("read observations of %s: %w", c.ID, err)
	}
	one, ok, err := s.chosen(ctx, c, q, list)
	if err != nil {
		return nil, nil, err
	}
	out := make([]observationView, len(list))
	for i, o := range list {
		out[i] = viewOf(o, now.At, q)
		out[i].Current = ok && sameRun(o, one)
	}
	if !ok {
		return out, nil, nil
	}
	v, err := s.one(ctx, now, one)
	return out, v, err
}

func sameRun(a, b checks.Observation) bool {
	return a.Probe == b.Probe && a.Epoch == b.Epoch && a.Seq == b.Seq
}

func (s *Server) chosen(ctx context.Context, c checks.Target, q checkQuery, list []checks.Observation) (checks.Observation, bool, error) {
	if q.named() {
		found, _, err := s.observations.Observations(ctx, ObservationQuery{Check: c.ID, Probe: q.of, Epoch: q.epoch, Seq: q.seq, Limit: 1})
		if err != nil {
			return checks.Observation{}, false, fmt.Errorf("read observation %s %d: %w", q.of, q.seq, err)
		}
		if len(found) == 0 {
			return checks.Observation{}, false, nil
		}
		return found[0], true, nil
	}
	for _, o := range list {
		if o.Outcome != checks.Up {
			return o, true, nil
		}
	}
	if len(list) == 0 {
		return checks.Observation{}, false, nil
	}
	return list[0], true, nil
}

// outcomeMark is the shape of an outcome.
func outcomeMark(o checks.Outcome) graph.Mark {
	switch o {
	case checks.Up:
		return graph.Up
	case checks.Down:
		return graph.Down
	}
	return graph.Unknown
}

func viewOf(o checks.Observation, at time.Time, q checkQuery) observationView {
	mark := outcomeMark(o.Outcome)
	link := q.with("probe", o.Probe)
	link.Set("epoch", o.Epoch)
	link.Set("seq", strconv.FormatUint(o.Seq, 10))
	if q.outcome != "" {
		link.Set("outcome", q.outcome)
	}
	v := observationView{
		Link: "?" + link.Encode() + "#one", Time: stamp{o.End().UTC().Format(time.RFC3339Nano), when(o.End(), at)},
		Probe: o.Probe, Family: o.Family.String(), Glyph: mark.Glyph(), Class: mark.Class(), Outcome: o.Outcome.String(),
		Elapsed: graph.Exact(o.Elapsed), Phase: string(o.FailedPhase),
	}
	if o.Trigger != checks.Scheduled {
		v.Trigger = o.Trigger.String()
	}
	switch {
	case o.Class != "" && o.Detail != "":
		v.Detail = string(o.Class) + ": " + o.Detail
	default:
		v.Detail = string(o.Class) + o.Detail
	}
	return v
}

func (s *Server) one(ctx context.Context, now Now, o checks.Observation) (*oneView, error) {
	v := &oneView{
		Line: fmt.Sprintf("%s (%s), %s, %s UTC, no. %s, %s", o.Probe, now.regionName(o.Region), o.Family.Name(),
			o.Started.UTC().Format("2 Jan, 15:04:05.000"), graph.Thousands(int(min(o.Seq, 1<<50))), triggerWords(o.Trigger)),
		Class: outcomeMark(o.Outcome).Class(), Outcome: o.Outcome.String(), Code: string(o.Class), Detail: o.Detail, Address: o.Address,
	}
	if o.FailedPhase != "" {
		v.Where = "in " + string(o.FailedPhase)
	}
	if o.TLS != nil && len(o.TLS.Chain) > 0 {
		v.TLS = new(shownOf(o.TLS, now.At))
	}
	good := o
	if o.Outcome != checks.Up {
		found, _, err := s.observations.Observations(ctx, ObservationQuery{
			Check: o.Check, Probe: o.Probe, Family: o.Family, Outcomes: []checks.Outcome{checks.Up}, To: o.Started, Limit: 1,
		})
		if err != nil {
			return nil, fmt.Errorf("read last good observation: %w", err)
		}
		good = checks.Observation{}
		if len(found) > 0 {
			good = found[0]
			v.GoodLine = fmt.Sprintf("%s UTC, no. %s, %s, %s", good.Started.UTC().Format("2 Jan, 15:04:05"),
				graph.Thousands(int(min(good.Seq, 1<<50))), good.Address, graph.Exact(good.Elapsed))
			v.GoodFlow = flow(good, nil, "g", "Waterfall of the last run that worked")
		}
	}
	v.Flow = flow(o, good.Phases, "w", "Waterfall")
	return v, nil
}

func triggerWords(t checks.Trigger) string {
	switch t {
	case checks.Confirm:
		return "to confirm a failure"
	case checks.Manual:
		return "asked for by a person"
	}
	return "by schedule"
}

// flow is the waterfall of an observation. What the last good run went on to
// and this one did not stands below as not reached.
func flow(o checks.Observation, rest []checks.PhaseTiming, id, title string) template.HTML {
	w := graph.Waterfall{Words: graph.Words{ID: id, Title: title}, Total: o.Elapsed}
	seen := map[checks.Phase]bool{}
	for _, p := range o.Phases {
		seen[p.Name] = true
		w.Steps = append(w.Steps, graph.Step{Name: string(p.Name), Length: p.Duration, Failed: p.Name == o.FailedPhase})
	}
	for _, p := range rest {
		if !seen[p.Name] {
			w.Steps = append(w.Steps, graph.Step{Name: string(p.Name), Skipped: true})
		}
	}
	w.Desc = graph.Count(len(o.Phases), "phase") + ", " + graph.Exact(o.Elapsed)
	if o.FailedPhase != "" {
		w.Desc += ", failed in " + string(o.FailedPhase)
	}
	return w.HTML()
}
