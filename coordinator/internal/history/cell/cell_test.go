package cell

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"varde/checks"
)

var exact = cmp.Options{cmp.AllowUnexported(Sketch{}, bin{}), cmpopts.EquateEmpty()}

func durations() *rapid.Generator[[]time.Duration] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(0, int64(time.Minute)).Draw(t, "d"))
	}), 0, 40)
}

func sketchOf(ds []time.Duration) Sketch {
	var s Sketch
	for _, d := range ds {
		s.Add(d)
	}
	return s
}

// The quantiles are those of the library's own sketch of the same accuracy.
func TestSketchIsADDSketch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ds := durations().Draw(t, "durations")
		got := sketchOf(ds)
		want, err := ddsketch.NewDefaultDDSketch(accuracy)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range ds {
			if err := want.Add(float64(max(d, time.Microsecond)) / 1e6); err != nil {
				t.Fatal(err)
			}
		}
		for _, q := range []float64{0, 0.5, 0.95, 0.99, 1} {
			g, ok := got.Quantile(q)
			if ok != (len(ds) > 0) {
				t.Fatalf("quantile %v of %d: ok is %t", q, len(ds), ok)
			}
			if !ok {
				continue
			}
			w, err := want.GetValueAtQuantile(q)
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(float64(g)/1e6-w) > w*1e-6+1e-6 {
				t.Fatalf("quantile %v: got %v, the library says %v ms", q, g, w)
			}
		}
	})
}

func TestSketchErrorIsOnePercent(t *testing.T) {
	var s Sketch
	for ms := 1; ms <= 1000; ms++ {
		s.Add(time.Duration(ms) * time.Millisecond)
	}
	for q, want := range map[float64]float64{0.5: 500, 0.95: 950, 0.99: 990} {
		got, _ := s.Quantile(q)
		if ms := checks.Milliseconds(got); math.Abs(ms-want) > want*0.011 {
			t.Errorf("quantile %v: got %v ms, want %v within 1 %%", q, ms, want)
		}
	}
	if _, ok := s.Quantile(math.NaN()); ok {
		t.Error("quantile NaN has a value")
	}
}

func TestSketchesMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		one, two := durations().Draw(t, "one"), durations().Draw(t, "two")
		got, other := sketchOf(one), sketchOf(two)
		got.Merge(other)
		if diff := cmp.Diff(sketchOf(slices.Concat(one, two)), got, exact); diff != "" {
			t.Fatalf("(-added +merged):\n%s", diff)
		}
		if diff := cmp.Diff(sketchOf(two), other, exact); diff != "" {
			t.Fatalf("what was merged has changed:\n%s", diff)
		}
	})
}

type run struct {
	probe string
	checks.Result
}

func runs() *rapid.Generator[[]run] {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) run {
		r := run{probe: rapid.SampledFrom([]string{"osl-1", "osl-2", "fra-1"}).Draw(t, "probe")}
		r.Outcome = checks.Outcome(rapid.IntRange(0, 2).Draw(t, "outcome"))
		r.Elapsed = time.Duration(rapid.IntRange(1, 5000).Draw(t, "ms")) * time.Millisecond
		if r.Outcome != checks.Up {
			r.Class = rapid.SampledFrom([]checks.Class{checks.Busy, checks.TLSTimeout, checks.OwnNetwork}).Draw(t, "class")
		}
		return r
	}), 0, 12)
}

func minuteOf(runs []run) Minute {
	var m Minute
	for _, r := range runs {
		m.Piece(r.probe, r.Outcome, 30*time.Second)
		m.Run(r.Result)
	}
	return m
}

func minutes() *rapid.Generator[Minute] { return rapid.Map(runs(), minuteOf) }

func TestMinuteIsOrderFree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := runs().Draw(t, "runs")
		in, mixed := minuteOf(all), minuteOf(rapid.Permutation(all).Draw(t, "mixed"))
		if !bytes.Equal(in.Encode(), mixed.Encode()) {
			t.Fatal("order changed the bytes")
		}
	})
}

func hours() *rapid.Generator[*Hour] {
	return rapid.Custom(func(t *rapid.T) *Hour {
		h := &Hour{Probes: rapid.IntRange(0, 9).Draw(t, "probes")}
		for range rapid.IntRange(0, 5).Draw(t, "minutes") {
			m := minutes().Draw(t, "minute")
			h.Minutes[rapid.IntRange(0, 59).Draw(t, "at")] = &m
		}
		h.Quarters[rapid.IntRange(0, 3).Draw(t, "quarter")].Run(checks.Result{Outcome: checks.Up, Phases: []checks.PhaseTiming{
			{Name: checks.Connect, Duration: 20 * time.Millisecond}, {Name: checks.TLS, Duration: 30 * time.Millisecond},
		}})
		return h
	})
}

