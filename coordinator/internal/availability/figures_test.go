package availability

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

func TestWindows(t *testing.T) {
	all := Windows{
		{From: at(3630), To: at(3900)},
		{From: at(10), To: at(100), Regions: []string{"oceania"}},
		{From: at(90), To: at(200), Regions: []string{"oceania", "us-east"}},
		{From: at(500), To: at(400)},
		{From: at(3700), To: at(3710)},
	}
	got := all.In("oceania", minute)
	want := Windows{{From: ten, To: at(240)}, {From: at(3600), To: at(3900)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("oceania (-want +got):\n%s", diff)
	}
	if n := len(all.In("eu-north", minute)); n != 1 {
		t.Errorf("eu-north has %d windows, want 1", n)
	}
	for after, want := range map[float64]bool{-1: false, 0: true, 239: true, 240: false, 3660: true} {
		if got.Covers(at(after)) != want {
			t.Errorf("%v s: covered %t, want %t", after, !want, want)
		}
	}
	if d := got.Length(at(60), at(3660)); d != 4*minute {
		t.Errorf("got %v of maintenance in the hour, want 4 min", d)
	}
}

// course is a course of one region, a letter a minute: u up, d down, - not looked.
func course(letters string) Course {
	c := Course{Weight: 1}
	for _, l := range letters {
		m := Moment{Coverage: Coverage{0, 1}}
		switch l {
		case 'u':
			m.Up, m.Coverage.Covered = minute, 1
		case 'd':
			m.Down, m.Coverage.Covered = minute, 1
		}
		c.Minutes = append(c.Minutes, m)
	}
	return c
}

func TestCurve(t *testing.T) {
	const known = true
	for name, c := range map[string]struct {
		courses []Course
		length  time.Duration
		want    Worst
	}{
		"one minute":               {[]Course{course("uudu")}, minute, Worst{minute, known, 0, at(120)}},
		"the first that is as bad": {[]Course{course("udud")}, minute, Worst{minute, known, 0, at(60)}},
		"all of it":                {[]Course{course("uudu")}, 4 * minute, Worst{4 * minute, known, 0.75, ten}},
		"two of three":             {[]Course{course("uduuddu")}, 3 * minute, Worst{3 * minute, known, 1.0 / 3, at(180)}},
		"longer than there is":     {[]Course{course("uudu")}, 5 * minute, Worst{Length: 5 * minute}},
		"unknown is left out":      {[]Course{course("uuuudu-uuu")}, 5 * minute, Worst{5 * minute, known, 0.75, at(120)}},
		"too little looked":        {[]Course{course("d-uuu")}, 2 * minute, Worst{2 * minute, known, 1, at(120)}},
		"nobody looked":            {[]Course{course("-----")}, minute, Worst{Length: minute}},
		"regions by weight":        {[]Course{{3, course("uuu").Minutes}, {1, course("udu").Minutes}}, minute, Worst{minute, known, 0.75, at(60)}},
	} {
		if diff := cmp.Diff([]Worst{c.want}, Curve(ten, c.courses, []time.Duration{c.length})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// An hour of blips and one outage that come to the same ratio look different.
func TestCurveTellsBlipsFromAnOutage(t *testing.T) {
	blips, outage := Course{Weight: 1}, Course{Weight: 1}
	for i := range 600 {
		up, down := course("u").Minutes[0], course("d").Minutes[0]
		blips.Minutes = append(blips.Minutes, map[bool]Moment{true: down, false: up}[i%10 == 3])
		outage.Minutes = append(outage.Minutes, map[bool]Moment{true: down, false: up}[i >= 300 && i < 360])
	}
	lengths := []time.Duration{minute, time.Hour, 10 * time.Hour}
	a, b := Curve(ten, []Course{blips}, lengths), Curve(ten, []Course{outage}, lengths)
	if a[0].Ratio != 0 || b[0].Ratio != 0 || a[2].Ratio != 0.9 || b[2].Ratio != 0.9 {
		t.Errorf("got %+v and %+v", a, b)
	}
	if a[1].Ratio != 0.9 || b[1].Ratio != 0 || !b[1].From.Equal(ten.Add(5*time.Hour)) {
		t.Errorf("the worst hours are %+v and %+v", a[1], b[1])
	}
}

// slowly is the definition of the curve, in the square of the time.
func slowly(courses []Course, size int) (worst float64, known bool) {
	for from := 0; from+size <= len(courses[0].Minutes); from++ {
		var regions []Region
		for _, c := range courses {
			r := Region{Weight: c.Weight}
			for _, m := range c.Minutes[from : from+size] {
				r.Up, r.Down, r.Coverage = r.Up+m.Up, r.Down+m.Down, r.Coverage.Merge(m.Coverage)
			}
			regions = append(regions, r)
		}
		if ratio, coverage, ok := Overall(regions); ok && coverage >= Enough && (!known || ratio < worst) {
			worst, known = ratio, true
		}
	}
	return worst, known
}

func TestCurveIsItsDefinition(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "minutes")
		letters := rapid.StringOfN(rapid.SampledFrom([]rune("uuuuud-")), n, n, -1)
		courses := []Course{course(letters.Draw(t, "a")), course(letters.Draw(t, "b"))}
		courses[1].Weight = 2.5
		size := rapid.IntRange(1, 60).Draw(t, "size")
		got := Curve(ten, courses, []time.Duration{time.Duration(size) * minute})[0]
		if want, known := slowly(courses, size); got.Known != known || got.Ratio != want {
			t.Fatalf("got %+v, want %v, %t", got, want, known)
		}
	})
}

// Of one region that was looked at all the time, a window that is a whole number of
// shorter ones is no worse than the worst of those: it is their mean. Of windows
// that are no multiple this is not so, nor where some do not count.
func TestLongerWindowsAreNoWorse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := course(rapid.StringOfN(rapid.SampledFrom([]rune("uuud")), 1, 80, -1).Draw(t, "course"))
		short, times := rapid.IntRange(1, 20).Draw(t, "short"), rapid.IntRange(2, 5).Draw(t, "times")
		got := Curve(ten, []Course{c}, []time.Duration{time.Duration(short) * minute, time.Duration(short*times) * minute})
		if got[1].Known && (!got[0].Known || got[1].Ratio < got[0].Ratio-1e-12) {
			t.Fatalf("got %+v", got)
		}
	})
}

