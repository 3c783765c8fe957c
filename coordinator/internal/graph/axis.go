package graph

import (
	"html/template"
	"math"
	"strconv"
	"time"
)

// Window is a stretch of time [From, To) cut into steps. From is aligned to
// the step in UTC; the last step may not be over.
type Window struct {
	From, To time.Time
	Step     time.Duration
}

// Last is the window of the given length that ends with the step in which at
// lies, so that the newest cell is the current, unfinished one.
func Last(length, step time.Duration, at time.Time) Window {
	to := at.UTC().Truncate(step).Add(step)
	return Window{From: to.Add(-length), To: to, Step: step}
}

// Cells is the number of steps in the window.
func (w Window) Cells() int {
	if w.Step <= 0 || !w.To.After(w.From) {
		return 0
	}
	return int((w.To.Sub(w.From) + w.Step - 1) / w.Step)
}

// Start is the time at which the i-th step begins.
func (w Window) Start(i int) time.Time { return w.From.Add(time.Duration(i) * w.Step) }

// place is where t lies in the window, 0 to 1 inside it.
func (w Window) place(t time.Time) float64 {
	length := w.To.Sub(w.From)
	if length <= 0 {
		return 0
	}
	return float64(t.Sub(w.From)) / float64(length)
}

// Label writes the time of a step as its length asks for: "07:42" within a
// day, "22 Nov, 06:00" for steps of hours, "22 Nov" for days.
func (w Window) Label(t time.Time) string {
	t = t.UTC()
	switch {
	case w.Step >= 24*time.Hour:
		return t.Format(dayFormat)
	case w.To.Sub(w.From) <= 24*time.Hour:
		return t.Format(clockFormat)
	}
	return t.Format(dayFormat + ", " + clockFormat)
}

// Tick is a word on the time axis.
type Tick struct {
	// Place is where it stands, 0 to 1.
	Place float64
	Text  string
}

// Ticks are the round times of the window: hours, days or months, at most most
// of them unless they are months.
func (w Window) Ticks(most int) []Tick {
	length := w.To.Sub(w.From)
	if length <= 0 || length > 20*366*24*time.Hour || most <= 0 {
		return nil
	}
	if length > 40*24*time.Hour {
		return w.months(length)
	}
	step := tickStep(length, most)
	var ticks []Tick
	for t := w.From.UTC().Truncate(step); t.Before(w.To); t = t.Add(step) {
		text := t.Format(clockFormat)
		if t.Equal(t.Truncate(24 * time.Hour)) {
			text = t.Format(dayFormat)
		}
		ticks = w.tick(ticks, t, text)
	}
	return ticks
}

func (w Window) months(length time.Duration) []Tick {
	every := time.Month(1)
	if length > 400*24*time.Hour {
		every = 12
	}
	var ticks []Tick
	from := w.From.UTC()
	for t := time.Date(from.Year(), from.Month(), 1, 0, 0, 0, 0, time.UTC); t.Before(w.To); t = t.AddDate(0, 1, 0) {
		if (t.Month()-1)%every != 0 {
			continue
		}
		text := t.Format("Jan")
		if t.Month() == time.January {
			text = t.Format("2006")
		}
		ticks = w.tick(ticks, t, text)
	}
	return ticks
}

// tick adds a tick unless it stands too near to an end, where the axis has its
// own words.
func (w Window) tick(ticks []Tick, t time.Time, text string) []Tick {
	if p := w.place(t); p > 0.06 && p < 0.94 {
		return append(ticks, Tick{p, text})
	}
	return ticks
}

// tickStep is the distance of ticks in a window of up to forty days.
func tickStep(length time.Duration, most int) time.Duration {
	const day = 24 * time.Hour
	for _, step := range []time.Duration{
		5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, day, 2 * day, 5 * day,
	} {
		if length/step <= time.Duration(most) {
			return step
		}
	}
	return 10 * day
}

// The most ticks of an axis under a picture of full width, and under a narrow
// one.
const (
	usualTicks  = 9
	narrowTicks = 4
)

// NarrowAxis is the row of words under a picture of a column.
func (w Window) NarrowAxis() template.HTML {
	var b builder
	b.raw(`<svg class="ticks" width="100%" height="18" aria-hidden="true" focusable="false">`)
	for _, t := range w.Ticks(narrowTicks) {
		b.raw(`<text x="`, percent(t.Place), `" y="13">`)
		b.text(t.Text)
		b.raw(`</text>`)
	}
	b.raw(`</svg>`)
	return b.html()
}

// Axis is the row of words under a picture. first and last stand at its ends;
// every second word between them gives way on a narrow screen.
func (w Window) Axis(first, last string) template.HTML {
	var b builder
	b.raw(`<svg class="ticks" width="100%" height="20" aria-hidden="true" focusable="false">`)
	if first != "" {
		b.raw(`<text class="first" x="0" y="15">`)
		b.text(first)
		b.raw(`</text>`)
	}
	for i, t := range w.Ticks(usualTicks) {
		if first != "" && t.Place < 0.12 || last != "" && t.Place > 0.9 {
			continue // no room beside the words at the ends
		}
		class := "k1"
		if i%2 == 1 || first != "" && t.Place < 0.2 || last != "" && t.Place > 0.84 {
			class = "k2"
		}
		b.raw(`<text class="`, class, `" x="`, percent(t.Place), `" y="15">`)
		b.text(t.Text)
		b.raw(`</text>`)
	}
	if last != "" {
		b.raw(`<text class="last" x="100%" y="15">`)
		b.text(last)
		b.raw(`</text>`)
	}
	b.raw(`</svg>`)
	return b.html()
}

// Letters is the row of annotations over a picture: A, B, C in circles at the
// given times.
func (w Window) Letters(at []time.Time) template.HTML {
	var b builder
	b.raw(`<svg class="letters" width="100%" height="20" aria-hidden="true" focusable="false">`)
	last := math.Inf(-1)
	for i, t := range at {
		// Two that are close stand side by side: a circle hides no other.
		place := clamp(max(w.place(t), last+letterRoom), 0, 1)
		last = place
		x := percent(place)
		b.raw(`<circle cx="`, x, `" cy="10" r="8.5"/><text x="`, x, `" y="14">`, Letter(i), `</text>`)
	}
	b.raw(`</svg>`)
	return b.html()
}

// letterRoom is the part of a full width that one circle takes.
const letterRoom = 0.024

// Letter is the name of the i-th annotation: A to Z, then numbers.
func Letter(i int) string {
	if i >= 0 && i < 26 {
		return string(rune('A' + i))
	}
	return strconv.Itoa(i + 1)
}

// Places are the given times as places in a picture that is width units wide.
func (w Window) Places(at []time.Time, width float64) []float64 {
	out := make([]float64, len(at))
	for i, t := range at {
		out[i] = clamp(w.place(t), 0, 1) * width
	}
	return out
}

// percent writes a place from 0 to 1 in per cent.
func percent(place float64) string { return num(place*100) + "%" }
