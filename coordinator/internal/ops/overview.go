package ops

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/verdict"
)

// matrix is the last day of every check in every region.
type matrix struct {
	window   graph.Window
	strips   []Strip
	pictures *pictures
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
		return matrix{w, strips, &pictures{of: make(map[place]template.HTML, len(strips))}}, nil
	})
}

// pictures are the strips of a matrix. Each is drawn when it is first shown and stands
// as long as the matrix does: a page after a change of one verdict draws none again.
type pictures struct {
	mu sync.Mutex // protects of
	of map[place]template.HTML
}

// picture is the strip of a cell.
func (m matrix) picture(c cell) template.HTML {
	at := place{c.check.ID, c.region.ID}
	m.pictures.mu.Lock()
	defer m.pictures.mu.Unlock()
	if drawn, ok := m.pictures.of[at]; ok {
		return drawn
	}
	cells := pad(m.window, c.strip.Tallies)
	drawn := graph.Strip{
		Words: graph.Words{ID: fmt.Sprintf("m_%d", len(m.pictures.of)), Title: c.check.ID + " in " + c.region.Name + ", 24 hours", Desc: graph.Describe(cells, "quarter hour")},
		Cells: cells, Height: 18, Ground: 3,
	}.HTML()
	m.pictures.of[at] = drawn
	return drawn
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
	// Query is the text that is looked for, States what else the form must keep.
	Query, States string
	Chips         []chip
	Picks         []pick
	// Shown says how much of all is shown; Hidden, if trouble is not, and Reveal is
	// where it is.
	Shown, Hidden, Reveal string
	// Clear is where nothing is left out, empty if nothing is.
	Clear string
	// Heads are the columns that all groups have in common; none where each has its own.
	Heads []headView
	// Width is how many columns there are, in a word of the style sheet.
	Width  string
	Groups []groupView
	Axis   template.HTML
	// Found and All count the cells that the filter keeps and all there are.
	Found, All  int
	Presence    string
	Probes      []probeView
	Changes     []changeView
	MoreChanges int
	// Sick are the states that the script takes for trouble.
	Sick   string
	Script template.JS
}

// maxChanges is how many changes the overview lists.
const maxChanges = 20

func (s *Server) overview(w http.ResponseWriter, r *http.Request) {
	q := ask(r.URL.Query())
	f := q.filter()
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		if q.configured(now, f); q.err != nil {
			s.refuse(w, r, http.StatusBadRequest, q.err.Error())
			return nil
		}
		b, err := s.board(ctx, now, f)
		if err != nil {
			return err
		}
		s.views.overview.policy.Set(w.Header())
		s.show(w, r, http.StatusOK, "overview.html", "varde: overview", s.overviewOf(b))
		return nil
	})
}

// board reads what the overview is drawn from.
func (s *Server) board(ctx context.Context, now Now, f filter) (board, error) {
	m, err := s.readMatrix(ctx, now.At)
	if err != nil {
		return board{}, err
	}
	standing, err := s.readStanding(ctx)
	if err != nil {
		return board{}, err
	}
	open, err := s.incidents.Overlapping(ctx, now.At, now.At.Add(time.Second))
	if err != nil {
		return board{}, fmt.Errorf("read incidents: %w", err)
	}
	return board{now: now, matrix: m, filter: f, incidents: now.underWay(open), notices: now.notices(standing)}, nil
}

// underWay are the ways to the incidents that are not over, by their places.
func (n Now) underWay(r Register) map[place][]linkView {
	out := map[place][]linkView{}
	for _, i := range r.shown() {
		if i.Stage == incident.Resolved {
			continue
		}
		link := linkView{"/incident/" + i.ID, "incident since " + when(i.Started, n.At)}
		for _, m := range i.Members {
			at := place{m.Check, m.Region}
			out[at] = add(out[at], link)
		}
	}
	return out
}

// incidentsOf lead to the incidents of cells.
func (b board) incidentsOf(cells []cell) (links []linkView) {
	for _, c := range cells {
		for _, link := range b.incidents[place{c.check.ID, c.region.ID}] {
			links = add(links, link)
		}
	}
	return links
}

// mendsOf leads to the first notice of a check: on this page, or where it is not shown
// here on the check's own.
func (b board) mendsOf(check string) []linkView {
	count, to := 0, ""
	for i, v := range b.notices {
		if !slices.Contains(v.Checks, check) {
			continue
		}
		if count++; count > 1 {
			continue
		}
		if to = "/check/" + check; i < maxNotices {
			to = "#" + noticeID(i)
		}
	}
	if count == 0 {
		return nil
	}
	return []linkView{{to, graph.Thousands(count) + " to mend"}}
}

// noticeID names the i-th notice on the overview.
func noticeID(i int) string { return fmt.Sprintf("no_%d", i) }

func (s *Server) overviewOf(b board) overviewView {
	now, f := b.now, b.filter
	cells := now.cells(b.matrix.strips)
	kept, t := f.sift(cells)
	v := overviewView{
		Bar: s.bar(now, "Overview"), Headline: headline(cells), Query: f.text, States: strings.Join(f.states, ","), Chips: f.chips(t), Picks: now.picks(f, t),
		Found: len(kept), All: len(cells), Axis: b.matrix.window.NarrowAxis(), Presence: presenceWords(now.Probes), Probes: now.probeViews(),
		Sick: strings.Join(troubleStates(), ","), Script: s.views.overview.source,
	}
	v.Troubles, v.MoreTroubles = b.troubles(cells)
	v.Windows, v.MoreWindows = now.windowViews()
	v.Notices, v.MoreNotices = b.notices[:min(maxNotices, len(b.notices))], max(0, len(b.notices)-maxNotices)
	v.Shown, v.Hidden = remainder(cells, kept)
	reveal := f.cleared()
	if f.chooses() {
		v.Clear = reveal.address()
	}
	reveal.states = troubleStates()
	v.Reveal = reveal.address()
	regions := slices.DeleteFunc(slices.Clone(now.Regions), func(r Region) bool {
		return !slices.ContainsFunc(kept, func(c cell) bool { return c.region.ID == r.ID })
	})
	heads := b.heads(regions)
	v.Groups = b.groupViews(f.groups(kept), regions, heads)
	if f.group != "region" {
		v.Heads, v.Width = heads, width(len(heads))
	}
	v.Changes, v.MoreChanges = now.changeViews(maxChanges)
	return v
}

// width says how narrow columns must be: of more than 12 the table scrolls sideways.
func width(columns int) string {
	switch {
	case columns > 12:
		return "many"
	case columns > 7:
		return "dense"
	}
	return ""
}

// heads are the columns, each with the way to itself alone.
func (b board) heads(regions []Region) []headView {
	out := make([]headView, len(regions))
	for i, r := range regions {
		only := b.filter
		only.region = r.ID
		out[i] = headView{r.ID, r.Name, graph.Count(b.now.measuring(r.ID), "probe"), only.address()}
	}
	return out
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