func TestBudget(t *testing.T) {
	b := BudgetOf(0.999, 0.0005, 30*day)
	if b.Allowed != 43*minute+12*time.Second || b.Used != 21*minute+36*time.Second || b.Remaining() != b.Used {
		t.Errorf("got %+v", b)
	}
	if left, ok := b.Left(); !ok || left != 0.5 {
		t.Errorf("left: got %v, %t, want half", left, ok)
	}
	if left, ok := BudgetOf(0.99, 0.03, day).Left(); !ok || math.Abs(left+2) > 1e-9 {
		t.Errorf("three times what is allowed: %v of it is left, want -2", left)
	}
	if _, ok := BudgetOf(1, 0, day).Left(); ok {
		t.Error("an objective that allows nothing has a share of it left")
	}
}

func TestBurnRates(t *testing.T) {
	known := func(ratio float64) Estimate { return Estimate{Known: true, Ratio: ratio, Out: 1 - ratio} }
	fast := BurnRules()[0]
	for name, c := range map[string]struct {
		long, short Estimate
		objective   float64
		exceeded    bool
	}{
		"both above":            {known(0.98), known(0.9), 0.999, true},
		"over by now":           {known(0.98), known(1), 0.999, false},
		"only begun":            {known(0.99), known(0), 0.999, false},
		"unknown":               {known(0.98), Estimate{}, 0.999, false},
		"allows nothing at all": {known(0.98), known(0.9), 1, false},
	} {
		if got := BurnOf(fast, c.objective, c.long, c.short); got.Exceeded() != c.exceeded {
			t.Errorf("%s: exceeded %t: %+v", name, got.Exceeded(), got)
		}
	}
	nearly(t, "rate", *BurnOf(fast, 0.999, known(0.9856), known(1)).LongRate, 14.4)
	for _, r := range BurnRules() {
		// What a rule is for: so much of 30 days' budget goes at its rate in its window.
		nearly(t, "spent in "+r.Long.String(), r.Rate*float64(r.Long)/float64(30*day), r.Spends)
	}
}

func TestStatuspageFigure(t *testing.T) {
	span := func(from, to time.Duration, o Outage) StatusSpan { return StatusSpan{ten.Add(from), ten.Add(to), o} }
	quiet := []StatusSpan{span(0, 10*hour, NoOutage)}
	for name, c := range map[string]struct {
		components [][]StatusSpan
		want       float64
		ok         bool
	}{
		"major":              {[][]StatusSpan{{span(0, 9*hour, NoOutage), span(9*hour, 10*hour, MajorOutage)}}, 0.9, true},
		"partial is 30 %":    {[][]StatusSpan{{span(0, 9*hour, NoOutage), span(9*hour, 10*hour, PartialOutage)}}, 0.97, true},
		"degraded is up":     {[][]StatusSpan{quiet}, 1, true},
		"mean of components": {[][]StatusSpan{quiet, {span(0, 5*hour, MajorOutage), span(5*hour, 10*hour, NoOutage)}, nil}, 0.75, true},
		"nothing was shown":  {[][]StatusSpan{nil}, 0, false},
	} {
		got, ok := Statuspage(c.components...)
		if ok != c.ok || math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: got %v, %t, want %v, %t", name, got, ok, c.want, c.ok)
		}
	}
}

// What was hardly looked at is not said to be kept; what is used up stays so.
func TestObjectiveKept(t *testing.T) {
	seen := func(coverage, out float64) Figures {
		return Figures{Counted: Estimate{Known: true, Coverage: coverage, Out: out}, Budget: new(BudgetOf(0.999, out, 1000*hour))}
	}
	for name, c := range map[string]struct {
		of   Figures
		want Kept
	}{
		"nothing was promised":     {Figures{Counted: Estimate{Known: true, Coverage: 1}}, ObjectiveUnknown},
		"all of it is used":        {seen(1, 0.001), ObjectiveKept},
		"a millisecond more":       {seen(1, 0.001+1.0/3_600_000_000), ObjectiveMissed},
		"looked at just enough":    {seen(Enough, 0), ObjectiveKept},
		"not looked at enough":     {seen(Enough-0.001, 0), ObjectiveUnknown},
		"seen to be broken anyway": {seen(0.01, 0.0011), ObjectiveMissed},
	} {
		if got := c.of.Kept(); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
