package statuspage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/page"
)

// svgPolicy lets a picture use its own style sheet when it is opened alone, and
// lets others show it.
func svgPolicy(css string) page.Policy {
	return page.Policy{Style: page.Source(css), Framed: true}
}

// graph sends /graph/{service}.svg, the graph alone.
func (s *Site) graph(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	id, isSVG := strings.CutSuffix(r.PathValue("file"), ".svg")
	if !isSVG || !s.shows(r, id) {
		s.missing(w, r)
		return
	}
	sp, ok := spanOf(r.URL.Query().Get("range"))
	if !ok {
		s.notice(w, r, http.StatusBadRequest, "There is no such range.", "Expected one of "+spanNames()+".")
		return
	}
	region := r.URL.Query().Get("region")
	known, err := s.hasRegion(r, id, region)
	if err != nil {
		s.unavailable(w, r)
		return
	}
	if !known {
		s.notice(w, r, http.StatusBadRequest, "There is no such region.", "Expected one that the page shows for this service, or none.")
		return
	}
	s.send(w, r, "/graph/"+id+"?range="+sp.name+"&region="+region, func(ctx context.Context, all scene) (*page.Entity, error) {
		sc, ok := all.only(id)
		if !ok {
			return nil, fmt.Errorf("service %s is on the page and not in the snapshot", id)
		}
		p, err := s.readPast(ctx, sc.at, id, sp)
		if err != nil {
			return nil, err
		}
		return page.NewEntity("image/svg+xml; charset=utf-8", sc.standalone(p, region).SVG(), svgPolicy(graph.StandaloneStyle())), nil
	})
}

// hasRegion says whether the service is checked from the region; the empty
// region means all.
func (s *Site) hasRegion(r *http.Request, service, region string) (bool, error) {
	if region == "" {
		return true, nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), readTimeout)
	defer cancel()
	now, err := s.readNow(ctx)
	if err != nil {
		return false, err
	}
	sc, ok := sceneOf(s.pages[s.pageOf(r)], now).only(service)
	if !ok {
		return false, nil
	}
	_, ok = sc.region(region)
	return ok, nil
}

func (s scene) standalone(p past, only string) graph.Standalone {
	service := s.services[0]
	g := graph.Standalone{Title: service.Name, Span: p.span.words, Source: s.page.Title, Window: p.window, At: s.at}
	for _, region := range s.regions {
		if only != "" && region.ID != only {
			continue
		}
		h := p.region(region.ID)
		r, _ := service.reading(region.ID)
		g.Rows = append(g.Rows, graph.StandaloneRow{
			Name: region.Name, Mark: r.mark(), Cells: p.cells(h, ", "+region.Name+": "),
			Uptime: h.Uptime, Coverage: h.Coverage, Points: h.Latency,
		})
	}
	return g
}

// badge sends /badge/{service}.svg, and .json as a shields.io endpoint.
func (s *Site) badge(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	id, isSVG := strings.CutSuffix(r.PathValue("file"), ".svg")
	id, isJSON := strings.CutSuffix(id, ".json")
	if isSVG == isJSON || !s.shows(r, id) {
		s.missing(w, r)
		return
	}
	s.send(w, r, "/badge/"+r.PathValue("file"), func(_ context.Context, all scene) (*page.Entity, error) {
		sc, ok := all.only(id)
		if !ok {
			return nil, fmt.Errorf("service %s is on the page and not in the snapshot", id)
		}
		service := sc.services[0]
		if isSVG {
			b := graph.Badge{Label: service.Name, Message: sc.badgeWords(service), Mark: sc.badgeMark(service)}
			return page.NewEntity("image/svg+xml; charset=utf-8", b.SVG(), svgPolicy(graph.BadgeStyle())), nil
		}
		body, err := json.Marshal(sc.shield(service))
		if err != nil {
			return nil, fmt.Errorf("write badge: %w", err)
		}
		return page.NewEntity("application/json; charset=utf-8", body, page.Policy{Framed: true}), nil
	})
}

// shieldJSON is what shields.io reads from an endpoint.
type shieldJSON struct {
	SchemaVersion int    `json:"schemaVersion"`
	Label         string `json:"label"`
	Message       string `json:"message"`
	Colour        string `json:"color"`
	// CacheSeconds is at least 300, which is the least that shields.io takes.
	CacheSeconds int `json:"cacheSeconds"`
}

func (s scene) shield(service Service) shieldJSON {
	colours := map[graph.Mark]string{
		graph.Up: "35594c", graph.Slow: "765600", graph.Intermittent: "934500", graph.Down: "9c1d18",
		graph.Maintenance: "3b5b87", graph.Unknown: "566069",
	}
	return shieldJSON{1, service.Name, s.badgeWords(service), colours[s.badgeMark(service)], 300}
}

// badgeMark is the worst of the regions. A service that is not measured
// somewhere shows that rather than that it works.
func (s scene) badgeMark(service Service) graph.Mark { return s.badgeShowing(service).mark }

func (s scene) badgeShowing(service Service) showing {
	shown := s.byShowing(service)
	if worst := service.worst(); worst > graph.Up {
		_, late := shown[showing{mark: worst, late: true}]
		_, slow := shown[showing{mark: worst}]
		return showing{mark: worst, late: late && !slow}
	}
	for _, gap := range []showing{{mark: graph.Unknown}, {mark: graph.Unknown, part: true}} {
		if _, ok := shown[gap]; ok {
			return gap
		}
	}
	return showing{mark: service.worst()}
}

// badgeWords says in a few words how the service is.
func (s scene) badgeWords(service Service) string {
	shown := s.badgeShowing(service)
	regions := s.byShowing(service)[shown]
	if len(regions) == 0 {
		return "not measured"
	}
	words := strings.ToLower(shown.word())
	if shown.part {
		words = "partly " + words
	}
	where := graph.List(regionNames(regions))
	switch {
	case shown.mark == graph.Up && len(regions) == 1:
		return "works from " + where
	case shown.mark == graph.Up:
		return "works everywhere"
	case len(regions) == len(service.Readings) && len(regions) > 1:
		return words + " everywhere"
	}
	return words + ": " + where
}
