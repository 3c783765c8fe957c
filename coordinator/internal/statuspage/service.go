package statuspage

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"time"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/page"
)

// serviceView is what the page of one service shows.
type serviceView struct {
	frame
	Hero                         heroView
	ID, Name, Words, Step, Range string
	Ranges                       []rangeView
	Legend                       []legendView
	Regions                      []serviceRegion
	Axis                         template.HTML
	// Mail says what became of test mails; empty where none was sent.
	Mail                             string
	HasLatency                       bool
	KeyP50, KeyP95, KeyP99           template.HTML
	BadgeWords, BadgeCode, GraphCode string
	GraphHeight                      int
}

type rangeView struct {
	Name    string
	Current bool
}

type serviceRegion struct {
	cellView
	Name           string
	Strip, Panel   template.HTML
	Uptime, Looked string
	P50, P95       string
}

func (s *Site) service(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	sp, ok := spanOf(r.URL.Query().Get("range"))
	if !ok {
		s.notice(w, r, http.StatusBadRequest, "There is no such range.", "Expected one of "+spanNames()+".")
		return
	}
	if !s.shows(r, id) {
		s.missing(w, r)
		return
	}
	s.send(w, r, "/service/"+id+"?range="+sp.name, func(ctx context.Context, all scene) (*page.Entity, error) {
		sc, ok := all.only(id)
		if !ok {
			return nil, fmt.Errorf("service %s is on the page and not in the snapshot", id)
		}
		p, err := s.readPast(ctx, sc.at, id, sp)
		if err != nil {
			return nil, err
		}
		mails, err := s.readMail(ctx, id, p)
		if err != nil {
			return nil, err
		}
		v := sc.serviceView(p)
		v.Mail = mails.Sentence(sc.at)
		v.Hero = sc.hero(time.Now())
		return s.views.entity("service.html", sc.title(), v.Hero.First+" "+v.Hero.Rest, v)
	})
}

// shows says whether the page of the request shows the service.
func (s *Site) shows(r *http.Request, service string) bool {
	for _, id := range s.pages[s.pageOf(r)].Services {
		if id == service {
			return true
		}
	}
	return false
}

func spanNames() string {
	var names []string
	for _, s := range spans() {
		names = append(names, s.name)
	}
	return strings.Join(names, ", ")
}

// serviceView is of a scene that holds one service.
func (s scene) serviceView(p past) serviceView {
	service := s.services[0]
	v := serviceView{
		frame: s.frame(navLink{"#embed", "For your site"}), ID: service.ID, Name: service.Name,
		Words: p.span.words, Step: stepWords(p.span.step), Range: p.span.name, Legend: legend(),
		Axis: p.window.Axis(p.window.Label(p.window.From), "now"), BadgeWords: s.badgeWords(service),
		KeyP50: lineKey("p50"), KeyP95: lineKey("p95"), KeyP99: lineKey("p99"),
		GraphHeight: graph.StandaloneHeight(len(s.regions)),
	}
	for _, sp := range spans() {
		v.Ranges = append(v.Ranges, rangeView{sp.name, sp.name == p.span.name})
	}
	scale := graph.ScaleOf(p.latencies()...)
	for _, region := range s.regions {
		r := s.serviceRegion(service, region, p, scale)
		v.HasLatency = v.HasLatency || r.P50 != ""
		v.Regions = append(v.Regions, r)
	}
	if s.page.URL != "" {
		base := strings.TrimSuffix(s.page.URL, "/")
		v.BadgeCode = fmt.Sprintf(`<img src="%s/badge/%s.svg" alt="%s status">`, base, service.ID, service.Name)
		v.GraphCode = fmt.Sprintf(`<img src="%s/graph/%s.svg?range=%s" alt="%s, %s">`, base, service.ID, p.span.name, service.Name, p.span.words)
	}
	return v
}

func (p past) latencies() [][]graph.LatencyPoint {
	out := make([][]graph.LatencyPoint, len(p.regions))
	for i, r := range p.regions {
		out[i] = r.Latency
	}
	return out
}

func (s scene) serviceRegion(service Service, region Region, p past, scale graph.Scale) serviceRegion {
	h := p.region(region.ID)
	cells := p.cells(h, ", "+region.Name+": ")
	gap := 0.0
	if len(cells) <= 100 {
		gap = 0.26
	}
	title := service.Name + " in " + region.Name + ", " + p.span.words
	r := serviceRegion{
		cellView: s.cell(service, region), Name: region.Name,
		Uptime: h.Uptime.Percent(2), Looked: graph.Looked(h.Coverage),
		Strip: graph.Strip{
			Words: graph.Words{ID: "s_" + region.ID, Title: title, Desc: graph.Describe(cells, "mark")},
			Cells: cells, Height: 30, Gap: gap,
		}.HTML(),
	}
	silent := graph.Silent(p.window, h.Tallies, h.Latency)
	panel := graph.Panel{
		Words:  graph.Words{ID: "l_" + region.ID, Title: "Latency of " + title, Desc: "No attempt completed."},
		Window: p.window, Points: h.Latency, Scale: scale, Height: 96, Silent: silent, Note: []string{"no attempt", "completed"}, Room: 0.2,
	}
	if t, ok := graph.Typical(h.Latency); ok {
		r.P50, r.P95 = graph.Latency(t.P50), "95 %: "+graph.Latency(t.P95)
		panel.Desc = fmt.Sprintf("Typically half of the attempts take up to %s, 95 of 100 up to %s, 99 of 100 up to %s; logarithmic scale.",
			graph.Latency(t.P50), graph.Latency(t.P95), graph.Latency(t.P99))
	}
	r.Panel = panel.HTML()
	return r
}

// stepWords says what one mark of a strip is.
func stepWords(step time.Duration) string {
	switch step {
	case 15 * time.Minute:
		return "a quarter of an hour"
	case time.Hour:
		return "an hour"
	case 24 * time.Hour:
		return "a day"
	}
	return graph.Span(step)
}

// lineKey is a short piece of a line, for the legend.
func lineKey(class string) template.HTML {
	return template.HTML(`<svg class="line" width="22" height="8" aria-hidden="true" focusable="false"><path class="` + class + `" d="M0 4H22"/></svg>`)
}
