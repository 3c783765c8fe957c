package ops

import (
	"context"
	"errors"
	"time"

	"varde/checks"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

var _ Incidents = (*fakeIncidents)(nil)

// fakeIncidents are those of the fake: Oceania went dark, and yesterday logins came
// and went.
type fakeIncidents struct {
	register Register
	signs    []incident.Sign
	asked    [2]time.Time
	acts     []incident.Order
	on       []string
	fail     error
}

func (f *fakeIncidents) Overlapping(_ context.Context, from, to time.Time) (Register, error) {
	f.asked = [2]time.Time{from, to}
	return f.register, f.fail
}

func (f *fakeIncidents) Signs(context.Context, incident.Incident) ([]incident.Sign, error) {
	return f.signs, f.fail
}

func (f *fakeIncidents) Act(_ context.Context, id string, a incident.Order) (string, error) {
	if a.By == "" {
		return "", errors.New("got no name, expected who did it")
	}
	f.acts, f.on = append(f.acts, a), append(f.on, id)
	return id, nil
}

// worldOf is the configuration of the fake as the rules see it.
func worldOf(n Now) incident.World {
	var w incident.World
	for _, s := range n.Services {
		w.Services = append(w.Services, incident.Service{ID: s.ID, Name: s.Name, Provider: s.Provider})
	}
	for _, c := range n.Checks {
		w.Checks = append(w.Checks, incident.Check{ID: c.ID, Service: c.Service, Kind: c.Kind, Depth: status.DepthOf(c), Every: c.Every})
	}
	for _, r := range n.Regions {
		w.Regions = append(w.Regions, status.Region{ID: r.ID, Name: r.Name, Weight: r.Weight})
	}
	return w
}

// happened are the incidents that come of changes, each as a case.
func happened(w incident.World, until time.Time, changes ...verdict.Change) []incident.Case {
	var out []incident.Case
	for _, i := range incident.Derive(w, incident.Policy{}, changes, until) {
		i.Detected = i.Started.Add(9 * time.Second)
		out = append(out, incident.Case{Incident: i})
	}
	return out
}

func fell(check, region string, since time.Time, phase checks.Phase, class checks.Class) verdict.Change {
	return verdict.Change{
		Series: verdict.Series{Check: check, Region: region, Family: checks.IPv4}, From: verdict.Up, To: verdict.Down, At: since.Add(9 * time.Second), Since: since,
		Reason: string(class) + ", 3 of 3 probes, 9 s after the first failure", Counts: verdict.Counts{Down: 3},
		Evidence: verdict.Evidence{Part: verdict.ByFailures, Phase: phase, Class: class, Networks: []string{"192.0.2.0/24"}},
	}
}

func recovered(c verdict.Change, at time.Time) verdict.Change {
	return verdict.Change{Series: c.Series, From: verdict.Down, To: verdict.Up, At: at, Since: at, Reason: "3 good results in a row from 2 probes", Counts: verdict.Counts{Up: 3}}
}

// troubled is the fake with incidents: what Oceania has now, and a login that failed
// in the morning.
func troubled(f *fake) *fakeIncidents {
	w := worldOf(f.now)
	login := fell("imap-login", "us-east", morning.Add(-6*time.Hour), checks.Auth, checks.AuthTimeout)
	first, second := fell("imap-login", "oceania", dark, checks.Connect, checks.ConnectTimeout), fell("submission", "oceania", dark.Add(4*time.Second), checks.Connect, checks.ConnectTimeout)
	cases := happened(w, morning, login, recovered(login, morning.Add(-6*time.Hour+40*time.Minute)), first, second)
	return &fakeIncidents{
		register: Register{World: w, Cases: cases, AlsoSeen: map[string][]Sighting{cases[len(cases)-1].ID: {{Incident: "2026-11-22-post-00000", Provider: "Bergpost"}}}},
		signs:    []incident.Sign{{Name: "somewhere", Words: "TCP connects to IMAP and Outgoing mail time out from Oceania and work from elsewhere: looks like filtering by region.", Basis: []string{"2 series"}}},
	}
}