func probesHours() *rapid.Generator[Hours] {
	return rapid.Map(rapid.MapOfN(rapid.SampledFrom([]string{"", "osl-1", "osl-2"}), hours(), 0, 3), func(m map[string]*Hour) Hours { return m })
}

func TestHoursRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := probesHours().Draw(t, "hours")
		b := h.Encode()
		back, err := DecodeHours(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(h, back, exact); diff != "" {
			t.Fatalf("hours differ (-before +after):\n%s", diff)
		}
		if !bytes.Equal(b, back.Encode()) {
			t.Fatal("bytes differ after a round")
		}
	})
}

// first is an hour as the first version wrote it: value after value, compressed as a
// whole.
func first(t *rapid.T, h *Hour) []byte {
	var e encoder
	e.uint(heads, uint64(h.Probes))
	for i, m := range h.Minutes {
		if m != nil {
			e.uint(heads, uint64(i+1))
			e.minute(*m)
		}
	}
	e.uint(heads, 0)
	for _, q := range h.Quarters {
		e.phases(q)
	}
	out := bytes.NewBuffer([]byte{1})
	w, err := flate.NewWriter(out, flate.DefaultCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(e.b[heads]); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Quarters are the hour, piece by piece; phases alone leave the minutes that there are.
func TestQuarters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := hours().Draw(t, "hour")
		again := Hour{Probes: h.Probes}
		for i := range h.Quarters {
			if err := again.DecodeQuarter(i, h.EncodeQuarter(i)); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(*h, again, exact); diff != "" {
			t.Fatalf("hour differs (-before +after):\n%s", diff)
		}
		for i, q := range h.Quarters {
			if err := again.DecodeQuarter(i, q.Encode()); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(*h, again, exact); diff != "" {
			t.Fatalf("phases alone changed it (-before +after):\n%s", diff)
		}
	})
}

// TestHoursOfProbes: what several saw together is the same in whatever order.
func TestHoursOfProbes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := hours().Draw(t, "a"), hours().Draw(t, "b")
		var ab, ba Hour
		for _, h := range []*Hour{a, b} {
			ab.Merge(h)
		}
		for _, h := range []*Hour{b, a} {
			ba.Merge(h)
		}
		if diff := cmp.Diff(ab, ba, exact); diff != "" {
			t.Fatalf("order matters:\n%s", diff)
		}
		one, two, both := a.Total(1), b.Total(1), ab.Total(1)
		if both.Completed != one.Completed+two.Completed || both.Latency.Count() != both.Completed || both.Failures.Count(checks.Down) != one.Failures.Count(checks.Down)+two.Failures.Count(checks.Down) {
			t.Fatalf("got %+v of %+v and %+v", both, one, two)
		}
	})
}

// second is an hour as the second version wrote it, of all probes together.
func second(_ *rapid.T, h *Hour) []byte {
	e := newBlock()
	e.hour(h)
	return append([]byte{2}, e.columns()...)
}

// What was sealed by former versions can be read.
func TestHourOfFormerVersions(t *testing.T) {
	for version, written := range map[string]func(*rapid.T, *Hour) []byte{"first": first, "second": second} {
		rapid.Check(t, func(t *rapid.T) {
			h := hours().Draw(t, "hour")
			back, err := DecodeHours(written(t, h))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Hours{"": h}, back, exact); diff != "" {
				t.Fatalf("hour of the %s version differs (-before +after):\n%s", version, diff)
			}
		})
	}
}

// TestProbeTotalsRoundTrip: and each part is read for itself.
func TestProbeTotalsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := ProbeTotals{}
		for _, name := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"osl-1", "osl-2", "osl-3"}), rapid.ID).Draw(t, "probes") {
			all[name] = make(Totals, 24)
			for range rapid.IntRange(0, 3).Draw(t, "hours") {
				total := hours().Draw(t, "hour").Total(1)
				all[name][rapid.IntRange(0, 23).Draw(t, "at")] = &total
			}
		}
		packed := all.Encode()
		back, err := DecodeProbeTotals(24, packed)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(all, back, exact); diff != "" {
			t.Fatalf("totals differ (-before +after):\n%s", diff)
		}
		less, err := DecodeProbeTotals(24, Packed{Sums: packed.Sums, Phases: packed.Phases})
		if err != nil {
			t.Fatal(err)
		}
		for _, list := range back {
			list.each(func(t *Total) { t.Latency = Sketch{} })
		}
		if diff := cmp.Diff(back, less, exact); diff != "" {
			t.Fatalf("without latencies they differ (-with +without):\n%s", diff)
		}
	})
}

func TestTotalsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := make(Totals, 24)
		for range rapid.IntRange(0, 6).Draw(t, "hours") {
			total := hours().Draw(t, "hour").Total(2)
			list[rapid.IntRange(0, 23).Draw(t, "at")] = &total
		}
		packed := list.Encode()
		back, err := DecodeTotals(24, packed)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(list, back, exact); diff != "" {
			t.Fatalf("totals differ (-before +after):\n%s", diff)
		}
		if diff := cmp.Diff(packed, back.Encode()); diff != "" {
			t.Fatalf("bytes differ after a round (-first +second):\n%s", diff)
		}
		less, err := DecodeTotals(24, Packed{Sums: packed.Sums})
		if err != nil {
			t.Fatal(err)
		}
		back.each(func(t *Total) { t.Latency, t.Phases = Sketch{}, nil })
		if diff := cmp.Diff(back, less, exact); diff != "" {
			t.Fatalf("sums alone differ (-with +without):\n%s", diff)
		}
	})
}

// A few bytes must not unpack to more than the largest block.
func TestBlocksAreBounded(t *testing.T) {
	huge := binary.AppendUvarint([]byte{hoursVersion}, (1<<40)*packings+repeated)
	if _, err := DecodeHours(append(huge, 0)); !errors.Is(err, errDamaged) {
		t.Errorf("a stream of a terabyte: got %v, want %v", err, errDamaged)
	}
	large := []byte{hoursVersion}
	for range streams {
		large = append(binary.AppendUvarint(large, (maxBlock-1)*packings+repeated), 1)
	}
	if _, err := DecodeHours(large); !errors.Is(err, errDamaged) {
		t.Errorf("streams of 16 MB each: got %v, want %v", err, errDamaged)
	}
}

func TestHourTotal(t *testing.T) {
	h := &Hour{Probes: 2}
	for i := range 30 {
		m := new(Minute)
		m.Piece("a", checks.Up, time.Minute)
		m.Run(checks.Result{Outcome: checks.Up, Elapsed: 100 * time.Millisecond})
		if i < 10 {
			m.Piece("b", checks.Down, time.Minute)
			m.Run(checks.Result{Outcome: checks.Down, Class: checks.Busy})
		}
		h.Minutes[i] = m
	}
	got := h.Total(2)
	if got.Up != 30*time.Minute || got.Down != 10*time.Minute || got.Unknown != 80*time.Minute {
		t.Errorf("sums: got %+v, want all of two hours", got.Sums)
	}
	if got.Coverage.Covered != 10 || got.Coverage.Minutes != 60 {
		t.Errorf("coverage: got %+v, want 10 of 60", got.Coverage)
	}
	if got.Latency.Count() != 30 || got.Failures.Count(checks.Down) != 10 {
		t.Errorf("runs: got %d up and %d down", got.Latency.Count(), got.Failures.Count(checks.Down))
	}
	var parts Total
	for _, m := range h.Minutes {
		var one Total
		one.AddMinute(m, 2, 2, time.Minute)
		parts.Merge(one)
	}
	if diff := cmp.Diff(got, parts, exact); diff != "" {
		t.Errorf("the minutes add up to something else (-hour +minutes):\n%s", diff)
	}
}

// TestRollupsOfRollups: hours made of minutes, and days made of hours, that were written and
// read again meanwhile, are what all runs add up to at once, in any order; and their
// percentiles are within 1 % of those of the runs by rank.
func TestRollupsOfRollups(t *testing.T) {
	const perHour = 6
	rapid.Check(t, func(t *rapid.T) {
		var raw, day Total
		var times []time.Duration
		var hourly []Total
		for range rapid.IntRange(1, 4).Draw(t, "hours") {
			var hour Total
			for range perHour {
				list := runs().Draw(t, "runs")
				m := minuteOf(list)
				hour.AddMinute(&m, 3, 2, time.Minute)
				raw.AddMinute(&m, 3, 2, time.Minute)
				for _, r := range list {
					if r.Outcome == checks.Up {
						times = append(times, r.Elapsed)
					}
				}
			}
			hourly = append(hourly, kept(t, hour))
		}
		for _, hour := range rapid.Permutation(hourly).Draw(t, "order") {
			day.Merge(hour)
			day = kept(t, day)
		}
		if diff := cmp.Diff(raw, day, exact); diff != "" {
			t.Fatalf("hours add up to something else (-runs +hours):\n%s", diff)
		}
		slices.Sort(times)
		for _, q := range []float64{0.5, 0.9, 0.95, 0.99} {
			got, ok := day.Latency.Quantile(q)
			if ok != (len(times) > 0) || int(day.Completed) != len(times) {
				t.Fatalf("%d runs, a quantile: %t, want %d", day.Completed, ok, len(times))
			}
			if !ok {
				continue
			}
			want := times[int(q*float64(len(times)-1))]
			if math.Abs(float64(got-want)) > accuracy*float64(want)+1 { // a nanosecond of rounding
				t.Fatalf("p%v of %d: got %v, want %v within 1 %%", 100*q, len(times), got, want)
			}
		}
	})
}

