package scenario

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"varde/checks"
)

const minute = time.Minute

// story is the verdicts of imap in eu over IPv4: at each of the given minutes a
// verdict, the last until the end.
func story(t *testing.T, text string) (out []Span) {
	t.Helper()
	for word := range strings.FieldsSeq("0m:up " + text + " 360m:end") {
		at, state, _ := strings.Cut(word, ":")
		d, err := time.ParseDuration(at)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(out); n > 0 {
			out[n-1].To = d
		}
		out = append(out, Span{Check: "imap", Region: "eu", Family: checks.IPv4, State: State(state), From: d})
	}
	return out[:len(out)-1]
}

// an expectation from the hour on for an hour.
func expected(states ...State) Expectation {
	return Expectation{Region: "eu", Check: "imap", State: states, From: Offset(60 * minute), To: Offset(120 * minute)}
}

// TestJudge: with an interval of 30 s a verdict of down may take 120 s, and others
// 30 minutes.
func TestJudge(t *testing.T) {
	late := expected(Down)
	late.History = true
	short := expected(Down)
	short.To = short.From + Offset(minute)
	maybe := expected(Down)
	maybe.permitted = true
	for name, tt := range map[string]struct {
		expect        []Expectation
		told, final   string
		found, missed int
		falsehoods    int
		after         time.Duration
	}{
		"nothing happens":                 {},
		"found":                           {expect: []Expectation{expected(Down)}, told: "61m:down 121m:up", found: 1, after: minute},
		"found at the last moment":        {expect: []Expectation{expected(Down)}, told: "62m:down 121m:up", found: 1, after: 2 * minute},
		"found too late":                  {expect: []Expectation{expected(Down)}, told: "62m1ms:down 121m:up", missed: 1},
		"never found":                     {expect: []Expectation{expected(Down)}, missed: 1},
		"in the final record only":        {expect: []Expectation{expected(Down)}, final: "61m:down 121m:up", missed: 1},
		"history is final":                {expect: []Expectation{late}, final: "61m:down 121m:up", found: 1, after: minute},
		"history is not told":             {expect: []Expectation{late}, told: "61m:down 121m:up", missed: 1},
		"there already":                   {expect: []Expectation{expected(Down)}, told: "50m:down 121m:up", found: 1, falsehoods: 1},
		"over before it began":            {expect: []Expectation{expected(Down)}, told: "50m:down 60m:up", missed: 1, falsehoods: 1},
		"another verdict":                 {expect: []Expectation{expected(Down)}, told: "61m:slow 121m:up", missed: 1},
		"any of two":                      {expect: []Expectation{expected(Down, Slow)}, told: "61m:slow 90m:down 121m:up", found: 1, after: minute},
		"holds for 80 % of the rest":      {expect: []Expectation{expected(Down)}, told: "60m:down 108m:up", found: 1},
		"holds for less":                  {expect: []Expectation{expected(Down)}, told: "60m:down 107m:up", missed: 1},
		"holds in pieces":                 {expect: []Expectation{expected(Down)}, told: "60m:down 70m:up 75m:down 119m:up", found: 1},
		"intermittent in 30 minutes":      {expect: []Expectation{expected(Intermittent)}, told: "90m:intermittent 121m:up", found: 1, after: 30 * minute},
		"intermittent later":              {expect: []Expectation{expected(Intermittent)}, told: "91m:intermittent 121m:up", missed: 1},
		"intermittent for half":           {expect: []Expectation{expected(Intermittent)}, told: "80m:intermittent 100m:up", found: 1, after: 20 * minute},
		"intermittent for less":           {expect: []Expectation{expected(Intermittent)}, told: "80m:intermittent 99m:up", missed: 1},
		"slow in 30 minutes":              {expect: []Expectation{expected(Slow)}, told: "90m:slow 121m:up", found: 1, after: 30 * minute},
		"too short to hold":               {expect: []Expectation{short}, told: "61m30s:down 62m:up", found: 1, after: 90 * time.Second},
		"up for half":                     {expect: []Expectation{expected(Up)}, told: "60m:up 90m:unknown 121m:up", found: 1},
		"blind":                           {expect: []Expectation{expected(Up)}, told: "0m:unknown", missed: 1},
		"down or intermittent in 30 min":  {expect: []Expectation{expected(Down, Intermittent)}, told: "80m:intermittent 121m:up", found: 1, after: 20 * minute},
		"down later, or intermittent":     {expect: []Expectation{expected(Down, Intermittent)}, told: "80m:down 121m:up", missed: 1},
		"unknown can be expected":         {expect: []Expectation{expected(Unknown)}, told: "61m:unknown 121m:up", found: 1, after: minute},
		"unknown is never false":          {told: "30m:unknown 40m:up"},
		"expecting up excuses nothing":    {expect: []Expectation{expected(Up)}, told: "70m:down 80m:up", found: 1, falsehoods: 1},
		"nor does expecting unknown":      {expect: []Expectation{expected(Up, Unknown)}, told: "60m:unknown 110m:down 128m:up", found: 1, falsehoods: 1},
		"nor does it take back an excuse": {expect: []Expectation{expected(Down), expected(Unknown, Down)}, told: "60m:down 129m:up", found: 2},
		"false":                           {told: "30m:down 31m:up", falsehoods: 1},
		"false for each time":             {told: "30m:down 31m:up 40m:slow 41m:intermittent 42m:up", falsehoods: 2},
		"false afterwards":                {final: "30m:down 31m:up", falsehoods: 1},
		"false both times is once":        {told: "30m:down 31m:up", final: "29m:down 31m:up", falsehoods: 1},
		"excused for 10 minutes":          {expect: []Expectation{expected(Down)}, told: "60m:down 130m:up", found: 1},
		"not longer":                      {expect: []Expectation{expected(Down)}, told: "60m:down 130m1ms:up", found: 1, falsehoods: 1},
		"excused for 40 minutes":          {expect: []Expectation{expected(Intermittent)}, told: "60m:intermittent 160m:up", found: 1},
		"not longer than that":            {expect: []Expectation{expected(Intermittent)}, told: "60m:intermittent 161m:up", found: 1, falsehoods: 1},
		"whatever is said in it":          {expect: []Expectation{expected(Down)}, told: "60m:down 115m:slow 120m:intermittent 129m:up", found: 1},
		"may go unseen":                   {expect: []Expectation{maybe}},
		"may be seen":                     {expect: []Expectation{maybe}, told: "61m:down 121m:up", found: 1, after: minute},
		"two, one of them in the history": {expect: []Expectation{expected(Down), late}, told: "61m:down 121m:up", final: "60m30s:down 121m:up", found: 2, after: 30 * time.Second},
	} {
		s := Scenario{Regions: map[string]int{"eu": 3}, Checks: map[string]Check{"imap": {Every: 30 * time.Second}}, Expect: tt.expect}
		j := s.Judge(Record{Verdicts: story(t, tt.told)}, Record{Verdicts: story(t, tt.final)})
		if j.Found != tt.found || j.Missed != tt.missed || j.False != tt.falsehoods || j.Expected != tt.found+tt.missed {
			t.Errorf("%s: got %+v, want %d found, %d missed, %d false", name, j, tt.found, tt.missed, tt.falsehoods)
			continue
		}
		detected := tt.found
		if len(tt.expect) > 0 && tt.expect[0].allows(Up) {
			detected = 0 // there is nothing to detect
		}
		if len(j.Complaints) != tt.missed+tt.falsehoods || len(j.Detected) != detected || detected > 0 && j.Detected[detected-1] != tt.after {
			t.Errorf("%s: got %+v, want it found after %s", name, j, tt.after)
		}
	}
}

