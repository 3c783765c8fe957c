package statuspage

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"varde/coordinator/internal/graph"
	"varde/coordinator/internal/mail"
	"varde/coordinator/internal/verdict"
)

// morning is the time of the pages in tests.
var morning = time.Date(2026, 11, 22, 10, 20, 14, 0, time.UTC)

// fake is a provider that was attacked in October and, if out is set, cannot
// be reached from Oceania since 07:42 this morning. Its numbers are the same
// every time.
type fake struct {
	at       time.Time
	out      bool
	services []Service
	regions  []Region
	// mails is what became of the test mails of every service.
	mails mail.Sums
	// bulletins are what is told of incidents.
	bulletins []Bulletin
	work      []Work

	mu    sync.Mutex
	fail  error
	calls map[string]int
}

func newFake(out bool) *fake {
	f := &fake{at: morning, out: out, calls: map[string]int{}}
	f.regions = []Region{
		{"eu-north", "Northern Europe", 4, 3, morning.Add(-4 * time.Second)},
		{"us-east", "North America", 3, 3, morning.Add(-9 * time.Second)},
		{"oceania", "Oceania", 1, 3, morning.Add(-12 * time.Second)},
	}
	for _, s := range [][2]string{{"webmail", "Webmail"}, {"imap", "IMAP"}, {"smtp", "Outgoing mail"}, {"mx", "Incoming mail"}, {"dav", "Calendar and contacts"}} {
		f.services = append(f.services, f.service(s[0], s[1]))
	}
	return f
}

// outage is when Oceania went dark.
func (f *fake) outage() time.Time {
	return f.at.Truncate(24 * time.Hour).Add(7*time.Hour + 42*time.Minute)
}

func (f *fake) service(id, name string) Service {
	s := Service{ID: id, Name: name}
	for _, r := range f.regions {
		reading := Reading{Region: r.ID, State: verdict.Up, Since: f.at.Add(-40 * time.Hour)}
		if f.out && r.ID == "oceania" && (id == "imap" || id == "smtp") {
			reading = Reading{Region: r.ID, State: verdict.Down, Since: f.outage()}
		}
		if f.out && r.ID == "us-east" && id == "webmail" {
			reading = Reading{Region: r.ID, State: verdict.Intermittent, Since: f.outage().Add(37 * time.Minute), Failed: 24, Runs: 144}
		}
		s.Readings = append(s.Readings, reading)
	}
	return s
}

// set changes what one region says of one service.
func (f *fake) set(service, region string, change func(*Reading)) {
	for i := range f.services {
		for k := range f.services[i].Readings {
			if f.services[i].ID == service && (region == "" || f.services[i].Readings[k].Region == region) {
				change(&f.services[i].Readings[k])
			}
		}
	}
}

func (f *fake) count(what string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[what]++
	return f.fail
}

func (f *fake) called(what string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.calls[what]
}

func (f *fake) breaks(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = err
}

func (f *fake) Now(context.Context) (Now, error) {
	if err := f.count("now"); err != nil {
		return Now{}, err
	}
	return Now{At: f.at, Began: time.Date(2024, 3, 1, 9, 0, 0, 0, time.UTC), Regions: f.regions, Services: f.services, Bulletins: f.bulletins, Work: f.work}, nil
}

func (f *fake) History(_ context.Context, service string, w graph.Window) ([]RegionHistory, error) {
	if err := f.count("history " + service); err != nil {
		return nil, err
	}
	var out []RegionHistory
	for i, r := range f.regions {
		h := RegionHistory{Region: r.ID, Tallies: make([]graph.Tally, w.Cells())}
		rnd := rand.New(rand.NewPCG(uint64(len(service))*7+uint64(service[0]), uint64(i)))
		rtt := []float64{16, 92, 285, 24, 130, 172, 190, 210}[i]
		for k := range h.Tallies {
			h.Tallies[k] = f.tally(service, r.ID, w, k)
			if h.Tallies[k].Coverage > 0.5 && h.Tallies[k].Down < h.Tallies[k].Length/2 {
				h.Latency = append(h.Latency, latency(rnd, rtt, w.Start(k)))
			}
		}
		h.Uptime, h.Coverage = sum(h.Tallies)
		out = append(out, h)
	}
	return out, nil
}

func (f *fake) Mail(_ context.Context, service string, _ graph.Window) (mail.Sums, error) {
	return f.mails, f.count("mail " + service)
}

