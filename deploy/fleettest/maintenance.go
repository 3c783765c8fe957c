package fleettest

import (
	"net/url"
	"slices"
	"time"

	"varde/coordinator/server"
	"varde/deploy/scenario"
)

// pageEvery is how often the public page is read where maintenance is announced, and
// settled how long after an edge it is left alone.
const (
	pageEvery = time.Minute
	settled   = 5 * time.Second
)

// maintain announces the maintenance of a scenario.
func (f *Fleet) maintain(s scenario.Scenario, start time.Time) {
	f.t.Helper()
	for _, w := range s.Maintenance {
		f.Announce(server.Window{
			Kind: server.Maintenance, Services: s.ServicesOf(w), Regions: w.Regions,
			From: start.Add(time.Duration(w.From)), To: start.Add(time.Duration(w.To)),
		})
	}
}

// looks are the times at which the page is read: now and then, and at both sides of
// every edge; never where there is no maintenance.
func looks(s scenario.Scenario) (out []time.Duration) {
	var edges []time.Duration
	for _, w := range s.Maintenance {
		edges = append(edges, time.Duration(w.From), time.Duration(w.To))
	}
	if len(edges) == 0 {
		return nil
	}
	for at := pageEvery / 2; at < s.Length; at += pageEvery {
		out = append(out, at)
	}
	for _, edge := range edges {
		out = append(out, edge-settled, edge+settled)
	}
	return slices.DeleteFunc(out, func(at time.Duration) bool {
		return at < 0 || at >= s.Length || slices.ContainsFunc(edges, func(edge time.Duration) bool { return (at - edge).Abs() < settled })
	})
}

// readPage is what the public page says of every service in every region, nothing
// while there is no coordinator.
func (f *Fleet) readPage(at time.Duration) (out []scenario.Reading) {
	f.t.Helper()
	if f.server == nil {
		return nil
	}
	var doc struct {
		Components []struct {
			ID      string  `json:"id"`
			Name    string  `json:"name"`
			Status  string  `json:"status"`
			GroupID *string `json:"group_id"`
		} `json:"components"`
	}
	f.Public("/api/v2/components.json", &doc)
	services := make(map[string]string)
	for _, c := range doc.Components {
		if services[c.ID] = c.Name; c.GroupID != nil {
			out = append(out, scenario.Reading{At: at, Service: services[*c.GroupID], Region: c.Name, Status: c.Status})
		}
	}
	return out
}

// slots are a part of an estimate of /api/v1/numbers.
type slots struct {
	Up      float64 `json:"up_s"`
	Down    float64 `json:"down_s"`
	Unknown float64 `json:"unknown_s"`
}

func (s slots) sums() scenario.Slots {
	return scenario.Slots{Down: seconds(s.Down), All: seconds(s.Up + s.Down + s.Unknown)}
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// figures are the numbers of a play, nothing where there is no maintenance.
func (f *Fleet) figures(s scenario.Scenario, start, end time.Time) (out []scenario.Figures) {
	f.t.Helper()
	if len(s.Maintenance) == 0 {
		return nil
	}
	for _, service := range s.Services() {
		var doc struct {
			Regions []struct {
				Region string `json:"region"`
				slots
				Without     slots   `json:"without_maintenance"`
				Maintenance float64 `json:"maintenance_s"`
			} `json:"regions"`
		}
		q := url.Values{"service": {service}, "from": {start.Format(time.RFC3339)}, "to": {end.Format(time.RFC3339)}}
		f.Get("/api/v1/numbers?"+q.Encode(), &doc)
		for _, r := range doc.Regions {
			out = append(out, scenario.Figures{
				Service: service, Region: r.Region, Maintenance: seconds(r.Maintenance), Record: r.sums(), Objective: r.Without.sums(),
			})
		}
	}
	return out
}
