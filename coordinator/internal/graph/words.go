package graph

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"varde/coordinator/internal/availability"
)

// Ratio is a share from 0 to 1 that may not be known.
type Ratio struct {
	Value float64
	Known bool
}

// Percent writes a share with the given decimals, cut and never rounded up:
// 99.996 % is "99.99 %", and only all is "100 %". What is not known is "not
// measured".
func (r Ratio) Percent(places int) string {
	if !r.Known || math.IsNaN(r.Value) {
		return "not measured"
	}
	return availability.FormatPercent(r.Value, places)
}

// Looked states a coverage as it stands beside every availability, e.g.
// "looked 98.4 %". Under 80 % the number stays and says that it is thin:
// "looked only 42 %". What was looked at for a moment is not called 0 %.
func Looked(coverage float64) string {
	switch {
	case !(coverage > 0):
		return "not looked"
	case coverage < 0.01:
		return "looked under 1 %"
	case coverage < ThinCoverage:
		return "looked only " + Ratio{coverage, true}.Percent(0)
	}
	return "looked " + Ratio{coverage, true}.Percent(1)
}

// ThinCoverage is the share of a window that must have been looked at before
// its availability is taken at its word.
const ThinCoverage = availability.Enough

// Span writes a duration in words, to the minute from one minute on: "48 s",
// "6 min", "2 h 38 min", "12 d". Days are given from two days on.
func Span(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + " min"
	case d < 48*time.Hour:
		h, m := int(d/time.Hour), int(d%time.Hour/time.Minute)
		if m == 0 {
			return strconv.Itoa(h) + " h"
		}
		return fmt.Sprintf("%d h %d min", h, m)
	}
	return strconv.Itoa(int(d/(24*time.Hour))) + " d"
}

// Latency writes a measured time with the digits that it deserves: "1.4 ms",
// "83 ms", "1.5 s", "12 s".
func Latency(d time.Duration) string {
	ms := float64(d) / float64(time.Millisecond)
	switch {
	case ms < 9.95:
		return strconv.FormatFloat(max(0, ms), 'f', 1, 64) + " ms"
	case ms < 999.5:
		return strconv.FormatFloat(ms, 'f', 0, 64) + " ms"
	case ms < 9950:
		return strconv.FormatFloat(ms/1000, 'f', 1, 64) + " s"
	}
	return strconv.FormatFloat(ms/1000, 'f', 0, 64) + " s"
}

// Delay writes how long a mail took: "1.4 s", "47 min", "2 h 5 min".
func Delay(d time.Duration) string {
	if d < 10*time.Second {
		return Latency(d)
	}
	return Span(d)
}

// AtMost writes a delay that no mail exceeded. It is as Delay has it, but rounded up,
// and with hours beside days: a promise must not be shorter than what was measured.
func AtMost(d time.Duration) string {
	up := func(unit time.Duration) time.Duration { return (d + unit - 1).Truncate(unit) }
	switch {
	case d < 10*time.Second:
		return Delay(d)
	case d <= time.Minute:
		return Span(up(time.Second))
	case d <= 48*time.Hour:
		return Span(up(time.Minute))
	}
	days, hours := up(time.Hour)/(24*time.Hour), up(time.Hour)%(24*time.Hour)/time.Hour
	if hours == 0 {
		return fmt.Sprintf("%d d", days)
	}
	return fmt.Sprintf("%d d %d h", days, hours)
}

// Exact writes the time of one run to the millisecond: "4,002 ms", and with a
// decimal below ten: "1.4 ms".
func Exact(d time.Duration) string {
	if d < 9950*time.Microsecond {
		return Latency(d)
	}
	return Thousands(int(d.Round(time.Millisecond)/time.Millisecond)) + " ms"
}

// List joins names as in a sentence: "a", "a and b", "a, b and c".
func List(names []string) string {
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// Count writes a number with its noun: "1 day", "3 days", "1,440 runs".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Thousands(n) + " " + noun + "s"
}

// Thousands writes a number with commas between its thousands: "7,584".
func Thousands(n int) string {
	s := strconv.Itoa(n)
	start := len(s) % 3
	if n < 0 {
		return s
	}
	var parts []string
	if start > 0 {
		parts = append(parts, s[:start])
	}
	for i := start; i < len(s); i += 3 {
		parts = append(parts, s[i:i+3])
	}
	return strings.Join(parts, ",")
}

// The formats of dates and of times of the day; all are UTC.
const (
	dayFormat   = "2 Jan"
	clockFormat = "15:04"
)
