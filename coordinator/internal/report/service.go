package report

import (
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"
	"time"

	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/graph"
)

// places is how many decimals a percentage has: a minute of a month is 0.002 %.
const places = 3

// serviceView is one service on the page.
type serviceView struct {
	ID, Name, Headline string
	Objective          string
	Kept               markView
	Rows               []numberView
	Families           []numberView
	Incidents          string
	Strips             []pictureView
	Curves             []pictureView
	CurveAxis          template.HTML
	Quiet              string
	Windows            []windowView
	Maintenance        []maintenanceView
	Mail               *mailView
}

// markView is a word with its shape: no finding is told by a colour alone.
type markView struct {
	Glyph       template.HTML
	Word, Class string
}

// numberView is a line of numbers: of all regions, of one, or of a family.
type numberView struct {
	Name, Ratio, Interval, Looked, Label string
	Without, Runs, Budget, Statuspage    string
	Kept                                 markView
}

// pictureView is a picture between its name and what it says.
type pictureView struct {
	Name          string
	Picture       template.HTML
	Value, Detail string
}

type windowView struct{ Length, Ratio, From string }

type maintenanceView struct{ From, To, Where string }

// mailView are the test mails of a service.
type mailView struct {
	Sentence string
	Cells    []cellView
}

type cellView struct{ Name, Value string }

func (r Report) serviceView(n int, s Service) serviceView {
	v := serviceView{
		ID: fmt.Sprintf("s%d", n), Name: s.Name, Headline: s.headline(), Incidents: strconv.Itoa(len(r.incidentsOf(s.ID))),
		Objective: "none", Kept: s.kept(s.Whole), Rows: r.rows(s), Strips: r.strips(n, s), Mail: r.mailOf(s),
	}
	if s.Objective > 0 {
		v.Objective = s.promise()
	}
	for _, f := range s.Families {
		v.Families = append(v.Families, estimated(f.Family.Name(), f.Estimate))
	}
	r.curves(&v, n, s)
	for _, w := range s.Maintenance {
		m := maintenanceView{moment(w.From), moment(w.To), "all regions"}
		if len(w.Regions) > 0 {
			m.Where = r.regionNames(w.Regions)
		}
		v.Maintenance = append(v.Maintenance, m)
	}
	return v
}

// promise is the objective as it was written, without the last digits of a float.
func (s Service) promise() string {
	return strconv.FormatFloat(math.Round(s.Objective*1e8)/1e6, 'f', -1, 64) + " %"
}

// headline is what was measured, in one sentence.
func (s Service) headline() string {
	e := s.Whole.Measured
	if !e.Known {
		return "It is not known how well " + s.Name + " could be reached."
	}
	words := s.Name + " could be reached " + availability.FormatPercent(e.Ratio, places) + " of the time"
	if !e.Enough() {
		return words + ", as far as was looked: " + e.Label() + "."
	}
	return words + "."
}

// kept is what became of the objective.
func (s Service) kept(f availability.Figures) markView {
	mark, word := graph.Unknown, "too little known"
	switch k := f.Kept(); {
	case s.Objective <= 0:
		return markView{Word: "none"}
	case k == availability.ObjectiveKept:
		mark, word = graph.Up, "kept"
	case k == availability.ObjectiveMissed:
		mark, word = graph.Down, "missed"
	}
	return markView{mark.Glyph(), word, mark.Class()}
}

// rows are the numbers of all regions, and of each if there are several.
func (r Report) rows(s Service) []numberView {
	out := []numberView{s.row("All regions", s.Whole)}
	if len(s.Regions) == 1 {
		out[0].Name = r.regionName(s.Regions[0].Region)
		return out
	}
	for _, x := range s.Regions {
		out = append(out, s.row(r.regionName(x.Region), x.Figures))
	}
	return out
}

func (s Service) row(name string, f availability.Figures) numberView {
	v := estimated(name, f.Measured)
	v.Kept = s.kept(f)
	v.Without = graph.Ratio{Value: f.Counted.Ratio, Known: f.Counted.Known}.Percent(places)
	if f.Maintenance == 0 {
		v.Without = "no maintenance"
	}
	if b := f.Budget; b != nil {
		v.Budget = usedWords(b.Used) + " of " + graph.Span(b.Allowed)
	}
	if f.Statuspage != nil {
		v.Statuspage = graph.Ratio{Value: *f.Statuspage, Known: true}.Percent(places)
	}
	return v
}

// usedWords is how much of a budget was used; no less than what was measured.
func usedWords(d time.Duration) string {
	if d <= 0 {
		return "nothing"
	}
	return graph.AtMost(d)
}

