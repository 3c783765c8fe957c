package graph

import (
	"html/template"
	"slices"
	"strings"
	"time"
)

// DelayPoint is what became of the test mails that were sent, or of the results that were
// made, in one step of a window.
type DelayPoint struct {
	// At is the start of the step.
	At time.Time
	// Longest is the longest delay of those that arrived.
	Longest time.Duration
	// Sent counts them all; Late, Pending, Lost and Unknown those of whom that is
	// to be said.
	Sent, Arrived, Late, Pending, Lost, Unknown int
}

// Delays shows how long test mails took, each step by its worst: a thin bar as high
// as the longest delay; a broad one where mails were late; the full height, with
// a foot, where any was lost; hollow where they are not found yet, or nobody can
// tell.
type Delays struct {
	Words
	Window Window
	Points []DelayPoint
	Scale  Scale
	// Noun is what is late, "mail" if not given.
	Noun string
	// Height in pixels, 88 if not given.
	Height float64
	// Lines are the times of annotations.
	Lines []time.Time
}

// DelayScale is the scale that holds every delay of all the given series.
func DelayScale(series ...[]DelayPoint) Scale {
	all := make([][]LatencyPoint, len(series))
	for i, points := range series {
		for _, p := range points {
			all[i] = append(all[i], LatencyPoint{N: p.Arrived, P50: p.Longest})
		}
	}
	return ScaleOf(all...)
}

// HTML draws the bars with the words of their scale; it stands in an element of the
// class "pl" of its own.
func (d Delays) HTML() template.HTML {
	if d.Height <= 0 {
		d.Height = 88
	}
	if d.Noun == "" {
		d.Noun = "mail"
	}
	var b builder
	b.raw(lines(d.Window.Places(d.Lines, panelWidth), d.Height), `<path class="grid" d="`)
	marks := d.marks()
	for _, v := range marks {
		b.raw("M0 ", num(d.Scale.y(v, d.Height)), "H", num(panelWidth))
	}
	b.raw("M0 ", num(d.Height), "H", num(panelWidth), `"/>`)
	for _, p := range d.Points {
		d.bar(&b, p)
	}
	var out builder
	out.raw(`<div class="pl">`, string(plot(panelWidth, d.Height, d.Words, b.String())), d.Scale.words(d.Height, marks, roundDelay), `</div>`)
	return out.html()
}

// marks are the times at which the scale has a line, in the units in which people
// wait.
func (d Delays) marks() []time.Duration {
	all := []time.Duration{100 * time.Millisecond, time.Second, 10 * time.Second, time.Minute, 10 * time.Minute, time.Hour, 10 * time.Hour, 48 * time.Hour}
	return slices.DeleteFunc(all, func(v time.Duration) bool { return 5*v < 6*d.Scale.Low || 10*v > 9*d.Scale.High })
}

// roundDelay writes a round delay: "100 ms", "10 s", "10 min", "1 h".
func roundDelay(d time.Duration) string {
	if d < time.Minute {
		return Round(d)
	}
	return Span(d)
}

// bar draws one step.
func (d Delays) bar(b *builder, p DelayPoint) {
	if p.Sent <= 0 {
		return
	}
	from, to := d.Window.x(p.At), d.Window.x(p.At.Add(d.Window.Step))
	top := min(d.Scale.y(p.Longest, d.Height), d.Height-3)
	class, margin := "db", 0.36
	switch {
	case p.Lost > 0:
		class, margin, top = "dlost", 0.1, 0
	case p.Pending+p.Unknown > 0 && p.Arrived == 0:
		class, margin, top = "dopen", 0.16, d.Height/2
	case p.Late > 0:
		class, margin = "dlate", 0.1
	}
	room := (to - from) * margin
	b.raw(`<rect class="`, class, `" x="`, num(from+room), `" y="`, num(top), `" width="`, num(max(1, to-from-2*room)),
		`" height="`, num(d.Height-top), `"><title>`)
	b.text(d.Window.Label(p.At) + ": " + p.words(d.Noun))
	b.raw(`</title></rect>`)
	if p.Lost > 0 { // also without colour it is no late one
		b.raw(`<path class="dfoot" d="M`, num(from), " ", num(d.Height-2), "H", num(to), `"/>`)
	}
}

// words say what became of the mails of the step.
func (p DelayPoint) words(noun string) string {
	words := []string{Count(p.Sent, noun)}
	for _, part := range []struct {
		n    int
		what string
	}{{p.Lost, "lost"}, {p.Late, "late"}, {p.Pending, "pending"}, {p.Unknown, "unknown"}} {
		if part.n > 0 {
			words = append(words, Thousands(part.n)+" "+part.what)
		}
	}
	if p.Arrived > 0 {
		words = append(words, "longest delay "+Delay(p.Longest))
	}
	return strings.Join(words, ", ")
}

// DelayKey is a bar drawn small, for the legend beside a word: "db" arrived in
// time, "dlate" late, "dlost" lost, "dopen" not found yet.
func DelayKey(class string) template.HTML {
	shapes := map[string]string{
		"db":    `<rect class="db" x="3.5" y="8" width="3" height="10"/>`,
		"dlate": `<rect class="dlate" x="1" y="4" width="8" height="14"/>`,
		"dlost": `<rect class="dlost" x="1" y="0" width="8" height="18"/><path class="dfoot" d="M0 17H10"/>`,
		"dopen": `<rect class="dopen" x="1.5" y="9" width="7" height="8.5"/>`,
	}
	return template.HTML(`<svg class="key" viewBox="0 0 10 18" width="10" height="18" aria-hidden="true" focusable="false">` + shapes[class] + `</svg>`)
}
