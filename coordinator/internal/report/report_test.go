package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"varde/checks"
	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/incident"
	"varde/coordinator/internal/mail"
	"varde/coordinator/internal/verdict"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read golden file: %v (run the test with -update)", err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s differs from its golden file; run with -update, look at the difference", name)
	}
}

var october = Month{2026, time.October}

const day = 24 * time.Hour

// on is a time in October.
func on(date int, clock time.Duration) time.Time {
	return october.From().AddDate(0, 0, date-1).Add(clock)
}

// story is what one region saw, hour by hour: for how long it was down in which hours, and
// when nobody looked.
type story struct {
	region string
	weight float64
	down   map[time.Time]time.Duration
	dark   [2]time.Time
}

func (s story) share() (availability.Share, Days) {
	a, days := availability.NewAccount(time.Hour), Days{Region: s.region, Weight: s.weight}
	for at := october.From(); at.Before(october.To()); at = at.Add(time.Hour) {
		if at.Equal(at.Truncate(day)) {
			days.Tallies = append(days.Tallies, graph.Tally{Length: day, Coverage: 1})
		}
		today := &days.Tallies[len(days.Tallies)-1]
		c := availability.Cell{Sums: availability.Sums{Up: time.Hour}, Coverage: availability.Coverage{Covered: 60, Minutes: 60}, Runs: 120}
		switch down := s.down[at]; {
		case !at.Before(s.dark[0]) && at.Before(s.dark[1]):
			c = availability.Cell{Sums: availability.Sums{Unknown: time.Hour}, Coverage: availability.Coverage{Minutes: 60}}
			today.Coverage -= 1.0 / 24
		case down > 0:
			c.Up, c.Down, c.Failed = c.Up-down, down, uint64(down/(30*time.Second))
			today.Down += down
		}
		a.Add(at, c)
	}
	return availability.Share{Weight: s.weight, Account: a}, days
}

func figures(objective float64, shares ...availability.Share) availability.Figures {
	e := availability.Measured(shares)
	f := availability.Figures{Measured: e, Counted: e, Statuspage: new(1 - (1-e.Ratio)*0.3)}
	if objective > 0 {
		f.Budget = new(availability.BudgetOf(objective, e.Out, 31*day))
	}
	for _, length := range availability.CurveLengths() {
		w := availability.Worst{Length: length, Known: true, Ratio: 1}
		if e.Down > 0 {
			w.Ratio, w.From = max(0, 1-e.Out*float64(31*day)/float64(length)), on(12, 7*time.Hour+40*time.Minute)
		}
		f.Curve = append(f.Curve, w)
	}
	return f
}

func service(id, name string, objective float64, stories ...story) Service {
	s := Service{ID: id, Name: name, Objective: objective}
	s.From, s.To, s.MinutesFrom = october.From(), october.To(), on(2, 0)
	var shares []availability.Share
	for _, one := range stories {
		share, days := one.share()
		shares, s.Days = append(shares, share), append(s.Days, days)
		s.Regions = append(s.Regions, availability.RegionFigures{Region: one.region, Figures: figures(objective, share)})
	}
	s.Whole = figures(objective, shares...)
	s.Families = []availability.FamilyFigures{{Family: checks.IPv4, Estimate: s.Whole.Measured}, {Family: checks.IPv6, Estimate: s.Whole.Measured}}
	return s
}