// estimated is a line with nothing but a ratio and what it rests on.
func estimated(name string, e availability.Estimate) numberView {
	return numberView{
		Name: name, Ratio: graph.Ratio{Value: e.Ratio, Known: e.Known}.Percent(places), Interval: e.Interval(places),
		Looked: graph.Looked(e.Coverage), Label: e.Label(),
		Runs: graph.Thousands(int(e.Failed)) + " of " + graph.Thousands(int(e.Runs)),
	}
}

// strips are the days of the month: the worst of all regions, and those of each if there
// are several.
func (r Report) strips(n int, s Service) (out []pictureView) {
	w := r.window()
	merged := make([][]graph.Weighted, w.Cells())
	for k, d := range s.Days {
		cells := make([]graph.Cell, w.Cells())
		for i := range min(len(cells), len(d.Tallies)) {
			day := w.Label(w.Start(i)) + ", " + r.regionName(d.Region) + ": "
			cells[i] = d.Tallies[i].Cell(day)
			merged[i] = append(merged[i], graph.Weighted{Cell: cells[i], Weight: d.Weight})
		}
		figures := s.of(d.Region)
		out = append(out, r.strip(fmt.Sprintf("d%d_%d", n, k), s, r.regionName(d.Region), cells[:len(d.Tallies):len(d.Tallies)], cells, figures))
	}
	if len(s.Days) == 1 {
		return out
	}
	all := make([]graph.Cell, w.Cells())
	come := 0
	for i := range all {
		all[i] = graph.Merge(merged[i])
		if len(merged[i]) > 0 {
			come = i + 1
		}
	}
	return slices.Insert(out, 0, r.strip(fmt.Sprintf("d%d", n), s, "All regions", all[:come], all, s.Whole))
}

// strip draws cells, of which those that have come are described.
func (r Report) strip(id string, s Service, where string, come, cells []graph.Cell, f availability.Figures) pictureView {
	e := f.Measured
	return pictureView{
		Name: where, Value: graph.Ratio{Value: e.Ratio, Known: e.Known}.Percent(places), Detail: graph.Looked(e.Coverage),
		Picture: graph.Strip{
			Words: graph.Words{ID: id, Title: s.Name + ", " + where + ", " + r.Month.Name(), Desc: graph.Describe(come, "day")},
			Cells: cells, Height: 28, Gap: 0.2,
		}.HTML(),
	}
}

// of are the figures of a region.
func (s Service) of(region string) availability.Figures {
	i := slices.IndexFunc(s.Regions, func(x availability.RegionFigures) bool { return x.Region == region })
	if i < 0 {
		return availability.Figures{}
	}
	return s.Regions[i].Figures
}

// curves draws the worst windows of all regions, and of each if there are several.
func (r Report) curves(v *serviceView, n int, s Service) {
	var quiet []string
	add := func(k int, name string, f availability.Figures) {
		if len(f.Curve) > 0 && !slices.ContainsFunc(f.Curve, availability.Worst.Bad) {
			quiet = append(quiet, name)
		} else if len(f.Curve) > 0 {
			c := graph.WorstWindows{Windows: f.Curve, Objective: s.Objective}
			c.Words = graph.Words{ID: fmt.Sprintf("w%d_%d", n, k), Title: "Worst windows of " + s.Name + ", " + name, Desc: c.Finding()}
			v.Curves = append(v.Curves, pictureView{Name: name, Picture: c.HTML(), Value: c.Desc})
			v.CurveAxis = c.Axis()
		}
	}
	add(0, v.Rows[0].Name, s.Whole)
	if len(v.Rows) > 1 {
		for k, x := range s.Regions {
			add(k+1, v.Rows[k+1].Name, x.Figures)
		}
	}
	v.Quiet = graph.List(quiet)
	for _, w := range s.Whole.Curve {
		if w.Bad() {
			v.Windows = append(v.Windows, windowView{graph.WindowName(w), availability.FormatPercent(w.Ratio, places), w.From.UTC().Format("2 Jan, 15:04")})
		}
	}
}

// mailOf is the ledger of the month; nil for a service that sends no mail.
func (r Report) mailOf(s Service) *mailView {
	m := s.Mail
	if m.Sent == 0 && !s.RoundTrip {
		return nil
	}
	if m.Sent == 0 {
		return &mailView{Sentence: "No test mail was sent."}
	}
	v := &mailView{Sentence: m.Sentence(r.Written)}
	count := func(name string, n int) { v.Cells = append(v.Cells, cellView{name, graph.Thousands(n)}) }
	count("sent", m.Sent)
	count("arrived", m.Arrived)
	count("in time", m.InTime)
	count("late", m.Late)
	count("among the junk", m.Junk)
	count("lost", m.Lost)
	count("pending", m.Pending)
	count("nobody can tell", m.Unknown)
	if m.Arrived > 0 {
		v.Cells = append(v.Cells, cellView{"half within", graph.Delay(m.P50)}, cellView{"95 of 100 within", graph.Delay(m.P95)}, cellView{"longest", graph.AtMost(m.Longest)})
	}
	return v
}
