package graph

import (
	"encoding/xml"
	"errors"
	"html/template"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"varde/coordinator/internal/availability"
)

// wellFormed reads a fragment or a document to its end as XML.
func wellFormed(s string) error {
	d := xml.NewDecoder(strings.NewReader("<r>" + s + "</r>"))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// anyFloat draws numbers that a caller should not pass, too.
func anyFloat() *rapid.Generator[float64] {
	return rapid.OneOf(rapid.Float64(), rapid.Float64Range(0, 1), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), 0, 1}))
}

// anyText draws words with everything that XML and HTML forbid.
func anyText() *rapid.Generator[string] {
	return rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "]]>", "<script>", "\x00\x0b\xff", "\ufffe", `"'&`, "--", "\u202e"}))
}

func anyCells() *rapid.Generator[[]Cell] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Cell {
		return Cell{Mark(rapid.Byte().Draw(t, "mark")), anyFloat().Draw(t, "share"), anyFloat().Draw(t, "coverage"), anyText().Draw(t, "title")}
	}), 0, 40)
}

func anyDuration() *rapid.Generator[time.Duration] {
	return rapid.OneOf(rapid.Map(rapid.Int64(), func(n int64) time.Duration { return time.Duration(n) }),
		rapid.Map(rapid.Int64Range(0, int64(time.Minute)), func(n int64) time.Duration { return time.Duration(n) }))
}

func anyWindow() *rapid.Generator[Window] {
	return rapid.Custom(func(t *rapid.T) Window {
		step := rapid.SampledFrom([]time.Duration{0, -1, time.Minute, time.Hour, 24 * time.Hour}).Draw(t, "step")
		n := rapid.IntRange(-2, 400).Draw(t, "n")
		from := noon.Add(time.Duration(rapid.Int64Range(0, 1e15).Draw(t, "from")))
		return Window{from, from.Add(step * time.Duration(n)), step}
	})
}

func anyPoints(w Window) *rapid.Generator[[]LatencyPoint] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) LatencyPoint {
		at := w.From.Add(time.Duration(rapid.IntRange(-3, 60).Draw(t, "at")) * w.Step)
		return LatencyPoint{at, rapid.IntRange(-1, 9).Draw(t, "n"), anyDuration().Draw(t, "p50"), anyDuration().Draw(t, "p95"), anyDuration().Draw(t, "p99")}
	}), 0, 30)
}

// fragments draws one of everything.
func fragments(t *rapid.T) []template.HTML {
	words := Words{"id", anyText().Draw(t, "title"), anyText().Draw(t, "desc")}
	w := anyWindow().Draw(t, "window")
	points := anyPoints(w).Draw(t, "points")
	cells := anyCells().Draw(t, "cells")
	size := anyFloat().Draw(t, "size")
	names := rapid.SliceOfN(anyText(), 0, 9).Draw(t, "names")
	stack := Stack{Words: words, Window: w, Names: names, Height: size, Silent: []Window{w}, Note: names, Lines: []time.Time{w.To}}
	fall := Waterfall{Words: words, Total: anyDuration().Draw(t, "total")}
	ridge := Ridge{First: size}
	for i, n := range names {
		fall.Steps = append(fall.Steps, Step{n, anyDuration().Draw(t, "step"), i%3 == 1, i%3 == 2})
		ridge.Regions = append(ridge.Regions, Beacon{n, i%2 == 0})
	}
	for _, p := range points {
		stack.Points = append(stack.Points, StackPoint{p.At, rapid.SliceOfN(anyDuration(), 0, 9).Draw(t, "medians")})
	}
	counts := rapid.SliceOfN(rapid.Int(), 0, 20).Draw(t, "counts")
	delays := Delays{Words: words, Window: w, Height: size, Noun: words.Title, Lines: []time.Time{w.From}}
	drift := Drift{Words: words, Window: w, Height: size, Limit: anyDuration().Draw(t, "limit"), Lines: []time.Time{w.To}}
	for _, p := range points {
		delays.Points = append(delays.Points, DelayPoint{p.At, p.P50, p.N, p.N % 3, p.N % 4, p.N % 2, p.N % 5, p.N % 7})
	}
	delays.Scale = DelayScale(delays.Points)
	for _, p := range points {
		drift.Points = append(drift.Points, DriftPoint{p.At, -p.P50, p.P95})
	}
	worst := WorstWindows{Words: words, Objective: anyFloat().Draw(t, "objective"), Height: size}
	for _, p := range points {
		worst.Windows = append(worst.Windows, availability.Worst{Length: p.P50, Known: p.N > 0, Ratio: anyFloat().Draw(t, "worst"), From: p.At})
	}
	return []template.HTML{
		worst.HTML(), worst.Axis(), Budget{words, anyFloat().Draw(t, "used"), size}.HTML(),
		Strip{words, cells, size, anyFloat().Draw(t, "ground"), anyFloat().Draw(t, "gap"), []float64{size}}.HTML(),
		Panel{words, w, points, ScaleOf(points), size, []Window{w}, names, size, []time.Time{w.From}}.HTML(),
		Panel{Words: words, Window: w, Points: points, Scale: Scale{anyDuration().Draw(t, "low"), anyDuration().Draw(t, "high")}}.HTML(),
		stack.HTML(), fall.HTML(), ridge.HTML(), w.NarrowAxis(), w.Axis(words.Title, words.Desc), w.Letters([]time.Time{w.From, w.To}),
		Bars{words, w, counts, rapid.Int().Draw(t, "most"), len(counts)%2 == 0, len(counts)%3 == 0, words.Title, size, []float64{size}}.HTML(),
		delays.HTML(), drift.HTML(), DelayKey("db"), DelayKey("dlost"),
		Key(Mark(rapid.Byte().Draw(t, "key"))), Mark(rapid.Byte().Draw(t, "glyph")).Glyph(), Mast(true, 3, "m", words.Title), HueKey(1, 9),
		template.HTML(Badge{words.Title, words.Desc, Mark(rapid.Byte().Draw(t, "badge"))}.SVG()),
		template.HTML(Standalone{words.Title, words.Desc, words.Title, w, w.To, []StandaloneRow{
			{words.Title, Mark(rapid.Byte().Draw(t, "row")), cells, Ratio{size, true}, size, points},
		}}.SVG()),
	}
}