// aReport is of a month in which IMAP was down in Oceania, and the probes in Asia were
// away for three days.
func aReport() Report {
	dark := [2]time.Time{on(19, 6*time.Hour), on(21, 20*time.Hour)}
	outage := map[time.Time]time.Duration{on(12, 7*time.Hour): 20 * time.Minute, on(12, 8*time.Hour): 50 * time.Minute, on(27, 3*time.Hour): time.Minute}
	imap := service("imap", "IMAP", 0.999, story{region: "eu", weight: 4}, story{region: "asia", weight: 2, dark: dark}, story{region: "oceania", weight: 1, down: outage})
	imap.Maintenance = availability.Windows{{From: on(5, 2*time.Hour), To: on(5, 3*time.Hour), Regions: []string{"eu", "asia"}}}
	imap.Whole.Maintenance = 50 * time.Minute
	smtp := service("smtp", "Outgoing mail", 0.9995, story{region: "eu", weight: 4}, story{region: "asia", weight: 2, dark: dark})
	smtp.RoundTrip = true
	smtp.Mail = mail.Sums{
		Sent: 2976, Arrived: 2974, InTime: 2970, Late: 4, Lost: 1, Unknown: 1, Junk: 2, Longest: 47 * time.Minute,
		P50: 2100 * time.Millisecond, P95: 4 * time.Second, First: on(1, 0), Last: on(31, 23*time.Hour),
	}
	return Report{
		Month: october, Written: time.Date(2026, 11, 1, 1, 20, 0, 0, time.UTC), FinalUntil: october.To().Add(time.Hour),
		Began: time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC), Coordinator: "c1", Version: "1.0.0",
		Regions:  []Region{{"eu", "Europe"}, {"asia", "Southeast Asia"}, {"oceania", "Oceania"}},
		Services: []Service{imap, smtp, service("web", "Webmail", 0, story{region: "eu", weight: 4})},
		Incidents: []Incident{
			{
				Shown: incident.Shown{
					ID: "3f8a2c91d07e", Title: "IMAP cannot be reached from Oceania", Stage: incident.Resolved, Impact: incident.MajorImpact,
					Summary: "IMAP cannot be reached from Oceania from 12 Oct 2026, 07:40 to 08:50 UTC: no answer to the TLS handshake, by 3 of 3 probes.",
					Started: on(12, 7*time.Hour+40*time.Minute), Detected: on(12, 7*time.Hour+41*time.Minute), Recovered: on(12, 8*time.Hour+50*time.Minute),
					Resolved: on(12, 8*time.Hour+53*time.Minute), Public: true, Services: []string{"imap"}, Regions: []string{"oceania"},
					Members: []incident.Member{{Series: verdict.Series{Check: "imap-login", Region: "oceania", Family: checks.IPv4}}},
				},
				Signs: []string{"Connects take as long as ever and the TLS handshake is not answered: the server takes connections and does not speak."},
			},
			{Shown: incident.Shown{
				ID: "91ab44c0de12", Title: "IMAP <b>fails</b> from Oceania", Stage: incident.Resolved, Impact: incident.MinorImpact,
				Summary: "IMAP could not be reached from Oceania for a minute.", Started: on(27, 3*time.Hour), Recovered: on(27, 3*time.Hour+time.Minute),
				Resolved: on(27, 3*time.Hour+4*time.Minute), Services: []string{"imap"}, Regions: []string{"oceania"},
			}},
		},
	}
}

