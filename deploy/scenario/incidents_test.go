package scenario

import (
	"slices"
	"testing"
	"time"
)

// TestJudgeIncidents: one is expected from the hour on for an hour, of imap and smtp in
// eu; the play ends with the sixth.
func TestJudgeIncidents(t *testing.T) {
	strikes := func(id string, from, to time.Duration) Incident {
		return Incident{ID: id, Services: []string{"smtp", "imap"}, Regions: []string{"eu"}, Began: from, Ended: to, Told: true}
	}
	with := func(i Incident, change func(*Incident)) []Incident {
		change(&i)
		return []Incident{i}
	}
	both := map[string]Check{"imap": {Every: 30 * time.Second}, "banner": {Kind: "smtp", Every: 30 * time.Second}}
	hour := strikes("a", 60*minute, 123*minute)
	e := ExpectedIncident{Services: []string{"imap", "smtp"}, Regions: []string{"eu"}, From: Offset(60 * minute), To: Offset(120 * minute)}
	late, flaps := e, e
	late.History, flaps.Intermittent = true, true
	afterwards := with(hour, func(i *Incident) { i.Told = false })
	for name, tt := range map[string]struct {
		expect        []ExpectedIncident
		told, final   []Incident
		found, missed int
		falsehoods    int
	}{
		"nothing is said of them":     {told: []Incident{hour}},
		"none is expected":            {expect: []ExpectedIncident{}, told: []Incident{hour}, falsehoods: 1},
		"found":                       {expect: []ExpectedIncident{e}, told: []Incident{hour}, found: 1},
		"found and final":             {expect: []ExpectedIncident{e}, told: []Incident{hour}, final: []Incident{hour}, found: 1},
		"never told":                  {expect: []ExpectedIncident{e}, missed: 1},
		"in two pieces":               {expect: []ExpectedIncident{e}, told: []Incident{strikes("a", 60*minute, 90*minute), strikes("b", 95*minute, 123*minute)}, missed: 1, falsehoods: 2},
		"twice":                       {expect: []ExpectedIncident{e}, told: []Incident{hour, strikes("b", 61*minute, 124*minute)}, found: 1, falsehoods: 1},
		"another service":             {expect: []ExpectedIncident{e}, told: with(hour, func(i *Incident) { i.Services = []string{"imap"} }), missed: 1, falsehoods: 1},
		"one region more":             {expect: []ExpectedIncident{e}, told: with(hour, func(i *Incident) { i.Regions = []string{"eu", "us"} }), missed: 1, falsehoods: 1},
		"a run that was under way":    {expect: []ExpectedIncident{e}, told: []Incident{strikes("a", 60*minute-5*time.Second, 123*minute)}, found: 1},
		"before there was any":        {expect: []ExpectedIncident{e}, told: []Incident{strikes("a", 60*minute-6*time.Second, 123*minute)}, missed: 1, falsehoods: 1},
		"at the last moment":          {expect: []ExpectedIncident{e}, told: []Incident{strikes("a", 62*minute, 123*minute)}, found: 1},
		"too late":                    {expect: []ExpectedIncident{e}, told: []Incident{strikes("a", 63*minute, 123*minute)}, missed: 1, falsehoods: 1},
		"over too soon":               {expect: []ExpectedIncident{e}, told: []Incident{strikes("a", 60*minute, 119*minute)}, missed: 1, falsehoods: 1},
		"held for 13 minutes":         {expect: []ExpectedIncident{e}, told: []Incident{strikes("a", 60*minute, 133*minute)}, found: 1},
		"not longer":                  {expect: []ExpectedIncident{e}, told: []Incident{strikes("a", 60*minute, 134*minute)}, missed: 1, falsehoods: 1},
		"comes and goes":              {expect: []ExpectedIncident{flaps}, told: []Incident{strikes("a", 90*minute, 193*minute)}, found: 1},
		"shows too late":              {expect: []ExpectedIncident{flaps}, told: []Incident{strikes("a", 91*minute, 193*minute)}, missed: 1, falsehoods: 1},
		"held down for too long":      {expect: []ExpectedIncident{flaps}, told: []Incident{strikes("a", 90*minute, 194*minute)}, missed: 1, falsehoods: 1},
		"never over":                  {expect: []ExpectedIncident{e}, told: with(hour, func(i *Incident) { i.Open = true }), missed: 1, falsehoods: 1},
		"recorded afterwards":         {expect: []ExpectedIncident{late}, final: afterwards, found: 1},
		"told though nobody could be": {expect: []ExpectedIncident{late}, told: []Incident{hour}, final: []Incident{hour}, missed: 1, falsehoods: 1},
		"recorded, but never told":    {expect: []ExpectedIncident{e}, told: afterwards, final: afterwards, missed: 1, falsehoods: 1},
	} {
		s := Scenario{Length: 6 * time.Hour, Checks: both, ExpectIncidents: tt.expect}
		j := s.Judge(Record{Incidents: tt.told}, Record{Incidents: tt.final})
		if j.Found != tt.found || j.Missed != tt.missed || j.False != tt.falsehoods || j.Expected != tt.found+tt.missed || len(j.Complaints) != tt.missed+tt.falsehoods {
			t.Errorf("%s: got %+v, want %d found, %d missed, %d false", name, j, tt.found, tt.missed, tt.falsehoods)
		}
	}
	// Of a check that is seldom made three good rounds take longer.
	seldom := Scenario{Length: 6 * time.Hour, Checks: map[string]Check{"imap": {Every: 30 * time.Second}, "smtp": {Every: 5 * time.Minute}}, ExpectIncidents: []ExpectedIncident{e}}
	if j := seldom.Judge(Record{Incidents: []Incident{strikes("a", 71*minute, 145*minute)}}, Record{}); j.Found != 1 {
		t.Errorf("of a check that is seldom made: got %+v", j)
	}
	// What is not over when the play ends may be open.
	open := with(hour, func(i *Incident) { i.Open = true })
	if j := (Scenario{Length: 133 * minute, ExpectIncidents: []ExpectedIncident{e}}).Judge(Record{Incidents: open}, Record{}); j.Found != 1 {
		t.Errorf("open at the end: got %+v", j)
	}
	// Of two of which nothing but the time differs each is found by its own.
	second := e
	second.From, second.To = Offset(200*minute), Offset(220*minute)
	two := []Incident{strikes("b", 200*minute, 223*minute), hour}
	s := Scenario{Length: 6 * time.Hour, Checks: both, ExpectIncidents: []ExpectedIncident{e, second}}
	if j := s.Judge(Record{Incidents: two}, Record{}); j.Found != 2 || j.False != 0 {
		t.Errorf("two: got %+v", j)
	}
	want := []string{"missed: incident of imap, smtp in eu from 3h20m0s to 3h40m0s", "false: incident c of smtp, imap in eu from 5h0m0s and is open"}
	third := with(strikes("c", 300*minute, 0), func(i *Incident) { i.Open = true })
	if j := s.Judge(Record{Incidents: []Incident{hour, third[0]}}, Record{}); !slices.Equal(j.Complaints, want) {
		t.Errorf("got %q, want %q", j.Complaints, want)
	}
}
