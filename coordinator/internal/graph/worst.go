package graph

import (
	"html/template"
	"math"
	"time"

	"varde/coordinator/internal/availability"
)

// WorstWindows shows, for windows of several lengths, how much of the worst one was down:
// a bar each, on a logarithmic height from a hundred-thousandth to all of it. One long
// outage stands high far to the right, blips fall away. What was not looked at has no
// bar, and a window with nothing down in it is the ground line alone.
type WorstWindows struct {
	Words
	// Windows stand from left to right.
	Windows []availability.Worst
	// Objective is the share of the time that was promised, drawn as a line; none if
	// it is not between 0 and 1. Bars that break it stand over the line.
	Objective float64
	// Height in pixels, 88 if not given.
	Height float64
}

// leastDown is the share down at the foot of the scale.
const leastDown = 1e-5

// rise is how high a share that was down stands, 0 to 1.
func (w WorstWindows) rise(down float64) float64 {
	return clamp(1-math.Log(clamp(down, leastDown, 1))/math.Log(leastDown), 0, 1)
}

// HTML draws the bars with the words of their scale; it stands in an element of the
// class "pl" of its own.
func (w WorstWindows) HTML() template.HTML {
	if !(w.Height > 0) {
		w.Height = 88
	}
	marks := []struct {
		down float64
		word string
	}{{1, "all down"}, {0.1, "10 %"}, {0.01, "1 %"}, {0.001, "0.1 %"}, {0.0001, "0.01 %"}}
	var b, words builder
	b.raw(`<path class="grid" d="`)
	words.raw(`<svg class="yl" height="`, num(w.Height), `" aria-hidden="true" focusable="false">`)
	for _, m := range marks {
		y := num(w.Height * (1 - w.rise(m.down)))
		b.raw("M0 ", y, "H", num(panelWidth))
		words.raw(`<text x="100%" y="`, y, `">`, m.word, `</text>`)
	}
	b.raw("M0 ", num(w.Height), "H", num(panelWidth), `"/>`)
	words.raw(`</svg>`)
	for i, x := range w.Windows {
		w.bar(&b, i, x)
	}
	if w.Objective > 0 && w.Objective < 1 {
		b.raw(`<path class="goal" d="M0 `, num(w.Height*(1-w.rise(1-w.Objective))), "H", num(panelWidth), `"/>`)
	}
	var out builder
	out.raw(`<div class="pl">`, string(plot(panelWidth, w.Height, w.Words, b.String())), words.String(), `</div>`)
	return out.html()
}

// bar draws one window.
func (w WorstWindows) bar(b *builder, i int, x availability.Worst) {
	down := 1 - x.Ratio
	if !x.Known || !(down > 0) {
		return
	}
	class := "wk"
	if w.Objective > 0 && x.Ratio < w.Objective {
		class = "wd"
	}
	room := panelWidth / float64(len(w.Windows))
	h := max(w.Height*w.rise(down), min(2, w.Height))
	b.raw(`<rect class="`, class, `" x="`, num((float64(i)+0.2)*room), `" y="`, num(w.Height-h), `" width="`, num(0.6*room), `" height="`, num(h), `"><title>`)
	b.text("Worst " + WindowName(x) + ": " + Ratio{x.Ratio, true}.Percent(3) + " up, from " + x.From.UTC().Format(dayFormat+", "+clockFormat) + " on")
	b.raw(`</title></rect>`)
}

// Finding says what the windows show, in words: the worst hour, or a shorter window where
// there was no hour. It is empty where nothing was down.
func (w WorstWindows) Finding() (words string) {
	for _, x := range w.Windows {
		if x.Bad() {
			words = "Worst " + longName(x) + ": " + Ratio{x.Ratio, true}.Percent(3) + " up."
			if x.Length >= time.Hour {
				break
			}
		}
	}
	return words
}

// longName is the length of a window where there is room: "hour", "6 h", "day".
func longName(x availability.Worst) string {
	switch x.Length {
	case time.Hour:
		return "hour"
	case 24 * time.Hour:
		return "day"
	}
	return Span(x.Length)
}

// Axis is the row of words under the bars.
func (w WorstWindows) Axis() template.HTML {
	var b builder
	b.raw(`<svg class="ticks" width="100%" height="20" aria-hidden="true" focusable="false">`)
	for i, x := range w.Windows {
		b.raw(`<text x="`, percent((float64(i)+0.5)/float64(len(w.Windows))), `" y="15">`)
		b.text(WindowName(x))
		b.raw(`</text>`)
	}
	b.raw(`</svg>`)
	return b.html()
}

// WindowName is the length of a window as it stands under its bar: "1 h", "1 d".
func WindowName(x availability.Worst) string {
	if x.Length.Hours() == 24 {
		return "1 d"
	}
	return Span(x.Length)
}
