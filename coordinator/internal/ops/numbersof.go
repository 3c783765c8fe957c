package ops

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/graph"
)

// accountView is what the page of one service's numbers shows.
type accountView struct {
	Bar            bar
	ID, Name       string
	Headline       string
	Words, Range   string
	From, To       stamp
	Ranges         []rangeView
	Objective      string
	Rows, Families []numberRow
	Curves         []curveView
	CurveAxis      template.HTML
	// Quiet are those without a picture, since nothing was down in any of their windows.
	Quiet       string
	CurveSince  string
	Burns       []burnView
	BurnHeads   []string
	Maintenance []maintenanceView
	Mail        string
}

type curveView struct {
	Name, Finding string
	Picture       template.HTML
}

// burnView is one region's burn rates, a cell a rule.
type burnView struct {
	Name  string
	Cells []burnCell
}

type burnCell struct {
	Long, Short string
	Exceeded    bool
}

type maintenanceView struct {
	From, To stamp
	Where    string
}

func (s *Server) serviceNumbersPage(w http.ResponseWriter, r *http.Request) {
	sp, ranges, ok := s.numbersSpan(w, r)
	if !ok {
		return
	}
	id := r.PathValue("service")
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		i := slices.IndexFunc(now.Services, func(x Service) bool { return x.ID == id })
		if i < 0 {
			s.refuse(w, r, http.StatusNotFound, fmt.Sprintf("service %q is not configured", id))
			return nil
		}
		a, err := s.keptAccount(ctx, now, now.Services[i], sp, true)
		if err != nil {
			return err
		}
		v := a.view(now)
		v.Bar, v.Words, v.Range, v.Ranges = s.bar(now, "Numbers"), sp.words, sp.name, ranges
		s.show(w, r, http.StatusOK, "account.html", "varde: numbers of "+v.Name, v)
		return nil
	})
}

func (a account) view(now Now) accountView {
	v := accountView{
		ID: a.service.ID, Name: a.service.Name, Headline: a.headline(), From: minuteOf(a.From), To: minuteOf(a.To),
		Objective: objectiveWords(a.service), Rows: a.rows(now, "b"), Mail: a.mailWords(now.At),
	}
	for _, f := range a.Families {
		v.Families = append(v.Families, estimateRow(f.Family.Name(), f.Estimate))
	}
	var quiet []string
	a.each(now, func(i int, name string, f availability.Figures) {
		if len(f.Curve) > 0 && !slices.ContainsFunc(f.Curve, availability.Worst.Bad) {
			quiet = append(quiet, name)
		} else if len(f.Curve) > 0 {
			c := graph.WorstWindows{Windows: f.Curve, Objective: a.service.Objective()}
			c.Words = graph.Words{ID: fmt.Sprintf("w_%d", i), Title: "Worst windows of " + a.service.Name + ", " + name, Desc: c.Finding()}
			v.Curves = append(v.Curves, curveView{name, c.Desc, c.HTML()})
			v.CurveAxis = c.Axis()
		}
		if len(f.Burns) > 0 {
			v.Burns = append(v.Burns, burnViewOf(name, f.Burns))
		}
	})
	v.Quiet = graph.List(quiet)
	for _, rule := range availability.BurnRules() {
		v.BurnHeads = append(v.BurnHeads, fmt.Sprintf("%s and %s, at most %v", graph.Span(rule.Long), graph.Span(rule.Short), rule.Rate))
	}
	if a.MinutesFrom.After(a.From) {
		v.CurveSince = minuteOf(a.MinutesFrom).Text
	}
	for _, w := range a.Maintenance {
		m := maintenanceView{From: minuteOf(w.From), To: minuteOf(w.To), Where: "all regions"}
		if len(w.Regions) > 0 {
			m.Where = graph.List(now.regionNames(w.Regions))
		}
		v.Maintenance = append(v.Maintenance, m)
	}
	return v
}

// each calls fn with the figures of all regions, and of each if there are several.
func (a account) each(now Now, fn func(i int, name string, f availability.Figures)) {
	fn(0, "All regions", a.Whole)
	for i, r := range a.Regions {
		if len(a.Regions) > 1 {
			fn(i+1, now.regionName(r.Region), r.Figures)
		}
	}
}

// headline is what was measured, in one sentence.
func (a account) headline() string {
	e := a.Whole.Measured
	if !e.Known {
		return "It is not known how well " + a.service.Name + " could be reached."
	}
	words := a.service.Name + " could be reached " + availability.FormatPercent(e.Ratio, places) + " of the time"
	if b := a.Whole.Budget; b != nil && b.Remaining() < 0 {
		words += ", less than was promised"
	}
	if !e.Enough() {
		words += ", as far as was looked: " + e.Label()
	}
	return words + "."
}

func burnViewOf(name string, burns []availability.Burn) burnView {
	v := burnView{Name: name}
	for _, b := range burns {
		v.Cells = append(v.Cells, burnCell{rateWords(b.LongRate), rateWords(b.ShortRate), b.Exceeded()})
	}
	return v
}

// minuteOf is a time to the minute, with its day.
func minuteOf(t time.Time) stamp { return stampOf(t, "2 Jan 2006, 15:04 UTC") }
