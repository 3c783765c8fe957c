package graph

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"varde/coordinator/internal/availability"
)

var update = flag.Bool("update", false, "write the golden files anew")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// golden compares bytes with a file of testdata.
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
		t.Errorf("%s differs from its golden file; look at it after -update\ngot:\n%s", name, got)
	}
}

// someCells hold every mark, a gap, a thin cell and names that must be
// escaped.
func someCells() []Cell {
	return []Cell{
		{Mark: Up, Coverage: 1},
		{Mark: Up, Coverage: 1},
		{Mark: Up, Coverage: 0.5},
		{},
		{Mark: Up, Coverage: 1},
		{Mark: Slow, Share: 0.2, Coverage: 1, Title: "slow"},
		{Mark: Intermittent, Share: 0.17, Coverage: 1, Title: `1 in 6 <"&'>`},
		{Mark: Down, Share: 0.004, Coverage: 1, Title: "down 6 min"},
		{Mark: Down, Share: 1, Coverage: 1},
		{Mark: Down, Share: 1, Coverage: 1},
		{Mark: Maintenance, Share: 0.1, Coverage: 1},
	}
}

func somePoints(w Window) []LatencyPoint {
	var out []LatencyPoint
	for i := range w.Cells() {
		if i == 5 || i == 7 { // one point stands alone between two gaps
			continue
		}
		p50 := time.Duration(100+10*math.Sin(float64(i))) * time.Millisecond
		out = append(out, LatencyPoint{At: w.Start(i), N: 30, P50: p50, P95: p50 * 5 / 4, P99: p50 * 2})
	}
	return out
}

func someStack(w Window) Stack {
	s := Stack{Words: Words{"k", "Phases", "connect, tls"}, Window: w, Names: []string{"connect", "tls"}}
	for _, p := range somePoints(w) {
		s.Points = append(s.Points, StackPoint{p.At, []time.Duration{p.P50, p.P50 / 2}})
	}
	return s
}

func someStandalone(w Window) Standalone {
	return Standalone{
		Title: "Outgoing mail & more", Span: "the last 24 hours", Source: "Example Mail status", Window: w, At: noon,
		Rows: []StandaloneRow{
			{Name: "Northern Europe", Mark: Down, Cells: someCells(), Uptime: Ratio{0.99996, true}, Coverage: 0.984, Points: somePoints(w)},
			{Name: "A region with a name that is far too long", Cells: make([]Cell, 11)},
		},
	}
}

// someDelays hold every kind of bar, and what must be escaped.
func someDelays(w Window) Delays {
	d := Delays{Words: Words{"d", "Delays <&>", "1 lost"}, Window: w, Points: []DelayPoint{
		{At: w.Start(0), Sent: 4, Arrived: 4, Longest: 1400 * time.Millisecond},
		{At: w.Start(1), Sent: 4, Arrived: 4, Late: 2, Longest: 47 * time.Minute},
		{At: w.Start(2), Sent: 4, Arrived: 2, Late: 3, Lost: 1, Pending: 1, Longest: 3 * time.Minute},
		{At: w.Start(4)},
		{At: w.Start(5), Sent: 1, Unknown: 1},
		{At: w.Start(11), Sent: 2, Pending: 2, Late: 1},
	}}
	d.Scale = DelayScale(d.Points)
	return d
}

// someWorst holds windows that kept an objective of 99 %, broke it, had nothing wrong in
// them, and were not looked at.
func someWorst() WorstWindows {
	w := WorstWindows{Words: Words{"w", "Worst <&>", "all down for a minute"}, Objective: 0.99}
	for i, ratio := range []float64{0, 0.2, 0.984, 0.9999, 0.999999, 1} {
		w.Windows = append(w.Windows, availability.Worst{Length: availability.CurveLengths()[i], Known: true, Ratio: ratio, From: noon})
	}
	w.Windows = append(w.Windows, availability.Worst{Length: 7 * 24 * time.Hour})
	return w
}

