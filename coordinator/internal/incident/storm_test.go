package incident_test

import (
	"fmt"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// A storm: 1,000 series of 25 services go down and come back every ten minutes, no two
// at the same moment.
func BenchmarkStorm(b *testing.B) {
	var w incident.World
	for r := range 10 {
		w.Regions = append(w.Regions, status.Region{ID: fmt.Sprint("r", r), Weight: 1})
	}
	for k := range 50 {
		service := fmt.Sprint("s", k/2)
		w.Services = append(w.Services, incident.Service{ID: service, Name: service})
		w.Checks = append(w.Checks, incident.Check{ID: fmt.Sprint("c", k), Service: service, Kind: checks.IMAP, Every: interval})
		for _, r := range w.Regions {
			w.Series = append(w.Series, verdict.Series{Check: fmt.Sprint("c", k), Region: r.ID, Family: v4}, verdict.Series{Check: fmt.Sprint("c", k), Region: r.ID, Family: v6})
		}
	}
	book := incident.New(w, incident.Policy{})
	clock, n := at("00:00"), 0
	for b.Loop() {
		s := w.Series[n%len(w.Series)]
		to := []verdict.State{down, up}[n/len(w.Series)%2]
		c := turn("00:00", s.Check, s.Region, to, over(s.Family), on(fmt.Sprintf("192.0.%s.0/24", s.Check[1:])))
		c.At, c.Since = clock, clock
		book.Observe(c)
		if n++; n%100 == 0 {
			book.Touched()
		}
		clock = clock.Add(300 * time.Millisecond)
	}
}
