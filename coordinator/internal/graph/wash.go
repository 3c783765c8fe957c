package graph

import "time"

// wash colours the ground of the given spans.
func wash(w Window, spans []Window, height float64) string {
	var b builder
	for _, s := range spans {
		x0, x1 := w.x(s.From), w.x(s.To)
		if x1 > x0 {
			b.raw(`<rect class="wash" x="`, num(x0), `" y="0" width="`, num(x1-x0), `" height="`, num(height), `"/>`)
		}
	}
	return b.String()
}

// note writes up to two short lines into a span that has room for them.
func note(w, span Window, height, room float64, words []string) string {
	place := clamp(w.place(span.From), 0, 1)
	if len(words) == 0 || clamp(w.place(span.To), 0, 1)-place < max(room, 0.04) {
		return ""
	}
	var b builder
	b.raw(`<svg class="over" height="`, num(height), `" aria-hidden="true" focusable="false">`)
	for i, line := range words[:min(2, len(words))] {
		b.raw(`<text x="`, percent(place+0.006), `" y="`, num(height/2+float64(i)*15-4), `">`)
		b.text(line)
		b.raw(`</text>`)
	}
	b.raw(`</svg>`)
	return b.String()
}

// Silent finds the spans of a window in which trouble was seen and no run
// completed: what a panel washes. tallies hold one entry a step, and points
// may leave steps out.
func Silent(w Window, tallies []Tally, points []LatencyPoint) []Window {
	completed := make(map[int]bool, len(points))
	for _, p := range points {
		if p.N > 0 && w.Step > 0 {
			completed[int(p.At.Sub(w.From)/w.Step)] = true
		}
	}
	var out []Window
	for i, t := range tallies {
		if t.Mark() != Down || completed[i] {
			continue
		}
		from, to := w.Start(i), w.Start(i+1)
		if n := len(out); n > 0 && out[n-1].To.Equal(from) {
			out[n-1].To = to
			continue
		}
		out = append(out, Window{From: from, To: to, Step: w.Step})
	}
	return out
}

// Round writes a round duration without decimals: "500 ms", "1 s", "0".
func Round(d time.Duration) string {
	switch {
	case d <= 0:
		return "0"
	case d < time.Millisecond:
		return num(float64(d)/float64(time.Microsecond)) + " µs"
	case d < time.Second:
		return num(float64(d)/float64(time.Millisecond)) + " ms"
	}
	return num(d.Seconds()) + " s"
}
