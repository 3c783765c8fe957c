package scenario

import (
	"slices"
	"testing"
	"time"
)

// TestSown: a scenario is played once with each of its seeds, or with as many as are
// asked for if it has one.
func TestSown(t *testing.T) {
	for _, tt := range []struct {
		noise Noise
		asked int
		names []string
		seeds []int
	}{
		{Noise{}, 0, []string{"loss"}, []int{0}},
		{Noise{}, 3, []string{"loss"}, []int{0}},
		{Noise{Seed: 7}, 0, []string{"loss"}, []int{7}},
		{Noise{Seed: 7}, 2, []string{"loss-seed-1", "loss-seed-2"}, []int{1, 2}},
		{Noise{Seed: 7, Seeds: 2}, 0, []string{"loss-seed-7", "loss-seed-8"}, []int{7, 8}},
		{Noise{Seeds: 2}, 0, []string{"loss-seed-1", "loss-seed-2"}, []int{1, 2}},
		{Noise{Seed: 7, Seeds: 2}, 1, []string{"loss-seed-1"}, []int{1}},
	} {
		var names []string
		var seeds []int
		for _, s := range (Scenario{Name: "loss", Noise: tt.noise}).Sown(tt.asked) {
			names, seeds = append(names, s.Name), append(seeds, s.Noise.Seed)
		}
		if !slices.Equal(names, tt.names) || !slices.Equal(seeds, tt.seeds) {
			t.Errorf("%+v, %d asked for: got %q with %v, want %q with %v", tt.noise, tt.asked, names, seeds, tt.names, tt.seeds)
		}
	}
}

// TestIncidentsOfNoise: where incidents are expected at all, each fault of a path is one,
// or a part of one that it lies close to; what is short may go unseen, or be seen of one
// service.
func TestIncidentsOfNoise(t *testing.T) {
	s := Scenario{
		Length: 100 * day, Regions: map[string]int{"a": 3, "b": 2}, Noise: Noise{Path: 0.5},
		Checks: map[string]Check{"imap": {Every: 30 * time.Second}, "banner": {Kind: "imap", Every: time.Minute}, "smtp": {Every: 30 * time.Second}},
	}
	if got := s.Unfold().ExpectIncidents; got != nil {
		t.Errorf("nothing is said of incidents: got %v", got)
	}
	s.ExpectIncidents = []ExpectedIncident{}
	s = s.Unfold()
	if n := len(s.ExpectIncidents); n != len(s.Faults) || n == 0 {
		t.Fatalf("got %d incidents of %d faults of paths", n, len(s.Faults))
	}
	for _, e := range s.ExpectIncidents {
		if !slices.Equal(e.Services, []string{"imap", "smtp"}) || e.permitted != (e.To-e.From < Offset(2*time.Minute)) {
			t.Errorf("got %+v, want it of both services, and permitted if it is shorter than two rounds of the slowest", e)
		}
	}
}

// TestJudgeIncidentsOfNoise: two faults of a path in eu and a short one in us.
func TestJudgeIncidentsOfNoise(t *testing.T) {
	both := []string{"imap", "smtp"}
	cause := func(region string, from, to time.Duration, short bool) ExpectedIncident {
		return ExpectedIncident{Services: both, Regions: []string{region}, From: Offset(from), To: Offset(to), ofNoise: true, permitted: short}
	}
	expect := []ExpectedIncident{cause("eu", 60*minute, 65*minute, false), cause("eu", 72*minute, 76*minute, false), cause("us", 300*minute, 301*minute, true)}
	told := func(id string, services []string, region string, from, to time.Duration) Incident {
		return Incident{ID: id, Services: services, Regions: []string{region}, Began: from, Ended: to, Told: true}
	}
	for name, tt := range map[string]struct {
		told                []Incident
		found, missed, lies int
	}{
		"as one":                   {[]Incident{told("a", both, "eu", 60*minute, 80*minute)}, 2, 0, 0},
		"as two":                   {[]Incident{told("a", both, "eu", 60*minute, 69*minute), told("b", both, "eu", 72*minute, 80*minute)}, 2, 0, 0},
		"one only":                 {[]Incident{told("a", both, "eu", 60*minute, 69*minute)}, 1, 1, 0},
		"of one service only":      {[]Incident{told("a", both[:1], "eu", 60*minute, 80*minute)}, 0, 2, 1},
		"the short one":            {[]Incident{told("a", both, "eu", 60*minute, 80*minute), told("b", both[:1], "us", 300*minute, 304*minute)}, 3, 0, 0},
		"the short one split":      {[]Incident{told("a", both, "eu", 60*minute, 80*minute), told("b", both[:1], "us", 300*minute, 304*minute), told("c", both[1:], "us", 300*minute, 304*minute)}, 3, 0, 1},
		"something at other times": {[]Incident{told("a", both, "eu", 60*minute, 80*minute), told("b", both, "us", 302*minute, 304*minute)}, 2, 0, 1},
		"something elsewhere":      {[]Incident{told("a", both, "eu", 60*minute, 80*minute), told("b", both, "as", 60*minute, 80*minute)}, 2, 0, 1},
		"split":                    {[]Incident{told("a", both, "eu", 60*minute, 80*minute), told("b", both, "eu", 61*minute, 80*minute)}, 2, 0, 1},
	} {
		s := Scenario{Length: 6 * time.Hour, ExpectIncidents: expect}
		if j := s.Judge(Record{Incidents: tt.told}, Record{}); j.Found != tt.found || j.Missed != tt.missed || j.False != tt.lies {
			t.Errorf("%s: got %+v, want %d found, %d missed, %d false", name, j, tt.found, tt.missed, tt.lies)
		}
	}
}
