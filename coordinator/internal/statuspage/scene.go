package statuspage

import (
	"slices"
	"time"

	"varde/coordinator/internal/graph"
)

// scene is what one page shows of one snapshot: its services and the regions
// from which they are checked.
type scene struct {
	page     Page
	at       time.Time
	began    time.Time
	regions  []Region
	services []Service
	// told are the bulletins that everyone sees, the newest first.
	told []Bulletin
	// work is what was announced, what begins last first.
	work []Work
}

// sceneOf picks from a snapshot what the page shows.
func sceneOf(p Page, now Now) scene {
	s := scene{page: p, at: now.At.UTC(), began: now.Began.UTC(), told: told(p, now.Bulletins), work: workOf(p, now.Work)}
	for _, id := range p.Services {
		if i := slices.IndexFunc(now.Services, func(x Service) bool { return x.ID == id }); i >= 0 {
			s.services = append(s.services, now.Services[i])
		}
	}
	for _, r := range now.Regions {
		if slices.ContainsFunc(s.services, func(x Service) bool { _, ok := x.reading(r.ID); return ok }) {
			s.regions = append(s.regions, r)
		}
	}
	return s
}

// only is the scene of one service alone.
func (s scene) only(id string) (scene, bool) {
	i := slices.IndexFunc(s.services, func(x Service) bool { return x.ID == id })
	if i < 0 {
		return scene{}, false
	}
	p := s.page
	p.Services = []string{id}
	return sceneOf(p, Now{At: s.at, Began: s.began, Regions: s.regions, Services: s.services[i : i+1]}), true
}

// reading is what a region says of the service.
func (s Service) reading(region string) (Reading, bool) {
	i := slices.IndexFunc(s.Readings, func(r Reading) bool { return r.Region == region })
	if i < 0 {
		return Reading{}, false
	}
	return s.Readings[i], true
}

// region finds a region of the scene.
func (s scene) region(id string) (Region, bool) {
	i := slices.IndexFunc(s.regions, func(r Region) bool { return r.ID == id })
	if i < 0 {
		return Region{}, false
	}
	return s.regions[i], true
}

// worst is the worst mark of a region over all its services.
func (s scene) worst(region string) graph.Mark {
	worst := graph.Unknown
	for _, service := range s.services {
		if r, ok := service.reading(region); ok {
			worst = max(worst, r.mark())
		}
	}
	return worst
}

// lit says whether something is wrong anywhere.
func (s scene) lit() bool {
	return slices.ContainsFunc(s.regions, func(r Region) bool { return s.worst(r.ID).Trouble() })
}

// newest is when the newest observation of all was made; zero if there is
// none.
func (s scene) newest() time.Time {
	var newest time.Time
	for _, r := range s.regions {
		if r.Newest.After(newest) {
			newest = r.Newest
		}
	}
	return newest
}

// probes is the number of places from which the page is measured.
func (s scene) probes() int {
	n := 0
	for _, r := range s.regions {
		n += r.Probes
	}
	return n
}
