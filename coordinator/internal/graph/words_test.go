package graph

import (
	"testing"
	"time"

	"varde/coordinator/internal/verdict"
)

func TestPercentIsCut(t *testing.T) {
	for _, c := range []struct {
		ratio  Ratio
		places int
		want   string
	}{
		{Ratio{0.99996, true}, 2, "99.99 %"},
		{Ratio{1, true}, 2, "100 %"},
		{Ratio{0.9999999999, true}, 3, "99.999 %"},
		{Ratio{0.9993, true}, 2, "99.93 %"},
		{Ratio{0, true}, 2, "0 %"},
		{Ratio{0.984, true}, 1, "98.4 %"},
		{Ratio{0.5, false}, 1, "not measured"},
	} {
		if got := c.ratio.Percent(c.places); got != c.want {
			t.Errorf("%v with %d places: got %q, want %q", c.ratio, c.places, got, c.want)
		}
	}
}

func TestLookedSaysWhenItIsTooLittle(t *testing.T) {
	if got := Looked(0.984); got != "looked 98.4 %" {
		t.Errorf("got %q", got)
	}
	for coverage, want := range map[float64]string{
		0.429: "looked only 42 %", 0.01: "looked only 1 %", 0.0099: "looked under 1 %", 1e-9: "looked under 1 %", 0: "not looked",
	} {
		if got := Looked(coverage); got != want {
			t.Errorf("Looked(%v): got %q, want %q", coverage, got, want)
		}
	}
}

func TestDurationsInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0 s", 12 * time.Second: "12 s", 59 * time.Second: "59 s", 6 * time.Minute: "6 min", 2*time.Hour + 38*time.Minute: "2 h 38 min",
		3 * time.Hour: "3 h", 47 * time.Hour: "47 h", 12 * 24 * time.Hour: "12 d",
	} {
		if got := Span(d); got != want {
			t.Errorf("Span(%d ns): got %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0.0 ms", 1400 * time.Microsecond: "1.4 ms", 83*time.Millisecond + 400*time.Microsecond: "83 ms", 1480 * time.Millisecond: "1.5 s", 12 * time.Second: "12 s", 9970 * time.Microsecond: "10 ms",
	} {
		if got := Latency(d); got != want {
			t.Errorf("Latency(%s): got %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{1400 * time.Microsecond: "1.4 ms", 4002 * time.Millisecond: "4,002 ms", 83 * time.Millisecond: "83 ms"} {
		if got := Exact(d); got != want {
			t.Errorf("Exact(%s): got %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0", 500 * time.Millisecond: "500 ms", time.Second: "1 s", 20 * time.Microsecond: "20 µs"} {
		if got := Round(d); got != want {
			t.Errorf("Round(%s): got %q, want %q", d, got, want)
		}
	}
}

func TestNumbersAndLists(t *testing.T) {
	for n, want := range map[int]string{0: "0 runs", 1: "1 run", 144: "144 runs", 7584: "7,584 runs", 1234567: "1,234,567 runs"} {
		if got := Count(n, "run"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	for want, names := range map[string][]string{"": nil, "a": {"a"}, "a and b": {"a", "b"}, "a, b and c": {"a", "b", "c"}} {
		if got := List(names); got != want {
			t.Errorf("List(%q): got %q, want %q", names, got, want)
		}
	}
}

func TestMarkOf(t *testing.T) {
	for s, want := range map[verdict.State]Mark{
		verdict.Unknown: Unknown, verdict.Up: Up, verdict.Slow: Slow, verdict.Intermittent: Intermittent, verdict.Down: Down, 99: Unknown,
	} {
		if got := MarkOf(s); got != want {
			t.Errorf("MarkOf(%d): got %v, want %v", s, got, want)
		}
		if want != Unknown && MarkOf(s).String() != s.String() {
			t.Errorf("operators read %q for %q", MarkOf(s), s)
		}
	}
}

func TestTally(t *testing.T) {
	for _, c := range []struct {
		name  string
		tally Tally
		mark  Mark
		share float64
		title string
	}{
		{"nobody looked", Tally{Length: time.Hour, Down: time.Minute}, Unknown, 0, ""},
		{"up", Tally{Length: time.Hour, Coverage: 1}, Up, 0, ""},
		{"down beats slow", Tally{Length: time.Hour, Coverage: 1, Down: 6 * time.Minute, Slow: 6 * time.Minute}, Down, 0.2, "x: unreachable 6 min, slow 6 min"},
		{"share is of what was looked at", Tally{Length: time.Hour, Coverage: 0.5, Down: 15 * time.Minute}, Down, 0.5, "x: unreachable 15 min"},
		{"intermittent by its failed share", Tally{Length: time.Hour, Coverage: 1, Intermittent: 30 * time.Minute, Failed: 0.2}, Intermittent, 0.1, "x: failing at times 30 min"},
		{"maintenance", Tally{Length: time.Hour, Coverage: 1, Maintenance: time.Hour}, Maintenance, 1, "x: maintenance 1 h"},
	} {
		got := c.tally.Cell("x: ")
		if got.Mark != c.mark || got.Share < c.share-1e-9 || got.Share > c.share+1e-9 || got.Title != c.title {
			t.Errorf("%s: got %+v", c.name, got)
		}
	}
}

func TestDescribe(t *testing.T) {
	cells := []Cell{{Mark: Up}, {Mark: Up}, {Mark: Down}, {}, {}}
	if got, want := Describe(cells, "day"), "2 of 5 days without trouble; 1 day unreachable for a time; 2 days not measured."; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := Describe(make([]Cell, 3), "day"); got != "Not measured." {
		t.Errorf("got %q", got)
	}
}

func TestLastEndsWithTheStepUnderWay(t *testing.T) {
	at := time.Date(2026, 11, 22, 10, 20, 14, 0, time.UTC)
	w := Last(24*time.Hour, 15*time.Minute, at)
	if want := time.Date(2026, 11, 22, 10, 30, 0, 0, time.UTC); !w.To.Equal(want) || w.Cells() != 96 || !w.From.Equal(want.Add(-24*time.Hour)) {
		t.Errorf("got %v with %d cells", w, w.Cells())
	}
	if w := Last(90*24*time.Hour, 24*time.Hour, at); w.Cells() != 90 || w.Label(w.Start(89)) != "22 Nov" {
		t.Errorf("got %d cells, the last of %s", w.Cells(), w.Label(w.Start(89)))
	}
}

func TestSilentSpans(t *testing.T) {
	w := Window{noon, noon.Add(5 * time.Hour), time.Hour}
	down := Tally{Length: time.Hour, Coverage: 1, Down: time.Hour}
	tallies := []Tally{{Length: time.Hour, Coverage: 1}, down, down, {}, down}
	got := Silent(w, tallies, []LatencyPoint{{At: noon, N: 3}, {At: noon.Add(4 * time.Hour), N: 1}})
	if len(got) != 1 || !got[0].From.Equal(noon.Add(time.Hour)) || !got[0].To.Equal(noon.Add(3*time.Hour)) {
		t.Errorf("got %v, want the second and third hour", got)
	}
}

func TestTypicalIsTheMedian(t *testing.T) {
	points := []LatencyPoint{{N: 1, P50: 1, P95: 10, P99: 100}, {N: 0, P50: 99}, {N: 2, P50: 3, P95: 30, P99: 300}, {N: 3, P50: 2, P95: 20, P99: 200}}
	got, ok := Typical(points)
	if !ok || got.N != 6 || got.P50 != 2 || got.P95 != 20 || got.P99 != 200 {
		t.Errorf("got %+v %v", got, ok)
	}
	if _, ok := Typical([]LatencyPoint{{N: 0}}); ok {
		t.Error("no run gave a typical time")
	}
}

func TestDelay(t *testing.T) {
	for d, want := range map[time.Duration]string{0: "0.0 ms", 1400 * time.Millisecond: "1.4 s", 59 * time.Second: "59 s", 47*time.Minute + 59*time.Second: "47 min", 125 * time.Minute: "2 h 5 min"} {
		if got := Delay(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}

// What is said not to have been exceeded was not.
func TestAtMost(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1400 * time.Millisecond: "1.4 s", 30100 * time.Millisecond: "31 s", 59100 * time.Millisecond: "1 min",
		47 * time.Minute: "47 min", 47*time.Minute + time.Second: "48 min", 125 * time.Minute: "2 h 5 min",
		48*time.Hour - time.Second: "2 d", 49 * time.Hour: "2 d 1 h", 71*time.Hour + time.Minute: "3 d",
	} {
		if got := AtMost(d); got != want {
			t.Errorf("%s: got %q, want %q", d, got, want)
		}
	}
}
