package ops

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/verdict"
)

// matrix is the last day of every check in every region.
type matrix struct {
	window graph.Window
	strips []Strip
}

// readMatrix returns the matrix in force.
func (s *Server) readMatrix(ctx context.Context, at time.Time) (matrix, error) {
	return s.strips.Get(struct{}{}, func() (matrix, error) {
		// Others wait for the same answer: it must not end with this request.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), readTimeout)
		defer cancel()
		w := graph.Last(24*time.Hour, 15*time.Minute, at)
		strips, err := s.history.Matrix(ctx, w)
		if err != nil {
			return matrix{}, fmt.Errorf("read matrix: %w", err)
		}
		return matrix{w, strips}, nil
	})
}

// overviewView is what the overview shows.
type overviewView struct {
	Bar      bar
	Headline string
	Troubles []troubleView
	// MoreTroubles are those that are not shown.
	MoreTroubles int
	// Windows are those in force and those to come.
	Windows     []windowView
	MoreWindows int
	// Notices are what is to be mended although everything may be up.
	Notices     []noticeView
	MoreNotices int
	Query       string
	State       string
	Chips       []chip
	Heads       []headView
	Rows        []rowView
	Axis        template.HTML
	// Found and All count the cells that the filter keeps and all there are.
	Found, All  int
	Presence    string
	Probes      []probeView
	Changes     []changeView
	MoreChanges int
}

type chip struct {
	Glyph   template.HTML
	Word    string
	Count   int
	Link    string
	Current bool
}

type headView struct {
	Name, Probes string
}

type rowView struct {
	// Service heads the first row of its checks.
	Service, Check, Kind string
	Cells                []cellView
}

type cellView struct {
	// Empty is a region that does not run the check, or a cell filtered away.
	Empty  bool
	Region string
	Strip  template.HTML
	Glyph  template.HTML
	Class  string
	Word   string
	Span   string
	Tail   string
	Bold   bool
}

// maxChanges is how many changes the overview lists.
const maxChanges = 20

func (s *Server) overview(w http.ResponseWriter, r *http.Request) {
	values := r.URL.Query()
	f := filter{text: values.Get("q"), state: values.Get("state")}
	if len(f.text) > 200 {
		f.text = f.text[:200]
	}
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		m, err := s.readMatrix(ctx, now.At)
		if err != nil {
			return err
		}
		standing, err := s.readStanding(ctx)
		if err != nil {
			return err
		}
		v := s.overviewOf(now, m, f)
		v.Notices, v.MoreNotices = now.notices(standing)
		s.show(w, r, http.StatusOK, "overview.html", "varde: overview", v)
		return nil
	})
}

func (s *Server) overviewOf(now Now, m matrix, f filter) overviewView {
	cells := now.cells(m.strips)
	v := overviewView{
		Bar: s.bar(now, "Overview"), Headline: headline(cells), Query: f.text, State: f.state,
		All: len(cells), Axis: m.window.NarrowAxis(), Presence: presenceWords(now.Probes), Probes: now.probeViews(),
	}
	v.Troubles, v.MoreTroubles = now.troubles(cells)
	v.Windows, v.MoreWindows = now.windowViews()
	v.Chips = chips(cells, f)
	kept := slices.DeleteFunc(slices.Clone(cells), func(c cell) bool { return !f.keeps(c) })
	v.Found = len(kept)
	regions := slices.DeleteFunc(slices.Clone(now.Regions), func(r Region) bool {
		return !slices.ContainsFunc(kept, func(c cell) bool { return c.region.ID == r.ID })
	})
	for _, r := range regions {
		v.Heads = append(v.Heads, headView{r.Name, graph.Count(now.measuring(r.ID), "probe")})
	}
	v.Rows = now.rows(kept, regions, m.window)
	v.Changes, v.MoreChanges = now.changeViews(maxChanges)
	return v
}

