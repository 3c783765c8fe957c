package history

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"varde/checks"
	"varde/coordinator/internal/availability"
	"varde/coordinator/internal/status"
	"varde/coordinator/internal/verdict"
)

// numbers asks for everything that is said of the fleet's service.
func numbers(t *testing.T, m *machine, from, to time.Time) availability.Numbers {
	t.Helper()
	n, err := m.s.Numbers(context.Background(), NumbersQuery{Service: "mail", From: from, To: to, Objective: 0.99, Curve: true})
	must(t, err)
	return n
}

func close9(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// Two hours in which one of three regions was dark for half an hour, figure by figure, while
// its hours are open, when they are sealed, and when the day is added up.
func TestNumbers(t *testing.T) {
	scene(t, func(_ *fleet, m *machine, begin time.Time) {
		to := begin.Add(2 * time.Hour)
		const lit = 16170.0 / 21570 // see TestAvailability
		for _, stage := range []time.Duration{0, 2 * time.Hour, 24 * time.Hour} {
			time.Sleep(stage)
			must(t, m.rollup.seal(time.Now()))
			n := numbers(t, m, begin, to)
			if !n.From.Equal(begin) || !n.To.Equal(to) || len(n.Regions) != 3 || n.Regions[1].Region != "oceania" || len(n.Families) != 1 {
				t.Fatalf("got %+v", n)
			}
			dark := n.Regions[1].Figures
			close9(t, "oceania", dark.Measured.Ratio, lit)
			close9(t, "all", n.Whole.Measured.Ratio, (7+2*lit)/9)
			close9(t, "IPv4", n.Families[0].Ratio, n.Whole.Measured.Ratio)
			if n.Whole.Counted != n.Whole.Measured || n.Whole.Maintenance != 0 {
				t.Errorf("without maintenance: got %+v, want as measured %+v", n.Whole.Counted, n.Whole.Measured)
			}
			// Whole blocks of five minutes fail or work, but for the first, which has missing
			// slots, and those at the ends of the outage: 24 events and not 720 runs.
			if e := dark.Measured; e.Runs != 720 || e.Clustering < 0.9 || e.Effective < 24 || e.Effective > 27 {
				t.Errorf("clusters: got %+v", e)
			}
			// 1 % of two hours may be down; of Oceania a quarter of them was.
			if b := dark.Budget; b == nil || b.Allowed != 72*time.Second || b.Period != 2*time.Hour || b.Used != 30*time.Minute {
				t.Errorf("budget: got %+v", b)
			}
			var curve []float64
			for _, w := range dark.Curve {
				if w.Known {
					curve = append(curve, w.Ratio)
				}
			}
			// A slot that begins before 0:30 reaches 20 s into it, so minute 0:30 is not wholly
			// dark, and what begins before 1:00 reaches as far beyond it.
			if len(curve) != 4 || curve[0] != 0 || curve[1] != 0 || curve[2] != 0 {
				t.Errorf("curve: got %+v", dark.Curve)
			}
			close9(t, "worst hour", curve[3], 0.5)
			if at := dark.Curve[0].From; !at.Equal(begin.Add(31 * time.Minute)) {
				t.Errorf("worst minute: at %v", at.Sub(begin))
			}
			close9(t, "worst minute of all", n.Whole.Curve[0].Ratio, 7.0/9)
		}
	})
}

// Burn rates look back from the end of the window.
func TestBurnRatesOfAStore(t *testing.T) {
	scene(t, func(_ *fleet, m *machine, begin time.Time) {
		n := numbers(t, m, begin, begin.Add(time.Hour))
		burns := n.Regions[1].Burns
		if len(burns) != 3 || burns[0].LongRate == nil || burns[0].ShortRate == nil {
			t.Fatalf("got %+v", burns)
		}
		// In the hour before one o'clock 5,370 of 10,800 s of slots failed: two slots that
		// began before 0:30 reach beyond it.
		close9(t, "1 h", *burns[0].LongRate, 5370.0/10800/0.01)
		close9(t, "5 min", *burns[0].ShortRate, 100)
		if !burns[0].Exceeded() || n.Regions[0].Burns[0].Exceeded() {
			t.Errorf("oceania %+v, eu-north %+v", burns[0], n.Regions[0].Burns[0])
		}
		late := numbers(t, m, begin, begin.Add(2*time.Hour)).Regions[1].Burns
		// Of three days but two hours are known, and the rest uses nothing.
		close9(t, "3 d", *late[2].LongRate, 5400/(3*3*86400.0)/0.01)
		if late[0].Exceeded() || late[1].Exceeded() || late[2].Exceeded() {
			t.Errorf("an hour later: got %+v", late)
		}
	})
}

// Maintenance leaves both sides of the ratio and the budget, in its regions only, and stays
// in the record.
func TestMaintenanceLeavesTheRatio(t *testing.T) {
	scene(t, func(_ *fleet, m *machine, begin time.Time) {
		window := availability.Window{From: begin.Add(30*time.Minute + 10*time.Second), To: begin.Add(time.Hour), Regions: []string{"oceania"}}
		m.s.options.Maintenance = func(service string, from, to time.Time) []availability.Window {
			if service != "mail" || !from.Before(to) {
				t.Errorf("asked for %s from %v to %v", service, from, to)
			}
			return []availability.Window{window}
		}
		to := begin.Add(2 * time.Hour)
		n := numbers(t, m, begin, to)
		dark := n.Regions[1].Figures
		close9(t, "measured", dark.Measured.Ratio, 16170.0/21570)
		// From 0:30 to 1:00 there are 5,400 s of slots, 5,370 of them down; what began then
		// reaches 30 s further.
		close9(t, "counted", dark.Counted.Ratio, 1-30.0/(21570-5400))
		if dark.Maintenance != 30*time.Minute || dark.Budget.Period != 90*time.Minute {
			t.Errorf("maintenance %v, period %v", dark.Maintenance, dark.Budget.Period)
		}
		if n.Whole.Maintenance != 30*time.Minute*2/9 || !slices.ContainsFunc(n.Maintenance, func(w availability.Window) bool { return w.From.Equal(window.From) }) {
			t.Errorf("all: maintenance %v of %v", n.Whole.Maintenance, n.Maintenance)
		}
		if other := n.Regions[0].Figures; other.Counted != other.Measured {
			t.Errorf("eu-north: got %+v", other)
		}
		if dark.Curve[0].Ratio != 0 {
			t.Error("maintenance left the curve")
		}
		if longer := numbers(t, m, begin.Add(-day), to).Regions[1].Counted; longer.Up != dark.Counted.Up || longer.Down != dark.Counted.Down {
			t.Errorf("read by the hour: got %+v, by the minute %+v", longer.Cell, dark.Counted.Cell)
		}
		if b := numbers(t, m, begin, begin.Add(time.Hour)).Regions[1].Burns[0]; b.ShortRate != nil || *b.LongRate > 1 {
			t.Errorf("maintenance burns the budget: %+v", b)
		}
		a, err := m.s.Availability(context.Background(), Query{Service: "mail", Region: "oceania", From: begin, To: to, Step: 2 * time.Hour})
		must(t, err)
		near(t, "availability", a.Availability, 16170.0/21570)
		near(t, "availability without maintenance", a.WithoutMaintenance, dark.Counted.Ratio)
		near(t, "low", a.Low, dark.Measured.Low)
		a, err = m.s.Availability(context.Background(), Query{Service: "mail", Region: "oceania", From: window.From.Add(time.Minute), To: begin.Add(time.Hour)})
		must(t, err)
		if a.WithoutMaintenance != nil || a.Availability == nil {
			t.Errorf("maintenance only: got %+v", a.Number)
		}
	})
}

// The figure that other pages would show follows what was told and not what was measured.
func TestStatuspageFigureOfAStore(t *testing.T) {
	scene(t, func(_ *fleet, m *machine, begin time.Time) {
		m.judge(time.Now())
		must(t, m.told.tick(time.Now(), true))
		n := numbers(t, m, begin, begin.Add(2*time.Hour))
		// Down is told 35 s into the outage and lasts until 20 s after it.
		figure := n.Regions[1].Statuspage
		if figure == nil || math.Abs(*figure-(1-1785.0/7200)) > 0.002 {
			t.Fatalf("oceania: got %v", figure)
		}
		close9(t, "all", *n.Whole.Statuspage, (2+*figure)/3)
	})
}

// A page shows nothing until something is known, and then what it last knew.
func TestStatusSpans(t *testing.T) {
	at := func(minutes int) time.Time { return ten.Add(time.Duration(minutes) * time.Minute) }
	one := stateCourse{status.Reading{Check: "imap", Family: checks.IPv4}, []segment{
		{at(0), at(5), verdict.Unknown}, {at(5), at(10), verdict.Down}, {at(10), at(20), verdict.Unknown}, {at(20), at(40), verdict.Up},
	}}
	other := stateCourse{status.Reading{Check: "imap", Family: checks.IPv6}, []segment{
		{at(0), at(30), verdict.Unknown}, {at(30), at(35), verdict.Down}, {at(35), at(40), verdict.Slow},
	}}
	want := []availability.StatusSpan{
		{From: at(5), To: at(10), Outage: availability.MajorOutage},
		{From: at(10), To: at(20), Outage: availability.MajorOutage},
		{From: at(20), To: at(30)},
		{From: at(30), To: at(35), Outage: availability.PartialOutage},
		{From: at(35), To: at(40)},
	}
	if diff := cmp.Diff(want, statusSpans([]stateCourse{one, other}, at(40))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Whatever is patchy, sealed or closed, numbers of hours are those of their minutes.
func TestNumbersOfPatchyDays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, begin := newFleet("imap", "smtp"), time.Now().UTC()
		m := start(t, t.TempDir(), patchy(t, f, begin), func() *Config { return f.config })
		m.feedAll()
		time.Sleep(31 * time.Hour)
		from, to := begin.Add(7*time.Minute), begin.Add(29*time.Hour+3*time.Minute)
		open := numbers(t, m, from, to)
		must(t, m.rollup.seal(begin.Add(31*time.Hour)))
		if diff := cmp.Diff(open, numbers(t, m, from, to)); diff != "" {
			t.Errorf("sealed (-open +sealed):\n%s", diff)
		}
		for i, region := range open.Regions {
			a, err := m.s.Availability(context.Background(), Query{Service: "mail", Region: region.Region, From: from, To: to, Step: time.Minute})
			must(t, err)
			near(t, region.Region, a.Availability, region.Measured.Ratio)
			near(t, region.Region+": low", a.Low, region.Measured.Low)
			if e := region.Measured; e.Up.Seconds() != a.UpS || e.Down.Seconds() != a.DownS || math.Abs(e.Coverage-a.Coverage) > 1e-9 || e.Effective > float64(e.Runs) {
				t.Errorf("%d: got %+v, by the minute %+v", i, e, a.Number)
			}
		}
		must(t, m.s.Close())
	})
}