// TestJudgeOneFamily: what is expected of one family excuses no other.
func TestJudgeOneFamily(t *testing.T) {
	told := story(t, "61m:down 121m:up")
	for _, v := range story(t, "61m:down 121m:up") {
		v.Family = checks.IPv6
		told = append(told, v)
	}
	s := Scenario{Checks: map[string]Check{"imap": {Every: 30 * time.Second}}, Families: []checks.Family{checks.IPv4, checks.IPv6}}
	e := expected(Down)
	e.Families = []checks.Family{checks.IPv6}
	for _, tt := range []struct {
		expect     Expectation
		falsehoods int
	}{{e, 1}, {expected(Down), 0}} {
		s.Expect = []Expectation{tt.expect}
		if j := s.Judge(Record{Verdicts: told}, Record{}); j.Found != 1 || j.False != tt.falsehoods {
			t.Errorf("expecting %v: got %+v, want %d false", tt.expect.Families, j, tt.falsehoods)
		}
	}
}

// TestJudgeEachFamily: trouble is found where every family that has anything to say
// shows it.
func TestJudgeEachFamily(t *testing.T) {
	over := func(f checks.Family, text string) (out []Span) {
		for _, v := range story(t, text) {
			v.Family = f
			out = append(out, v)
		}
		return out
	}
	s := Scenario{Checks: map[string]Check{"imap": {Every: 30 * time.Second}}, Families: []checks.Family{checks.IPv4, checks.IPv6}, Expect: []Expectation{expected(Down)}}
	for six, found := range map[string]int{"60m:up": 0, "61m:down 121m:up": 1, "": 1} {
		told := story(t, "62m:down 121m:up")
		if six != "" {
			told = append(told, over(checks.IPv6, six)...)
		}
		if j := s.Judge(Record{Verdicts: told}, Record{}); j.Found != found {
			t.Errorf("over ipv6 %q: got %+v, want %d found", six, j, found)
		}
	}
}