// someDrift holds a clock that is right, one that wanders, one that is far off, and gaps.
func someDrift(w Window) Drift {
	return Drift{Words: Words{"o", "Clock <&>", "off by 40 s"}, Window: w, Limit: 30 * time.Second, Lines: []time.Time{noon.Add(-3 * time.Hour)}, Points: []DriftPoint{
		{At: w.Start(0), Low: 2 * time.Millisecond, High: 2 * time.Millisecond},
		{At: w.Start(1), Low: -8 * time.Second, High: 400 * time.Millisecond},
		{At: w.Start(4), Low: 29 * time.Second, High: 40 * time.Second},
		{At: w.Start(11), Low: -40 * time.Second, High: -40 * time.Second},
	}}
}

// TestReach: the scale of a clock goes as far to both sides, to a round number.
func TestReach(t *testing.T) {
	for far, want := range map[time.Duration]time.Duration{
		0: 10 * time.Millisecond, 9 * time.Millisecond: 10 * time.Millisecond, 11 * time.Millisecond: 20 * time.Millisecond,
		-3 * time.Second: 5 * time.Second, 40 * time.Second: 50 * time.Second,
	} {
		if got := (Drift{Points: []DriftPoint{{Low: far, High: far}}}).Reach(); got != want {
			t.Errorf("%s: got %s, want %s", far, got, want)
		}
	}
}

func TestGolden(t *testing.T) {
	w := Last(12*time.Hour, time.Hour, noon.Add(-time.Minute))
	strip := Strip{Words: Words{"s", "IMAP", "One day"}, Cells: someCells(), Lines: []float64{2.5}}
	spaced := strip
	spaced.Gap, spaced.Height = 0.26, 38
	panel := Panel{
		Words: Words{"l", "Latency", "p50 100 ms"}, Window: w, Points: somePoints(w), Scale: ScaleOf(somePoints(w)), Lines: []time.Time{noon.Add(-3 * time.Hour)},
		Silent: []Window{{From: noon.Add(-2 * time.Hour), To: noon}}, Note: []string{"no run", "completed"},
	}
	bars := Bars{Words: Words{"b", "busy", "3 runs"}, Window: w, Counts: []int{0, 1, 0, 1000, 0, 30}, Most: 1000}
	fall := Waterfall{Words: Words{"w", "Waterfall", "failed"}, Steps: []Step{{Name: "resolve", Length: 1400 * time.Microsecond}, {Name: "connect", Length: 4 * time.Second, Failed: true}, {Name: "tls", Skipped: true}}}
	ridge := Ridge{Regions: []Beacon{{"Northern Europe", false}, {"North America", true}, {"Oceania", true}}, First: 0.28}
	for name, got := range map[string][]byte{
		"strip.svg": []byte(strip.HTML()), "strip-spaced.svg": []byte(spaced.HTML()), "panel.html": []byte(panel.HTML()),
		"delays.html": []byte(someDelays(w).HTML()), "drift.html": []byte(someDrift(w).HTML()), "stack.html": []byte(someStack(w).HTML()), "bars.svg": []byte(bars.HTML()), "waterfall.html": []byte(fall.HTML()),
		"ridge.html": []byte(ridge.HTML()), "axis.svg": []byte(w.Axis("00:00", "now")), "letters.svg": []byte(w.Letters([]time.Time{w.From, w.From, noon})),
		"worst.html": []byte(someWorst().HTML()), "worst-axis.svg": []byte(someWorst().Axis()), "budget.svg": []byte(Budget{Words: Words{"u", "Budget <&>", "half"}, Used: 0.5}.HTML()),
		"budget-gone.svg": []byte(Budget{Words: Words{"u", "Budget", "gone"}, Used: 1.2}.HTML()),
		"standalone.svg":  someStandalone(w).SVG(), "badge.svg": Badge{"IMAP", "unreachable: Oceania", Down}.SVG(),
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, got) })
	}
}