// kept is a total that was written and read again.
func kept(t *rapid.T, in Total) Total {
	list, err := DecodeTotals(1, Totals{&in}.Encode())
	if err != nil || list[0] == nil {
		t.Fatalf("got %v, %v, want what was written", list, err)
	}
	return *list[0]
}

func TestInventedNamesAreBounded(t *testing.T) {
	var m Minute
	var p Phases
	for i := range 1000 {
		name := string(rune('a'+i%26)) + string(rune('a'+i/26))
		m.Run(checks.Result{Outcome: checks.Down, Class: checks.Class(name)})
		p.Run(checks.Result{Outcome: checks.Up, Phases: []checks.PhaseTiming{{Name: checks.Phase(name), Duration: 1}}})
	}
	if len(m.Failures) > maxNames+1 || m.Failures.Count(checks.Down) != 1000 {
		t.Errorf("%d classes with %d runs, want at most %d with 1000", len(m.Failures), m.Failures.Count(checks.Down), maxNames+1)
	}
	if len(p) > maxNames {
		t.Errorf("%d phases, want at most %d", len(p), maxNames)
	}
}

func FuzzDecode(f *testing.F) {
	var m Minute
	m.Piece("a", checks.Up, time.Minute)
	m.Run(checks.Result{Outcome: checks.Down, Class: checks.Busy})
	h := &Hour{Probes: 3}
	h.Minutes[7] = &m
	f.Add(Hours{"": h, "osl-1": h}.Encode())
	f.Add(m.Encode())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, b []byte) {
		if m, err := DecodeMinute(b); err == nil {
			if again, err := DecodeMinute(m.Encode()); err != nil || !cmp.Equal(m, again, exact) {
				t.Errorf("a minute that was read cannot be written: %v", err)
			}
		}
		if h, err := DecodeHours(b); err == nil {
			if again, err := DecodeHours(h.Encode()); err != nil || !cmp.Equal(h, again, exact) {
				t.Errorf("an hour that was read cannot be written: %v", err)
			}
		}
		if list, err := DecodeTotals(24, Packed{Sums: b}); err == nil {
			if again, err := DecodeTotals(24, list.Encode()); err != nil || !cmp.Equal(list, again, exact) {
				t.Errorf("totals that were read cannot be written: %v", err)
			}
		}
		if all, err := DecodeProbeTotals(24, Packed{Sums: b}); err == nil {
			if again, err := DecodeProbeTotals(24, all.Encode()); err != nil || !cmp.Equal(all, again, exact) {
				t.Errorf("totals by probe that were read cannot be written: %v", err)
			}
		}
		if s, err := DecodeSketch(b); err == nil {
			s.Quantile(0.5)
		}
		_, _ = DecodePhases(b)
		_, _ = DecodeFailures(b)
		var h Hour
		if err := h.DecodeQuarter(1, b); err == nil {
			var again Hour
			if err := again.DecodeQuarter(1, h.EncodeQuarter(1)); err != nil || !cmp.Equal(h, again, exact) {
				t.Errorf("a quarter that was read cannot be written: %v", err)
			}
		}
	})
}

func BenchmarkSeal(b *testing.B) {
	h := &Hour{Probes: 3}
	for i := range h.Minutes {
		h.Minutes[i] = new(Minute)
		for j := range 6 {
			h.Minutes[i].Piece("osl-"+string(rune('1'+j%3)), checks.Up, 30*time.Second)
			r := checks.Result{Outcome: checks.Up, Elapsed: time.Duration(80+(i*j)%13) * time.Millisecond}
			h.Minutes[i].Run(r)
		}
	}
	for b.Loop() {
		b.ReportMetric(float64(len(Hours{"osl-1": h}.Encode())), "bytes")
	}
}
