package statuspage

import (
	"context"
	"html/template"
	"strings"

	"varde/coordinator/internal/graph"
)

// dayView is one service over ninety days.
type dayView struct {
	ID             string
	Name           string
	Open           bool
	Strip          template.HTML
	Uptime, Looked string
	Regions        []dayRegion
}

type dayRegion struct {
	Name           string
	Strip          template.HTML
	Uptime, Looked string
}

// troubleView is one finding, as seen from each region.
type troubleView struct {
	ID, Class, Title string
	Since            *stamp
	// Elsewhere says where the same services do work.
	Elsewhere string
	Figures   []figureView
}

type figureView struct {
	Caption string
	Rows    []figureRow
	Axis    template.HTML
}

type figureRow struct {
	Name  string
	Strip template.HTML
}

// The most that a page shows of what is wrong: more would hide the rest.
const (
	maxTroubles = 4
	maxFigures  = 3
)

// cells are the marks of one region's tallies, padded to the window.
func (p past) cells(h RegionHistory, where string) []graph.Cell {
	out := make([]graph.Cell, p.window.Cells())
	for i := range out {
		if i < len(h.Tallies) {
			out[i] = h.Tallies[i].Cell(p.window.Label(p.window.Start(i)) + where)
		}
	}
	return out
}

// days are the rows of ninety days with their axis.
func (s *Site) days(ctx context.Context, sc scene) ([]dayView, template.HTML, error) {
	ninety, _ := spanOf("90d")
	var out []dayView
	var axis template.HTML
	for _, service := range sc.services {
		p, err := s.readPast(ctx, sc.at, service.ID, ninety)
		if err != nil {
			return nil, "", err
		}
		v := sc.day(service, p)
		v.Open = len(out) == 0 && len(sc.services) == 1 || service.worst() == graph.Down && !anyOpen(out)
		out = append(out, v)
		axis = p.window.Axis(p.window.Label(p.window.From), "today")
	}
	return out, axis, nil
}

func anyOpen(days []dayView) bool {
	for _, d := range days {
		if d.Open {
			return true
		}
	}
	return false
}

// worst is the worst mark of the service in any region.
func (s Service) worst() graph.Mark {
	worst := graph.Unknown
	for _, r := range s.Readings {
		worst = max(worst, r.mark())
	}
	return worst
}

func (s scene) day(service Service, p past) dayView {
	v := dayView{ID: service.ID, Name: service.Name}
	merged := make([][]graph.Weighted, p.window.Cells())
	var sum weighted
	for _, region := range s.regions {
		if _, ok := service.reading(region.ID); !ok {
			continue
		}
		h := p.region(region.ID)
		cells := p.cells(h, ", "+region.Name+": ")
		for i, c := range p.cells(h, ": "+region.Name+" ") {
			merged[i] = append(merged[i], graph.Weighted{Cell: c, Weight: region.Weight})
		}
		sum.add(h, region.Weight)
		v.Regions = append(v.Regions, dayRegion{
			Name: region.Name, Uptime: h.Uptime.Percent(2), Looked: graph.Looked(h.Coverage),
			Strip: graph.Strip{
				Words: graph.Words{ID: "d_" + service.ID + "_" + region.ID, Title: service.Name + " in " + region.Name + ", 90 days", Desc: graph.Describe(cells, "day")},
				Cells: cells, Height: 26, Gap: 0.26,
			}.HTML(),
		})
	}
	cells := mergeAll(merged)
	v.Strip = graph.Strip{
		Words: graph.Words{ID: "d_" + service.ID, Title: service.Name + ", all regions, 90 days", Desc: graph.Describe(cells, "day")},
		Cells: cells, Height: 38, Gap: 0.26,
	}.HTML()
	v.Uptime, v.Looked = sum.uptime().Percent(2), graph.Looked(sum.coverage())
	return v
}

// mergeAll merges the regions of every cell. The day stands in front of the
// title once, not once a region.
func mergeAll(columns [][]graph.Weighted) []graph.Cell {
	out := make([]graph.Cell, len(columns))
	for i, c := range columns {
		out[i] = graph.Merge(c)
		if day, _, ok := strings.Cut(out[i].Title, ": "); ok {
			out[i].Title = day + ": " + strings.ReplaceAll(strings.TrimPrefix(out[i].Title, day+": "), "; "+day+": ", "; ")
		}
	}
	return out
}

// weighted is the mean of regions by the weight of their users. A region
// without a known uptime leaves it and brings coverage down.
type weighted struct{ up, upWeight, looked, weight float64 }

func (w *weighted) add(h RegionHistory, weight float64) {
	w.looked += weight * h.Coverage
	w.weight += weight
	if h.Uptime.Known {
		w.up += weight * h.Uptime.Value
		w.upWeight += weight
	}
}

func (w *weighted) uptime() graph.Ratio {
	if w.upWeight <= 0 {
		return graph.Ratio{}
	}
	return graph.Ratio{Value: w.up / w.upWeight, Known: true}
}

func (w *weighted) coverage() float64 {
	if w.weight <= 0 {
		return 0
	}
	return w.looked / w.weight
}

// troubles are the findings of the page with the last day as each region saw
// it.
func (s *Site) troubles(ctx context.Context, sc scene) ([]troubleView, error) {
	var out []troubleView
	for _, t := range sc.findings() {
		if !t.mark.Trouble() || len(out) == maxTroubles {
			break
		}
		v := troubleView{
			ID: "t_" + t.mark.Class() + "_" + t.services[0].ID, Class: t.mark.Class(),
			Title: strings.TrimSuffix(t.sentence(), "."), Elsewhere: sc.elsewhere(t),
		}
		if !t.since.IsZero() {
			v.Since = stampOf(t.since, sc.at)
		}
		for _, service := range t.services[:min(maxFigures, len(t.services))] {
			f, err := s.figure(ctx, sc, service, v.ID)
			if err != nil {
				return nil, err
			}
			v.Figures = append(v.Figures, f)
		}
		out = append(out, v)
	}
	return out, nil
}

// elsewhere names the regions in which every service of the finding works.
func (s scene) elsewhere(t trouble) string {
	var fine []Region
	for _, region := range s.regions {
		works := true
		for _, service := range t.services {
			r, ok := service.reading(region.ID)
			works = works && ok && r.showing().mark == graph.Up
		}
		if works {
			fine = append(fine, region)
		}
	}
	if len(fine) == 0 {
		return ""
	}
	who := "It works"
	if len(t.services) > 1 {
		who = "They work"
	}
	return who + " from " + graph.List(regionNames(fine)) + "."
}

func (s *Site) figure(ctx context.Context, sc scene, service Service, id string) (figureView, error) {
	day, _ := spanOf("24h")
	p, err := s.readPast(ctx, sc.at, service.ID, day)
	if err != nil {
		return figureView{}, err
	}
	v := figureView{Caption: service.Name + " as seen from each region, the last 24 hours", Axis: p.window.Axis("", "now")}
	for _, region := range sc.regions {
		if _, ok := service.reading(region.ID); !ok {
			continue
		}
		cells := p.cells(p.region(region.ID), ", "+region.Name+": ")
		v.Rows = append(v.Rows, figureRow{region.Name, graph.Strip{
			Words: graph.Words{ID: id + "_" + service.ID + "_" + region.ID, Title: service.Name + " from " + region.Name + ", the last 24 hours", Desc: graph.Describe(cells, "quarter hour")},
			Cells: cells, Height: 20,
		}.HTML()})
	}
	return v, nil
}