// TestComplaints: they say what was told instead.
func TestComplaints(t *testing.T) {
	s := Scenario{Checks: map[string]Check{"imap": {Every: 30 * time.Second}}, Expect: []Expectation{expected(Down)}}
	for told, want := range map[string]string{
		"70m:slow 121m:up": "missed: imap in eu, expected [down] from 1h0m0s to 2h0m0s, got up at 0s, slow at 1h10m0s",
		"61m:down 62m:up":  "missed: imap in eu, expected [down] from 1h0m0s to 2h0m0s, got it at 1h1m0s for 1m0s only",
		"61m:down 121m:up 200m:down 201m:slow 202m:up": "false: imap in eu over ipv4 down and slow from 3h20m0s to 3h22m0s",
		"60m:down 120m:up 5h:down":                     "false: imap in eu over ipv4 down from 5h0m0s to 6h0m0s",
		"60m:down 129m:slow 131m:up ":                  "false: imap in eu over ipv4 slow from 2h10m0s to 2h11m0s",
	} {
		if j := s.Judge(Record{Verdicts: story(t, told)}, Record{}); len(j.Complaints) != 1 || j.Complaints[0] != want {
			t.Errorf("%s: got %q, want %q", told, j.Complaints, want)
		}
	}
}

func TestReport(t *testing.T) {
	s := Scenario{Name: "play"}
	j := Judgement{Expected: 2, Found: 2, Detected: []time.Duration{20 * time.Second, 12345 * time.Millisecond}}
	for _, tt := range []struct {
		report Report
		want   string
		failed bool
	}{
		{s.Report(j, 0, 0, 1500*time.Millisecond), `{"scenario":"play","expected":2,"found":2,"missed":0,"false":0,"detect_s":{"p50":12.345,"p95":20,"max":20},"lost_observations":0,"duplicates":0,"real_s":1.5}`, false},
		{s.Report(Judgement{}, 1, 0, 0), `{"scenario":"play","expected":0,"found":0,"missed":0,"false":0,"detect_s":{"p50":null,"p95":null,"max":null},"lost_observations":1,"duplicates":0,"real_s":0}`, true},
		{s.Report(Judgement{False: 1}, 0, 0, 0), `"false":1,`, true},
	} {
		got, err := json.Marshal(tt.report)
		if err != nil || !strings.Contains(string(got), tt.want) || tt.report.Failed() != tt.failed {
			t.Errorf("got %s, %v, failed %v, want %s", got, err, tt.report.Failed(), tt.want)
		}
	}
}