// headline counts the cells and says the worst.
func headline(cells []cell) string {
	up := 0
	var bad []cell
	for _, c := range cells {
		if c.worst.state == verdict.Up {
			up++
		}
		if c.worst.mark().Trouble() {
			bad = append(bad, c)
		}
	}
	s := fmt.Sprintf("%d of %s up.", up, graph.Count(len(cells), "verdict"))
	if len(bad) == 0 {
		return s
	}
	slices.SortStableFunc(bad, func(a, b cell) int { return int(b.worst.state) - int(a.worst.state) })
	var regions []string
	for _, c := range bad {
		if !slices.Contains(regions, c.region.Name) {
			regions = append(regions, c.region.Name)
		}
	}
	return s + " Trouble in " + graph.List(regions) + "."
}

// chips count the states and lead to each.
func chips(cells []cell, f filter) []chip {
	link := func(state string) string {
		v := url.Values{}
		if f.text != "" {
			v.Set("q", f.text)
		}
		if state != "" {
			v.Set("state", state)
		}
		if len(v) == 0 {
			return "/"
		}
		return "/?" + v.Encode()
	}
	out := []chip{{Word: "all", Count: len(cells), Link: link(""), Current: f.state == ""}}
	for _, m := range []graph.Mark{graph.Down, graph.Intermittent, graph.Slow, graph.Unknown, graph.Up} {
		n := 0
		for _, c := range cells {
			if c.worst.mark() == m {
				n++
			}
		}
		out = append(out, chip{m.Glyph(), m.String(), n, link(m.String()), f.state == m.String()})
	}
	return out
}

// rows are the checks that have a cell left, with a place for every region.
func (n Now) rows(kept []cell, regions []Region, w graph.Window) []rowView {
	at := make(map[place]cell, len(kept))
	for _, c := range kept {
		at[place{c.check.ID, c.region.ID}] = c
	}
	var out []rowView
	service := ""
	for _, c := range n.Checks {
		row := rowView{Check: c.ID, Kind: kindWords(c)}
		found := false
		for _, r := range regions {
			x, ok := at[place{c.ID, r.ID}]
			if !ok {
				row.Cells = append(row.Cells, cellView{Empty: true, Region: r.ID})
				continue
			}
			found = true
			row.Cells = append(row.Cells, n.view(x, w, fmt.Sprintf("m_%d_%d", len(out), len(row.Cells))))
		}
		if !found {
			continue
		}
		if name := n.serviceOf(c.Service).Name; c.Service != service {
			row.Service, service = name, c.Service
		}
		out = append(out, row)
	}
	return out
}

// kindWords says how a check asks: "imaps", or "imaps 1993" where its port is
// not the usual one.
func kindWords(c checks.Target) string {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme == "" {
		return string(c.Kind)
	}
	return strings.TrimSpace(u.Scheme + " " + u.Port())
}

func (n Now) view(c cell, w graph.Window, id string) cellView {
	mark := c.worst.mark()
	cells := pad(w, c.strip.Tallies)
	v := cellView{
		Region: c.region.ID, Glyph: mark.Glyph(), Class: mark.Class(), Word: n.word(c.worst.state, c.check.ID), Bold: mark != graph.Up,
		Strip: graph.Strip{
			Words: graph.Words{ID: id, Title: c.check.ID + " in " + c.region.Name + ", 24 hours", Desc: "Now " + n.word(c.worst.state, c.check.ID) + ". " + graph.Describe(cells, "quarter hour")},
			Cells: cells, Height: 18, Ground: 3,
		}.HTML(),
	}
	if !c.worst.since.IsZero() {
		v.Span = graph.Span(n.At.Sub(c.worst.since))
	}
	switch {
	case mark == graph.Up && c.strip.P50 > 0:
		v.Tail = graph.Latency(c.strip.P50)
	case mark.Trouble():
		v.Tail = string(c.strip.Phase)
	}
	if c.worst.mixed {
		v.Tail = strings.Trim(v.Tail+", "+familyWords(c.worst.families), ", ")
	}
	return v
}