// Where minutes are kept no longer there is neither curve nor burn rate, and it is said
// since when there can be.
func TestNumbersOfTheDistantPast(t *testing.T) {
	scene(t, func(_ *fleet, m *machine, begin time.Time) {
		must(t, m.rollup.seal(time.Now().Add(4*time.Hour)))
		time.Sleep(40 * day)
		n := numbers(t, m, begin, begin.Add(2*time.Hour))
		if dark := n.Regions[1].Figures; !dark.Measured.Known || len(dark.Curve) > 0 || len(dark.Burns) > 0 || dark.Measured.Runs != 720 {
			t.Errorf("got %+v", dark)
		}
		if want := time.Now().Add(-30 * day); n.MinutesFrom.Sub(want) > time.Minute || n.MinutesFrom.Before(want) {
			t.Errorf("minutes from %v, want %v", n.MinutesFrom, want)
		}
		if _, err := m.s.Numbers(context.Background(), NumbersQuery{From: begin, To: begin.Add(time.Hour)}); err == nil {
			t.Error("no service was given, and it was answered")
		}
	})
}

// However observations arrive, in whatever batches and however often, the numbers are
// the same to the last bit.
func TestNumbersDoNotDependOnArrival(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin, random := time.Now().UTC(), rand.New(rand.NewPCG(1, 9))
		f := newFleet("imap")
		f.fails = func(_, _, region string, at time.Time) checks.Class {
			if m := at.Sub(begin).Minutes(); region == "oceania" && m >= 20 && m < 37 || random.IntN(40) == 0 {
				return checks.ConnectTimeout
			}
			return ""
		}
		list := f.runs(begin, begin.Add(time.Hour))
		time.Sleep(4 * time.Hour)
		ask := func(j *fakeJournal) availability.Numbers {
			m := start(t, t.TempDir(), j, func() *Config { return f.config })
			m.feedAll()
			m.judge(time.Now())
			n := numbers(t, m, begin, begin.Add(time.Hour))
			must(t, m.s.Close())
			return n
		}
		j := newFakeJournal()
		f.arrive(t, j, list, nothingHeld)
		want := ask(j)
		for range 4 {
			j := newFakeJournal()
			f.arrive(t, j, list, func(o checks.Observation) (time.Time, bool) {
				return o.End().Add(time.Duration(random.IntN(40)) * time.Minute), random.IntN(30) == 0
			})
			twice := newFakeJournal()
			for _, entry := range j.entries {
				twice.entries = append(twice.entries, entry, entry)
			}
			if diff := cmp.Diff(want, ask(twice)); diff != "" {
				t.Errorf("(-in order +as it came):\n%s", diff)
			}
		}
	})
}
