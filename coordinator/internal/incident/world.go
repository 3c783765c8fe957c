package incident

import (
	"cmp"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// World is what the rules need to know of the configuration.
type World struct {
	Services []Service
	Checks   []Check
	Regions  []status.Region
	// Series are those that are judged, as far as that is known: a part is told from
	// the whole by those that are in no incident. Of a service without any, all checks
	// are taken to be asked from all regions, over the families that have trouble.
	Series []verdict.Series
}

// Service is one service of the configuration.
type Service struct{ ID, Name, Provider string }

// Check is one check of the configuration.
type Check struct {
	ID, Service string
	Kind        checks.Kind
	Depth       status.Depth
	Every       time.Duration
}

// atlas is a world in which things are found by name.
type atlas struct {
	World
	services map[string]Service
	checks   map[string]Check
	regions  map[string]status.Region
	// of are the checks of a service, series what is judged of it.
	of     map[string][]Check
	series map[string][]verdict.Series
}

func (w World) atlas() *atlas {
	a := &atlas{
		World: w, services: make(map[string]Service), checks: make(map[string]Check), regions: make(map[string]status.Region),
		of: make(map[string][]Check), series: make(map[string][]verdict.Series),
	}
	for _, s := range w.Services {
		a.services[s.ID] = s
	}
	for _, c := range w.Checks {
		a.checks[c.ID] = c
		a.of[c.Service] = append(a.of[c.Service], c)
	}
	for _, r := range w.Regions {
		a.regions[r.ID] = r
	}
	for _, s := range w.Series {
		if a.asks(s) {
			a.series[a.service(s.Check)] = append(a.series[a.service(s.Check)], s)
		}
	}
	return a
}

// asks says whether a series is one of this configuration.
func (a *atlas) asks(s verdict.Series) bool {
	_, check := a.checks[s.Check]
	_, region := a.regions[s.Region]
	return check && region
}

// service is the id of the service of a check; that of the check where it is not
// known.
func (a *atlas) service(check string) string { return cmp.Or(a.checks[check].Service, check) }

func (a *atlas) serviceName(id string) string { return cmp.Or(a.services[id].Name, id) }

func (a *atlas) regionName(id string) string { return cmp.Or(a.regions[id].Name, id) }

// named are the names of ids.
func named(ids []string, name func(string) string) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = name(id)
	}
	return out
}

// judged are the series of a service: those that are known, or every one that there
// could be over the given families.
func (a *atlas) judged(service string, families []checks.Family) []verdict.Series {
	if list := a.series[service]; len(list) > 0 {
		return list
	}
	var out []verdict.Series
	for _, c := range a.of[service] {
		for _, r := range a.Regions {
			for _, f := range families {
				out = append(out, verdict.Series{Check: c.ID, Region: r.ID, Family: f})
			}
		}
	}
	return out
}

// families are those that the given series have.
func families[T any](list []T, of func(T) checks.Family) []checks.Family {
	var out []checks.Family
	for _, x := range list {
		out = append(out, of(x))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func familyOf(m Member) checks.Family { return m.Family }
