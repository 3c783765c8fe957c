package scenario

import (
	"strings"
	"testing"
	"time"
)

// TestJudgeMaintenance: imap is maintained in eu in the second of three hours, and is
// down for half of that; so is smtp in us, of which nothing was announced.
func TestJudgeMaintenance(t *testing.T) {
	const hour = Offset(time.Hour)
	s := Scenario{
		Length: 3 * time.Hour, Regions: map[string]int{"eu": 2, "us": 2},
		Checks:      map[string]Check{"login": {Kind: "imap", Every: 30 * time.Second}, "smtp": {Every: 30 * time.Second}},
		Maintenance: []Window{{From: hour, To: 2 * hour, Checks: []string{"login"}, Regions: []string{"eu"}}},
		Expect: []Expectation{
			{Region: "eu", Check: "login", State: States{Down}, From: hour, To: hour * 3 / 2},
			{Region: "us", Check: "smtp", State: States{Down}, From: hour, To: hour * 3 / 2},
		},
	}
	reading := func(at Offset, service, region, status string) Reading {
		return Reading{At: time.Duration(at), Service: service, Region: region, Status: status}
	}
	read := func() []Reading {
		return []Reading{
			reading(hour-1, "imap", "eu", "operational"), reading(hour, "imap", "eu", "under_maintenance"),
			reading(2*hour, "imap", "eu", "major_outage"), reading(hour, "imap", "us", "operational"), reading(hour, "smtp", "us", "partial_outage"),
		}
	}
	figures := func() []Figures {
		down := Slots{Down: time.Hour, All: 6 * time.Hour}
		return []Figures{
			{Service: "imap", Region: "eu", Maintenance: time.Hour, Record: down, Objective: Slots{All: 4 * time.Hour}},
			{Service: "smtp", Region: "us", Record: down, Objective: down},
		}
	}
	for name, tt := range map[string]struct {
		change        func(told *Record)
		missed, lies  int
		want          string
		outsideToo    bool
		nothingIsDown bool
	}{
		"as it should":          {change: func(*Record) {}},
		"trouble on the page":   {change: func(r *Record) { r.Readings[1].Status = "major_outage" }, missed: 1, want: "maintenance of imap in eu: at 1h0m0s the page says major_outage"},
		"too long on the page":  {change: func(r *Record) { r.Readings[2].Status = "under_maintenance" }, missed: 1, want: "at 2h0m0s the page says under_maintenance"},
		"in another region":     {change: func(r *Record) { r.Readings[3].Status = "under_maintenance" }, lies: 1, want: "maintenance of imap in us: at 1h0m0s"},
		"never read":            {change: func(r *Record) { r.Readings = nil }, missed: 1, want: "nobody read the page"},
		"no numbers":            {change: func(r *Record) { r.Figures = nil }, missed: 1, want: "there are no numbers"},
		"too little taken out":  {change: func(r *Record) { r.Figures[0].Maintenance -= time.Second }, missed: 1, want: "59m59s were taken out, expected 1h0m0s"},
		"taken out elsewhere":   {change: func(r *Record) { r.Figures[1].Maintenance = time.Hour }, lies: 1, want: "maintenance of smtp in us: 1h0m0s were taken out"},
		"it counts":             {change: func(r *Record) { r.Figures[0].Objective.All = 6 * time.Hour }, missed: 1, want: "1.000 of the slots count for the objective, expected 0.667"},
		"nothing was seen":      {change: func(r *Record) { r.Figures[0].Record.All = 0 }, missed: 1, want: "of the slots count"},
		"not in the record":     {change: func(r *Record) { r.Figures[0].Record.Down = 0 }, missed: 1, want: "0s of trouble are in the record alone, expected 1h0m0s"},
		"trouble counts":        {change: func(r *Record) { r.Figures[0].Objective.Down = time.Hour / 12 }, missed: 1, want: "5m0s of trouble count for the objective"},
		"a flake counts":        {change: func(r *Record) { r.Figures[0].Objective.Down = time.Hour / 15 }},
		"trouble that is later": {change: func(r *Record) { r.Figures[0].Objective.Down = time.Hour / 12 }, outsideToo: true},
		"a healthy maintenance": {change: func(r *Record) { r.Figures[0].Record.Down = 0 }, nothingIsDown: true},
	} {
		s := s
		switch {
		case tt.outsideToo:
			s.Expect = append(s.Expect[:2:2], Expectation{Region: "eu", Check: "login", State: States{Intermittent}, From: 2 * hour, To: 3 * hour})
		case tt.nothingIsDown:
			s.Expect = s.Expect[1:]
		}
		told := Record{Readings: read(), Figures: figures()}
		tt.change(&told)
		var j Judgement
		s.maintenance(&j, told)
		words := strings.Join(j.Complaints, "\n")
		if j.Expected != 1 || j.Missed != tt.missed || j.Found != 1-tt.missed || j.False != tt.lies || !strings.Contains(words, tt.want) || (words == "") != (tt.want == "") {
			t.Errorf("%s: got %+v, want %d missed, %d false, %q", name, j, tt.missed, tt.lies, tt.want)
		}
	}
	var j Judgement
	s.Maintenance = nil
	if s.maintenance(&j, Record{Readings: read(), Figures: figures()}); j.Expected != 0 || j.False != 0 {
		t.Errorf("none is announced: got %+v", j)
	}
}

// TestWindowsThatOverlap: their time is taken out once, and as far as the play goes.
func TestWindowsThatOverlap(t *testing.T) {
	const m = Offset(time.Minute)
	s := Scenario{Length: time.Hour}
	if got := s.lasting([]Window{{From: 50 * m, To: 70 * m}, {From: 10 * m, To: 30 * m}, {From: 12 * m, To: 14 * m}, {From: 20 * m, To: 35 * m}}); got != 35*time.Minute {
		t.Errorf("got %s, want 35 min", got)
	}
}
