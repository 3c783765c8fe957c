package ops

import (
	"context"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"varde/checks"
	"varde/coordinator/internal/graph"
)

// Pulse is how one probe was in one step, by what it sent.
type Pulse struct {
	At time.Time
	// Runs are the observations that ended in it, Down those of them that were down.
	// OwnNetwork, OwnLate and OwnError are those that count as unknown, by whose fault.
	Runs, Down, OwnNetwork, OwnLate, OwnError int
	// Waited is the longest time from the end of a run to its arrival.
	Waited time.Duration
	// ClockLow and ClockHigh are the ends of the offset of its clock against the
	// coordinator's; ClockKnown is false where it was not measured.
	ClockLow, ClockHigh time.Duration
	ClockKnown          bool
}

// ProbeHistory is how a probe was over a window.
type ProbeHistory struct {
	// Pulses are those of the steps of which something is known, oldest first.
	Pulses []Pulse
	// Starts are when its program began, as far as that is known, oldest first.
	Starts []time.Time
}

// clockLimit is how far the clock of a probe may be off: results of one that is further
// off count as unknown.
const clockLimit = 30 * time.Second

// pulseSpans are the windows of a probe's page. No step is narrower than a pulse.
func pulseSpans() []span {
	const day = 24 * time.Hour
	return []span{
		{"1h", "1 hour", time.Hour, 5 * time.Minute},
		{"6h", "6 hours", 6 * time.Hour, 5 * time.Minute},
		{"24h", "24 hours", day, 5 * time.Minute},
		{"7d", "7 days", 7 * day, time.Hour},
		{"30d", "30 days", 30 * day, 2 * time.Hour},
		{"90d", "90 days", 90 * day, 6 * time.Hour},
		{"1y", "1 year", 365 * day, day},
	}
}

// pulseView is a probe over time.
type pulseView struct {
	Words         string
	Ranges        []switchView
	Drawn         drawnView
	Data          template.URL
	Letters, Axis template.HTML
	Rows          []pulseRow
	Starts        []startView
	// Known is false where nothing is known of the window.
	Known bool
}

// pulseRow is one picture with its words.
type pulseRow struct {
	Name, Meaning, Value string
	Picture              template.HTML
}

// startView is one start of the program.
type startView struct {
	Letter string
	Time   stamp
}

// pulsesOf reads and draws how a probe was.
func (s *Server) pulsesOf(ctx context.Context, now Now, probe string, sp span) (pulseView, error) {
	w := graph.Last(sp.length, sp.step, now.At)
	h, err := s.history.Probe(ctx, probe, w)
	if err != nil {
		return pulseView{}, fmt.Errorf("read history of probe %s: %w", probe, err)
	}
	v := pulseView{Words: sp.words, Axis: w.Axis("", "now"), Known: len(h.Pulses) > 0}
	for _, x := range pulseSpans() {
		v.Ranges = append(v.Ranges, switchView{x.name, "?range=" + x.name, x.name == sp.name})
	}
	v.Data = template.URL("probe=" + template.URLQueryEscaper(probe) + "&range=" + sp.name)
	v.Drawn = drawnView{w.From.UnixMilli(), w.To.UnixMilli(), w.Step.Milliseconds(), string(v.Data), true}
	lines, letters := lettered(h.Starts)
	if len(lines) > 0 {
		v.Letters = w.Letters(lines)
	}
	for i, at := range h.Starts {
		v.Starts = append(v.Starts, startView{letters[0][i], stamp{stampOf(at, "").Machine, when(at, now.At)}})
	}
	if v.Known {
		v.Rows = append(h.counts(w, lines, sp.words), h.waited(w, lines, sp.words), h.clock(w, lines, sp.words))
	}
	return v, nil
}

