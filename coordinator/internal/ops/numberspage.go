package ops

import (
	"context"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/graph"
)

// accountKey names an account that is kept for a while: reading every minute of a month is
// dear.
type accountKey struct {
	service, span string
	curve         bool
}

// accountFor is how long an account is shown before it is read again.
const accountFor = time.Minute

// numbersSpans are the windows of the pages of numbers.
func numbersSpans() []span {
	const day = 24 * time.Hour
	return []span{
		{name: "24h", words: "24 hours", length: day},
		{name: "7d", words: "7 days", length: 7 * day},
		{name: "30d", words: "30 days", length: numbersFor},
		{name: "90d", words: "90 days", length: 90 * day},
	}
}

// places is how many decimals a percentage has: a minute of a month is 0.002 %.
const places = 3

// numbersView is what the list of all services shows.
type numbersView struct {
	Bar          bar
	Headline     string
	Words, Range string
	Ranges       []rangeView
	Services     []serviceNumbersView
}

// serviceNumbersView is one service of the list.
type serviceNumbersView struct {
	ID, Name, Objective string
	Rows                []numberRow
	Mail                string
}

// numberRow is one line of numbers: of a region, a family, or all.
type numberRow struct {
	Name            string
	Ratio, Interval string
	Looked, Label   string
	Runs            string
	Without         string
	Budget          template.HTML
	Left, LeftClass string
	Burn, BurnClass string
	Statuspage      string
}

// numbersSpan reads the range of a page; ok is false if it was refused.
func (s *Server) numbersSpan(w http.ResponseWriter, r *http.Request) (chosen span, ranges []rangeView, ok bool) {
	name, all := r.URL.Query().Get("range"), numbersSpans()
	if name == "" {
		name = "30d"
	}
	i := slices.IndexFunc(all, func(s span) bool { return s.name == name })
	if i < 0 {
		s.refuse(w, r, http.StatusBadRequest, fmt.Sprintf("range %q, expected one of 24h, 7d, 30d, 90d", name))
		return span{}, nil, false
	}
	for _, x := range all {
		ranges = append(ranges, rangeView{x.name, x.name == name})
	}
	return all[i], ranges, true
}

// keptAccount is an account that may be a minute old.
func (s *Server) keptAccount(ctx context.Context, now Now, service Service, sp span, curve bool) (account, error) {
	return s.accounts.Get(accountKey{service.ID, sp.name, curve}, func() (account, error) {
		return s.account(ctx, now, service, now.At.Add(-sp.length), now.At, curve)
	})
}

func (s *Server) numbersPage(w http.ResponseWriter, r *http.Request) {
	sp, ranges, ok := s.numbersSpan(w, r)
	if !ok {
		return
	}
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		v := numbersView{Bar: s.bar(now, "Numbers"), Words: sp.words, Range: sp.name, Ranges: ranges}
		var sum availability.Objectives
		for _, service := range now.Services {
			a, err := s.keptAccount(ctx, now, service, sp, false)
			if err != nil {
				return err
			}
			sum.Add(a.service.Objective(), a.Numbers)
			v.Services = append(v.Services, serviceNumbersView{
				ID: service.ID, Name: service.Name, Objective: objectiveWords(service), Rows: a.rows(now, "b_"+service.ID), Mail: a.mailWords(now.At),
			})
		}
		v.Headline = sum.Words(func(ids []string) string { return graph.List(now.regionNames(ids)) })
		s.show(w, r, http.StatusOK, "numbers.html", "varde: numbers", v)
		return nil
	})
}

// regionNames are the names of regions, each once, in the order of the configuration.
func (n Now) regionNames(ids []string) []string {
	var out []string
	for _, r := range n.Regions {
		if slices.Contains(ids, r.ID) {
			out = append(out, r.Name)
		}
	}
	return out
}

// objectiveWords is the promise, empty where there is none.
func objectiveWords(s Service) string {
	if s.SLO <= 0 {
		return ""
	}
	return "objective " + strconv.FormatFloat(s.SLO, 'f', -1, 64) + " %"
}

// mailWords is what became of the mails of a service.
func (a account) mailWords(at time.Time) string {
	switch {
	case a.mail.Sent > 0:
		return a.mail.Sentence(at)
	case a.round:
		return "No test mail was sent."
	}
	return ""
}

// rows are the lines of all regions, and of each if there are several.
func (a account) rows(now Now, id string) []numberRow {
	out := []numberRow{rowOf("All regions", id, a.Whole)}
	for i, r := range a.Regions {
		if len(a.Regions) > 1 {
			out = append(out, rowOf(now.regionName(r.Region), fmt.Sprintf("%s_%d", id, i), r.Figures))
		} else {
			out[0].Name = now.regionName(r.Region)
		}
	}
	return out
}

func rowOf(name, id string, f availability.Figures) numberRow {
	r := estimateRow(name, f.Measured)
	r.Without = graph.Ratio{Value: f.Counted.Ratio, Known: f.Counted.Known}.Percent(places)
	if f.Maintenance == 0 {
		r.Without = "no maintenance"
	}
	r.budget(id, f.Budget)
	r.burn(f.Burns)
	if f.Statuspage != nil {
		r.Statuspage = graph.Ratio{Value: *f.Statuspage, Known: true}.Percent(places)
	}
	return r
}

// estimateRow is a line with nothing but a ratio and what it rests on.
func estimateRow(name string, e availability.Estimate) numberRow {
	r := numberRow{
		Name: name, Ratio: graph.Ratio{Value: e.Ratio, Known: e.Known}.Percent(places), Looked: graph.Looked(e.Coverage), Label: e.Label(),
		Runs: graph.Thousands(int(e.Failed)) + " of " + graph.Count(int(e.Runs), "run") + " failed",
	}
	if e.Known {
		r.Interval = e.Interval(places)
		r.Runs += fmt.Sprintf(", as good as %s independent ones", graph.Thousands(int(e.Effective)))
	}
	return r
}

func (r *numberRow) budget(id string, b *availability.Budget) {
	if b == nil {
		return
	}
	used := graph.AtMost(b.Used) + " of " + graph.Span(b.Allowed) + " used"
	left, ok := b.Left()
	switch {
	case b.Remaining() < 0:
		r.Left, r.LeftClass = "overdrawn by "+graph.Span(-b.Remaining()), graph.Down.Class()
	case !ok:
		r.Left = "nothing is allowed, nothing was used"
	default:
		r.Left = graph.Ratio{Value: left, Known: true}.Percent(0) + " left, " + graph.Span(b.Remaining())
	}
	if !ok {
		left = min(float64(b.Remaining()), 1) // what allows nothing is full or overdrawn
	}
	r.Budget = graph.Budget{Words: graph.Words{ID: id, Title: "Error budget, " + r.Name, Desc: used + ": " + r.Left + "."}, Used: 1 - left}.HTML()
}

// burn says the gravest of what the rules say.
func (r *numberRow) burn(burns []availability.Burn) {
	for _, b := range burns {
		switch {
		case b.Exceeded():
			r.Burn, r.BurnClass = rateWords(b.LongRate)+" over "+graph.Span(b.Long), graph.Down.Class()
			return
		case b.LongRate != nil && r.Burn == "":
			r.Burn = "not too fast"
		}
	}
}

// rateWords is a burn rate: how many times as fast as the objective allows.
func rateWords(rate *float64) string {
	if rate == nil {
		return "not known"
	}
	if *rate >= 100 {
		return graph.Thousands(int(math.Round(*rate))) + " times"
	}
	return strconv.FormatFloat(math.Round(*rate*10)/10, 'f', -1, 64) + " times"
}