func TestWellFormed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for i, f := range fragments(t) {
			if err := wellFormed(string(f)); err != nil {
				t.Fatalf("fragment %d is not well-formed: %v\n%s", i, err, f)
			}
			if strings.Contains(string(f), "NaN") || strings.Contains(string(f), "Inf ") {
				t.Fatalf("fragment %d holds a number that is none:\n%s", i, f)
			}
			if strings.Contains(string(f), " style=") {
				t.Fatalf("fragment %d has a style attribute, which a page forbids:\n%s", i, f)
			}
		}
	})
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"IMAP", "<b>", "\x00", "\xff\xfe", "]]>", `a"b'c&d`, "\ufffe", "\U0010ffff"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		s := Standalone{Title: a, Span: b, Source: a, Rows: []StandaloneRow{{Name: b, Cells: []Cell{{Down, 1, 1, a}}}}}
		for _, svg := range [][]byte{s.SVG(), Badge{a, b, Down}.SVG()} {
			if err := wellFormed(string(svg)); err != nil {
				t.Fatalf("not well-formed: %v\n%s", err, svg)
			}
		}
	})
}

func TestSameInputSameBytes(t *testing.T) {
	w := Last(24*time.Hour, 5*time.Minute, noon)
	draw := func() string {
		p := Panel{Words: Words{"l", "a", "b"}, Window: w, Points: somePoints(w), Scale: ScaleOf(somePoints(w))}
		r := Ridge{Regions: make([]Beacon, 8), First: 0.22}
		return string(p.HTML()) + string(r.HTML()) + string(someStandalone(w).SVG())
	}
	if first := draw(); first != draw() {
		t.Error("two drawings of the same differ")
	}
}

func TestNothingIsDrawnWhereNobodyLooked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cells := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Cell {
			return rapid.SampledFrom([]Cell{{}, {Mark: Up, Coverage: 0.04}, {Mark: Down, Share: 1}, {Mark: Unknown, Coverage: 1}}).Draw(t, "cell")
		}), 0, 20).Draw(t, "cells")
		if body := (Strip{Cells: cells, Height: 24, Ground: 4}).body(); body != "" {
			t.Fatalf("got %q for cells that nobody looked at", body)
		}
	})
}

func TestOneBadMinuteOfADayIsSeen(t *testing.T) {
	c := Tally{Length: 24 * time.Hour, Coverage: 1, Down: time.Minute}.Cell("")
	if c.Mark != Down {
		t.Fatalf("mark is %v, want down", c.Mark)
	}
	if h := rise(c); h < 0.42 || h > 0.5 {
		t.Errorf("one bad minute is %.2f of the height, want a little over 0.42", h)
	}
	if h := rise(Cell{Mark: Down, Share: 1}); h != 1 {
		t.Errorf("a whole bad day is %.2f of the height, want 1", h)
	}
}

func TestUpIsOnePathAndGapsCutIt(t *testing.T) {
	body := Strip{Cells: []Cell{{Mark: Up, Coverage: 1}, {Mark: Up, Coverage: 1}, {}, {Mark: Up, Coverage: 1}}, Height: 24, Ground: 4}.body()
	if want := `<path class="f-up" d="M0 20H2V24H0ZM3 20H4V24H3Z"/>`; body != want {
		t.Errorf("got  %s\nwant %s", body, want)
	}
}

func TestLinesDoNotCrossGaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := Last(24*time.Hour, time.Hour, noon)
		present := rapid.SliceOfN(rapid.Bool(), 24, 24).Draw(t, "present")
		var points []LatencyPoint
		runs := 0
		for i, p := range present {
			n := 0
			if p {
				n = 1
				if i == 0 || !present[i-1] {
					runs++
				}
			}
			points = append(points, LatencyPoint{At: w.Start(i), N: n, P50: time.Second, P95: time.Second, P99: time.Second})
		}
		body := string(Panel{Window: w, Points: points, Scale: ScaleOf(points)}.HTML())
		if got := strings.Count(body, `class="p50"`); got != runs {
			t.Fatalf("%d lines for %d runs of points", got, runs)
		}
	})
}

func TestMergeTakesTheWorstAndTheWeightedShare(t *testing.T) {
	cells := []Weighted{
		{Cell{Mark: Up, Coverage: 1}, 4}, {Cell{Mark: Intermittent, Share: 0.4, Coverage: 1, Title: "a"}, 3}, {Cell{Mark: Down, Share: 1, Coverage: 0.5, Title: "b"}, 1}, {Cell{}, 2},
	}
	got := Merge(cells)
	if got.Mark != Down || math.Abs(got.Share-0.22) > 1e-9 || math.Abs(got.Coverage-0.75) > 1e-9 || got.Title != "a; b" {
		t.Errorf("got %+v, want down with a share of 0.22, a coverage of 0.75 and both titles", got)
	}
	if empty := Merge(nil); empty != (Cell{}) {
		t.Errorf("nothing merges to %+v", empty)
	}
}

func TestMergeIsNeverWorseThanItsWorst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var cells []Weighted
		worst, share := Unknown, 0.0
		for range rapid.IntRange(1, 8).Draw(t, "n") {
			c := Cell{Mark: Mark(rapid.IntRange(0, int(Down)).Draw(t, "mark")), Share: rapid.Float64Range(0, 1).Draw(t, "share"), Coverage: rapid.Float64Range(0, 1).Draw(t, "coverage")}
			cells = append(cells, Weighted{c, rapid.Float64Range(0, 9).Draw(t, "weight")})
			worst, share = max(worst, c.Mark), max(share, c.Share)
		}
		got := Merge(cells)
		if got.Mark != worst || got.Share > share+1e-9 || got.Coverage > 1+1e-9 {
			t.Fatalf("merged %+v to %+v", cells, got)
		}
	})
}

func TestScaleHoldsEveryPoint(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var points []LatencyPoint
		for range rapid.IntRange(1, 9).Draw(t, "n") {
			p50 := time.Duration(rapid.Int64Range(1000, int64(time.Minute)).Draw(t, "p50"))
			points = append(points, LatencyPoint{N: 1, P50: p50, P95: p50 * 2, P99: p50 * 3})
		}
		s := ScaleOf(points)
		for _, p := range points {
			if p.P50 < s.Low || p.P99 > s.High {
				t.Fatalf("%v to %v is outside %v to %v", p.P50, p.P99, s.Low, s.High)
			}
		}
		if s.High < 10*s.Low {
			t.Fatalf("scale %v to %v is less than a decade", s.Low, s.High)
		}
		if len(s.marks()) < 2 {
			t.Fatalf("scale %v to %v has the marks %v, want two or more", s.Low, s.High, s.marks())
		}
	})
}

func TestTicksLieInsideAndHaveRoom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyWindow().Draw(t, "window")
		most := rapid.IntRange(narrowTicks, 12).Draw(t, "most")
		ticks := w.Ticks(most)
		last := 0.0
		for _, k := range ticks {
			if k.Place <= last || k.Place >= 0.94 {
				t.Fatalf("ticks %v of %v", ticks, w)
			}
			last = k.Place
		}
		if length := w.To.Sub(w.From); length <= 40*24*time.Hour && len(ticks) > most+1 {
			t.Fatalf("%d ticks, want at most %d", len(ticks), most+1)
		}
	})
}

// A minute of trouble shows on a day that has hardly begun to be looked at; its
// height is that of the day, and a good minute claims nothing.
func TestTroubleShowsHoweverLittleWasLookedAt(t *testing.T) {
	day := Tally{Length: 20 * time.Hour, Coverage: 0.001, Down: time.Minute}
	bad, good := day.Cell("today: "), Tally{Length: 20 * time.Hour, Coverage: 0.001}.Cell("today: ")
	if bad.Mark != Down || bad.Share > 0.02 || good.Mark != Unknown {
		t.Errorf("got %+v and %+v, want a low mark of down, and unknown", bad, good)
	}
	if body := (Strip{Cells: []Cell{bad}, Height: 24, Ground: 4}).body(); !strings.Contains(body, "f-down") {
		t.Errorf("got %q, want a mark of down", body)
	}
	if got := Describe([]Cell{good, {}}, "day"); got != "Measured too little to be drawn." {
		t.Errorf("described as %q", got)
	}
}