// counts draws how many results it made, and how many of them were of each kind of
// trouble.
func (h ProbeHistory) counts(w graph.Window, lines []time.Time, words string) []pulseRow {
	kinds := []struct {
		name, meaning string
		of            func(Pulse) int
		hollow        bool
	}{
		{"results", "of runs that ended then", func(p Pulse) int { return p.Runs }, false},
		{"down", "what it saw fail", func(p Pulse) int { return p.Down }, false},
		{string(checks.OwnNetwork), "its network failed: unknown", func(p Pulse) int { return p.OwnNetwork }, true},
		{string(checks.OwnLate), "its machine was starved: unknown", func(p Pulse) int { return p.OwnLate }, true},
		{string(checks.OwnError), "its clock or program: unknown", func(p Pulse) int { return p.OwnError }, true},
	}
	var out []pulseRow
	for i, k := range kinds {
		counts, total := make([]int, w.Cells()), 0
		for _, p := range h.Pulses {
			if at := int(p.At.Sub(w.From) / w.Step); at >= 0 && at < len(counts) {
				counts[at] += k.of(p)
				total += k.of(p)
			}
		}
		if total == 0 && i > 0 {
			continue
		}
		bars := graph.Bars{
			Words:  graph.Words{ID: fmt.Sprintf("u_%d", i), Title: k.name + ", " + words, Desc: graph.Count(total, "result") + "."},
			Window: w, Counts: counts, Most: slices.Max(append(counts, 1)), Hollow: k.hollow, Plain: i == 0, Noun: "result", Height: 32,
			Lines: w.Places(lines, float64(max(1, len(counts)))),
		}
		out = append(out, pulseRow{k.name, k.meaning, graph.Thousands(total), bars.HTML()})
	}
	return out
}

// waited draws how long results waited to arrive.
func (h ProbeHistory) waited(w graph.Window, lines []time.Time, words string) pulseRow {
	var points []graph.DelayPoint
	longest := time.Duration(0)
	for _, p := range h.Pulses {
		if p.Runs > 0 {
			points = append(points, graph.DelayPoint{At: p.At, Longest: p.Waited, Sent: p.Runs, Arrived: p.Runs})
			longest = max(longest, p.Waited)
		}
	}
	d := graph.Delays{
		Words:  graph.Words{ID: "u_w", Title: "Time from the end of a run to its arrival, " + words, Desc: "Longest " + graph.Delay(longest) + "."},
		Window: w, Points: points, Scale: graph.DelayScale(points), Noun: "result", Lines: lines,
	}
	return pulseRow{"arrival", "longest wait of a result", graph.Delay(longest) + " at most", d.HTML()}
}

// clock draws how far its clock was off.
func (h ProbeHistory) clock(w graph.Window, lines []time.Time, words string) pulseRow {
	d := graph.Drift{Window: w, Limit: clockLimit, Lines: lines}
	for _, p := range h.Pulses {
		if p.ClockKnown {
			d.Points = append(d.Points, graph.DriftPoint{At: p.At, Low: p.ClockLow, High: p.ClockHigh})
		}
	}
	value := "not measured"
	if len(d.Points) > 0 {
		low, high := d.Points[0].Low, d.Points[0].High
		for _, p := range d.Points {
			low, high = min(low, p.Low), max(high, p.High)
		}
		value = graph.Offset(low) + " to " + graph.Offset(high)
	}
	d.Words = graph.Words{ID: "u_c", Title: "Clock against the coordinator's, " + words, Desc: value + "."}
	return pulseRow{"clock", "against ours; 30 s may be corrected", value, d.HTML()}
}

// apiProbeGraph answers with what the page of a probe draws.
func (s *Server) apiProbeGraph(w http.ResponseWriter, r *http.Request, format string) {
	q := ask(r.URL.Query())
	q.only("probe", "range")
	probe, sp := q.id("probe"), q.span(pulseSpans(), "24h")
	s.withNow(w, r, func(ctx context.Context, now Now) error {
		if probe == "" {
			q.fail("no probe given, expected probe=NAME")
		} else if !slices.ContainsFunc(now.Probes, func(p Probe) bool { return p.Name == probe }) {
			q.fail("probe %q is not on the roster", probe)
		}
		if q.err != nil {
			apiError(w, http.StatusBadRequest, q.err.Error())
			return nil
		}
		window := graph.Last(sp.length, sp.step, now.At)
		h, err := s.history.Probe(ctx, probe, window)
		if err != nil {
			return fmt.Errorf("read history of probe %s: %w", probe, err)
		}
		return s.send(w, h.drawn(probe, window), format)
	})
}

// drawn are the numbers of the page of a probe, one row a step.
func (h ProbeHistory) drawn(probe string, w graph.Window) drawn {
	d := newDrawn("probe", w)
	d.Columns = []string{"t", "probe", "results", "down", "own_network", "own_late", "own_error", "longest_wait_s", "clock_low_ms", "clock_high_ms"}
	for _, p := range h.Pulses {
		var low, high any
		if p.ClockKnown {
			low, high = checks.Milliseconds(p.ClockLow), checks.Milliseconds(p.ClockHigh)
		}
		d.add(p.At, probe, p.Runs, p.Down, p.OwnNetwork, p.OwnLate, p.OwnError, p.Waited.Seconds(), low, high)
	}
	return d
}