func (f *fake) tally(service, region string, w graph.Window, k int) graph.Tally {
	from, to := w.Start(k), w.Start(k+1)
	t := graph.Tally{Length: min(w.Step, f.at.Sub(from)), Coverage: 1}
	part := func(a, b time.Time) time.Duration {
		start, end := a, b
		if from.After(start) {
			start = from
		}
		if to.Before(end) {
			end = to
		}
		return max(0, end.Sub(start))
	}
	day := f.at.Truncate(24 * time.Hour)
	ago := func(days int, d time.Duration) time.Time { return day.AddDate(0, 0, -days).Add(d) }
	oceania := region == "oceania"
	if oceania {
		gone := part(ago(90, 0), ago(81, 14*time.Hour)) + part(ago(49, 0), ago(47, 7*time.Hour))
		t.Coverage = 1 - float64(gone)/float64(max(1, t.Length))
	}
	switch {
	case oceania && (service == "imap" || service == "smtp"):
		t.Down = part(ago(31, 9*time.Hour), ago(31, 14*time.Hour+10*time.Minute))
		if f.out {
			t.Down += part(f.outage(), f.at)
		}
	case region == "eu-north" && service == "imap":
		t.Down = part(ago(8, 13*time.Hour), ago(8, 13*time.Hour+6*time.Minute))
	}
	if service != "mx" && service != "dav" && !oceania {
		t.Intermittent, t.Failed = part(ago(32, 11*time.Hour), ago(32, 14*time.Hour+5*time.Minute)), 0.31
	}
	if f.out && service == "webmail" && region == "us-east" {
		if d := part(f.outage().Add(37*time.Minute), f.at); d > 0 {
			t.Intermittent, t.Failed = d, 0.17
		}
	}
	if service == "mx" {
		t.Slow = part(ago(13, 9*time.Hour), ago(13, 9*time.Hour+50*time.Minute))
	}
	if service == "webmail" || service == "dav" {
		t.Maintenance = part(ago(66, 22*time.Hour), ago(66, 23*time.Hour+20*time.Minute))
	}
	return t
}

func latency(rnd *rand.Rand, rtt float64, at time.Time) graph.LatencyPoint {
	hour := float64(at.Hour()) + float64(at.Minute())/60
	p50 := (5*rtt + 32) * (1 + 0.1*math.Exp(-(hour-20)/2.6*((hour-20)/2.6))) * (1 + 0.01*rnd.NormFloat64())
	p95 := p50*(1.16+math.Abs(0.06*rnd.NormFloat64())) + 14*rnd.ExpFloat64()
	p99 := p95*(1.15+math.Abs(0.16*rnd.NormFloat64())) + 40*rnd.ExpFloat64()
	d := func(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }
	return graph.LatencyPoint{At: at, N: 90, P50: d(p50), P95: d(p95), P99: d(p99)}
}

func sum(tallies []graph.Tally) (graph.Ratio, float64) {
	var up, down, length float64
	for _, t := range tallies {
		known := t.Coverage * float64(t.Length)
		bad := float64(t.Down) + t.Failed*float64(t.Intermittent)
		up, down, length = up+known-bad, down+bad, length+float64(t.Length)
	}
	if up+down == 0 {
		return graph.Ratio{}, 0
	}
	return graph.Ratio{Value: up / (up + down), Known: true}, (up + down) / length
}

var errBroken = errors.New("disk is gone")

func newSite(t *testing.T, f *fake, pages ...Page) *Site {
	t.Helper()
	if len(pages) == 0 {
		pages = []Page{{ID: "main", Title: "Fjordmail status", URL: "https://status.fjordmail.example", Services: []string{"webmail", "imap", "smtp", "mx", "dav"}}}
	}
	s, err := New(Options{Source: f, Pages: pages, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("make site: %v", err)
	}
	return s
}

// crowd is a provider that is watched from eight regions, some of which have
// nothing to say.
func crowd() *fake {
	f := newFake(true)
	for i, r := range [][2]string{{"eu-central", "Central Europe"}, {"us-west", "Western US"}, {"asia-se", "Southeast Asia"}, {"africa", "Southern Africa"}, {"latam", "South America"}} {
		f.regions = append(f.regions, Region{r[0], r[1], 1, 2, morning.Add(-time.Duration(i+2) * time.Second)})
		for k := range f.services {
			reading := Reading{Region: r[0], State: verdict.Up, Since: morning.Add(-time.Hour)}
			switch {
			case r[0] == "africa":
				reading = Reading{Region: r[0], Last: verdict.Up, LastAt: morning.Add(-29 * time.Minute)}
			case r[0] == "latam" && k == 1:
				reading.State = verdict.Slow
			case r[0] == "us-west" && k == 4:
				reading.Maintenance = true
			}
			f.services[k].Readings = append(f.services[k].Readings, reading)
		}
	}
	f.regions[6].Newest = morning.Add(-29 * time.Minute)
	f.services[3].Readings = f.services[3].Readings[:5]
	return f
}
