package statuspage

import (
	"context"
	"html/template"
	"net/http"
	"time"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/page"
	"varde/coordinator/internal/status"
)

// frontView is what the front page shows.
type frontView struct {
	frame
	Hero  heroView
	Ridge template.HTML
	// Columns is the number of regions; Broad widens the page for many.
	Columns int
	Broad   bool
	Heads   []headView
	Rows    []rowView
	// Open are the incidents that go on, Past those that are over since recent.
	Open []bulletinView
	Past []pastView
	// Ahead is announced work that is under way or to come.
	Ahead     []workView
	Troubles  []troubleView
	SmallMast template.HTML
	Legend    []legendView
	Days      []dayView
	DayAxis   template.HTML
	Chevron   template.HTML
}

// headView is the head of a region's column.
type headView struct {
	Name, Age string
	// Silent says that nothing came from there for longer than silentFrom.
	Silent bool
}

// silentFrom is the age of the newest observation from which a region is said
// to have no data.
const silentFrom = 5 * time.Minute

type rowView struct {
	ID, Name string
	Cells    []cellView
}

// cellView is one service in one region, now.
type cellView struct {
	Region      string
	Glyph       template.HTML
	Class, Word string
	Small       string
	Quiet       bool
}

type legendView struct {
	Key  template.HTML
	Text string
}

// Regions up to manyRegions fit beside the names of the services at the usual
// width.
const manyRegions = 4

// nameShare is the part of the width that the names of the services take; the
// style sheet has the same numbers.
func nameShare(regions int) float64 {
	if regions > manyRegions {
		return 0.22
	}
	return 0.28
}

func (s *Site) front(w http.ResponseWriter, r *http.Request) {
	s.send(w, r, "/", func(ctx context.Context, sc scene) (*page.Entity, error) {
		v := frontView{
			frame: sc.frame(navLink{"#days", "90 days"}, navLink{"#past", "Incidents"}, navLink{"#data", "Data"}),
			Hero:  sc.hero(time.Now()), Ridge: sc.ridge(), Heads: sc.heads(), Rows: sc.rows(),
			Columns: min(8, len(sc.regions)), Broad: len(sc.regions) > manyRegions,
			Open: sc.open(), Past: sc.past(sc.at.Add(-recent)), Ahead: sc.ahead(),
			SmallMast: graph.Mast(true, 14, "", ""), Legend: legend(), Chevron: graph.Chevron(),
		}
		var err error
		if v.Troubles, err = s.troubles(ctx, sc); err != nil {
			return nil, err
		}
		if v.Days, v.DayAxis, err = s.days(ctx, sc); err != nil {
			return nil, err
		}
		return s.views.entity("front.html", sc.title(), v.Hero.First+" "+v.Hero.Rest, v)
	})
}

func (s scene) ridge() template.HTML {
	r := graph.Ridge{First: nameShare(len(s.regions))}
	for _, region := range s.regions {
		r.Regions = append(r.Regions, graph.Beacon{Name: region.Name, Lit: s.worst(region.ID).Trouble()})
	}
	return r.HTML()
}

func (s scene) heads() []headView {
	out := make([]headView, len(s.regions))
	for i, r := range s.regions {
		switch {
		case r.Newest.IsZero():
			out[i] = headView{r.Name, "no data yet", true}
		case s.silent(r):
			out[i] = headView{r.Name, "no data since " + clock(r.Newest, s.at), true}
		default:
			out[i] = headView{r.Name, "looked " + graph.Span(s.at.Sub(r.Newest)) + " ago", false}
		}
	}
	return out
}

// silent says that nothing came from a region for silentFrom, or ever.
func (s scene) silent(r Region) bool { return s.at.Sub(r.Newest) >= silentFrom }

func (s scene) rows() []rowView {
	out := make([]rowView, len(s.services))
	for i, service := range s.services {
		out[i] = rowView{ID: service.ID, Name: service.Name}
		for _, region := range s.regions {
			out[i].Cells = append(out[i].Cells, s.cell(service, region))
		}
	}
	return out
}

func (s scene) cell(service Service, region Region) cellView {
	r, ok := service.reading(region.ID)
	if !ok {
		return cellView{Region: region.Name, Word: "–", Quiet: true, Small: "not checked from here"}
	}
	mark := r.mark()
	return cellView{
		Region: region.Name, Glyph: mark.Glyph(), Class: mark.Class(), Word: showing{mark: mark, late: r.showing().late}.word(),
		Quiet: mark == graph.Up, Small: s.small(r, s.silent(region)),
	}
}

// small is the second line of a cell: since when, how often, or for how long
// nothing is known. A region that is not silent and has no verdict has too few
// probes, or too few runs, to have one.
func (s scene) small(r Reading, silent bool) string {
	switch mark := r.mark(); {
	case mark == graph.Up && r.Partial:
		return "a part is not measured"
	case mark == graph.Up:
		return ""
	case mark == graph.Intermittent && r.Runs > 0:
		return graph.Thousands(r.Failed) + " of " + graph.Count(r.Runs, "attempt")
	case mark == graph.Unknown && !r.LastAt.IsZero():
		return "no data since " + clock(r.LastAt, s.at)
	case mark == graph.Unknown && silent:
		return "no data yet"
	case mark == graph.Unknown:
		return "too little data yet"
	case !r.Since.IsZero() && r.Scope != status.Scope{}:
		return scopeWords(r.Scope) + ", since " + clock(r.Since, s.at)
	case !r.Since.IsZero():
		return "since " + clock(r.Since, s.at)
	}
	return scopeWords(r.Scope)
}

// legend says how to read a strip.
func legend() []legendView {
	return []legendView{
		{graph.Key(graph.Up), "works"},
		{graph.Key(graph.Slow), "slow"},
		{graph.Key(graph.Intermittent), "fails at times"},
		{graph.Key(graph.Down), "unreachable"},
		{graph.Key(graph.Maintenance), "maintenance"},
		{graph.Key(graph.Unknown), "gap: not measured"},
	}
}