func written(t *testing.T, r Report, f Format) []byte {
	t.Helper()
	b, err := r.Write(f)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// says fails the test where a page lacks words.
func says(t *testing.T, page []byte, want ...string) {
	t.Helper()
	for _, words := range want {
		if !strings.Contains(string(page), words) {
			t.Errorf("the page does not say %q", words)
		}
	}
}

func TestGolden(t *testing.T) {
	r := aReport()
	for _, f := range Formats() {
		b := written(t, r, f)
		if !bytes.Equal(b, written(t, r, f)) {
			t.Errorf("%s: the same month gave two texts", f)
		}
		// The style sheet has files of its own.
		if _, rest, ok := bytes.Cut(b, []byte("</style>")); ok {
			b = rest
		}
		golden(t, "october."+string(f), b)
	}
}

func TestPageSaysWhatWasMeasured(t *testing.T) {
	page := written(t, aReport(), HTML)
	says(t, page,
		"<h1>Every objective was kept over all regions, broken in Oceania.</h1>", "<h2 id=\"ga\">What is missing</h2>", "Southeast Asia: looked less than 80 % at IMAP and Outgoing mail on 19 to 21 Oct.",
		"Worst windows are of the time since 2 Oct 2026, 00:00 UTC", "2,976 test mails, 1 lost, longest delay 47 min, 4 late",
		"12 Oct 2026, 07:40 UTC, 1 h 10 min; IMAP; Oceania; impact major", "does not speak.", "recorded afterwards", "not public",
		"5 Oct 2026, 02:00 UTC to 5 Oct 2026, 03:00 UTC, Europe and Southeast Asia", "IMAP &lt;b&gt;fails&lt;/b&gt; from Oceania",
		"Objective 99.9 %: ", "Objective 99.95 %: ", "nothing of 22 min", "Written by c1, varde 1.0.0, 1 Nov 2026, 01:20 UTC.",
	)
	for _, foreign := range []string{"<script", "<b>fails", "src=\"http", "href=\"http", "@import", " style=\""} {
		if bytes.Contains(page, []byte(foreign)) {
			t.Errorf("the page holds %q, expected one file that loads and runs nothing", foreign)
		}
	}
}

// What everybody may read is the same in every form.
func TestSentLeavesOutWhatIsPrivate(t *testing.T) {
	r := aReport()
	for _, f := range Formats() {
		all, sent := written(t, r, f), written(t, r.Sent(), f)
		if f != CSV && !bytes.Contains(all, []byte("91ab44c0de12")) {
			t.Errorf("%s: the report for operators lacks an incident that is not public", f)
		}
		if bytes.Contains(sent, []byte("91ab44c0de12")) || bytes.Contains(sent, []byte("For operators")) {
			t.Errorf("%s: what is sent holds what only operators see", f)
		}
		if f != CSV && !bytes.Contains(sent, []byte("3f8a2c91d07e")) {
			t.Errorf("%s: what is sent lacks a public incident", f)
		}
	}
	if len(r.Incidents) != 2 {
		t.Error("leaving out changed the report that was there")
	}
}

func TestGaps(t *testing.T) {
	quiet := func() Report {
		r := aReport()
		r.Services = []Service{service("web", "Webmail", 0.999, story{region: "eu", weight: 1})}
		r.Services[0].MinutesFrom = october.From()
		return r
	}
	for name, c := range map[string]struct {
		change func(*Report)
		want   []string
	}{
		"nothing is missing": {func(*Report) {}, nil},
		"not over": {func(r *Report) { r.Written, r.FinalUntil = on(20, 12*time.Hour), on(20, 12*time.Hour) }, []string{
			"October 2026 is not over: these are the numbers up to 20 Oct 2026, 12:00 UTC.",
		}},
		"made in the month": {func(r *Report) { r.Began = on(3, 0) }, []string{
			"This coordinator was made on 3 Oct 2026, 00:00 UTC: nothing from before was measured by it.",
		}},
		"not all final": {func(r *Report) { r.FinalUntil = on(31, 20*time.Hour) }, []string{
			"Verdicts are final up to 31 Oct 2026, 20:00 UTC: what arrives late can change what is later.",
		}},
		"nothing final":  {func(r *Report) { r.FinalUntil = time.Time{} }, []string{"No verdict of the month is final: what arrives late can change all of it."}},
		"no minutes":     {func(r *Report) { r.Services[0].MinutesFrom = october.To() }, []string{"There are no worst windows: the minutes of the month are not kept any more."}},
		"never measured": {func(r *Report) { r.Services[0].Whole = availability.Figures{} }, []string{"Webmail was not measured."}},
		"single days": {func(r *Report) {
			for _, i := range []int{0, 2, 3, 30} {
				r.Services[0].Days[0].Tallies[i].Coverage = 0.79
			}
		}, []string{"Europe: looked less than 80 % at Webmail on 1, 3 to 4 and 31 Oct."}},
		"two services from two regions": {func(r *Report) {
			for _, name := range []string{"IMAP", "Outgoing mail"} {
				s := service(name, name, 0, story{region: "eu", weight: 1}, story{region: "oceania", weight: 1})
				s.MinutesFrom = october.From()
				s.Days[0].Tallies[6].Coverage, s.Days[1].Tallies[6].Coverage = 0, 0.5
				r.Services = append(r.Services, s)
			}
		}, []string{"Europe and Oceania: looked less than 80 % at IMAP and Outgoing mail on 7 Oct."}},
		"only days since it was made": {func(r *Report) {
			r.Began = on(4, 12*time.Hour)
			for i := range 4 {
				r.Services[0].Days[0].Tallies[i].Coverage = 0
			}
		}, []string{
			"This coordinator was made on 4 Oct 2026, 12:00 UTC: nothing from before was measured by it.", "Europe: looked less than 80 % at Webmail on 4 Oct.",
		}},
	} {
		r := quiet()
		c.change(&r)
		if got := r.Gaps(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// A report on half a month says so, and claims nothing of the days to come.
func TestUnfinishedMonth(t *testing.T) {
	r := aReport()
	r.Written, r.FinalUntil = on(10, 0), on(9, 23*time.Hour)
	for i := range r.Services {
		for k := range r.Services[i].Days {
			r.Services[i].Days[k].Tallies = r.Services[i].Days[k].Tallies[:9]
		}
	}
	says(t, written(t, r, HTML), "October 2026 is not over", " so far.</h1>", "9 of 9 days without trouble.")
	var got struct {
		Over, Final bool
		To          time.Time
	}
	if err := json.Unmarshal(written(t, r, JSON), &got); err != nil || got.Over || got.Final || !got.To.Equal(on(10, 0)) {
		t.Errorf("got %+v, %v, want a month that is not over and ends on the 10th", got, err)
	}
}

// Nothing that was not measured becomes a number.
func TestUnknownStaysUnknown(t *testing.T) {
	r := aReport()
	r.Services = []Service{{ID: "new", Name: "New", Objective: 0.999, Numbers: availability.Numbers{Regions: []availability.RegionFigures{{Region: "eu"}}}}}
	r.Incidents = nil
	says(t, written(t, r, HTML), "It is not known how well New could be reached.", "not measured", "too little known", "None in this month.")
	lines, err := csv.NewReader(bytes.NewReader(written(t, r, CSV))).ReadAll()
	if err != nil || len(lines) != 3 {
		t.Fatalf("got %d lines, %v, want a head, all regions and one", len(lines), err)
	}
	for i, name := range lines[0] {
		switch name {
		case "availability", "low", "high", "without_maintenance", "budget_used_s", "worst_hour", "statuspage_compatible":
			if lines[1][i] != "" || lines[2][i] != "" {
				t.Errorf("%s: got %q and %q, want nothing", name, lines[1][i], lines[2][i])
			}
		case "kept":
			if lines[1][i] != "unknown" {
				t.Errorf("kept: got %q, want unknown", lines[1][i])
			}
		}
	}
	var got struct{ Services []struct{ Kept string } }
	if err := json.Unmarshal(written(t, r, JSON), &got); err != nil || got.Services[0].Kept != "unknown" {
		t.Errorf("got %+v, %v, want an objective of which nothing is known", got, err)
	}
}

// Names from a configuration cannot break the table.
func TestTableIsReadable(t *testing.T) {
	r := aReport()
	lines, err := csv.NewReader(bytes.NewReader(written(t, r, CSV))).ReadAll()
	if err != nil || len(lines) != 1+4+3+2 {
		t.Fatalf("got %d lines, %v, want a head, and for each service one and one a region", len(lines), err)
	}
	at := func(line int, name string) string { return lines[line][slices.Index(lines[0], name)] }
	if at(1, "service") != "imap" || at(1, "region") != "" || at(4, "region") != "oceania" || at(4, "kept") != "missed" || at(1, "month") != "2026-10" {
		t.Errorf("got %q and %q", lines[1], lines[4])
	}
	if at(9, "objective") != "" || at(9, "kept") != "" {
		t.Errorf("a service without objective: got %q", lines[9])
	}
}

func TestMonths(t *testing.T) {
	for text, want := range map[string]Month{"2026-10": october, "2024-02": {2024, time.February}} {
		if got, err := ParseMonth(text); err != nil || got != want || got.String() != text {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "2026", "2026-13", "2026-1", "10-2026", "october", "1999-12", "2026-10-01", " 2026-10", strings.Repeat("9", 1000)} {
		if got, err := ParseMonth(text); err == nil || !strings.Contains(err.Error(), "expected one such as 2026-10") || len(err.Error()) > 150 {
			t.Errorf("%q: got %v, %v, want what is expected", text, got, err)
		}
	}
	for now, want := range map[string]string{"2026-11-01T00:00:00Z": "2026-10", "2026-10-31T23:59:59Z": "2026-09", "2026-01-15T00:00:00Z": "2025-12", "2026-03-31T12:00:00Z": "2026-02"} {
		at, _ := time.Parse(time.RFC3339, now)
		if got := LastWhole(at).String(); got != want {
			t.Errorf("%s: got %s, want %s", now, got, want)
		}
	}
	if err := october.Begun(on(1, time.Second)); err != nil {
		t.Error(err)
	}
	if err := october.Begun(on(1, 0)); err == nil || !strings.Contains(err.Error(), "2026-10, which has not begun, expected one up to") {
		t.Errorf("a month to come: got %v", err)
	}
	if _, err := ParseFormat("pdf"); err == nil || err.Error() != `got format "pdf", expected one of html, json, csv` {
		t.Errorf("got %v", err)
	}
}
